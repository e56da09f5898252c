//! What windows give: counts, shifted cells, sums, extremes, variances.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, MutableArrayData, make_array};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::DataType;

use super::WindowKind;
use super::tiles::{Numbers, TILE, Windows};
use crate::kernel::accumulate::count::Counts;
use crate::kernel::accumulate::extreme::{Extremes, Ordered};
use crate::kernel::accumulate::sum::{Summand, Total, Totals};
use crate::kernel::accumulate::variance::Moments;
use crate::kernel::cells::Missing;
use crate::kernel::error::KernelError;
use crate::kernel::native::{Native, Physical, array_of, float_values, native_values, with_float, with_native};

impl Windows<'_> {
    /// The number of cells of each window; null where there are too few.
    pub fn counts(&self) -> Result<ArrayRef, KernelError> {
        let counts = self.count_cells();
        let nulls = self.nulls(&counts, 0);
        Ok(Arc::new(Int64Array::new(counts.iter().map(|&count| count as i64).collect::<Vec<_>>().into(), nulls)))
    }

    /// The values at one relative position, of any type.
    pub fn shift(&self) -> Result<ArrayRef, KernelError> {
        let (inner, cells) = (self.along.inner, self.length() * self.along.inner);
        let data: Vec<_> = self.stretches.iter().map(|stretch| stretch.cells.values.to_data()).collect();
        let mut shifted = MutableArrayData::new(data.iter().collect(), true, self.count());
        let from = self.window.from.clamp(-(self.length() as isize), self.length() as isize);
        let at = |position: usize| (position as isize + from) * inner as isize;
        let (start, end) = (at(self.range.start), at(self.range.end));
        let inside = |cell: isize| cell.clamp(0, cells as isize) as usize;
        let before = (-start).clamp(0, end - start) as usize;
        let after = (end - cells as isize).clamp(0, end - start) as usize;
        for outer in 0..self.along.outer {
            shifted.try_extend_nulls(before)?;
            let mut failed = None;
            self.for_each_part(outer, inside(start)..inside(end), &mut |_, stretch, part| {
                failed = failed.take().or(shifted.try_extend(stretch, part.start, part.end).err());
            });
            if let Some(error) = failed {
                return Err(error.into());
            }
            shifted.try_extend_nulls(after)?;
        }
        Ok(make_array(shifted.freeze()))
    }

    /// Aggregates of numbers.
    pub fn numbers(&self, kind: WindowKind, physical: Physical, result: &DataType) -> Result<ArrayRef, KernelError> {
        match kind {
            WindowKind::Minimum | WindowKind::Shift | WindowKind::Count => {
                with_native!(physical, T => self.extremes::<T, false>(result))
            }
            WindowKind::Maximum => with_native!(physical, T => self.extremes::<T, true>(result)),
            WindowKind::Variance { ddof } => self.variances(ddof, false),
            WindowKind::StandardDeviation { ddof } => self.variances(ddof, true),
            WindowKind::Average => self.sums_of(true, physical),
            WindowKind::Sum => self.sums_of(false, physical),
        }
    }

    fn sums_of(&self, average: bool, physical: Physical) -> Result<ArrayRef, KernelError> {
        match physical {
            Physical::Int8 => self.sums::<i8, i64>(average),
            Physical::Int16 => self.sums::<i16, i64>(average),
            Physical::Int32 => self.sums::<i32, i64>(average),
            Physical::Int64 if average => self.sums::<i64, i128>(average),
            Physical::Int64 => self.sums::<i64, i64>(average),
            Physical::UInt8 => self.sums::<u8, u64>(average),
            Physical::UInt16 => self.sums::<u16, u64>(average),
            Physical::UInt32 => self.sums::<u32, u64>(average),
            Physical::UInt64 if average => self.sums::<u64, i128>(average),
            Physical::UInt64 => self.sums::<u64, u64>(average),
            Physical::Float32 => self.sums::<f32, f64>(average),
            Physical::Float64 => self.sums::<f64, f64>(average),
        }
    }

    fn sums<T: Summand<S>, S: Total>(&self, average: bool) -> Result<ArrayRef, KernelError> {
        if average || S::STATE == DataType::Float64 {
            return self.float_sums::<T, S>(average);
        }
        let (mut sums, mut counts) = (Vec::with_capacity(self.count()), Vec::with_capacity(self.count()));
        self.fold(&mut Totals::new(TILE), &self.natives::<T>(), |totals: &mut Totals<S>, n| {
            counts.extend_from_slice(&totals.counts[..n]);
            sums.extend_from_slice(&totals.sums[..n]);
            totals.reset();
        });
        array_of(&S::STATE, sums, self.nulls(&counts, 1))
    }

    /// Averages, or sums of floats: those of windows with too few cells are NaNs, unless another one is a NaN.
    fn float_sums<T: Summand<S>, S: Total>(&self, average: bool) -> Result<ArrayRef, KernelError> {
        let least = self.window.least.max(1) as u64;
        let mut results = Vec::with_capacity(self.count());
        let mut is_ambiguous = false;
        self.fold(
            &mut Totals::new(TILE),
            &self.natives::<T>(),
            #[inline(always)]
            |totals: &mut Totals<S>, n| {
                let mut of_tile = [0f64; TILE];
                let (sums, counts) = (&totals.sums[..n], &totals.counts[..n]);
                is_ambiguous |= match average {
                    true => finish_tile(&mut of_tile, sums, counts, least, |count| f64::from(count as i32)),
                    false => finish_tile(&mut of_tile, sums, counts, least, |_| 1.0),
                };
                results.extend_from_slice(&of_tile[..n]);
                totals.reset();
            },
        );
        let nulls = is_ambiguous.then(|| {
            let counts = self.count_cells();
            NullBuffer::new(BooleanBuffer::collect_bool(counts.len(), |k| counts[k] >= least))
        });
        Ok(Arc::new(Float64Array::new(results.into(), nulls)))
    }

    fn extremes<T: Ordered, const GREATEST: bool>(&self, result: &DataType) -> Result<ArrayRef, KernelError> {
        let mut results = Vec::with_capacity(self.count());
        let target = &mut Extremes::<T, GREATEST>::new(TILE);
        self.fold(target, &self.natives::<T>(), |extremes, n| {
            results.extend(extremes.keys[..n].iter().map(|&key| T::value(key)));
            extremes.reset();
        });
        array_of(result, results, self.nulls(&self.count_cells(), 1))
    }

    fn variances(&self, ddof: u8, root: bool) -> Result<ArrayRef, KernelError> {
        let floats = self.stretches.iter().map(|stretch| float_values(stretch.cells.values));
        let floats = floats.collect::<Result<Vec<_>, _>>()?;
        let mut parts = Vec::new();
        with_float!(floats[0], T => {
            let numbers = self.stretches.iter().zip(&floats);
            let numbers = numbers
                .map(|(stretch, floats)| (native_values::<T>(floats), Missing::of(&stretch.cells, None)))
                .collect();
            let numbers = Numbers::new(numbers);
            self.fold(&mut Moments::new(TILE), &numbers, |moments, n| {
                parts.push(moments.variances(0..n, ddof, root, self.window.least));
                moments.reset();
            });
        });
        let nulls = NullBuffer::from_iter(parts.iter().flat_map(|part| (0..part.len()).map(|k| part.is_valid(k))));
        let variances = parts.iter().flat_map(|part| part.values().iter().copied()).collect::<Vec<_>>();
        Ok(Arc::new(Float64Array::new(variances.into(), (nulls.null_count() > 0).then_some(nulls))))
    }

    /// The cells of every stretch as numbers.
    fn natives<T: Native>(&self) -> Numbers<T> {
        let numbers =
            |stretch: &super::Stretch<'_>| (native_values(stretch.cells.values), Missing::of(&stretch.cells, None));
        Numbers::new(self.stretches.iter().map(numbers).collect())
    }

    fn count_cells(&self) -> Vec<u64> {
        let mut all = Vec::with_capacity(self.count());
        let numbers = |stretch: &super::Stretch<'_>| {
            let present = Missing::Nothing.and(Missing::present(&stretch.cells));
            (ScalarBuffer::from(vec![0u8; stretch.cells.values.len()]), present)
        };
        let numbers = Numbers::new(self.stretches.iter().map(numbers).collect());
        self.fold(&mut Counts(vec![0; TILE]), &numbers, |counts, results| {
            all.extend_from_slice(&counts.0[..results]);
            counts.0.fill(0);
        });
        all
    }

    /// Nulls where a window has fewer cells than are asked for, or than `or_least`.
    fn nulls(&self, counts: &[u64], or_least: usize) -> Option<NullBuffer> {
        let least = self.window.least.max(or_least) as u64;
        let nulls = NullBuffer::new(BooleanBuffer::collect_bool(counts.len(), |k| counts[k] >= least));
        (nulls.null_count() > 0).then_some(nulls)
    }
}

/// Sums over divisors of their counts, which are less than 2^31, since so many cells are not in memory; NaNs where a count
/// is less than `least`. Returns whether another one is a NaN.
#[inline(always)]
fn finish_tile<S: Total>(
    results: &mut [f64; TILE],
    sums: &[S],
    counts: &[u64],
    least: u64,
    divisor: impl Fn(u64) -> f64,
) -> bool {
    let mut has_nan = 0u64;
    for ((result, sum), &count) in results.iter_mut().zip(sums).zip(counts) {
        let (value, is_complete) = (sum.float() / divisor(count), count >= least);
        has_nan |= u64::from(is_complete & !value.is_number());
        *result = if is_complete { value } else { f64::NAN };
    }
    has_nan != 0
}
