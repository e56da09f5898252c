//! Ranges of a blosc buffer, each inner block unpacked once as long as the ranges follow each other.
//!
//! LZ4, by far the most used, is unpacked here: a block is kept as LZ4 left it, and its bytes are put together straight
//! where they belong. The library would copy them twice more, and its quick loops are left out of portable builds.

use std::ops::Range;

use blosc_src::blosc_getitem;
use lz4_sys::LZ4_decompress_safe;
use parking_lot::Mutex;

use super::shuffle::append_items;
use super::{HEADER_SIZE, Header, Packing};
use crate::source::SourceError;
use crate::source::zarr::encoded::Encoded;

/// How many unpacked blocks are kept: one for each reader that goes through the chunk at the same time.
const KEPT_BLOCKS: usize = 4;

/// More bytes an item than this are never packed apart, nor are blocks of fewer items than this.
const SPLIT_BYTES_MAX: usize = 16;
const SPLIT_ITEMS_MIN: usize = 128;

/// Reads ranges of a buffer.
#[derive(Debug)]
pub(in crate::source::zarr) struct BlockReader {
    encoded: Encoded,
    header: Header,
    /// Where the packed bytes of each block lie, if they are by LZ4.
    extents: Vec<Range<u32>>,
    /// Blocks that a range ended in, which the next range goes on with, as they were unpacked: the latest last.
    kept: Mutex<Vec<(usize, Vec<u8>)>>,
}

/// Waits for the bytes that a [`BlockReader`] is made of: those that tell where the inner blocks are, or all of them where
/// the library unpacks them.
pub(in crate::source::zarr) async fn wait_for_places(encoded: &Encoded) -> Result<(), SourceError> {
    encoded.wait(HEADER_SIZE).await?;
    // What is wrong with a header is told by whoever reads it next.
    let header = encoded.part(0..HEADER_SIZE.min(encoded.len()));
    let header = header.and_then(|bytes| Header::of(&bytes, encoded.len(), None));
    encoded.wait(header.map_or(0, |header| header.places_end().unwrap_or(encoded.len()))).await
}

impl BlockReader {
    /// A reader of a buffer that decodes to `size` bytes, or the buffer where it can only be decoded whole. Of a file no
    /// more than what is needed is read, unless it is packed in a way that the library undoes.
    pub fn new(encoded: Encoded, size: usize) -> Result<Result<Self, Encoded>, String> {
        let header = Header::of(&encoded.part(0..HEADER_SIZE.min(encoded.len()))?, encoded.len(), Some(size))?;
        let splits = header.size > 0
            && header.block_size.is_multiple_of(header.item_size)
            && header.size.is_multiple_of(header.item_size);
        if !splits {
            return Ok(Err(encoded));
        }
        let (encoded, extents) = match header.packing {
            Packing::Stored => (encoded, Vec::new()),
            Packing::Lz4 { .. } => {
                let extents = extents(&encoded, header.size.div_ceil(header.block_size))?;
                (encoded, extents)
            }
            Packing::Other => (Encoded::Memory(encoded.into_memory()?), Vec::new()),
        };
        Ok(Ok(Self { encoded, header, extents, kept: Mutex::new(Vec::new()) }))
    }

    /// Bytes it holds at most.
    pub fn memory_size(&self) -> usize {
        self.encoded.memory_size() + KEPT_BLOCKS * self.header.block_size + size_of_val(self.extents.as_slice())
    }

    /// Waits for the encoded bytes of a range of decoded ones.
    pub async fn wait(&self, range: Range<usize>) -> Result<(), SourceError> {
        let end = match self.header.packing {
            Packing::Stored => HEADER_SIZE.saturating_add(range.end),
            _ => {
                let last = range.end.div_ceil(self.header.block_size.max(1)).min(self.extents.len());
                let blocks = (range.start / self.header.block_size.max(1)).min(last)..last;
                self.extents[blocks].iter().map(|extent| extent.end as usize).max().unwrap_or(0)
            }
        };
        self.encoded.wait(end).await
    }

    /// Appends the decoded bytes of a range, which lies inside the buffer.
    pub fn append(&self, range: Range<usize>, out: &mut Vec<u8>) -> Result<(), String> {
        if range.end > self.header.size {
            return Err(format!("bytes {range:?} of {} were asked for", self.header.size));
        }
        out.try_reserve(range.len()).map_err(|_| format!("no memory for {} bytes", range.len()))?;
        if self.header.packing == Packing::Stored {
            return self.append_stored(range, out);
        }
        let mut position = range.start;
        while position < range.end {
            let block = position / self.header.block_size;
            let bounds = self.bounds(block);
            let part = position - bounds.start..bounds.end.min(range.end) - bounds.start;
            position = bounds.start + part.end;
            self.append_part(block, bounds.len(), part, out)?;
        }
        Ok(())
    }

