//! `var` and `stddev`: number, mean and sum of squared differences from the mean (Welford, Chan), which is stable
//! however the cells are split into blocks, and exactly zero for constant cells.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, UInt64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;

use super::Accumulator;
use crate::kernel::cells::{Cells, Missing, Presence, check_merge, check_update};
use crate::kernel::error::KernelError;
use crate::kernel::fold::{Fold, fold, for_each_cell};
use crate::kernel::large::zeros;
use crate::kernel::layout::BlockLayout;
use crate::kernel::native::{Native, float_values, native_values, state_values, with_float};

const LANES: usize = 16;

/// Neighbouring groups that runs are added to together: so many that the compiler leaves loops over them loops, and does not
/// take them apart into registers of their own.
const ROW: usize = 32;

/// Cells of one group that are gone over twice at a time: they stay in L1.
const TWICE: usize = 4096;

/// Variances, or standard deviations, of groups.
#[derive(Debug)]
pub(crate) struct VarianceAccumulator {
    argument: DataType,
    ddof: u8,
    root: bool,
    moments: Moments,
}

/// Number, mean and squared differences of the cells of each group. The numbers are floats since loops divide by them.
#[derive(Debug)]
pub(crate) struct Moments {
    pub(crate) counts: Vec<f64>,
    means: Vec<f64>,
    squares: Vec<f64>,
}

impl VarianceAccumulator {
    /// An accumulator of `groups` variances with `ddof` degrees of freedom, or their roots.
    pub(crate) fn new(argument: DataType, ddof: u8, root: bool, groups: usize) -> Self {
        Self { argument, ddof, root, moments: Moments::new(groups) }
    }
}

impl Accumulator for VarianceAccumulator {
    fn update(
        &mut self,
        layout: &BlockLayout,
        arguments: &[Cells<'_>],
        mask: Option<&BooleanArray>,
    ) -> Result<(), KernelError> {
        let groups = self.moments.counts.len();
        check_update("variance", std::slice::from_ref(&self.argument), groups, layout, arguments, mask)?;
        let (missing, values) = (Missing::of(&arguments[0], mask), float_values(arguments[0].values)?);
        with_float!(values, T => fold(&mut self.moments, layout, &native_values::<T>(&values), &missing));
        Ok(())
    }

    fn merge(&mut self, layout: &BlockLayout, state: &[ArrayRef]) -> Result<(), KernelError> {
        check_merge("variance", 3, self.moments.counts.len(), layout, state)?;
        let counts = state_values::<u64>(&state[0], &DataType::UInt64)?;
        let means = state_values::<f64>(&state[1], &DataType::Float64)?;
        let squares = state_values::<f64>(&state[2], &DataType::Float64)?;
        for_each_cell(layout, |cell, group| self.moments.merge(group, counts[cell] as f64, means[cell], squares[cell]));
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::UInt64, DataType::Float64, DataType::Float64]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>, KernelError> {
        let moments = std::mem::replace(&mut self.moments, Moments::new(0));
        Ok(vec![
            Arc::new(UInt64Array::from_iter_values(moments.counts.iter().map(|&count| count as u64))),
            Arc::new(Float64Array::from(moments.means)),
            Arc::new(Float64Array::from(moments.squares)),
        ])
    }

    fn finish(&mut self, range: Range<usize>) -> Result<ArrayRef, KernelError> {
        Ok(Arc::new(self.moments.variances(range, self.ddof, self.root, 1)))
    }

    fn memory_size(&self) -> usize {
        3 * self.moments.counts.capacity() * size_of::<f64>()
    }
}

impl Moments {
    pub(crate) fn new(groups: usize) -> Self {
        Self { counts: zeros(groups), means: zeros(groups), squares: zeros(groups) }
    }

    /// Forgets all cells.
    pub(crate) fn reset(&mut self) {
        self.counts.fill(0.0);
        self.means.fill(0.0);
        self.squares.fill(0.0);
    }

