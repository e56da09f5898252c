//! Moving windows along one dimension of a block.
//!
//! A window is summed from its cells each time: adding the cell that enters and subtracting the one that leaves would
//! keep the error of a great value for ever. The loop goes over the places in the window outside and over neighbouring
//! results inside, so that it is as wide as the machine allows, whichever dimension the window runs along.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, UInt64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::take;
use arrow::datatypes::DataType;

use super::accumulate::count::Counts;
use super::accumulate::extreme::{Extremes, Ordered};
use super::accumulate::sum::{Summand, Total, Totals};
use super::accumulate::variance::Moments;
use super::cells::{Cells, Every, Flags, Missing, NotNan};
use super::error::KernelError;
use super::fold::{Fold, unpack};
use super::native::{Native, Physical, array_of, float_values, native_values, with_float, with_native};
use super::wide::with_wide_lanes;

/// Results computed at a time: their accumulators stay in L1.
const TILE: usize = 1024;

/// What is computed of the cells of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WindowKind {
    /// The sum.
    Sum,
    /// The mean.
    Average,
    /// The number of cells that are not missing.
    Count,
    /// The least value.
    Minimum,
    /// The greatest value.
    Maximum,
    /// The value at a single relative position, `from`.
    Shift,
    /// The square root of the variance.
    StandardDeviation {
        /// 0 for a population, 1 for a sample.
        ddof: u8,
    },
    /// The variance.
    Variance {
        /// 0 for a population, 1 for a sample.
        ddof: u8,
    },
}

impl WindowKind {
    /// The type of the results for cells of this type.
    pub fn result_type(self, argument: &DataType) -> Result<DataType, KernelError> {
        let number = argument.is_integer() || matches!(argument, DataType::Float32 | DataType::Float64);
        match self {
            Self::Shift => Ok(argument.clone()),
            Self::Minimum | Self::Maximum if Physical::of(argument).is_some() => Ok(argument.clone()),
            Self::Count => Ok(DataType::Int64),
            Self::Sum if argument.is_unsigned_integer() => Ok(DataType::UInt64),
            Self::Sum if argument.is_integer() => Ok(DataType::Int64),
            Self::Sum | Self::Average | Self::StandardDeviation { .. } | Self::Variance { .. } if number => {
                Ok(DataType::Float64)
            }
            _ => {
                let what = format!("the window {self:?}");
                Err(KernelError::Unsupported { what, found: argument.to_string() })
            }
        }
    }
}

/// One result for each position of `range` along `axis` (and each position of the other dimensions, in C order): of
/// the cells at positions `p + from ..= p + to`, as far as they lie in the box of `shape`. `min_count`: the least
/// number of cells that are not missing for a result; `to - from + 1` for complete windows.
#[allow(clippy::too_many_arguments, reason = "a window is what these eight say")]
pub fn moving_window(
    kind: WindowKind,
    values: Cells<'_>,
    shape: &[usize],
    axis: usize,
    range: Range<usize>,
    from: isize,
    to: isize,
    min_count: usize,
) -> Result<ArrayRef, KernelError> {
    let (expected, found) = (shape.iter().product(), values.values.len());
    if found != expected {
        return Err(KernelError::Length { what: "a box", expected, found });
    }
    if axis >= shape.len() || range.start > range.end || range.end > shape[axis] {
        return Err(KernelError::Layout(format!(
            "positions {range:?} of dimension {axis} of a box of shape {shape:?}"
        )));
    }
    let result = kind.result_type(values.values.data_type())?;
    let to = if kind == WindowKind::Shift { from } else { to };
    let inner = shape[axis + 1..].iter().product();
    let outer = shape[..axis].iter().product();
    let windows = Windows { outer, length: shape[axis], inner, range, from, to, least: min_count };
    match (kind, Physical::of(values.values.data_type())) {
        (WindowKind::Count, _) => windows.counts(values),
        (WindowKind::Shift, None) => windows.shift(values),
        (kind, Some(physical)) => windows.numbers(kind, values, physical, &result),
        (kind, None) => Err(KernelError::Unsupported { what: format!("{kind:?}"), found: result.to_string() }),
    }
}

/// Windows along the middle one of three dimensions.
#[derive(Debug)]
struct Windows {
    outer: usize,
    length: usize,
    inner: usize,
    range: Range<usize>,
    from: isize,
    to: isize,
    /// The least number of cells for a result.
    least: usize,
}

impl Windows {
    /// The number of results.
    fn results(&self) -> usize {
        self.outer * self.range.len() * self.inner
    }

