//! The index of chunks that nearly all files have: a B-tree (version 1), searched from its root, one node a level.

use bytes::Bytes;

use super::Addressing;
use super::chunked::Location;
use super::texts::little;
use crate::source::SourceError;
use crate::source::netcdf::blocks::BlockFile;

/// Levels that a tree may have.
const LEVELS_MAX: usize = 64;

/// Bytes of a node before its entries, but for two places.
const HEAD_BYTES: usize = 8;

/// The index of a dataset's chunks.
#[derive(Debug)]
pub(super) struct Tree {
    /// Where the root is, counted from the file's base.
    pub root: u64,
    /// How places are told.
    pub addressing: Addressing,
}

impl Tree {
    /// Where the chunk is whose first cell is at `cell`; `None` where nothing is stored.
    pub async fn find(&self, file: &BlockFile, cell: &[u64]) -> Result<Option<Location>, SourceError> {
        let mut address = self.root;
        let mut level = None;
        for _ in 0..LEVELS_MAX {
            let Some(place) = self.addressing.place(address) else { return Ok(None) };
            let node = self.node(file, place, cell.len()).await?;
            if level.is_some_and(|level| Some(node.level) != u8::checked_sub(level, 1)) {
                return Err(broken(file, format!("a node at {place:#x} of level {}", node.level)));
            }
            let after = node.partition_point(|key| key <= cell);
            let Some(entry) = after.checked_sub(1).filter(|&entry| entry < node.count) else { return Ok(None) };
            if node.level == 0 {
                let (found, size, left_out) = node.key(entry);
                let place = self.addressing.place(node.child(entry));
                return Ok(place.filter(|_| found == cell).map(|place| Location { place, size, left_out }));
            }
            level = Some(node.level);
            address = node.child(entry);
        }
        Err(broken(file, format!("more than {LEVELS_MAX} levels")))
    }

    async fn node(&self, file: &BlockFile, place: u64, rank: usize) -> Result<Node, SourceError> {
        let offset_size = usize::from(self.addressing.offset_size);
        let head_size = HEAD_BYTES + 2 * offset_size;
        let end =
            |size: usize| place.checked_add(size as u64).ok_or_else(|| broken(file, "a place beyond all bytes".into()));
        let head = file.read_blocks(place..end(head_size)?).await?;
        let (signature, kind) = (&head[..4], head[4]);
        if signature != b"TREE" || kind != 1 {
            return Err(broken(file, format!("at {place:#x} there is no node of it")));
        }
        let (level, count) = (head[5], little(&head[6..8]) as usize);
        // A key has a size, a mask, and the first cell along each dimension and within a cell.
        let key_size = 8 + 8 * (rank + 1);
        let size = head_size + count * (key_size + offset_size) + key_size;
        let bytes = file.read_blocks(place..end(size)?).await?.slice(head_size..);
        Ok(Node { bytes, level, count, rank, key_size, offset_size })
    }
}

/// A node of the tree: keys and children by turns, and one key more.
struct Node {
    bytes: Bytes,
    level: u8,
    count: usize,
    rank: usize,
    key_size: usize,
    offset_size: usize,
}

impl Node {
    fn entry(&self, entry: usize) -> &[u8] {
        &self.bytes[entry * (self.key_size + self.offset_size)..]
    }

    /// The first cell of the chunk that a key is of, its bytes, and which filters were left out.
    fn key(&self, entry: usize) -> (Vec<u64>, u64, u32) {
        let key = self.entry(entry);
        let cell = key[8..].chunks_exact(8).take(self.rank).map(little).collect();
        (cell, little(&key[..4]), little(&key[4..8]) as u32)
    }

    fn child(&self, entry: usize) -> u64 {
        little(&self.entry(entry)[self.key_size..][..self.offset_size])
    }

    /// How many keys of the entries hold a condition that the first ones hold.
    fn partition_point(&self, holds: impl Fn(&[u64]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if holds(&self.key(middle).0) { low = middle + 1 } else { high = middle }
        }
        low
    }
}

fn broken(file: &BlockFile, message: String) -> SourceError {
    SourceError::Metadata {
        array: file.uri().to_string(),
        message: format!("the index of chunks is broken: {message}"),
    }
}
