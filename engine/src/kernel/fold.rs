//! Drives the loops: takes a block apart into runs, and picks the loop for the way its missing cells are told.

use arrow::buffer::BooleanBuffer;

use super::cells::{Every, Flags, Missing, NotNan, Presence};
use super::layout::{BlockLayout, RunGroups, Stack};
use super::native::Native;
use super::wide::with_wide_lanes;

/// Cells of a run that are gone over at a time: their flags, and the accumulators of as many groups, stay in L1.
const TILE: usize = 1024;

/// Runs of a stack that are added together.
const STACK: usize = 16;

/// Something that cells of type `T` can be folded into. Every method is `#[inline(always)]` where it is implemented.
pub(crate) trait Fold<T: Native> {
    /// Neighbouring groups that `add_row` adds to at once; 0 where `consecutive`, called again and again, does as well.
    /// With rows `start` is not told of cells.
    const ROW: usize = 0;

    /// Told before each of the other calls: the index in the block of the run's first cell.
    #[inline(always)]
    fn start(&mut self, _cell: usize) {}

    /// Adds the cells of a run to one group.
    fn one<P: Presence>(&mut self, group: usize, values: &[T], present: P);

    /// Adds the k-th cell of a run to the group `first + k`.
    fn consecutive<P: Presence>(&mut self, first: usize, values: &[T], present: P);

    /// Adds the k-th cells of several runs, which are equally long, to the group `first + k`.
    #[inline(always)]
    fn stacked<P: Presence>(&mut self, first: usize, runs: &[(&[T], P)]) {
        let length = runs.first().map_or(0, |(values, _)| values.len());
        let whole = length.checked_div(Self::ROW).map_or(0, |rows| rows * Self::ROW);
        if Self::ROW > 0 {
            for start in (0..whole).step_by(Self::ROW) {
                self.add_row(first + start, runs, start);
            }
        }
        for &(values, present) in runs {
            self.consecutive(first + whole, &values[whole..], present.part(whole..length));
        }
    }

    /// Adds the cells of several runs from `start` on, `ROW` of each, to the groups from `first` on.
    #[inline(always)]
    fn add_row<P: Presence>(&mut self, _first: usize, _runs: &[(&[T], P)], _start: usize) {}

    /// Adds the k-th cell of a run to the group `base + labels[k] * stride`.
    fn labelled<P: Presence>(&mut self, base: usize, labels: &[u32], stride: usize, values: &[T], present: P);
}

/// Folds the cells of a block into `target`.
pub(crate) fn fold<T: Native, F: Fold<T>>(target: &mut F, layout: &BlockLayout, values: &[T], missing: &Missing) {
    with_wide_lanes(
        #[inline(always)]
        || match missing {
            Missing::Nan if T::FLOAT => layout.for_each_stack(
                #[inline(always)]
                |stack| fold_stack(target, &stack, values, NotNan),
            ),
            Missing::Nothing | Missing::Nan => layout.for_each_stack(
                #[inline(always)]
                |stack| fold_stack(target, &stack, values, Every),
            ),
            Missing::Bits { present, nan } => layout.for_each_stack(
                #[inline(always)]
                |stack| fold_bits(target, &stack, values, present, *nan),
            ),
        },
    );
}

/// Folds runs whose cells tell themselves whether they count.
#[inline(always)]
fn fold_stack<T: Native, F: Fold<T>, P: Presence>(target: &mut F, stack: &Stack<'_>, values: &[T], present: P) {
    match stack.first.groups {
        RunGroups::Consecutive(first) if F::ROW > 0 && stack.count > 1 => {
            let length = stack.first.cells.len();
            for tile in (0..length).step_by(TILE) {
                let cells = tile..length.min(tile + TILE);
                for runs in (0..stack.count).step_by(STACK) {
                    let mut together = [(&values[..0], present); STACK];
                    let count = STACK.min(stack.count - runs);
                    for (k, run) in together[..count].iter_mut().enumerate() {
                        let start = stack.first.cells.start + (runs + k) * length;
                        *run = (&values[start + cells.start..start + cells.end], present);
                    }
                    target.stacked(first + tile, &together[..count]);
                }
            }
        }
        _ => {
            // No iterator's `for_each`, here and in all kernels: it is not always inlined, and then has no wide lanes.
            for k in 0..stack.count {
                let run = stack.run(k);
                visit(target, run.cells.start, run.groups, &values[run.cells], present);
            }
        }
    }
}