    /// The variances of groups, or their roots; null where a group has fewer than `least` cells, or too few.
    pub(crate) fn variances(&self, range: Range<usize>, ddof: u8, root: bool, least: usize) -> Float64Array {
        let (counts, squares) = (&self.counts[range.clone()], &self.squares[range]);
        let freedom = |k: usize| counts[k] - f64::from(ddof);
        let enough = |k: usize| freedom(k) > 0.0 && counts[k] >= least as f64;
        let nulls = NullBuffer::new(BooleanBuffer::collect_bool(counts.len(), enough));
        let variance = |k: usize| if enough(k) { squares[k] / freedom(k) } else { 0.0 };
        let values = (0..counts.len()).map(|k| if root { variance(k).sqrt() } else { variance(k) }).collect::<Vec<_>>();
        Float64Array::new(values.into(), (nulls.null_count() > 0).then_some(nulls))
    }

    /// Adds cells of which number, mean and squares are known (Chan).
    #[inline(always)]
    fn merge(&mut self, group: usize, count: f64, mean: f64, squares: f64) {
        let (before, has) = (self.counts[group], count > 0.0);
        let difference = if has { mean - self.means[group] } else { 0.0 };
        let share = if has { count / (before + count) } else { 0.0 };
        self.counts[group] = before + count;
        self.means[group] += difference * share;
        self.squares[group] += squares + difference * difference * before * share;
    }

    /// Adds the cells of several runs from `start` on to neighbouring groups.
    ///
    /// Of each group the differences from its mean so far are summed, and their squares: Σd and Σd². Then the mean moves
    /// by Σd/n and the squared differences grow by Σd² - (Σd)²/n, with n the number of all cells so far. What cancels
    /// there is at most as many times the result as there are runs, and nothing if all cells are equal.
    #[inline(always)]
    fn add_cells<T: Native, P: Presence>(&mut self, group: usize, runs: &[(&[T], P)], start: usize) {
        let groups = group..group + ROW;
        let (counts, means) = (&mut self.counts[groups.clone()], &mut self.means[groups.clone()]);
        let mut origins = [0f64; ROW];
        origins.copy_from_slice(means);
        if counts.contains(&0.0) {
            first_cells(&mut origins, counts, runs, start);
        }
        let (mut numbers, mut sums, mut squares) = ([0f64; ROW], [0f64; ROW], [0f64; ROW]);
        for (values, present) in runs {
            let (values, here) = (&values[start..start + ROW], present.part(start..start + ROW));
            for k in 0..ROW {
                let has = here.has(k, values[k]);
                let difference = if has { values[k].float() - origins[k] } else { 0.0 };
                sums[k] += difference;
                squares[k] += difference * difference;
                numbers[k] += if has { 1.0 } else { 0.0 };
            }
        }
        let all = &mut self.squares[groups];
        for k in 0..ROW {
            counts[k] += numbers[k];
            let shift = if counts[k] > 0.0 { sums[k] / counts[k] } else { 0.0 };
            means[k] = if numbers[k] > 0.0 { origins[k] + shift } else { means[k] };
            let growth = squares[k] - sums[k] * shift;
            // Rounding may leave less than nothing; a NaN stays one, which `max` would not let it.
            all[k] += if growth < 0.0 { 0.0 } else { growth };
        }
    }

    /// Adds one cell, or nothing, without a branch (Welford).
    #[inline(always)]
    fn add(count: &mut f64, mean: &mut f64, squares: &mut f64, has: bool, value: f64) {
        let number = *count + if has { 1.0 } else { 0.0 };
        let before = value - *mean;
        let middle = *mean + before / number;
        *squares += if has { before * (value - middle) } else { 0.0 };
        *mean = if has { middle } else { *mean };
        *count = number;
    }
}

impl<T: Native> Fold<T> for Moments {
    // Of integers there are many types and few arrays: loops of their own would cost more to compile than they bring.
    const ROW: usize = if T::FLOAT { ROW } else { 0 };