    /// Calls `add(first, cells)` for the cells that are to be added one each to the accumulators from `first` on, and
    /// `emit(n)` whenever the first `n` accumulators are complete.
    ///
    /// Along the dimension of the window and those below it, a relative position is one distance in flat indexes. So
    /// a tile of results takes its cells from one stretch for each relative position.
    #[inline(always)]
    fn for_each_tile(&self, mut step: impl FnMut(Step)) {
        let slab = self.length * self.inner;
        for begin in (0..self.outer).map(|outer| outer * slab) {
            let results = self.range.start * self.inner..self.range.end * self.inner;
            for start in results.clone().step_by(TILE) {
                let end = results.end.min(start + TILE);
                let nearest = self.from.max(-(self.length as isize));
                let farthest = self.to.min(self.length as isize);
                for distance in (nearest..=farthest).map(|position| position * self.inner as isize) {
                    let first = (start as isize + distance).clamp(0, slab as isize) as usize;
                    let last = (end as isize + distance).clamp(0, slab as isize) as usize;
                    if first < last {
                        let accumulator = (first as isize - distance) as usize - start;
                        step(Step::Add { accumulator, cells: begin + first..begin + last });
                    }
                }
                step(Step::Emit(end - start));
            }
        }
    }

    /// Folds windows into `target`, and calls `emit` with it and the number of its accumulators that are complete.
    fn fold<T: Native, F: Fold<T>>(
        &self,
        target: &mut F,
        values: &[T],
        missing: &Missing,
        mut emit: impl FnMut(&mut F, usize),
    ) {
        let mut flags = Vec::new();
        if let Missing::Bits { present, nan } = missing {
            flags.resize(values.len(), false);
            unpack(present, 0, &mut flags);
            if *nan {
                flags.iter_mut().zip(values).for_each(|(flag, value)| *flag &= value.is_number());
            }
        }
        with_wide_lanes(
            #[inline(always)]
            || {
                self.for_each_tile(
                    #[inline(always)]
                    |step| match (step, missing) {
                        (Step::Emit(results), _) => emit(target, results),
                        (Step::Add { accumulator, cells }, Missing::Nan) if T::FLOAT => {
                            target.consecutive(accumulator, &values[cells], NotNan);
                        }
                        (Step::Add { accumulator, cells }, Missing::Nothing | Missing::Nan) => {
                            target.consecutive(accumulator, &values[cells], Every);
                        }
                        (Step::Add { accumulator, cells }, Missing::Bits { .. }) => {
                            target.consecutive(accumulator, &values[cells.clone()], Flags(&flags[cells]));
                        }
                    },
                );
            },
        );
    }

    /// The number of cells of each window; null where there are too few.
    fn counts(&self, values: Cells<'_>) -> Result<ArrayRef, KernelError> {
        let counts = self.count_cells(values);
        let nulls = self.nulls(&counts, 0);
        Ok(Arc::new(Int64Array::new(counts.iter().map(|&count| count as i64).collect::<Vec<_>>().into(), nulls)))
    }

    fn count_cells(&self, values: Cells<'_>) -> Vec<u64> {
        let present = Missing::Nothing.and(Missing::present(&values));
        let mut all = Vec::with_capacity(self.results());
        let bytes = vec![0u8; values.values.len()];
        self.fold(&mut Counts(vec![0; TILE]), &bytes, &present, |counts, results| {
            all.extend_from_slice(&counts.0[..results]);
            counts.0.fill(0);
        });
        all
    }

    /// The values at one relative position, of any type.
    fn shift(&self, values: Cells<'_>) -> Result<ArrayRef, KernelError> {
        let places = (0..self.outer * self.length).flat_map(|row| {
            let (outer, position) = (row / self.length, row % self.length);
            let source = position as isize + self.from;
            let inside = (0..self.length as isize).contains(&source);
            let first = inside.then_some((outer * self.length) as isize + source);
            (0..if self.range.contains(&position) { self.inner } else { 0 })
                .map(move |inner| first.map(|first| first as u64 * self.inner as u64 + inner as u64))
        });
        Ok(take(values.values, &UInt64Array::from_iter(places), None)?)
    }

    fn numbers(
        &self,
        kind: WindowKind,
        values: Cells<'_>,
        physical: Physical,
        result: &DataType,
    ) -> Result<ArrayRef, KernelError> {
        match kind {
            WindowKind::Minimum | WindowKind::Shift => {
                with_native!(physical, T => self.extremes::<T, false>(values, result))
            }
            WindowKind::Maximum => with_native!(physical, T => self.extremes::<T, true>(values, result)),
            WindowKind::Variance { ddof } => self.variances(values, ddof, false),
            WindowKind::StandardDeviation { ddof } => self.variances(values, ddof, true),
            _ => self.sums_of(kind == WindowKind::Average, values, physical),
        }
    }