    /// Where the bytes of a block lie in the decoded buffer.
    fn bounds(&self, block: usize) -> Range<usize> {
        let start = block * self.header.block_size;
        start..(start + self.header.block_size).min(self.header.size)
    }

    fn append_stored(&self, range: Range<usize>, out: &mut Vec<u8>) -> Result<(), String> {
        out.extend_from_slice(&self.encoded.part(HEADER_SIZE + range.start..HEADER_SIZE + range.end)?);
        Ok(())
    }

    /// Appends a part of one block, which is kept unless it was its end.
    fn append_part(&self, block: usize, size: usize, part: Range<usize>, out: &mut Vec<u8>) -> Result<(), String> {
        let taken = {
            let mut kept = self.kept.lock();
            let found = kept.iter().position(|(kept_block, _)| *kept_block == block);
            found
                .map(|at| (true, kept.remove(at).1))
                .or_else(|| (kept.len() == KEPT_BLOCKS).then(|| (false, kept.remove(0).1)))
        };
        let (is_unpacked, mut bytes) = taken.unwrap_or_default();
        if !is_unpacked {
            self.unpack(block, size, &mut bytes)?;
        }
        let item_size = self.header.item_size;
        let is_shuffled = matches!(self.header.packing, Packing::Lz4 { is_shuffled: true, .. });
        match is_shuffled {
            false => out.extend_from_slice(&bytes[part]),
            true if part.start.is_multiple_of(item_size) && part.end.is_multiple_of(item_size) => {
                append_items(&bytes, item_size, part.start / item_size, part.end / item_size, out);
            }
            true => {
                let mut items = Vec::new();
                append_items(&bytes, item_size, 0, size / item_size, &mut items);
                out.extend_from_slice(&items[part]);
            }
        }
        let mut kept = self.kept.lock();
        if kept.len() < KEPT_BLOCKS {
            kept.push((block, bytes));
        }
        Ok(())
    }

    /// Unpacks a block: its bytes as they are or, by LZ4, as they were shuffled.
    fn unpack(&self, block: usize, size: usize, bytes: &mut Vec<u8>) -> Result<(), String> {
        let missing = size.saturating_sub(bytes.len());
        bytes.try_reserve_exact(missing).map_err(|_| format!("no memory for a block of {size} bytes"))?;
        bytes.resize(size, 0);
        match self.header.packing {
            Packing::Lz4 { is_split, .. } => self.unpack_lz4(block, is_split, bytes),
            _ => self.unpack_by_library(block, bytes),
        }
    }

    fn unpack_by_library(&self, block: usize, bytes: &mut [u8]) -> Result<(), String> {
        let encoded = self.encoded.part(0..self.encoded.len())?;
        let items = |bytes: usize| i32::try_from(bytes / self.header.item_size).unwrap_or(i32::MAX);
        let (first, count) = (items(self.bounds(block).start), items(bytes.len()));
        // SAFETY: the header was validated against the buffer's length, which blosc then keeps to; the block lies in
        // the decoded size and consists of whole items, for all of which there is room.
        let written = unsafe { blosc_getitem(encoded.as_ptr().cast(), first, count, bytes.as_mut_ptr().cast()) };
        match usize::try_from(written) == Ok(bytes.len()) {
            true => Ok(()),
            false => Err(format!("blosc: corrupt (code {written})")),
        }
    }

    fn unpack_lz4(&self, block: usize, is_split: bool, bytes: &mut [u8]) -> Result<(), String> {
        let item_size = self.header.item_size;
        let is_whole = bytes.len() == self.header.block_size;
        let splits = is_split
            && is_whole
            && item_size <= SPLIT_BYTES_MAX
            && self.header.block_size / item_size >= SPLIT_ITEMS_MIN;
        let part_size = if splits { bytes.len() / item_size } else { bytes.len() };
        let corrupt = |what: &str| format!("blosc: corrupt (block {block}: {what})");
        let extent = self.extents.get(block).ok_or_else(|| corrupt("it is not there"))?;
        let packed = self.encoded.part(extent.start as usize..extent.end as usize)?;
        let mut rest: &[u8] = &packed;
        for part in bytes.chunks_exact_mut(part_size) {
            let length = number(rest, 0).ok_or_else(|| corrupt("no length of its bytes"))?;
            let packed = rest.get(4..).and_then(|after| after.get(..length));
            let packed = packed.ok_or_else(|| corrupt(&format!("{length} bytes, of {} that are there", rest.len())))?;
            rest = &rest[4 + length..];
            if length == part.len() {
                part.copy_from_slice(packed);
                continue;
            }
            let (Ok(from), Ok(to)) = (i32::try_from(length), i32::try_from(part.len())) else {
                return Err(corrupt("too many bytes"));
            };
            // SAFETY: LZ4 reads `from` bytes at most and writes `to` bytes at most, as many as the slices have.
            let written = unsafe { LZ4_decompress_safe(packed.as_ptr().cast(), part.as_mut_ptr().cast(), from, to) };
            if written != to {
                return Err(corrupt(&format!("code {written}")));
            }
        }
        Ok(())
    }
}

