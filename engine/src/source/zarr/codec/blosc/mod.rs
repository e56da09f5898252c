//! Blosc (version 1), whole or one inner block at a time.
//!
//! A blosc buffer has a header of 16 bytes, then the places of its inner blocks; each block is compressed by itself and
//! is small enough for the L2 cache, so that a reader that decodes block by block never leaves it.
//!
//! The format: <https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst>.

mod blocks;
mod shuffle;

use blosc_src::{blosc_cbuffer_sizes, blosc_cbuffer_validate, blosc_decompress_ctx};
use bytes::Bytes;

use super::Step;

pub(in crate::source::zarr) use blocks::{BlockReader, wait_for_places};

/// Bytes of the header.
const HEADER_SIZE: usize = 16;

/// Decodes a buffer whole.
#[derive(Debug)]
pub(super) struct Blosc;

impl Step for Blosc {
    fn decode(&self, encoded: Bytes, size: Option<usize>) -> Result<Bytes, String> {
        let header = Header::of(&encoded, encoded.len(), size)?;
        let mut bytes: Vec<u8> = Vec::new();
        bytes.try_reserve_exact(header.size).map_err(|_| format!("no memory for a chunk of {} bytes", header.size))?;
        // SAFETY: the header was validated against the buffer's length, `bytes` has room for `header.size` bytes, and
        // blosc writes no more than the size it is told; the length is set to what it says it wrote.
        let written = unsafe {
            let written = blosc_decompress_ctx(encoded.as_ptr().cast(), bytes.as_mut_ptr().cast(), header.size, 1);
            bytes.set_len(usize::try_from(written).unwrap_or(0).min(header.size));
            written
        };
        match usize::try_from(written) == Ok(header.size) {
            true => Ok(bytes.into()),
            false => Err(format!("blosc: corrupt (code {written})")),
        }
    }

    fn is_blosc(&self) -> bool {
        true
    }
}

/// What the header of a buffer says, checked.
#[derive(Debug, Clone, Copy)]
struct Header {
    /// Decoded bytes.
    size: usize,
    /// Decoded bytes of an inner block; the last may have fewer.
    block_size: usize,
    /// Bytes of the items that are shuffled.
    item_size: usize,
    /// How the blocks are packed.
    packing: Packing,
}

/// How the blocks of a buffer are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    /// Not at all: the bytes follow the header.
    Stored,
    /// By LZ4.
    Lz4 {
        /// Whether each byte of the items is packed by itself.
        is_split: bool,
        /// Whether the first bytes of all items come first, then the second ones, …
        is_shuffled: bool,
    },
    /// In a way that the library undoes.
    Other,
}

impl Packing {
    /// Of the flags of a header.
    fn of(flags: u8, item_size: usize) -> Self {
        let (stored, bit_shuffled) = (flags & 2 != 0, flags & 4 != 0);
        match flags >> 5 {
            _ if stored => Self::Stored,
            1 if !bit_shuffled => Self::Lz4 { is_split: flags & 16 == 0, is_shuffled: flags & 1 != 0 && item_size > 1 },
            _ => Self::Other,
        }
    }
}

impl Header {
    /// Where the table of the places of the inner blocks ends; `None` where the library unpacks them.
    fn places_end(&self) -> Option<usize> {
        let blocks = self.size.div_ceil(self.block_size.max(1));
        match self.packing {
            Packing::Stored => Some(HEADER_SIZE),
            Packing::Lz4 { .. } => blocks.checked_mul(4).and_then(|bytes| bytes.checked_add(HEADER_SIZE)),
            Packing::Other => None,
        }
    }

    /// Reads and validates the first bytes of a buffer of `length` bytes; `size` is what the metadata expects.
    fn of(encoded: &[u8], length: usize, size: Option<usize>) -> Result<Self, String> {
        let (mut decoded, mut compressed, mut block_size) = (0usize, 0usize, 0usize);
        // SAFETY: blosc reads only the header, which is there.
        let is_valid = encoded.len() >= HEADER_SIZE
            && unsafe { blosc_cbuffer_validate(encoded.as_ptr().cast(), length, &mut decoded) } == 0;
        if !is_valid {
            return Err(format!("blosc: the header does not fit {length} bytes"));
        }
        if let Some(size) = size
            && decoded != size
        {
            return Err(format!("blosc: the header tells of {decoded} bytes, expected {size}"));
        }
        // SAFETY: the buffer has a header.
        unsafe { blosc_cbuffer_sizes(encoded.as_ptr().cast(), &mut decoded, &mut compressed, &mut block_size) };
        let item_size = usize::from(encoded[3]);
        if decoded > 0 && (block_size == 0 || block_size > decoded || item_size == 0) {
            return Err(format!("blosc: blocks of {block_size} bytes and items of {item_size} in {decoded}"));
        }
        let packing = Packing::of(encoded[2], item_size);
        Ok(Self { size: decoded, block_size, item_size, packing })
    }
}
