//! Runs of cells in C order → boxes.

use crate::array::{Region, unravel};

/// Consecutive rows that are one box of cells in C order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowBox {
    /// The cells.
    pub(super) region: Region,
    /// The first of the rows.
    pub(super) row: usize,
    /// How many rows there are.
    pub(super) rows: usize,
}

/// The boxes of rows whose cells (counted in C order over `shape`) are given, as large as consecutive rows make them.
pub(super) fn boxes(cells: &[u64], shape: &[u64]) -> Vec<RowBox> {
    let mut boxes = Vec::new();
    let mut row = 0;
    for run in cells.chunk_by(|cell, next| cell + 1 == *next) {
        add_run(&mut boxes, run[0], run.len() as u64, row, shape);
        row += run.len();
    }
    joined(boxes)
}

/// Boxes that follow each other and are one together: the rows of a block are many runs, but one box.
fn joined(boxes: Vec<RowBox>) -> Vec<RowBox> {
    let mut joined: Vec<RowBox> = Vec::new();
    for next in boxes {
        joined.push(next);
        while let [.., before, last] = joined.as_mut_slice() {
            let Some(dimension) = joint(&before.region, &last.region) else { break };
            before.region.shape[dimension] += last.region.shape[dimension];
            before.rows += last.rows;
            joined.pop();
        }
    }
    joined
}

/// The dimension along which a box goes on where another ends, so that together they hold the cells in the same order.
fn joint(before: &Region, after: &Region) -> Option<usize> {
    let rank = before.rank();
    let dimension = (0..rank).find(|&d| before.start[d] != after.start[d])?;
    let is_outermost = before.shape[..dimension].iter().chain(&after.shape[..dimension]).all(|&length| length == 1);
    let is_alike =
        (dimension + 1..rank).all(|d| before.start[d] == after.start[d] && before.shape[d] == after.shape[d]);
    (is_outermost && is_alike && before.end(dimension) == after.start[dimension]).then_some(dimension)
}

/// A run begins and ends somewhere in the middle of rows, planes …: the largest box at its start, then the rest.
fn add_run(boxes: &mut Vec<RowBox>, mut cell: u64, mut count: u64, mut row: usize, shape: &[u64]) {
    while count > 0 {
        let start = unravel(cell, shape);
        // Along dimension `d`, whole in all after it.
        let mut d = shape.len().saturating_sub(1);
        let mut inner = 1;
        while d > 0 && start[d] == 0 && count >= inner * shape[d] {
            inner *= shape[d];
            d -= 1;
        }
        let mut region = Region::new(start, vec![1; shape.len()]);
        let along = shape.get(d).map_or(1, |length| (count / inner).min(length - region.start[d]));
        for (after, length) in shape.iter().enumerate().skip(d) {
            region.shape[after] = if after == d { along } else { *length };
        }
        let rows = along * inner;
        boxes.push(RowBox { region, row, rows: rows as usize });
        cell += rows;
        count -= rows;
        row += rows as usize;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The boxes of a run as (start, shape).
    fn check(cells: std::ops::Range<u64>, shape: &[u64], expected: &[(&[u64], &[u64])]) {
        let cells: Vec<u64> = cells.collect();
        let found = boxes(&cells, shape);
        let regions: Vec<_> = found.iter().map(|b| (&b.region.start[..], &b.region.shape[..])).collect();
        assert_eq!(regions, expected);
        assert_eq!(found.iter().map(|b| b.rows).sum::<usize>(), cells.len());
    }

    #[test]
    fn a_run_is_few_boxes() {
        let shape = [3, 2, 4];
        check(0..24, &shape, &[(&[0, 0, 0], &[3, 2, 4])]);
        check(8..16, &shape, &[(&[1, 0, 0], &[1, 2, 4])]);
        check(1..3, &shape, &[(&[0, 0, 1], &[1, 1, 2])]);
        check(
            3..21,
            &shape,
            &[
                (&[0, 0, 3], &[1, 1, 1]),
                (&[0, 1, 0], &[1, 1, 4]),
                (&[1, 0, 0], &[1, 2, 4]),
                (&[2, 0, 0], &[1, 1, 4]),
                (&[2, 1, 0], &[1, 1, 1]),
            ],
        );
    }

    #[test]
    fn the_rows_of_a_block_are_one_box() {
        let inside = |t: u64, y: u64, x: u64| (t * 5 + y) * 6 + x;
        let cells: Vec<u64> =
            (1..3).flat_map(|t| (1..4).flat_map(move |y| (2..5).map(move |x| inside(t, y, x)))).collect();
        let found = boxes(&cells, &[4, 5, 6]);
        assert_eq!(found, [RowBox { region: Region::new(vec![1, 1, 2], vec![2, 3, 3]), row: 0, rows: 18 }]);
        // Cut somewhere in the middle.
        let found = boxes(&cells[2..16], &[4, 5, 6]);
        let regions: Vec<_> = found.iter().map(|b| (b.region.start.clone(), b.region.shape.clone(), b.row)).collect();
        assert_eq!(
            regions,
            [
                (vec![1, 1, 4], vec![1, 1, 1], 0),
                (vec![1, 2, 2], vec![1, 2, 3], 1),
                (vec![2, 1, 2], vec![1, 2, 3], 7),
                (vec![2, 3, 2], vec![1, 1, 1], 13),
            ]
        );
    }

    #[test]
    fn rows_in_any_order_are_boxes_each() {
        let found = boxes(&[5, 4, 0, 1], &[2, 3]);
        let rows: Vec<_> = found.iter().map(|b| (b.region.start.clone(), b.row, b.rows)).collect();
        assert_eq!(rows, [(vec![1, 2], 0, 1), (vec![1, 1], 1, 1), (vec![0, 0], 2, 2)]);
    }
}
