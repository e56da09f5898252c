//! The contiguous runs of cells of which a box inside a chunk consists.

use std::ops::Range;

use crate::array::Region;

/// The runs of a box of cells inside an array, in C order: where each begins, in cells; all are equally long.
#[derive(Debug)]
pub(in crate::source) struct Runs {
    /// Cells in each run.
    pub length: u64,
    /// How many runs there are.
    pub count: u64,
    /// The dimensions outside the runs: (runs along it, cells from one to the next).
    outer: Vec<(u64, u64)>,
    origin: u64,
}

impl Runs {
    /// The runs of `region` in an array of shape `outer`, or `None` where the region does not lie in it.
    pub fn new(region: &Region, outer: &[u64]) -> Option<Self> {
        let rank = outer.len();
        let inside = |d: usize| region.start[d].checked_add(region.shape[d]).is_some_and(|end| end <= outer[d]);
        if region.start.len() != rank || region.shape.len() != rank || !(0..rank).all(inside) {
            return None;
        }
        let strides = strides(outer);
        // Dimensions merge into the run while all those after them are whole.
        let mut first = rank;
        let mut length = 1;
        while first > 0 && length == strides[first - 1] {
            first -= 1;
            length = region.shape[first] * strides[first];
        }
        let origin = (0..rank).map(|d| region.start[d] * strides[d]).sum();
        let outer: Vec<(u64, u64)> = (0..first).map(|d| (region.shape[d], strides[d])).collect();
        let count = if length == 0 { 0 } else { outer.iter().map(|(count, _)| count).product() };
        Some(Self { length, count, outer, origin })
    }

    /// The cells from the first to the last one of all runs.
    pub fn span(&self) -> Range<u64> {
        let last: u64 = self.outer.iter().map(|(count, stride)| count.saturating_sub(1) * stride).sum();
        if self.count == 0 { 0..0 } else { self.origin..self.origin + last + self.length }
    }

    /// Where each run begins.
    pub fn starts(&self) -> impl Iterator<Item = u64> {
        (0..self.count).map(|run| {
            let mut rest = run;
            let mut start = self.origin;
            for &(count, stride) in self.outer.iter().rev() {
                start += rest % count * stride;
                rest /= count;
            }
            start
        })
    }
}

/// Cells from one index to the next along each dimension, in C order.
pub(in crate::source) fn strides(shape: &[u64]) -> Vec<u64> {
    let mut strides = vec![1; shape.len()];
    for d in (1..shape.len()).rev() {
        strides[d - 1] = strides[d] * shape[d];
    }
    strides
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(start: &[u64], shape: &[u64], outer: &[u64], length: u64, starts: &[u64]) {
        let runs = Runs::new(&Region::new(start.to_vec(), shape.to_vec()), outer).unwrap();
        assert_eq!((runs.length, runs.starts().collect::<Vec<_>>()), (length, starts.to_vec()));
    }

    #[test]
    fn runs_are_as_long_as_can_be() {
        check(&[], &[], &[], 1, &[0]);
        check(&[1, 0], &[2, 3], &[4, 3], 6, &[3]);
        check(&[1, 1], &[2, 2], &[4, 3], 2, &[4, 7]);
        check(&[0, 1, 0], &[2, 1, 2], &[2, 3, 2], 2, &[2, 8]);
        check(&[0, 0], &[0, 3], &[4, 3], 0, &[]);
        check(&[0, 1], &[2, 0], &[4, 3], 0, &[]);
    }

    #[test]
    fn a_region_outside_is_refused() {
        assert!(Runs::new(&Region::new(vec![3], vec![2]), &[4]).is_none());
        assert!(Runs::new(&Region::new(vec![u64::MAX], vec![2]), &[4]).is_none());
        assert!(Runs::new(&Region::new(vec![0], vec![2]), &[4, 4]).is_none());
    }
}
