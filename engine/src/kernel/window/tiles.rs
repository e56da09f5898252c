//! The loop over windows: a tile of results at a time, one relative position after the other.

use std::ops::Range;

use arrow::buffer::ScalarBuffer;

use super::{Along, MovingWindow, Stretch};
use crate::kernel::cells::{Every, Flags, Missing, NotNan};
use crate::kernel::fold::{Fold, unpack};
use crate::kernel::native::Native;
use crate::kernel::wide::with_wide_lanes;

/// Results computed at a time: their accumulators stay in L1.
pub(super) const TILE: usize = 1024;

/// Windows along the middle one of three dimensions.
#[derive(Debug)]
pub(super) struct Windows<'a> {
    pub window: MovingWindow,
    pub stretches: &'a [Stretch<'a>],
    pub along: Along,
    /// The positions of the results.
    pub range: Range<usize>,
    /// The first position of each stretch, and one past the last of all.
    pub bounds: Vec<usize>,
}

/// Cells as numbers, and which of them count.
pub(super) struct Numbers<T: Native> {
    values: ScalarBuffer<T>,
    missing: Missing,
    flags: Vec<bool>,
}

enum Step {
    /// Adds cells of a stretch, one each, to the accumulators from this one on.
    Add { accumulator: usize, stretch: usize, cells: Range<usize> },
    /// So many accumulators are complete.
    Emit(usize),
}

impl<T: Native> Numbers<T> {
    /// Numbers of which those in `missing` do not count.
    pub fn new(values: ScalarBuffer<T>, missing: Missing) -> Self {
        let mut flags = Vec::new();
        if let Missing::Bits { present, nan } = &missing {
            flags.resize(values.len(), false);
            unpack(present, 0, &mut flags);
            if *nan {
                flags.iter_mut().zip(values.iter()).for_each(|(flag, value)| *flag &= value.is_number());
            }
        }
        Self { values, missing, flags }
    }
}

impl<'a> Windows<'a> {
    pub fn new(window: MovingWindow, stretches: &'a [Stretch<'a>], along: Along, range: Range<usize>) -> Self {
        let mut bounds = Vec::with_capacity(stretches.len() + 1);
        bounds.push(0);
        for stretch in stretches {
            bounds.push(bounds[bounds.len() - 1] + stretch.length);
        }
        Self { window, stretches, along, range, bounds }
    }

    /// Positions of all stretches.
    pub fn length(&self) -> usize {
        self.bounds[self.stretches.len()]
    }

    /// The number of results.
    pub fn count(&self) -> usize {
        self.along.outer * self.range.len() * self.along.inner
    }

    /// Folds windows into `target`, and calls `emit` with it and the number of its accumulators that are complete.
    pub fn fold<T: Native, F: Fold<T>>(
        &self,
        target: &mut F,
        numbers: &[Numbers<T>],
        mut emit: impl FnMut(&mut F, usize),
    ) {
        with_wide_lanes(
            #[inline(always)]
            || {
                self.for_each_tile(
                    #[inline(always)]
                    |step| match step {
                        Step::Emit(results) => emit(target, results),
                        Step::Add { accumulator, stretch, cells } => {
                            let Numbers { values, missing, flags } = &numbers[stretch];
                            match missing {
                                Missing::Nan if T::FLOAT => target.consecutive(accumulator, &values[cells], NotNan),
                                Missing::Nothing | Missing::Nan => {
                                    target.consecutive(accumulator, &values[cells], Every);
                                }
                                Missing::Bits { .. } => {
                                    target.consecutive(accumulator, &values[cells.clone()], Flags(&flags[cells]));
                                }
                            }
                        }
                    },
                );
            },
        );
    }

    /// Calls `step` for the cells that are to be added, and whenever a tile of results is complete.
    ///
    /// Along the dimension of the window and those below it, a relative position is one distance in flat indexes. So a
    /// tile of results takes its cells from one run for each relative position, and from a run of each stretch that it
    /// lies in.
    #[inline(always)]
    fn for_each_tile(&self, mut step: impl FnMut(Step)) {
        let (inner, length) = (self.along.inner, self.length() as isize);
        let (nearest, farthest) = (self.window.from.max(-length), self.window.to.min(length));
        for outer in 0..self.along.outer {
            let results = self.range.start * inner..self.range.end * inner;
            for start in results.clone().step_by(TILE) {
                let end = results.end.min(start + TILE);
                for distance in (nearest..=farthest).map(|position| position * inner as isize) {
                    let first = (start as isize + distance).clamp(0, length * inner as isize) as usize;
                    let last = (end as isize + distance).clamp(0, length * inner as isize) as usize;
                    let place = |cell: usize| (cell as isize - distance) as usize - start;
                    self.for_each_part(outer, first..last, &mut |cell, stretch, cells| {
                        step(Step::Add { accumulator: place(cell), stretch, cells });
                    });
                }
                step(Step::Emit(end - start));
            }
        }
    }

    /// Calls `visit` with the first flat index of each part of a run that lies in one stretch, the stretch, and the
    /// part's cells in it.
    #[inline(always)]
    pub fn for_each_part(&self, outer: usize, run: Range<usize>, visit: &mut impl FnMut(usize, usize, Range<usize>)) {
        let inner = self.along.inner;
        if run.is_empty() {
            return;
        }
        let mut stretch = self.bounds.partition_point(|&bound| bound * inner <= run.start) - 1;
        let mut cell = run.start;
        while cell < run.end {
            let (first, last) = (self.bounds[stretch] * inner, self.bounds[stretch + 1] * inner);
            let end = run.end.min(last);
            let slab = outer * (last - first);
            if cell < end {
                visit(cell, stretch, slab + cell - first..slab + end - first);
            }
            cell = end.max(cell);
            stretch += 1;
        }
    }
}
