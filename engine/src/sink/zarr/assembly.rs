//! Chunks put together from regions that come in any order.

use std::collections::HashMap;
use std::io;

use super::cells::{Cells, Fill};
use super::scratch::Scratch;
use super::waiting::Waiting;
use crate::array::{ChunkGrid, Region};

/// The chunks of one variable: those that have some of their cells wait here for the others.
#[derive(Debug)]
pub(super) struct Assembly {
    grid: ChunkGrid,
    fill: Fill,
    waiting: HashMap<Vec<u64>, Waiting>,
    done: ChunkSet,
    /// No more cells come; what is not there is missing.
    closed: bool,
    buffered_bytes: usize,
    scratch: Scratch,
}

impl Assembly {
    /// No cells yet; those that lie outside the array's shape are `fill`.
    pub(super) fn new(grid: ChunkGrid, fill: Fill) -> Self {
        Self {
            grid,
            fill,
            waiting: HashMap::new(),
            done: ChunkSet::default(),
            closed: false,
            buffered_bytes: 0,
            scratch: Scratch::default(),
        }
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
        if self.done.contains(self.number(chunk)) {
            return Err(twice(chunk));
        }
        let whole = Region::new(inside.start.clone(), self.grid.chunk_shape().to_vec());
        if piece == whole && piece == *region {
            self.expect_unseen(chunk)?;
            self.done.insert(self.number(chunk));
            return Ok(Some(std::mem::replace(cells, Cells::Text(vec![]))));
        }
        let at_once = piece.cells().unwrap_or(0) as usize;
        let waiting = match self.waiting.get_mut(chunk) {
            Some(waiting) => waiting,
            None => {
                let waiting = Waiting::new(&whole, &inside, &self.fill, at_once)?;
                self.buffered_bytes += waiting.memory_size();
                self.waiting.entry(chunk.to_vec()).or_insert(waiting)
            }
        };
        let before = waiting.memory_size();
        let is_new = waiting.add(&piece, (region, &*cells), &self.fill);
        self.buffered_bytes = (self.buffered_bytes + waiting.memory_size()).saturating_sub(before);
        match (is_new, waiting.is_whole()) {
            (false, _) => Err(twice(chunk)),
            (true, false) => Ok(None),
            (true, true) => self.complete(chunk),
        }
    }

    /// Moves to the disk what can wait there.
    pub(super) fn spill(&mut self) -> io::Result<()> {
        self.waiting.values_mut().try_for_each(|waiting| waiting.spill(&mut self.scratch))?;
        self.buffered_bytes = self.waiting.values().map(Waiting::memory_size).sum();
        Ok(())
    }

    /// Takes one of the chunks that still wait as it is, the cells that never came being `fill`.
    pub(super) fn take_incomplete(&mut self) -> Result<Option<(Vec<u64>, Cells)>, String> {
        let Some(chunk) = self.waiting.keys().next().cloned() else { return Ok(None) };
        Ok(self.complete(&chunk)?.map(|cells| (chunk, cells)))
    }

    /// Chunks that have not all of their cells, those that have none included.
    pub(super) fn incomplete_count(&self) -> u64 {
        if self.closed {
            return 0;
        }
        let chunks = self.grid.chunk_counts().iter().product::<u64>();
        chunks.saturating_sub(self.done.count)
    }

    /// From now on the chunks that have not come count as missing.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    fn complete(&mut self, chunk: &[u64]) -> Result<Option<Cells>, String> {
        let Some(waiting) = self.waiting.remove(chunk) else { return Ok(None) };
        self.buffered_bytes = self.buffered_bytes.saturating_sub(waiting.memory_size());
        self.done.insert(self.number(chunk));
        let cells = waiting.into_cells(&self.fill, &self.scratch);
        match cells.map_err(|error| format!("the cells of chunk {chunk:?} that waited on the disk: {error}"))? {
            Some(cells) => Ok(Some(cells)),
            None => Err(twice(chunk)),
        }
    }

    /// The number of a chunk in C order.
    fn number(&self, chunk: &[u64]) -> u64 {
        let counts = self.grid.chunk_counts();
        chunk.iter().zip(counts).fold(0, |number, (&index, count)| number.wrapping_mul(count).wrapping_add(index))
    }

    fn expect_unseen(&self, chunk: &[u64]) -> Result<(), String> {
        if self.waiting.contains_key(chunk) { Err(twice(chunk)) } else { Ok(()) }
    }
}

fn twice(chunk: &[u64]) -> String {
    format!("a cell of chunk {chunk:?} was written twice")
}

/// Chunks by their numbers: a bit each, in pages of neighbours, as chunks come in some order or other.
#[derive(Debug, Default)]
struct ChunkSet {
    pages: HashMap<u64, Box<[u64; PAGE_WORDS]>>,
    count: u64,
}

/// Words of a page of a [`ChunkSet`].
const PAGE_WORDS: usize = 64;

impl ChunkSet {
    fn contains(&self, number: u64) -> bool {
        let (page, word, bit) = Self::place(number);
        self.pages.get(&page).is_some_and(|words| words[word] & bit != 0)
    }

    fn insert(&mut self, number: u64) {
        let (page, word, bit) = Self::place(number);
        let words = self.pages.entry(page).or_insert_with(|| Box::new([0; PAGE_WORDS]));
        self.count += u64::from(words[word] & bit == 0);
        words[word] |= bit;
    }

    fn place(number: u64) -> (u64, usize, u64) {
        let word = number / 64;
        (word / PAGE_WORDS as u64, (word % PAGE_WORDS as u64) as usize, 1 << (number % 64))
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
        // Four cells each, and a word of bits.
        assert_eq!(assembly.buffered_bytes(), 2 * (4 + 8));
        assert_eq!(assembly.place(&[0, 1], &row(1, 2, 1), &mut fixed(&[5])).unwrap(), Some(fixed(&[2, 9, 5, 9])));
        assert_eq!(assembly.buffered_bytes(), 4 + 8);
        assert_eq!(assembly.incomplete_count(), 3);
        let again = assembly.place(&[0, 1], &row(1, 2, 1), &mut fixed(&[5])).unwrap_err();
        assert_eq!(again, "a cell of chunk [0, 1] was written twice");
        assert!(assembly.place(&[0, 0], &row(0, 1, 1), &mut fixed(&[1])).is_err());
    }

    #[test]
    fn chunks_are_told_apart() {
        let mut set = ChunkSet::default();
        let numbers = [0, 63, 64, 4095, 4096, u64::MAX];
        assert!(numbers.iter().all(|&number| !set.contains(number)));
        numbers.iter().chain(&numbers).for_each(|&number| set.insert(number));
        assert!(numbers.iter().all(|&number| set.contains(number)) && !set.contains(1) && !set.contains(4097));
        assert_eq!(set.count, 6);
    }
}
