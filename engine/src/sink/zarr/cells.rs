//! Cells in memory, ready to be stored: bytes of fixed width, or texts.

use crate::array::Region;

/// Cells in C order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cells {
    /// Little-endian bytes, `width` of them a cell.
    Fixed { width: usize, bytes: Vec<u8> },
    /// Texts.
    Text(Vec<String>),
}

impl Cells {
    /// `count` cells that are all alike.
    pub(super) fn filled(fill: &Fill, count: usize) -> Self {
        match fill {
            Fill::Fixed(cell) if cell.iter().all(|&byte| byte == 0) => {
                Self::Fixed { width: cell.len(), bytes: vec![0; cell.len() * count] }
            }
            Fill::Fixed(cell) => Self::Fixed { width: cell.len(), bytes: cell.repeat(count) },
            Fill::Text(text) => Self::Text(vec![text.clone(); count]),
        }
    }

    /// Bytes in memory.
    pub(super) fn memory_size(&self) -> usize {
        match self {
            Self::Fixed { bytes, .. } => bytes.len(),
            Self::Text(texts) => texts.iter().map(|text| text.len() + size_of::<String>()).sum(),
        }
    }

    /// Whether every cell is that one.
    pub(super) fn are_all(&self, fill: &Fill) -> bool {
        match (self, fill) {
            (Self::Fixed { width, bytes }, Fill::Fixed(cell)) => bytes.chunks_exact(*width).all(|b| b == &cell[..]),
            (Self::Text(texts), Fill::Text(fill)) => texts.iter().all(|text| text == fill),
            _ => false,
        }
    }

    /// Copies a run of cells from another place.
    fn copy_run(&mut self, to: usize, source: &Self, from: usize, count: usize) {
        match (self, source) {
            (Self::Fixed { width, bytes }, Self::Fixed { bytes: source, .. }) => {
                let (to, from, count) = (to * *width, from * *width, count * *width);
                bytes[to..to + count].copy_from_slice(&source[from..from + count]);
            }
            (Self::Text(texts), Self::Text(source)) => {
                texts[to..to + count].clone_from_slice(&source[from..from + count]);
            }
            // A variable's cells are all of one kind.
            _ => debug_assert!(false, "cells of two kinds"),
        }
    }
}

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fill {
    Fixed(Vec<u8>),
    Text(String),
}

/// Copies the cells of `piece` from cells that fill the box `source` into cells that fill the box `target`; `each` hears
/// of every contiguous run (its place in the target, its length).
pub(super) fn copy_piece(
    piece: &Region,
    (source_box, source): (&Region, &Cells),
    (target_box, target): (&Region, &mut Cells),
    mut each: impl FnMut(usize, usize),
) {
    for_each_run(piece, source_box, target_box, |from, to, count| {
        target.copy_run(to, source, from, count);
        each(to, count);
    });
}

/// Calls with (place in the source, place in the target, cells) for every run that is contiguous in both.
fn for_each_run(piece: &Region, source: &Region, target: &Region, mut call: impl FnMut(usize, usize, usize)) {
    if piece.is_empty() {
        return;
    }
    // Dimensions from `inner` on lie in one run: all after the first of them are whole in both boxes.
    let whole = |d: usize| piece.shape[d] == source.shape[d] && piece.shape[d] == target.shape[d];
    let mut inner = piece.rank();
    while inner > 0 && (inner == piece.rank() || whole(inner)) {
        inner -= 1;
    }
    let count = piece.shape[inner..].iter().product::<u64>() as usize;
    let mut index = piece.start.clone();
    loop {
        call(place(&index, source), place(&index, target), count);
        let mut dimension = inner;
        loop {
            if dimension == 0 {
                return;
            }
            dimension -= 1;
            index[dimension] += 1;
            if index[dimension] < piece.end(dimension) {
                break;
            }
            index[dimension] = piece.start[dimension];
        }
    }
}

/// The place of a cell of the array in a box of cells.
fn place(index: &[u64], outer: &Region) -> usize {
    let along = |place: u64, d: usize| place * outer.shape[d] + (index[d] - outer.start[d]);
    (0..index.len()).fold(0, along) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn pieces_are_copied_in_the_longest_runs() {
        let region = |start: &[u64], shape: &[u64]| Region::new(start.to_vec(), shape.to_vec());
        let runs = |piece: &Region, source: &Region, target: &Region| {
            let mut runs = vec![];
            for_each_run(piece, source, target, |from, to, count| runs.push((from, to, count)));
            runs
        };
        let all = region(&[0, 0, 0], &[2, 3, 4]);
        assert_eq!(runs(&all, &all, &all), [(0, 0, 24)]);
        let row = region(&[1, 0, 0], &[1, 3, 4]);
        assert_eq!(runs(&row, &row, &all), [(0, 12, 12)]);
        let piece = region(&[0, 1, 2], &[2, 2, 2]);
        assert_eq!(runs(&piece, &all, &piece), [(6, 0, 2), (10, 2, 2), (18, 4, 2), (22, 6, 2)]);
        let scalar = region(&[], &[]);
        assert_eq!(runs(&scalar, &scalar, &scalar), [(0, 0, 1)]);
        assert!(runs(&region(&[0, 0, 0], &[2, 0, 4]), &all, &all).is_empty());
    }
}