    #[inline(always)]
    fn one<P: Presence>(&mut self, group: usize, values: &[T], present: P) {
        for (part, start) in values.chunks(TWICE).zip((0..).step_by(TWICE)) {
            let present = present.part(start..start + part.len());
            if let Some((count, mean, squares)) = moments(part, present) {
                self.merge(group, count, mean, squares);
            }
        }
    }

    #[inline(always)]
    fn consecutive<P: Presence>(&mut self, first: usize, values: &[T], present: P) {
        let groups = first..first + values.len();
        let counts = &mut self.counts[groups.clone()];
        let (means, squares) = (&mut self.means[groups.clone()], &mut self.squares[groups]);
        let present = present.part(0..values.len());
        for (k, (((count, mean), squares), &value)) in counts.iter_mut().zip(means).zip(squares).zip(values).enumerate()
        {
            Self::add(count, mean, squares, present.has(k, value), value.float());
        }
    }

    #[inline(always)]
    fn add_row<P: Presence>(&mut self, first: usize, runs: &[(&[T], P)], start: usize) {
        self.add_cells(first, runs, start);
    }

    #[inline(always)]
    fn labelled<P: Presence>(&mut self, base: usize, labels: &[u32], stride: usize, values: &[T], present: P) {
        for (k, (&label, &value)) in labels.iter().zip(values).enumerate() {
            let group = base + label as usize * stride;
            let (count, mean) = (&mut self.counts[group], &mut self.means[group]);
            Self::add(count, mean, &mut self.squares[group], present.has(k, value), value.float());
        }
    }
}

/// Of groups without a cell so far: the first that runs have from `start` on.
#[inline(always)]
fn first_cells<T: Native, P: Presence>(origins: &mut [f64; ROW], counts: &[f64], runs: &[(&[T], P)], start: usize) {
    for (values, present) in runs.iter().rev() {
        let (values, here) = (&values[start..start + ROW], present.part(start..start + ROW));
        for k in 0..ROW {
            let is_first = counts[k] == 0.0 && here.has(k, values[k]);
            origins[k] = if is_first { values[k].float() } else { origins[k] };
        }
    }
}

/// Number, mean and squares of a slice, in two passes; `None` if no cell counts. The first pass sums differences from
/// one of the cells, so that the mean of equal cells is exactly their value.
#[inline(always)]
fn moments<T: Native, P: Presence>(values: &[T], present: P) -> Option<(f64, f64, f64)> {
    let (_, &origin) = values.iter().enumerate().find(|&(k, &value)| present.has(k, value))?;
    let origin = origin.float();
    let (sum, count) = sum_of(
        values,
        present,
        #[inline(always)]
        |value| value - origin,
    );
    let mean = origin + sum / count;
    let (squares, _) = sum_of(
        values,
        present,
        #[inline(always)]
        |value| (value - mean) * (value - mean),
    );
    Some((count, mean, squares))
}

/// The sum of a term over the cells that count, and their number.
#[inline(always)]
fn sum_of<T: Native, P: Presence>(values: &[T], present: P, term: impl Fn(f64) -> f64) -> (f64, f64) {
    let (mut sums, mut counts) = ([0f64; LANES], [0u32; LANES]);
    let rows = values.chunks_exact(LANES);
    let (rest, whole) = (rows.remainder(), values.len() / LANES * LANES);
    for (row, start) in rows.zip((0..).step_by(LANES)) {
        let here = present.part(start..start + LANES);
        for k in 0..LANES {
            let (has, term) = (here.has(k, row[k]), term(row[k].float()));
            sums[k] += if has { term } else { 0.0 };
            counts[k] += u32::from(has);
        }
    }
    let here = present.part(whole..values.len());
    for (k, &value) in rest.iter().enumerate() {
        if here.has(k, value) {
            sums[k] += term(value.float());
            counts[k] += 1;
        }
    }
    (sums.iter().sum(), counts.iter().map(|&count| f64::from(count)).sum())
}