    fn sums_of(&self, average: bool, values: Cells<'_>, physical: Physical) -> Result<ArrayRef, KernelError> {
        match physical {
            Physical::Int8 => self.sums::<i8, i64>(average, values),
            Physical::Int16 => self.sums::<i16, i64>(average, values),
            Physical::Int32 => self.sums::<i32, i64>(average, values),
            Physical::Int64 if average => self.sums::<i64, i128>(average, values),
            Physical::Int64 => self.sums::<i64, i64>(average, values),
            Physical::UInt8 => self.sums::<u8, u64>(average, values),
            Physical::UInt16 => self.sums::<u16, u64>(average, values),
            Physical::UInt32 => self.sums::<u32, u64>(average, values),
            Physical::UInt64 if average => self.sums::<u64, i128>(average, values),
            Physical::UInt64 => self.sums::<u64, u64>(average, values),
            Physical::Float32 => self.sums::<f32, f64>(average, values),
            Physical::Float64 => self.sums::<f64, f64>(average, values),
        }
    }

    fn sums<T: Summand<S>, S: Total>(&self, average: bool, values: Cells<'_>) -> Result<ArrayRef, KernelError> {
        let missing = Missing::of(&values, None);
        let (mut sums, mut averages, mut counts) = (Vec::new(), Vec::new(), Vec::with_capacity(self.results()));
        self.fold(&mut Totals::new(TILE), &native_values::<T>(values.values), &missing, |totals: &mut Totals<S>, n| {
            let (of_tile, counts_of_tile) = (&totals.sums[..n], &totals.counts[..n]);
            counts.extend_from_slice(counts_of_tile);
            match average {
                true => averages.extend(of_tile.iter().zip(counts_of_tile).map(|(sum, &count)| sum.over(count))),
                false => sums.extend_from_slice(of_tile),
            }
            totals.reset();
        });
        let nulls = self.nulls(&counts, 1);
        match average {
            true => Ok(Arc::new(Float64Array::new(averages.into(), nulls))),
            false => array_of(&S::STATE, sums, nulls),
        }
    }

    fn extremes<T: Ordered, const GREATEST: bool>(
        &self,
        values: Cells<'_>,
        result: &DataType,
    ) -> Result<ArrayRef, KernelError> {
        let (missing, mut results) = (Missing::of(&values, None), Vec::with_capacity(self.results()));
        let target = &mut Extremes::<T, GREATEST>::new(TILE);
        self.fold(target, &native_values::<T>(values.values), &missing, |extremes, n| {
            results.extend(extremes.keys[..n].iter().map(|&key| T::value(key)));
            extremes.reset();
        });
        array_of(result, results, self.nulls(&self.count_cells(values), 1))
    }

    fn variances(&self, values: Cells<'_>, ddof: u8, root: bool) -> Result<ArrayRef, KernelError> {
        let (missing, floats, mut parts) = (Missing::of(&values, None), float_values(values.values)?, Vec::new());
        with_float!(floats, T => {
            self.fold(&mut Moments::new(TILE), &native_values::<T>(&floats), &missing, |moments, n| {
                parts.push(moments.variances(0..n, ddof, root, self.least));
                moments.reset();
            });
        });
        let nulls = NullBuffer::from_iter(parts.iter().flat_map(|part| (0..part.len()).map(|k| part.is_valid(k))));
        let variances = parts.iter().flat_map(|part| part.values().iter().copied()).collect::<Vec<_>>();
        Ok(Arc::new(Float64Array::new(variances.into(), (nulls.null_count() > 0).then_some(nulls))))
    }

    /// Nulls where a window has fewer cells than are asked for, or than `or_least`.
    fn nulls(&self, counts: &[u64], or_least: usize) -> Option<NullBuffer> {
        let least = self.least.max(or_least) as u64;
        let nulls = NullBuffer::new(BooleanBuffer::collect_bool(counts.len(), |k| counts[k] >= least));
        (nulls.null_count() > 0).then_some(nulls)
    }
}

enum Step {
    /// Adds the cells, one each, to the accumulators from this one on.
    Add { accumulator: usize, cells: Range<usize> },
    /// So many accumulators are complete.
    Emit(usize),
}
