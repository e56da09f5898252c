//! Compressors that decode a chunk whole: zstd, gzip, zlib, lz4, lzma.

use std::io::Read;

use bytes::Bytes;

use super::Step;
use super::parse::{Refusal, setting};
use crate::source::zarr::metadata::CodecSpec;

/// The most bytes decoded where the metadata does not tell how many there are.
const MAX_UNKNOWN_SIZE: usize = 2 << 30;

/// zstd frames.
#[derive(Debug)]
pub(super) struct Zstd;

impl Step for Zstd {
    fn decode(&self, encoded: Bytes, size: Option<usize>) -> Result<Bytes, String> {
        let Some(size) = size else {
            let decoder = zstd::stream::read::Decoder::with_buffer(&encoded[..]).map_err(|error| error.to_string())?;
            return read_limited(decoder, None);
        };
        let mut bytes = buffer_of(size)?;
        zstd::zstd_safe::decompress(&mut bytes, &encoded)
            .map_err(|code| format!("zstd: {}", zstd::zstd_safe::get_error_name(code)))?;
        Ok(bytes.into())
    }
}

/// gzip members.
#[derive(Debug)]
pub(super) struct Gzip;

impl Step for Gzip {
    fn decode(&self, encoded: Bytes, size: Option<usize>) -> Result<Bytes, String> {
        read_limited(flate2::bufread::MultiGzDecoder::new(&encoded[..]), size)
    }
}

/// A zlib stream.
#[derive(Debug)]
pub(super) struct Zlib;

impl Step for Zlib {
    fn decode(&self, encoded: Bytes, size: Option<usize>) -> Result<Bytes, String> {
        read_limited(flate2::bufread::ZlibDecoder::new(&encoded[..]), size)
    }
}

/// lz4 as numcodecs stores it: the decoded size in four bytes, lowest first, then one block.
#[derive(Debug)]
pub(super) struct Lz4;

impl Step for Lz4 {
    fn decode(&self, encoded: Bytes, size: Option<usize>) -> Result<Bytes, String> {
        let Some((&header, block)) = encoded.split_first_chunk::<4>() else {
            return Err(format!("lz4: {} bytes, expected a header of 4", encoded.len()));
        };
        let told = u32::from_le_bytes(header) as usize;
        if size.is_some_and(|size| size != told) || told > MAX_UNKNOWN_SIZE {
            return Err(format!("lz4: the header tells of {told} bytes, expected {size:?}"));
        }
        // A byte of a block decodes to at most 255.
        if told > block.len().saturating_mul(255) + 64 {
            return Err(format!("lz4: a block of {} bytes cannot hold {told}", block.len()));
        }
        lz4_flex::block::decompress(block, told).map(Bytes::from).map_err(|error| format!("lz4: {error}"))
    }
}

/// lzma in the containers of xz and of the old `.lzma` files.
#[derive(Debug)]
pub(super) struct Lzma;

impl Lzma {
    pub fn new(spec: &CodecSpec) -> Result<Self, Refusal> {
        // 3 is a raw stream, which its filters alone describe.
        match spec.integer("format").unwrap_or(1) {
            0..=2 => Ok(Self),
            _ => Err(Refusal::Invalid(format!("format is {}, expected 0, 1 or 2", setting(spec, "format")))),
        }
    }
}

impl Step for Lzma {
    fn decode(&self, encoded: Bytes, size: Option<usize>) -> Result<Bytes, String> {
        const MEMORY_LIMIT: u64 = 1 << 30;
        let stream = liblzma::stream::Stream::new_auto_decoder(MEMORY_LIMIT, 0).map_err(|error| error.to_string())?;
        read_limited(liblzma::bufread::XzDecoder::new_stream(&encoded[..], stream), size)
    }
}

/// All that a decoder gives, but one byte more than `size` at most.
fn read_limited(decoder: impl Read, size: Option<usize>) -> Result<Bytes, String> {
    let limit = size.unwrap_or(MAX_UNKNOWN_SIZE);
    let mut bytes = match size {
        // One more, so that reading to the end does not make the buffer grow.
        Some(size) => buffer_of(size + 1)?,
        None => Vec::new(),
    };
    decoder.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    match bytes.len() > limit {
        true => Err(format!("decodes to more than {limit} bytes")),
        false => Ok(bytes.into()),
    }
}

/// An empty buffer with room for `size` bytes.
fn buffer_of(size: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| format!("no memory for a chunk of {size} bytes"))?;
    Ok(bytes)
}