/// Where the packed bytes of each of the blocks lie: from its place to the next greater one, since blocks may have been
/// packed side by side and lie in any order.
fn extents(encoded: &Encoded, blocks: usize) -> Result<Vec<Range<u32>>, String> {
    let corrupt = |what: String| format!("blosc: corrupt ({what})");
    let end = u32::try_from(encoded.len()).map_err(|_| corrupt(format!("{} bytes", encoded.len())))?;
    let table_end = blocks.checked_mul(4).map_or(usize::MAX, |bytes| bytes.saturating_add(HEADER_SIZE));
    let table = encoded.part(HEADER_SIZE..table_end)?;
    let places = (0..blocks).map(|block| {
        let place = number(&table, 4 * block).and_then(|place| u32::try_from(place).ok()).filter(|&place| place < end);
        place.ok_or_else(|| corrupt(format!("the place of block {block}")))
    });
    let places = places.collect::<Result<Vec<u32>, String>>()?;
    let mut sorted = places.clone();
    sorted.sort_unstable();
    let end_of = |place: u32| sorted.get(sorted.partition_point(|&other| other <= place)).copied().unwrap_or(end);
    Ok(places.iter().map(|&place| place..end_of(place)).collect())
}

/// A number of the buffer, which must not be negative.
fn number(bytes: &[u8], place: usize) -> Option<usize> {
    let bytes = bytes.get(place..).and_then(|rest| rest.first_chunk::<4>());
    bytes.and_then(|&bytes| usize::try_from(i32::from_le_bytes(bytes)).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::ffi::CString;

    use bytes::Bytes;

    use super::*;

    fn packed(bytes: &[u8], item_size: usize, shuffle: i32, codec: &str, level: i32, block_size: usize) -> Bytes {
        let codec = CString::new(codec).unwrap();
        let mut out = vec![0u8; bytes.len() + 16];
        let (from, to) = (bytes.as_ptr().cast(), out.as_mut_ptr().cast());
        let room = out.len();
        // SAFETY: the slices are as long as is said.
        let size = unsafe {
            let name = codec.as_ptr();
            blosc_src::blosc_compress_ctx(level, shuffle, item_size, bytes.len(), from, to, room, name, block_size, 1)
        };
        out.truncate(usize::try_from(size).unwrap());
        out.into()
    }

    /// Bytes with runs, so that they can be packed.
    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|k| if k / 1000 % 3 == 0 { (k * k % 251) as u8 } else { (k / 777) as u8 }).collect()
    }

    #[test]
    fn every_range_of_every_packing() {
        for (item_size, shuffle, codec, level, block_size) in [
            (4, 1, "lz4", 5, 0),
            (4, 0, "lz4", 5, 4096),
            (8, 1, "lz4", 9, 4096),
            (2, 1, "lz4hc", 5, 1024),
            (3, 1, "lz4", 5, 3072),
            (1, 1, "lz4", 5, 0),
            (20, 1, "lz4", 5, 2000),
            (4, 2, "lz4", 5, 4096),
            (4, 1, "zstd", 5, 4096),
            (4, 1, "blosclz", 5, 4096),
            (4, 1, "lz4", 0, 0),
        ] {
            let whole = bytes(item_size * 10007);
            let encoded = packed(&whole, item_size, shuffle, codec, level, block_size);
            let reader = BlockReader::new(encoded.into(), whole.len()).unwrap().unwrap();
            for range in [0..whole.len(), 0..1, 17..4999, 4096..8192, 4000..4100, whole.len() - 3..whole.len(), 5..5] {
                let mut out = vec![9];
                reader.append(range.clone(), &mut out).unwrap();
                assert_eq!(out[1..], whole[range.clone()], "{range:?} of items of {item_size}, {codec}");
            }
            assert!(reader.append(0..whole.len() + 1, &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn broken_blocks_are_errors() {
        let whole = bytes(4 * 5003);
        let encoded = packed(&whole, 4, 1, "lz4", 5, 4096);
        for place in 16..encoded.len() {
            let mut broken = encoded.to_vec();
            broken[place] ^= 0x5a;
            if let Ok(Ok(reader)) = BlockReader::new(Bytes::from(broken).into(), whole.len()) {
                let _ = reader.append(0..whole.len(), &mut Vec::new());
            }
        }
    }
}
