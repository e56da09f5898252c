//! The compressions of blocks, each in a file of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) mod deflate;
pub(super) mod jpeg;
pub(super) mod lerc;
pub(super) mod lzma;
pub(super) mod lzw;
pub(super) mod packbits;
pub(super) mod webp;
pub(super) mod zstandard;

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Lzw,
    Deflate,
    PackBits,
    Zstd,
    Lzma,
    Jpeg,
    Webp,
    Lerc,
    LercDeflate,
    LercZstd,
}

use Compression::*;

impl Compression {
    /// The compression with a code (and with parameters, of LERC), or the name of what is not decoded.
    pub fn of(code: u64, lerc_parameters: &[u64]) -> Result<Self, String> {
        Ok(match code {
            1 => None,
            5 => Lzw,
            8 | 32946 => Deflate,
            7 => Jpeg,
            32773 => PackBits,
            34925 => Lzma,
            34887 => match lerc_parameters.get(1).copied().unwrap_or(0) {
                0 => Lerc,
                1 => LercDeflate,
                2 => LercZstd,
                other => return Err(format!("LERC within a compression of code {other}")),
            },
            50000 => Zstd,
            50001 => Webp,
            2 => return Err("CCITT RLE".to_string()),
            3 => return Err("CCITT fax 3".to_string()),
            4 => return Err("CCITT fax 4".to_string()),
            6 => return Err("old JPEG".to_string()),
            34661 => return Err("JBIG".to_string()),
            33003 | 33005 | 34712 => return Err("JPEG 2000".to_string()),
            34676 | 34677 => return Err("SGI LOG".to_string()),
            50002 | 52546 => return Err("JPEG XL".to_string()),
            other => return Err(format!("code {other}")),
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            None => "none",
            Lzw => "lzw",
            Deflate => "deflate",
            PackBits => "packbits",
            Zstd => "zstd",
            Lzma => "lzma",
            Jpeg => "jpeg",
            Webp => "webp",
            Lerc => "lerc",
            LercDeflate => "lerc_deflate",
            LercZstd => "lerc_zstd",
        }
    }

    /// Whether a predictor may have been at the cells before.
    pub fn has_predictor(self) -> bool {
        matches!(self, Lzw | Deflate | Zstd | Lzma)
    }

    /// Whether it is of pictures of bytes alone.
    pub fn is_of_bytes(self) -> bool {
        matches!(self, Jpeg | Webp)
    }
}

/// The shape of a decoded block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Columns.
    pub width: u64,
    /// Rows.
    pub rows: u64,
    /// Bands.
    pub bands: u64,
}

impl Shape {
    /// Samples in it.
    pub fn samples(self) -> Result<usize, String> {
        let samples = self.width.checked_mul(self.rows).and_then(|cells| cells.checked_mul(self.bands));
        samples.and_then(|samples| usize::try_from(samples).ok()).ok_or_else(|| "too many samples".to_string())
    }
}

/// Runs code of other authors on untrusted bytes: its panics become errors.
pub(super) fn guarded<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("the decoder gave up on it".to_string()))
}

/// What was decoded, if it is as long as it should be.
pub(super) fn of_length(decoded: Vec<u8>, expected: usize) -> Result<Vec<u8>, String> {
    match decoded.len() == expected {
        true => Ok(decoded),
        false => Err(format!("{} bytes of {expected} in the block", decoded.len())),
    }
}