/// Folds runs of which bits tell which cells count: a tile of bits at a time is unpacked to flags.
#[inline(always)]
fn fold_bits<T: Native, F: Fold<T>>(
    target: &mut F,
    stack: &Stack<'_>,
    values: &[T],
    present: &BooleanBuffer,
    nan: bool,
) {
    let mut flags = [false; STACK * TILE];
    let length = stack.first.cells.len();
    match stack.first.groups {
        RunGroups::Consecutive(first) if F::ROW > 0 && stack.count > 1 => {
            for tile in (0..length).step_by(TILE) {
                let width = TILE.min(length - tile);
                for runs in (0..stack.count).step_by(STACK) {
                    let count = STACK.min(stack.count - runs);
                    let start = |k: usize| stack.first.cells.start + (runs + k) * length + tile;
                    for (k, flags) in flags.chunks_exact_mut(TILE).take(count).enumerate() {
                        flag(&values[start(k)..start(k) + width], present, start(k), nan, &mut flags[..width]);
                    }
                    let mut together = [(&values[..0], Flags(&flags[..0])); STACK];
                    for (k, run) in together[..count].iter_mut().enumerate() {
                        let flags = &flags[k * TILE..k * TILE + width];
                        *run = (&values[start(k)..start(k) + width], Flags(flags));
                    }
                    target.stacked(first + tile, &together[..count]);
                }
            }
        }
        _ => {
            for k in 0..stack.count {
                let run = stack.run(k);
                for start in run.cells.clone().step_by(STACK * TILE) {
                    let width = (STACK * TILE).min(run.cells.end - start);
                    let (values, flags) = (&values[start..start + width], &mut flags[..width]);
                    flag(values, present, start, nan, flags);
                    visit(target, start, run.groups.skip(start - run.cells.start), values, Flags(flags));
                }
            }
        }
    }
}

/// The flags of cells from `start` on: whether their bits are set and, if `nan`, they are no NaN.
#[inline(always)]
fn flag<T: Native>(values: &[T], present: &BooleanBuffer, start: usize, nan: bool, flags: &mut [bool]) {
    unpack(present, start, flags);
    if T::FLOAT && nan {
        for (flag, value) in flags.iter_mut().zip(values) {
            *flag &= value.is_number();
        }
    }
}

/// Calls `visit` with each cell of the block and its group.
#[inline(always)]
pub(crate) fn for_each_cell(layout: &BlockLayout, mut visit: impl FnMut(usize, usize)) {
    layout.for_each_run(
        #[inline(always)]
        |run| {
            for (k, cell) in run.cells.enumerate() {
                visit(cell, run.groups.group(k));
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

/// Unpacks the bits from `start` on, one for each flag: eight at a time, as the bytes of a word.
#[inline(always)]
pub(crate) fn unpack(bits: &BooleanBuffer, start: usize, flags: &mut [bool]) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const OWN_BIT: u64 = 0x8040_2010_0804_0201;
    let bits = bits.slice(start, flags.len());
    let chunks = bits.bit_chunks();
    let mut rows = flags.chunks_exact_mut(64);
    for (word, row) in chunks.iter().zip(&mut rows) {
        for (byte, flags) in word.to_le_bytes().into_iter().zip(row.as_chunks_mut::<8>().0) {
            // Each byte keeps a bit of its own; adding 0x7f carries it to the top, whichever it is.
            let set = ((u64::from(byte) * EACH) & OWN_BIT) + 0x7f * EACH;
            *flags = ((set >> 7) & EACH).to_le_bytes().map(|flag| flag != 0);
        }
    }
    let word = chunks.remainder_bits();
    for (k, flag) in rows.into_remainder().iter_mut().enumerate() {
        *flag = (word >> k) & 1 == 1;
    }
}

/// Flags as bits: eight at a time, as the bytes of a word.
pub(crate) fn pack(flags: &[bool]) -> BooleanBuffer {
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut bytes: Vec<u8> = Vec::with_capacity(flags.len().div_ceil(8));
    let (rows, rest) = flags.as_chunks::<8>();
    bytes.extend(rows.iter().map(|row| (u64::from_le_bytes(row.map(u8::from)).wrapping_mul(GATHER) >> 56) as u8));
    if !rest.is_empty() {
        bytes.push(rest.iter().enumerate().fold(0, |byte, (k, &flag)| byte | u8::from(flag) << k));
    }
    BooleanBuffer::new(bytes.into(), 0, flags.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_flags_are_the_same() {
        let flags: Vec<bool> = (0..1000).map(|k| k * k % 7 < 3).collect();
        for (start, end) in [(0, 1000), (0, 0), (3, 64), (5, 933), (64, 128)] {
            let bits = pack(&flags[start..end]);
            assert!(bits.iter().eq(flags[start..end].iter().copied()), "packing {start}..{end}");
            let mut unpacked = vec![false; end - start];
            unpack(&pack(&flags), start, &mut unpacked);
            assert_eq!(unpacked, flags[start..end], "unpacking {start}..{end}");
        }
    }
}
