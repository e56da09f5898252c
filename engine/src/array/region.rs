//! Boxes of cells.

/// A box of cells of an array: where it begins and how many cells it has along each dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Region {
    /// The first cell along each dimension.
    pub start: Vec<u64>,
    /// Cells along each dimension.
    pub shape: Vec<u64>,
}

impl Region {
    /// The box of `shape` cells that begins at `start`; both have one entry a dimension.
    pub fn new(start: Vec<u64>, shape: Vec<u64>) -> Self {
        debug_assert_eq!(start.len(), shape.len());
        Self { start, shape }
    }

    /// The whole of an array of `shape`.
    pub fn whole(shape: &[u64]) -> Self {
        Self { start: vec![0; shape.len()], shape: shape.to_vec() }
    }

    /// Dimensions.
    pub fn rank(&self) -> usize {
        self.start.len()
    }

    /// One past the last cell along a dimension.
    pub fn end(&self, dimension: usize) -> u64 {
        self.start[dimension] + self.shape[dimension]
    }

    /// Cells in the box, or `None` where they do not fit in 64 bits. A box of no dimensions has one cell.
    pub fn cells(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |cells, &length| cells.checked_mul(length))
    }

    /// The cell with this number, counted from 0 in C order.
    pub fn cell(&self, number: u64) -> Vec<u64> {
        unravel(number, &self.shape).iter().zip(&self.start).map(|(index, start)| start + index).collect()
    }

    /// Whether there is no cell in it.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// The cells in both boxes, or `None` when there are none.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let start: Vec<u64> = self.start.iter().zip(&other.start).map(|(a, b)| *a.max(b)).collect();
        let mut shape = Vec::with_capacity(start.len());
        for (dimension, first) in start.iter().enumerate() {
            let end = self.end(dimension).min(other.end(dimension));
            shape.push(end.checked_sub(*first).filter(|&length| length > 0)?);
        }
        Some(Self { start, shape })
    }

    /// The same box as seen from `origin`, which lies at or before its start.
    pub fn relative_to(&self, origin: &[u64]) -> Self {
        let start = self.start.iter().zip(origin).map(|(a, b)| a - b).collect();
        Self { start, shape: self.shape.clone() }
    }

    /// Whether the box is one contiguous run of cells in C order inside an array of shape `outer`: every dimension
    /// after the first one longer than 1 is whole.
    pub fn is_run_of(&self, outer: &[u64]) -> bool {
        let first_long = self.shape.iter().position(|&length| length != 1).unwrap_or(self.rank());
        (first_long + 1..self.rank()).all(|dimension| self.shape[dimension] == outer[dimension])
    }
}

/// The index along each dimension of the `linear`th of `counts` things in C order.
pub fn unravel(mut linear: u64, counts: &[u64]) -> Vec<u64> {
    let mut index = vec![0; counts.len()];
    for dimension in (0..counts.len()).rev() {
        index[dimension] = linear % counts[dimension];
        linear /= counts[dimension];
    }
    index
}
