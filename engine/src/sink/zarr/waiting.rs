//! A chunk that has some of its cells.
//!
//! Cells come as boxes and are kept as such until all are there, so that a chunk that has little of them holds little
//! memory; boxes can also wait on the disk. Where cells come one by one, the chunk is laid out from the start.

use std::io;

use super::cells::{Cells, Fill, copy_piece};
use super::scratch::{Extent, Scratch};
use crate::array::Region;

/// Bytes of a chunk that is laid out from the start.
const SMALL_CHUNK_BYTES: usize = 64 << 10;

/// Cells of a box below which its chunk is laid out.
const FEW_CELLS: usize = 8;

/// Boxes of a chunk that may be small.
const MANY_BOXES: usize = 64;

/// Bytes that a box takes beside its cells.
const BOX_BYTES: usize = 160;

/// A chunk that has some of its cells.
#[derive(Debug)]
pub(super) struct Waiting {
    /// All cells of the chunk, those outside the array's shape included.
    whole: Region,
    /// Cells that have not come.
    missing: usize,
    held: Held,
    on_disk: Vec<Extent>,
}

#[derive(Debug)]
enum Held {
    Boxes(Vec<(Region, Cells)>),
    LaidOut(Cells, Seen),
}

impl Waiting {
    /// No cells yet of the chunk `whole`, of which those in `inside` will come. The first of them come `at_once`.
    pub(super) fn new(whole: &Region, inside: &Region, fill: &Fill, at_once: usize) -> Result<Self, String> {
        let count = |region: &Region| region.cells().and_then(|cells| usize::try_from(cells).ok());
        let (Some(all), Some(missing)) = (count(whole), count(inside)) else {
            return Err("a chunk has more cells than memory has bytes".to_string());
        };
        let is_small = match fill {
            Fill::Fixed(cell) => all.saturating_mul(cell.len()) <= SMALL_CHUNK_BYTES,
            Fill::Text(_) => true,
        };
        let held = match is_small || at_once < FEW_CELLS {
            true => Held::laid_out(fill, all),
            false => Held::Boxes(Vec::new()),
        };
        Ok(Self { whole: whole.clone(), missing, held, on_disk: Vec::new() })
    }

    /// Bytes in memory.
    pub(super) fn memory_size(&self) -> usize {
        let held = match &self.held {
            Held::Boxes(boxes) => boxes.iter().map(|(_, cells)| cells.memory_size() + BOX_BYTES).sum(),
            Held::LaidOut(cells, seen) => cells.memory_size() + seen.bits.len() * size_of::<u64>(),
        };
        held + self.on_disk.len() * size_of::<Extent>()
    }

    /// Whether all cells have come.
    pub(super) fn is_whole(&self) -> bool {
        self.missing == 0
    }

    /// Takes the cells of `piece` from cells that fill the box `source`; false when one of them is known to have come
    /// before.
    pub(super) fn add(&mut self, piece: &Region, (source, cells): (&Region, &Cells), fill: &Fill) -> bool {
        let count = piece.cells().unwrap_or(0) as usize;
        if count > self.missing {
            return false;
        }
        self.missing -= count;
        let boxes = match &mut self.held {
            Held::LaidOut(all, seen) => return copy_marked(piece, (source, cells), (&self.whole, all), seen),
            Held::Boxes(boxes) => boxes,
        };
        let mut own = Cells::filled(fill, count);
        copy_piece(piece, (source, cells), (piece, &mut own), |_, _| {});
        boxes.push((piece.clone(), own));
        let cells_of_boxes = || boxes.iter().filter_map(|(region, _)| region.cells()).sum::<u64>();
        if boxes.len() >= MANY_BOXES
            && boxes.len().is_power_of_two()
            && cells_of_boxes() < (FEW_CELLS * boxes.len()) as u64
        {
            return self.lay_out(fill);
        }
        true
    }

    /// Moves boxes to the disk.
    pub(super) fn spill(&mut self, scratch: &mut Scratch) -> io::Result<()> {
        let Held::Boxes(boxes) = &mut self.held else { return Ok(()) };
        let mut bytes = Vec::new();
        for (region, cells) in boxes.iter() {
            let Cells::Fixed { bytes: own, .. } = cells else { return Ok(()) };
            region.start.iter().chain(&region.shape).for_each(|number| bytes.extend(number.to_le_bytes()));
            bytes.extend(own);
        }
        if !bytes.is_empty() {
            self.on_disk.push(scratch.append(&bytes)?);
            boxes.clear();
            boxes.shrink_to_fit();
        }
        Ok(())
    }

    /// The cells of the whole chunk; those that have not come are `fill`. `None` when one has come twice.
    pub(super) fn into_cells(mut self, fill: &Fill, scratch: &Scratch) -> io::Result<Option<Cells>> {
        let mut is_distinct = self.lay_out(fill);
        let Held::LaidOut(mut all, mut seen) = self.held else { return Ok(None) };
        for extent in self.on_disk {
            let bytes = scratch.read(extent)?;
            for (region, cells) in boxes_of(&bytes, self.whole.rank(), fill) {
                is_distinct &= copy_marked(&region, (&region, &cells), (&self.whole, &mut all), &mut seen);
            }
        }
        Ok(is_distinct.then_some(all))
    }

    fn lay_out(&mut self, fill: &Fill) -> bool {
        let Held::Boxes(boxes) = &mut self.held else { return true };
        let boxes = std::mem::take(boxes);
        self.held = Held::laid_out(fill, self.whole.cells().unwrap_or(0) as usize);
        let Held::LaidOut(all, seen) = &mut self.held else { return true };
        let mut copy =
            |(region, cells): &(Region, Cells)| copy_marked(region, (region, cells), (&self.whole, all), seen);
        let mut is_distinct = true;
        for piece in boxes {
            is_distinct &= copy(&piece);
        }
        is_distinct
    }
}

