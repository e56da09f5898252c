//! The loop over windows: a tile of results at a time, one relative position after the other.

use std::ops::Range;

use arrow::buffer::ScalarBuffer;

use super::{Along, MovingWindow, Stretch};
use crate::kernel::cells::{Every, Flags, Missing, NotNan, Presence};
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

/// The cells of all stretches as numbers, and which of them count.
pub(super) struct Numbers<T: Native> {
    values: Vec<ScalarBuffer<T>>,
    present: Present,
}

/// Which cells of the stretches count: told in one way for all of them, since they are added together.
enum Present {
    Every,
    NotNan,
    Flags(Vec<Vec<bool>>),
}

/// Neighbouring cells of a stretch that are added to neighbouring accumulators.
struct Part {
    /// The first accumulator, and one past the last.
    accumulators: Range<usize>,
    stretch: usize,
    /// The cell that is added to the first accumulator.
    cell: usize,
}

impl<T: Native> Numbers<T> {
    /// The numbers of each stretch, and which of them do not count.
    pub fn new(stretches: Vec<(ScalarBuffer<T>, Missing)>) -> Self {
        let is = |expected: fn(&Missing) -> bool| stretches.iter().all(|(_, missing)| expected(missing));
        let present =
            if is(|missing| matches!(missing, Missing::Nothing) || (!T::FLOAT && matches!(missing, Missing::Nan))) {
                Present::Every
            } else if is(|missing| matches!(missing, Missing::Nan)) {
                Present::NotNan
            } else {
                Present::Flags(stretches.iter().map(|(values, missing)| flags(values, missing)).collect())
            };
        Self { values: stretches.into_iter().map(|(values, _)| values).collect(), present }
    }
}

/// A flag for each number: whether it counts.
fn flags<T: Native>(values: &[T], missing: &Missing) -> Vec<bool> {
    let mut flags = vec![true; values.len()];
    if let Missing::Bits { present, .. } = missing {
        unpack(present, 0, &mut flags);
    }
    if let Missing::Nan | Missing::Bits { nan: true, .. } = missing {
        flags.iter_mut().zip(values).for_each(|(flag, value)| *flag &= value.is_number());
    }
    flags
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
        numbers: &Numbers<T>,
        mut emit: impl FnMut(&mut F, usize),
    ) {
        with_wide_lanes(
            #[inline(always)]
            || match &numbers.present {
                Present::Every => self.fold_tiles(target, numbers, |_, _| Every, &mut emit),
                Present::NotNan => self.fold_tiles(target, numbers, |_, _| NotNan, &mut emit),
                Present::Flags(flags) => {
                    self.fold_tiles(target, numbers, |stretch, cells| Flags(&flags[stretch][cells]), &mut emit);
                }
            },
        );
    }

    /// Along the dimension of the window and those below it, a relative position is one distance in flat indexes. So a
    /// tile of results takes its cells from one run for each relative position, and from a part of each stretch that
    /// the run lies in. Between two neighbouring ends of these parts, all cells are added together.
    #[inline(always)]
    fn fold_tiles<T: Native, F: Fold<T>, P: Presence>(
        &self,
        target: &mut F,
        numbers: &Numbers<T>,
        present: impl Fn(usize, Range<usize>) -> P,
        emit: &mut impl FnMut(&mut F, usize),
    ) {
        let (mut parts, mut ends) = (Vec::new(), Vec::new());
        let mut runs: Vec<(&[T], P)> = Vec::new();
        for outer in 0..self.along.outer {
            let results = self.range.start * self.along.inner..self.range.end * self.along.inner;
            for start in results.clone().step_by(TILE) {
                let tile = start..results.end.min(start + TILE);
                self.parts_of(outer, &tile, &mut parts);
                ends.clear();
                ends.extend(parts.iter().flat_map(|part| [part.accumulators.start, part.accumulators.end]));
                ends.sort_unstable();
                ends.dedup();
                for bounds in ends.windows(2) {
                    let (first, last) = (bounds[0], bounds[1]);
                    let here = |part: &&Part| part.accumulators.start <= first && part.accumulators.end >= last;
                    runs.clear();
                    runs.extend(parts.iter().filter(here).map(|part| {
                        let cell = part.cell + first - part.accumulators.start;
                        let cells = cell..cell + last - first;
                        (&numbers.values[part.stretch][cells.clone()], present(part.stretch, cells))
                    }));
                    if !runs.is_empty() {
                        target.stacked(first, &runs);
                    }
                }
                emit(target, tile.len());
            }
        }
    }

    /// The cells that a tile of results is made of, one relative position after the other.
    fn parts_of(&self, outer: usize, tile: &Range<usize>, parts: &mut Vec<Part>) {
        let (inner, length) = (self.along.inner as isize, self.length() as isize);
        let (nearest, farthest) = (self.window.from.max(-length), self.window.to.min(length));
        parts.clear();
        for distance in (nearest..=farthest).map(|position| position * inner) {
            let inside = |result: usize| (result as isize + distance).clamp(0, length * inner) as usize;
            let place = |cell: usize| (cell as isize - distance) as usize - tile.start;
            self.for_each_part(outer, inside(tile.start)..inside(tile.end), &mut |cell, stretch, cells| {
                let first = place(cell);
                parts.push(Part { accumulators: first..first + cells.len(), stretch, cell: cells.start });
            });
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
