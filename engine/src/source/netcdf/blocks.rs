//! A file whose descriptions are read in blocks, which are kept: what describes a variable is scattered over a file in
//! small pieces, and each would otherwise be a request.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use crate::source::SourceError;
use crate::source::file::SourceFile;

/// Bytes of a block.
const BLOCK_BYTES: u64 = 64 << 10;

/// Bytes that one request brings at least, as far as the file goes: what lies behind is often wanted next.
const REQUEST_BYTES: u64 = 4 * BLOCK_BYTES;

/// Bytes of the blocks of all files that are kept.
const KEPT_BYTES_MAX: usize = 32 << 20;

/// Bytes of a piece of description that is read at once, at most.
const PIECE_BYTES_MAX: u64 = 64 << 20;

/// Blocks of all files, the oldest leaving first: thousands of files may be one dataset.
#[derive(Default)]
struct Kept {
    blocks: HashMap<(u64, u64), Bytes>,
    order: VecDeque<(u64, u64)>,
    bytes: usize,
}

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);
static NEXT_FILE: AtomicU64 = AtomicU64::new(0);

/// A file of which blocks are kept.
pub(super) struct BlockFile {
    file: SourceFile,
    size: u64,
    number: u64,
}

impl BlockFile {
    /// The file, whose size is asked for.
    pub async fn open(file: SourceFile) -> Result<Self, SourceError> {
        let size = file.size().await?;
        Ok(Self { file, size, number: NEXT_FILE.fetch_add(1, Ordering::Relaxed) })
    }

    /// Its address, secrets taken out.
    pub fn uri(&self) -> &str {
        &self.file.uri
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether it is a file of this machine.
    pub fn is_local(&self) -> bool {
        self.file.is_local()
    }

    /// Bytes of data: as they are kept, where they all are, and else by requests of their own.
    pub async fn read_data(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, SourceError> {
        ranges.iter().try_for_each(|range| self.check(range))?;
        let kept: Option<Vec<Bytes>> = ranges.iter().map(|range| self.kept(range.clone())).collect();
        match kept {
            Some(kept) => Ok(kept),
            None => self.file.read_ranges(ranges).await,
        }
    }

    /// Bytes of what describes the file.
    pub async fn read_blocks(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        self.check(&range)?;
        if range.end - range.start > PIECE_BYTES_MAX {
            let found = range.end - range.start;
            return Err(self.wrong(format!("expected at most {PIECE_BYTES_MAX} bytes of description, found {found}")));
        }
        if range.end - range.start > REQUEST_BYTES {
            return Ok(self.file.read_ranges(&[range]).await?.pop().unwrap_or_default());
        }
        if let Some(bytes) = self.kept(range.clone()) {
            return Ok(bytes);
        }
        let first = range.start / BLOCK_BYTES * BLOCK_BYTES;
        let end = range.end.max(first + REQUEST_BYTES).div_ceil(BLOCK_BYTES) * BLOCK_BYTES;
        let fetched = self.file.read(first..end.min(self.size)).await?;
        self.keep(first / BLOCK_BYTES, &fetched);
        let start = (range.start - first) as usize;
        Ok(fetched.slice(start..start + (range.end - range.start) as usize))
    }

    /// A range that does not lie in the file is an error, before anything is made for it.
    fn check(&self, range: &Range<u64>) -> Result<(), SourceError> {
        match range.start <= range.end && range.end <= self.size {
            true => Ok(()),
            false => Err(self.wrong(format!(
                "expected bytes {}..{}, but the file has {} of them: it is cut off or broken",
                range.start, range.end, self.size
            ))),
        }
    }

    fn kept(&self, range: Range<u64>) -> Option<Bytes> {
        if range.is_empty() {
            return Some(Bytes::new());
        }
        let (first, last) = (range.start / BLOCK_BYTES, (range.end - 1) / BLOCK_BYTES);
        if last - first > KEPT_BYTES_MAX as u64 / BLOCK_BYTES {
            return None;
        }
        let kept = KEPT.lock();
        let blocks: Option<Vec<&Bytes>> = (first..=last).map(|block| kept.blocks.get(&(self.number, block))).collect();
        let blocks = blocks?;
        let start = (range.start - first * BLOCK_BYTES) as usize;
        let length = (range.end - range.start) as usize;
        if let [only] = blocks.as_slice() {
            return only.get(start..start + length).map(|_| only.slice(start..start + length));
        }
        let mut bytes = BytesMut::with_capacity(blocks.len() * BLOCK_BYTES as usize);
        blocks.into_iter().for_each(|block| bytes.extend_from_slice(block));
        let bytes = bytes.freeze();
        bytes.get(start..start + length)?;
        Some(bytes.slice(start..start + length))
    }

    fn keep(&self, first: u64, fetched: &Bytes) {
        let mut kept = KEPT.lock();
        for (place, block) in fetched.chunks(BLOCK_BYTES as usize).enumerate() {
            let key = (self.number, first + place as u64);
            // A copy: a slice would hold the bytes of the whole request.
            if kept.blocks.insert(key, Bytes::copy_from_slice(block)).is_none() {
                kept.order.push_back(key);
                kept.bytes += block.len();
            }
        }
        while kept.bytes > KEPT_BYTES_MAX
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.bytes -= kept.blocks.remove(&oldest).map_or(0, |block| block.len());
        }
    }

    fn wrong(&self, message: String) -> SourceError {
        SourceError::Metadata { array: self.uri().to_string(), message }
    }
}

impl Drop for BlockFile {
    fn drop(&mut self) {
        let mut kept = KEPT.lock();
        let Kept { blocks, order, bytes } = &mut *kept;
        order.retain(|key| key.0 != self.number);
        blocks.retain(|key, block| {
            let stays = key.0 != self.number;
            *bytes -= if stays { 0 } else { block.len() };
            stays
        });
    }
}

impl fmt::Debug for BlockFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BlockFile").field("uri", &self.uri()).field("size", &self.size).finish_non_exhaustive()
    }
}