impl Held {
    fn laid_out(fill: &Fill, cells: usize) -> Self {
        Self::LaidOut(Cells::filled(fill, cells), Seen { bits: vec![0; cells.div_ceil(64)] })
    }
}

/// Copies a piece; false when one of its cells was there before.
fn copy_marked(
    piece: &Region,
    source: (&Region, &Cells),
    (whole, all): (&Region, &mut Cells),
    seen: &mut Seen,
) -> bool {
    let mut is_distinct = true;
    copy_piece(piece, source, (whole, all), |place, count| is_distinct &= seen.mark(place, count));
    is_distinct
}

/// The boxes that [`Waiting::spill`] wrote.
fn boxes_of(mut bytes: &[u8], rank: usize, fill: &Fill) -> Vec<(Region, Cells)> {
    let Fill::Fixed(cell) = fill else { return Vec::new() };
    let mut boxes = Vec::new();
    while let Some((header, rest)) = bytes.split_at_checked(rank * 2 * size_of::<u64>()) {
        let numbers: Vec<u64> = header
            .chunks_exact(8)
            .map(|word| word.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte)))
            .collect();
        let region = Region::new(numbers[..rank].to_vec(), numbers[rank..].to_vec());
        let length = region.cells().unwrap_or(0) as usize * cell.len();
        let Some((own, rest)) = rest.split_at_checked(length).filter(|_| length > 0) else { break };
        boxes.push((region, Cells::Fixed { width: cell.len(), bytes: own.to_vec() }));
        bytes = rest;
    }
    boxes
}

/// Which cells of a chunk have come: one bit each.
#[derive(Debug)]
struct Seen {
    bits: Vec<u64>,
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
        fresh
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn runs_are_marked_across_words() {
        let mut seen = Seen { bits: vec![0; 4] };
        assert!(seen.mark(60, 80) && seen.mark(0, 60) && seen.mark(140, 60));
        assert!(!seen.mark(199, 1));
    }

    /// A chunk of 3 × 200 × 200 numbers, a plane of them outside the array; the numbers are the planes' and rows'.
    fn chunk() -> (Region, Region, Fill) {
        let whole = Region::new(vec![6, 0, 0], vec![3, 200, 200]);
        let inside = Region::new(vec![6, 0, 0], vec![2, 200, 200]);
        (whole, inside, Fill::Fixed(vec![9, 9]))
    }

    fn rows(plane: u64, row: u64, count: u64) -> (Region, Cells) {
        let bytes = (row..row + count).flat_map(|row| [plane as u8, row as u8].repeat(200)).collect();
        (Region::new(vec![plane, row, 0], vec![1, count, 200]), Cells::Fixed { width: 2, bytes })
    }

    #[test]
    fn boxes_wait_in_memory_and_on_the_disk() {
        let (whole, inside, fill) = chunk();
        let mut scratch = Scratch::default();
        let mut waiting = Waiting::new(&whole, &inside, &fill, 200).unwrap();
        for row in (0..200).step_by(8) {
            for plane in [7, 6] {
                let (region, cells) = rows(plane, row, 8);
                assert!(!waiting.is_whole() && waiting.add(&region, (&region, &cells), &fill));
            }
            if row % 48 == 0 {
                let before = waiting.memory_size();
                waiting.spill(&mut scratch).unwrap();
                assert!(waiting.memory_size() < before / 10);
            }
        }
        assert!(waiting.is_whole());
        let (region, cells) = rows(6, 3, 1);
        assert!(!waiting.add(&region, (&region, &cells), &fill));
        let Some(Cells::Fixed { bytes, .. }) = waiting.into_cells(&fill, &scratch).unwrap() else { panic!("twice") };
        for (cell, found) in bytes.chunks_exact(2).enumerate() {
            let (plane, row) = (cell / 40_000, cell / 200 % 200);
            assert_eq!(found, if plane == 2 { [9, 9] } else { [6 + plane as u8, row as u8] });
        }
    }

    #[test]
    fn cells_that_come_twice_are_found_wherever_they_wait() {
        let (whole, inside, fill) = chunk();
        for spilled in [0, 1, 2] {
            let mut scratch = Scratch::default();
            let mut waiting = Waiting::new(&whole, &inside, &fill, 200).unwrap();
            for number in 0..2 {
                let (region, cells) = rows(6, 5 * number, 8);
                assert!(waiting.add(&region, (&region, &cells), &fill));
                if spilled > number {
                    waiting.spill(&mut scratch).unwrap();
                }
            }
            assert_eq!(waiting.into_cells(&fill, &scratch).unwrap(), None);
        }
    }

    #[test]
    fn single_cells_do_not_wait_as_boxes() {
        let (whole, inside, fill) = chunk();
        let mut waiting = Waiting::new(&whole, &inside, &fill, 200).unwrap();
        for cell in 0..1000 {
            let region = Region::new(vec![6, cell / 200, cell % 200], vec![1, 1, 1]);
            let cells = Cells::Fixed { width: 2, bytes: vec![1, 2] };
            assert!(waiting.add(&region, (&region, &cells), &fill));
        }
        assert!(matches!(waiting.held, Held::LaidOut(..)));
        let region = Region::new(vec![6, 0, 0], vec![1, 1, 1]);
        assert!(!waiting.add(&region, (&region, &Cells::Fixed { width: 2, bytes: vec![1, 2] }), &fill));
    }
}
