//! Boxes of cells that are put together from boxes of several chunks.

use arrow::array::{Array, ArrayRef, MutableArrayData, make_array};

use crate::array::Region;

/// The cells of `region` in C order, from pieces that cover it without overlapping: each is a box in it, and its cells.
pub(in crate::source) fn assembled(region: &Region, mut pieces: Vec<(Region, ArrayRef)>) -> Result<ArrayRef, String> {
    if let [(only, _)] = pieces.as_slice()
        && only == region
        && let Some((_, cells)) = pieces.pop()
    {
        return Ok(cells);
    }
    if pieces.is_empty() {
        return Err(format!("there are no pieces of {region:?}"));
    }
    // In C order of their starts, so that those of a line follow each other.
    pieces.sort_by(|(a, _), (b, _)| a.start.cmp(&b.start));
    let rank = region.rank();
    // Inside this dimension every piece is whole: a run of it lies in one piece.
    let is_whole = |d: usize| pieces.iter().all(|(piece, _)| piece.shape[d] == region.shape[d]);
    let split = (0..rank).rev().find(|&d| !is_whole(d)).unwrap_or(0);
    let inner: u64 = region.shape.iter().skip(split + 1).product();
    let lines: u64 = region.shape.iter().take(split).product();
    let expected = region.cells().and_then(|cells| usize::try_from(cells).ok());
    let expected = expected.ok_or_else(|| format!("{region:?} does not fit in memory"))?;
    let data: Vec<_> = pieces.iter().map(|(_, cells)| cells.to_data()).collect();
    let mut output = MutableArrayData::new(data.iter().collect(), false, expected);
    for line in 0..lines {
        // The line's place along each outer dimension.
        let mut at = vec![0; split];
        let mut rest = line;
        for d in (0..split).rev() {
            at[d] = region.start[d] + rest % region.shape[d];
            rest /= region.shape[d];
        }
        for (number, (piece, cells)) in pieces.iter().enumerate() {
            let holds = |d: usize| at[d] >= piece.start[d] && at[d] < piece.end(d);
            if !(0..split).all(holds) {
                continue;
            }
            let row = (0..split).fold(0, |row, d| row * piece.shape[d] + at[d] - piece.start[d]);
            let length = piece.shape.get(split).copied().unwrap_or(1) * inner;
            let (start, end) = ((row * length) as usize, ((row + 1) * length) as usize);
            if end > cells.len() {
                return Err(format!("a piece has {} cells, expected {end}", cells.len()));
            }
            output.try_extend(number, start, end).map_err(|error| error.to_string())?;
        }
    }
    let cells = make_array(output.freeze());
    match cells.len() == expected {
        true => Ok(cells),
        false => Err(format!("{} cells were put together, expected {expected}", cells.len())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;

    use super::*;

    fn piece(start: [u64; 2], shape: [u64; 2]) -> (Region, ArrayRef) {
        let cells = (0..shape[0]).flat_map(|y| (0..shape[1]).map(move |x| ((start[0] + y) * 10 + start[1] + x) as i64));
        (Region::new(start.to_vec(), shape.to_vec()), Arc::new(Int64Array::from_iter_values(cells)))
    }

    fn check(whole: ([u64; 2], [u64; 2]), pieces: Vec<(Region, ArrayRef)>) -> Result<(), String> {
        let (region, expected) = piece(whole.0, whole.1);
        assert_eq!(&assembled(&region, pieces)?, &expected);
        Ok(())
    }

    #[test]
    fn pieces_make_a_box() -> Result<(), String> {
        check(([1, 2], [3, 4]), vec![piece([1, 2], [3, 4])])?;
        check(([1, 2], [3, 4]), vec![piece([2, 2], [2, 4]), piece([1, 2], [1, 4])])?;
        check(([1, 2], [3, 4]), vec![piece([1, 4], [3, 2]), piece([1, 2], [3, 2])])?;
        let four = vec![piece([2, 5], [2, 1]), piece([1, 2], [1, 3]), piece([1, 5], [1, 1]), piece([2, 2], [2, 3])];
        check(([1, 2], [3, 4]), four)?;
        assert!(check(([1, 2], [3, 4]), vec![piece([1, 2], [2, 4])]).is_err());
        Ok(())
    }
}
