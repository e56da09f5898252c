//! Chunks put together from regions that come in any order.

use std::collections::{HashMap, HashSet};

use super::cells::{Cells, Fill, copy_piece};
use crate::array::{ChunkGrid, Region};

/// The chunks of one variable: those that have some of their cells wait here for the others.
#[derive(Debug)]
pub(super) struct Assembly {
    grid: ChunkGrid,
    fill: Fill,
    waiting: HashMap<Vec<u64>, Waiting>,
    done: HashSet<Vec<u64>>,
    /// No more cells come; what is not there is missing.
    closed: bool,
    buffered_bytes: usize,
}

/// A chunk that has some of its cells.
#[derive(Debug)]
struct Waiting {
    cells: Cells,
    seen: Seen,
}

impl Assembly {
    /// No cells yet; those that lie outside the array's shape are `fill`.
    pub(super) fn new(grid: ChunkGrid, fill: Fill) -> Self {
        Self { grid, fill, waiting: HashMap::new(), done: HashSet::new(), closed: false, buffered_bytes: 0 }
    }

    /// The chunks.
    pub(super) fn grid(&self) -> &ChunkGrid {
        &self.grid
    }

    /// Bytes that wait for the rest of their chunks.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    /// Takes those cells of `region` that are in `chunk`; gives the whole chunk (all of its cells, those outside the
    /// array's shape included) when they were the last ones. Where the region is the chunk, its cells are moved, not
    /// copied. A cell that comes twice is an error.
    pub(super) fn place(&mut self, chunk: &[u64], region: &Region, cells: &mut Cells) -> Result<Option<Cells>, String> {
        let inside = self.grid.chunk_region(chunk);
        let Some(piece) = inside.intersection(region).or_else(|| (region.rank() == 0).then(|| region.clone())) else {
            return Ok(None);
        };
        if self.done.contains(chunk) {
            return Err(twice(chunk));
        }
        let whole = Region::new(inside.start.clone(), self.grid.chunk_shape().to_vec());
        if piece == whole && piece == *region {
            self.expect_unseen(chunk)?;
            self.done.insert(chunk.to_vec());
            return Ok(Some(std::mem::replace(cells, Cells::Text(vec![]))));
        }
        let waiting = match self.waiting.get_mut(chunk) {
            Some(waiting) => waiting,
            None => {
                let waiting = Waiting::new(&whole, &inside, &self.fill)?;
                self.buffered_bytes += waiting.cells.memory_size();
                self.waiting.entry(chunk.to_vec()).or_insert(waiting)
            }
        };
        let before = waiting.cells.memory_size();
        let mut again = false;
        let seen = &mut waiting.seen;
        copy_piece(&piece, (region, &*cells), (&whole, &mut waiting.cells), |place, count| {
            again |= !seen.mark(place, count);
        });
        self.buffered_bytes = (self.buffered_bytes + waiting.cells.memory_size()).saturating_sub(before);
        if again {
            return Err(twice(chunk));
        }
        if waiting.seen.missing > 0 {
            return Ok(None);
        }
        Ok(self.complete(chunk))
    }

    /// Takes one of the chunks that still wait as it is, the cells that never came being `fill`.
    pub(super) fn take_incomplete(&mut self) -> Option<(Vec<u64>, Cells)> {
        let chunk = self.waiting.keys().next()?.clone();
        self.complete(&chunk).map(|cells| (chunk, cells))
    }

    /// Chunks that have not all of their cells, those that have none included.
    pub(super) fn incomplete_count(&self) -> u64 {
        if self.closed {
            return 0;
        }
        let chunks = self.grid.chunk_counts().iter().product::<u64>();
        chunks.saturating_sub(self.done.len() as u64)
    }

    /// From now on the chunks that have not come count as missing.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    fn complete(&mut self, chunk: &[u64]) -> Option<Cells> {
        let waiting = self.waiting.remove(chunk)?;
        self.buffered_bytes = self.buffered_bytes.saturating_sub(waiting.cells.memory_size());
        self.done.insert(chunk.to_vec());
        Some(waiting.cells)
    }

    fn expect_unseen(&self, chunk: &[u64]) -> Result<(), String> {
        if self.waiting.contains_key(chunk) { Err(twice(chunk)) } else { Ok(()) }
    }
}

impl Waiting {
    fn new(whole: &Region, inside: &Region, fill: &Fill) -> Result<Self, String> {
        let count = |region: &Region| region.cells().and_then(|cells| usize::try_from(cells).ok());
        let (Some(all), Some(missing)) = (count(whole), count(inside)) else {
            return Err("a chunk has more cells than memory has bytes".to_string());
        };
        Ok(Self { cells: Cells::filled(fill, all), seen: Seen { bits: vec![0; all.div_ceil(64)], missing } })
    }
}

fn twice(chunk: &[u64]) -> String {
    format!("a cell of chunk {chunk:?} was written twice")
}

/// Which cells of a chunk have come: one bit each.
#[derive(Debug)]
struct Seen {
    bits: Vec<u64>,
    missing: usize,
}

impl Seen {
    /// Marks a run; false when a cell of it was marked before.
    fn mark(&mut self, start: usize, count: usize) -> bool {
        let (mut place, end, mut fresh) = (start, start + count, true);
        while place < end {
            let (word, bit) = (place / 64, place % 64);
            let run = (64 - bit).min(end - place);
            let mask = (u64::MAX >> (64 - run)) << bit;
            fresh &= self.bits[word] & mask == 0;
            self.bits[word] |= mask;
            place += run;
        }
        self.missing = self.missing.saturating_sub(count);
        fresh
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn fixed(bytes: &[u8]) -> Cells {
        Cells::Fixed { width: 1, bytes: bytes.to_vec() }
    }

    #[test]
    fn a_chunk_is_whole_when_its_last_cell_comes() {
        let mut assembly = Assembly::new(ChunkGrid::new(vec![3, 3], vec![2, 2]), Fill::Fixed(vec![9]));
        let row = |y: u64, x: u64, n: u64| Region::new(vec![y, x], vec![1, n]);
        assert_eq!(assembly.place(&[0, 0], &row(0, 0, 3), &mut fixed(&[0, 1, 2])).unwrap(), None);
        assert_eq!(assembly.place(&[0, 1], &row(0, 0, 3), &mut fixed(&[0, 1, 2])).unwrap(), None);
        assert_eq!(assembly.buffered_bytes(), 8);
        assert_eq!(assembly.place(&[0, 1], &row(1, 2, 1), &mut fixed(&[5])).unwrap(), Some(fixed(&[2, 9, 5, 9])));
        assert_eq!(assembly.buffered_bytes(), 4);
        assert_eq!(assembly.incomplete_count(), 3);
        let again = assembly.place(&[0, 1], &row(1, 2, 1), &mut fixed(&[5])).unwrap_err();
        assert_eq!(again, "a cell of chunk [0, 1] was written twice");
        assert!(assembly.place(&[0, 0], &row(0, 1, 1), &mut fixed(&[1])).is_err());
    }

    #[test]
    fn runs_are_marked_across_words() {
        let mut seen = Seen { bits: vec![0; 4], missing: 200 };
        assert!(seen.mark(60, 80) && seen.mark(0, 60) && seen.mark(140, 60));
        assert_eq!(seen.missing, 0);
        assert!(!seen.mark(199, 1));
    }
}
