//! Blosc (version 1), whole or one inner block at a time.
//!
//! A blosc buffer has a header of 16 bytes, then the places of its inner blocks; each block is compressed by itself and
//! is small enough for the L2 cache, so that a reader that decodes block by block never leaves it.

use std::ops::Range;

use blosc_src::{blosc_cbuffer_sizes, blosc_cbuffer_validate, blosc_decompress_ctx, blosc_getitem};
use bytes::Bytes;
use parking_lot::Mutex;

use super::Step;

/// Decodes a buffer whole.
#[derive(Debug)]
pub(super) struct Blosc;

impl Step for Blosc {
    fn decode(&self, encoded: Bytes, size: Option<usize>) -> Result<Bytes, String> {
        let header = Header::of(&encoded, size)?;
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
}

impl Header {
    /// Reads and validates it; `size` is what the metadata expects.
    fn of(encoded: &[u8], size: Option<usize>) -> Result<Self, String> {
        let (mut decoded, mut compressed, mut block_size) = (0usize, 0usize, 0usize);
        // SAFETY: blosc reads only the header, and only where the buffer is long enough for one.
        let invalid = unsafe { blosc_cbuffer_validate(encoded.as_ptr().cast(), encoded.len(), &mut decoded) } != 0;
        if invalid {
            return Err(format!("blosc: the header does not fit {} bytes", encoded.len()));
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
        Ok(Self { size: decoded, block_size, item_size })
    }
}

/// How many decoded blocks are kept: one for each reader that goes through the chunk at the same time.
const KEPT_BLOCKS: usize = 4;

/// Reads ranges of a buffer, each inner block decoded once as long as the ranges follow each other.
#[derive(Debug)]
pub(in crate::source::zarr) struct BlockReader {
    encoded: Bytes,
    header: Header,
    /// Blocks that a range ended in, which the next range goes on with: the latest last.
    kept: Mutex<Vec<(usize, Vec<u8>)>>,
}

impl BlockReader {
    /// A reader of a buffer that decodes to `size` bytes, or `None` where it can only be decoded whole.
    pub fn new(encoded: Bytes, size: usize) -> Result<Option<Self>, String> {
        let header = Header::of(&encoded, Some(size))?;
        let splits = header.size > 0
            && header.block_size.is_multiple_of(header.item_size)
            && header.size.is_multiple_of(header.item_size);
        Ok(splits.then(|| Self { encoded, header, kept: Mutex::new(Vec::new()) }))
    }

    /// Bytes it holds at most.
    pub fn memory_size(&self) -> usize {
        self.encoded.len() + KEPT_BLOCKS * self.header.block_size
    }

    /// Appends the decoded bytes of a range, which lies inside the buffer.
    pub fn append(&self, range: Range<usize>, out: &mut Vec<u8>) -> Result<(), String> {
        if range.end > self.header.size {
            return Err(format!("bytes {range:?} of {} were asked for", self.header.size));
        }
        let block_size = self.header.block_size;
        let mut position = range.start;
        while position < range.end {
            let block = position / block_size;
            let (start, end) = (block * block_size, ((block + 1) * block_size).min(self.header.size));
            if position == start && end <= range.end {
                // As many whole blocks as there are, straight to where they belong.
                let whole_end =
                    if range.end == self.header.size { range.end } else { range.end / block_size * block_size };
                self.decode(start..whole_end, out)?;
                position = whole_end;
            } else {
                let part = position - start..end.min(range.end) - start;
                position = start + part.end;
                self.append_part(block, start..end, part, out)?;
            }
        }
        Ok(())
    }

    /// Appends a part of one block, which is kept.
    fn append_part(
        &self,
        block: usize,
        range: Range<usize>,
        part: Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let taken = {
            let mut kept = self.kept.lock();
            let found = kept.iter().position(|(kept_block, _)| *kept_block == block);
            found
                .map(|at| (true, kept.remove(at).1))
                .or_else(|| (kept.len() == KEPT_BLOCKS).then(|| (false, kept.remove(0).1)))
        };
        let (is_decoded, mut bytes) = taken.unwrap_or_default();
        if !is_decoded {
            bytes.clear();
            self.decode(range, &mut bytes)?;
        }
        out.extend_from_slice(&bytes[part]);
        let mut kept = self.kept.lock();
        if kept.len() < KEPT_BLOCKS {
            kept.push((block, bytes));
        }
        Ok(())
    }

    /// Appends the decoded bytes of whole blocks.
    fn decode(&self, range: Range<usize>, out: &mut Vec<u8>) -> Result<(), String> {
        let length = range.len();
        out.try_reserve(length).map_err(|_| format!("no memory for {length} bytes"))?;
        let items = |bytes: usize| i32::try_from(bytes / self.header.item_size).unwrap_or(i32::MAX);
        // SAFETY: the header was validated against the buffer's length, which blosc then keeps to; the range lies in
        // the decoded size and consists of whole items; `out` has room for it, and its length grows only by what
        // blosc says it wrote, which is never more than was asked for.
        let written = unsafe {
            let to = out.spare_capacity_mut().as_mut_ptr();
            let written = blosc_getitem(self.encoded.as_ptr().cast(), items(range.start), items(length), to.cast());
            if usize::try_from(written) == Ok(length) {
                out.set_len(out.len() + length);
            }
            written
        };
        match usize::try_from(written) == Ok(length) {
            true => Ok(()),
            false => Err(format!("blosc: corrupt (code {written})")),
        }
    }
}
