//! What windows look at beyond the cells of a partition.

use crate::array::Region;

/// Cells beyond a partition's own that a window along an axis looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halo {
    /// The axis of the window.
    pub axis: usize,
    /// Cells before the first one.
    pub before: u64,
    /// Cells after the last one.
    pub after: u64,
}

/// Whether `next` begins along `axis` where `last` ends, over the same cells of the other axes.
pub fn continues(last: &Region, next: &Region, axis: usize) -> bool {
    (0..last.rank()).all(|other| match other == axis {
        true => last.end(axis) == next.start[axis],
        false => last.start[other] == next.start[other] && last.shape[other] == next.shape[other],
    })
}

impl Halo {
    /// What a window at the first cells of `region` looks at before them.
    pub fn before(&self, region: &Region) -> Option<Region> {
        let length = self.before.min(region.start[self.axis]);
        self.cells(region, region.start[self.axis] - length, length)
    }

    /// What a window at the last cells of `region` looks at after them, of an axis of so many cells.
    pub fn after(&self, region: &Region, cells: u64) -> Option<Region> {
        let end = region.end(self.axis);
        self.cells(region, end, self.after.min(cells.saturating_sub(end)))
    }

    fn cells(&self, region: &Region, start: u64, length: u64) -> Option<Region> {
        let mut halo = region.clone();
        halo.start[self.axis] = start;
        halo.shape[self.axis] = length;
        (length > 0).then_some(halo)
    }
}
