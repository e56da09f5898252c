//! Which groups of a reduction are complete, and when.

use std::ops::Range;

use super::reduce_spec::ReduceSpec;
use super::work::WorkGrid;
use crate::array::Region;

/// Groups along the outermost axis that has some, as partial states come in the order of their partitions.
///
/// Where partitions follow each other along that axis (months of a series, days of a mean over space), groups are given as
/// rows once no later partition can touch them, and only the others are held.
#[derive(Debug)]
pub struct Completion {
    /// The axis.
    pub axis: usize,
    /// For each partition: the groups before this one are complete with it.
    complete: Vec<u64>,
    /// For each partition: one past the last group that it or one before it touches.
    reach: Vec<u64>,
}

impl Completion {
    /// Of the groups of a reduction of the blocks of `work`.
    pub fn new(spec: &ReduceSpec, work: &WorkGrid) -> Self {
        let shape = spec.group_shape();
        let axis = shape.iter().position(|&count| count > 1).unwrap_or(0);
        let count = shape.get(axis).copied().unwrap_or(1);
        let touched: Vec<Option<Range<u64>>> = (work.partitions().into_iter())
            .map(|(start, end)| {
                let groups = spec.groups_of(&work.bounds(start, end)?);
                (axis < groups.rank()).then(|| groups.start[axis]..groups.end(axis))
            })
            .collect();
        let mut complete = vec![count; touched.len()];
        for partition in (1..touched.len()).rev() {
            let first = touched[partition].as_ref().map_or(count, |groups| groups.start);
            complete[partition - 1] = complete[partition].min(first);
        }
        let in_the_end = complete.iter().rev().skip(1).all(|&groups| groups == 0);
        let mut last = if in_the_end { count } else { 0 };
        let reach = touched.iter().zip(&complete).map(|(groups, &complete)| {
            last = last.max(complete).max(groups.as_ref().map_or(0, |groups| groups.end));
            last
        });
        Self { axis, reach: reach.collect(), complete }
    }

    /// Partitions there are.
    pub fn partitions(&self) -> u64 {
        self.complete.len() as u64
    }

    /// The groups before this one are complete with a partition.
    pub fn complete(&self, partition: u64) -> u64 {
        self.complete.get(partition as usize).copied().unwrap_or(0)
    }

    /// One past the last group that has a state with a partition.
    pub fn reach(&self, partition: u64) -> u64 {
        self.reach.get(partition as usize).copied().unwrap_or(0)
    }

    /// Whether groups are complete before the last partition is.
    pub fn is_early(&self) -> bool {
        self.complete.iter().rev().skip(1).any(|&groups| groups > 0)
    }

    /// The box of all groups, of those along the axis only some.
    pub fn region(&self, shape: &[u64], along: Range<u64>) -> Region {
        let mut region = Region::whole(shape);
        if self.axis < region.rank() {
            region.start[self.axis] = along.start;
            region.shape[self.axis] = along.end - along.start;
        }
        region
    }
}
