//! Drives the loops: takes a block apart into runs, and picks the loop for the way its missing cells are told.

use arrow::buffer::BooleanBuffer;

use super::cells::{Every, Flags, Missing, NotNan, Presence};
use super::layout::{BlockLayout, RunGroups};
use super::native::Native;
use super::wide::with_wide_lanes;

/// Cells whose bits are unpacked to flags at a time: the flags stay in L1.
const FLAGS: usize = 4096;

/// Something that cells of type `T` can be folded into. Every method is `#[inline(always)]` where it is implemented.
pub(crate) trait Fold<T: Native> {
    /// Told before each of the other calls: the index in the block of the run's first cell.
    #[inline(always)]
    fn start(&mut self, _cell: usize) {}

    /// Adds the cells of a run to one group.
    fn one<P: Presence>(&mut self, group: usize, values: &[T], present: P);

    /// Adds the k-th cell of a run to the group `first + k`.
    fn consecutive<P: Presence>(&mut self, first: usize, values: &[T], present: P);

    /// Adds the k-th cell of a run to the group `base + labels[k] * stride`.
    fn labelled<P: Presence>(&mut self, base: usize, labels: &[u32], stride: usize, values: &[T], present: P);
}

/// Folds the cells of a block into `target`.
pub(crate) fn fold<T: Native, F: Fold<T>>(target: &mut F, layout: &BlockLayout, values: &[T], missing: &Missing) {
    with_wide_lanes(
        #[inline(always)]
        || match missing {
            Missing::Nan if T::FLOAT => layout.for_each_run(
                #[inline(always)]
                |run| visit(target, run.cells.start, run.groups, &values[run.cells], NotNan),
            ),
            Missing::Nothing | Missing::Nan => layout.for_each_run(
                #[inline(always)]
                |run| visit(target, run.cells.start, run.groups, &values[run.cells], Every),
            ),
            Missing::Bits { present, nan } => {
                let mut flags = [false; FLAGS];
                layout.for_each_run(
                    #[inline(always)]
                    |run| {
                        for start in run.cells.clone().step_by(FLAGS) {
                            let length = FLAGS.min(run.cells.end - start);
                            let (values, flags) = (&values[start..start + length], &mut flags[..length]);
                            unpack(present, start, flags);
                            if T::FLOAT && *nan {
                                flags.iter_mut().zip(values).for_each(|(flag, value)| *flag &= value.is_number());
                            }
                            visit(target, start, run.groups.skip(start - run.cells.start), values, Flags(flags));
                        }
                    },
                );
            }
        },
    );
}

/// Calls `visit` with each cell of the block and its group.
#[inline(always)]
pub(crate) fn for_each_cell(layout: &BlockLayout, mut visit: impl FnMut(usize, usize)) {
    layout.for_each_run(
        #[inline(always)]
        |run| match run.groups {
            RunGroups::One(group) => run.cells.for_each(|cell| visit(cell, group)),
            RunGroups::Consecutive(first) => run.cells.zip(first..).for_each(|(cell, group)| visit(cell, group)),
            RunGroups::Labelled { base, labels, stride } => {
                run.cells.zip(labels).for_each(|(cell, &label)| visit(cell, base + label as usize * stride));
            }
        },
    );
}

#[inline(always)]
fn visit<T: Native, F: Fold<T>, P: Presence>(
    target: &mut F,
    cell: usize,
    groups: RunGroups<'_>,
    values: &[T],
    present: P,
) {
    target.start(cell);
    match groups {
        RunGroups::One(group) => target.one(group, values, present),
        RunGroups::Consecutive(first) => target.consecutive(first, values, present),
        RunGroups::Labelled { base, labels, stride } => target.labelled(base, labels, stride, values, present),
    }
}

/// Unpacks the bits from `start` on, one for each flag.
#[inline(always)]
pub(crate) fn unpack(bits: &BooleanBuffer, start: usize, flags: &mut [bool]) {
    let bits = bits.slice(start, flags.len());
    let chunks = bits.bit_chunks();
    let mut rows = flags.chunks_exact_mut(64);
    for (word, row) in chunks.iter().zip(&mut rows) {
        for (k, flag) in row.iter_mut().enumerate() {
            *flag = (word >> k) & 1 == 1;
        }
    }
    let word = chunks.remainder_bits();
    for (k, flag) in rows.into_remainder().iter_mut().enumerate() {
        *flag = (word >> k) & 1 == 1;
    }
}
