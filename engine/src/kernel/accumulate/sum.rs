//! `sum` and `avg`: one loop for both, since both need the number of cells.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, UInt64Array};
use arrow::datatypes::DataType;

use super::Accumulator;
use crate::kernel::cells::{Cells, Missing, Presence, check_merge, check_update};
use crate::kernel::error::KernelError;
use crate::kernel::fold::{Fold, fold, for_each_cell};
use crate::kernel::large::zeros;
use crate::kernel::layout::BlockLayout;
use crate::kernel::native::{Native, array_of, native_values, nulls_where_zero, state_values};

/// Independent sums over a run of cells: enough to keep the adders busy, few enough to stay in registers.
const LANES: usize = 32;

/// Neighbouring groups whose sums stay in registers while runs are added to them.
const ROW: usize = 16;

/// What values are summed in.
pub(crate) trait Total: Native + Debug {
    /// The Arrow type of a state array of these.
    const STATE: DataType;

    /// The sum of two; integers wrap, as DataFusion's sum does.
    fn plus(self, other: Self) -> Self;

    /// The total over the number of cells.
    fn over(self, count: u64) -> f64;
}

/// A value that can be summed in `S`.
pub(crate) trait Summand<S: Total>: Native + Debug {
    /// The value as a total.
    fn widen(self) -> S;
}

/// Sums values of type `T` in `S`, and counts them.
#[derive(Debug)]
pub(crate) struct SumAccumulator<S> {
    argument: DataType,
    average: bool,
    totals: Totals<S>,
    update: UpdateFunction<S>,
}

type UpdateFunction<S> = fn(&mut Totals<S>, &BlockLayout, &Cells<'_>, &Missing);

#[derive(Debug)]
pub(crate) struct Totals<S> {
    pub(crate) sums: Vec<S>,
    pub(crate) counts: Vec<u64>,
}

impl<S: Total> SumAccumulator<S> {
    /// An accumulator of `groups` sums, or averages, of an argument that is stored as `T`.
    pub(crate) fn new<T: Summand<S>>(argument: DataType, average: bool, groups: usize) -> Self {
        Self { argument, average, totals: Totals::new(groups), update: update_totals::<T, S> }
    }
}

impl<S: Total> Totals<S> {
    pub(crate) fn new(groups: usize) -> Self {
        Self { sums: zeros(groups), counts: zeros(groups) }
    }

    /// Forgets all cells.
    pub(crate) fn reset(&mut self) {
        self.sums.fill(S::default());
        self.counts.fill(0);
    }
}

fn update_totals<T: Summand<S>, S: Total>(
    totals: &mut Totals<S>,
    layout: &BlockLayout,
    cells: &Cells<'_>,
    missing: &Missing,
) {
    fold(totals, layout, &native_values::<T>(cells.values), missing);
}

impl<S: Total> Accumulator for SumAccumulator<S> {
    fn update(
        &mut self,
        layout: &BlockLayout,
        arguments: &[Cells<'_>],
        mask: Option<&BooleanArray>,
    ) -> Result<(), KernelError> {
        let groups = self.totals.counts.len();
        check_update("sum", std::slice::from_ref(&self.argument), groups, layout, arguments, mask)?;
        (self.update)(&mut self.totals, layout, &arguments[0], &Missing::of(&arguments[0], mask));
        Ok(())
    }

    fn merge(&mut self, layout: &BlockLayout, state: &[ArrayRef]) -> Result<(), KernelError> {
        check_merge("sum", 2, self.totals.counts.len(), layout, state)?;
        let (sums, counts) =
            (state_values::<S>(&state[0], &S::STATE)?, state_values::<u64>(&state[1], &DataType::UInt64)?);
        let totals = &mut self.totals;
        for_each_cell(layout, |cell, group| {
            totals.sums[group] = totals.sums[group].plus(sums[cell]);
            totals.counts[group] += counts[cell];
        });
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![S::STATE, DataType::UInt64]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>, KernelError> {
        let sums = array_of(&S::STATE, std::mem::take(&mut self.totals.sums), None)?;
        Ok(vec![sums, Arc::new(UInt64Array::from(std::mem::take(&mut self.totals.counts)))])
    }

    fn finish(&mut self, range: Range<usize>) -> Result<ArrayRef, KernelError> {
        let (sums, counts) = (&self.totals.sums[range.clone()], &self.totals.counts[range]);
        let nulls = nulls_where_zero(counts);
        if !self.average {
            return array_of(&S::STATE, sums.to_vec(), nulls);
        }
        let averages = sums.iter().zip(counts).map(|(sum, &count)| sum.over(count)).collect::<Vec<_>>();
        Ok(Arc::new(Float64Array::new(averages.into(), nulls)))
    }

    fn memory_size(&self) -> usize {
        self.totals.sums.capacity() * size_of::<S>() + self.totals.counts.capacity() * size_of::<u64>()
    }
}

impl<T: Summand<S>, S: Total> Fold<T> for Totals<S> {
    // Of integers there are many types and few arrays: loops of their own would cost more to compile than they bring.
    const ROW: usize = if T::FLOAT { ROW } else { 0 };

    #[inline(always)]
    fn one<P: Presence>(&mut self, group: usize, values: &[T], present: P) {
        let (sum, count) = sum_and_count(values, present);
        self.sums[group] = self.sums[group].plus(sum);
        self.counts[group] += count;
    }

    #[inline(always)]
    fn consecutive<P: Presence>(&mut self, first: usize, values: &[T], present: P) {
        let groups = first..first + values.len();
        let (sums, counts) = (&mut self.sums[groups.clone()], &mut self.counts[groups]);
        let present = present.part(0..values.len());
        for (k, ((sum, count), &value)) in sums.iter_mut().zip(counts).zip(values).enumerate() {
            let has = present.has(k, value);
            *sum = sum.plus(if has { value.widen() } else { S::default() });
            *count += u64::from(has);
        }
    }

    #[inline(always)]
    fn add_row<P: Presence>(&mut self, first: usize, runs: &[(&[T], P)], start: usize) {
        let groups = first..first + ROW;
        let (mut sums, mut counts) = ([S::default(); ROW], [0u32; ROW]);
        sums.copy_from_slice(&self.sums[groups.clone()]);
        for (values, present) in runs {
            let (values, here) = (&values[start..start + ROW], present.part(start..start + ROW));
            for k in 0..ROW {
                let has = here.has(k, values[k]);
                sums[k] = sums[k].plus(if has { values[k].widen() } else { S::default() });
                counts[k] += u32::from(has);
            }
        }
        self.sums[groups.clone()].copy_from_slice(&sums);
        for (all, count) in self.counts[groups].iter_mut().zip(counts) {
            *all += u64::from(count);
        }
    }

    #[inline(always)]
    fn labelled<P: Presence>(&mut self, base: usize, labels: &[u32], stride: usize, values: &[T], present: P) {
        for (k, (&label, &value)) in labels.iter().zip(values).enumerate() {
            let (group, has) = (base + label as usize * stride, present.has(k, value));
            self.sums[group] = self.sums[group].plus(if has { value.widen() } else { S::default() });
            self.counts[group] += u64::from(has);
        }
    }
}

/// Sum and number of the cells that count, in one pass without a branch.
#[inline(always)]
fn sum_and_count<T: Summand<S>, S: Total, P: Presence>(values: &[T], present: P) -> (S, u64) {
    let (mut sums, mut counts) = ([S::default(); LANES], [0u32; LANES]);
    let rows = values.chunks_exact(LANES);
    let (rest, whole) = (rows.remainder(), values.len() / LANES * LANES);
    for (row, start) in rows.zip((0..).step_by(LANES)) {
        let here = present.part(start..start + LANES);
        for k in 0..LANES {
            let has = here.has(k, row[k]);
            sums[k] = sums[k].plus(if has { row[k].widen() } else { S::default() });
            counts[k] += u32::from(has);
        }
    }
    let mut sum = sums.into_iter().fold(S::default(), S::plus);
    let mut count = counts.iter().map(|&count| u64::from(count)).sum::<u64>();
    let here = present.part(whole..values.len());
    for (k, &value) in rest.iter().enumerate() {
        if here.has(k, value) {
            sum = sum.plus(value.widen());
            count += 1;
        }
    }
    (sum, count)
}

macro_rules! total {
    ($S:ty, $state:expr, $plus:expr) => {
        impl Total for $S {
            const STATE: DataType = $state;

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                $plus(self, other)
            }

            fn over(self, count: u64) -> f64 {
                self as f64 / count as f64
            }
        }
    };
}
total!(f64, DataType::Float64, |a: f64, b: f64| a + b);
total!(i64, DataType::Int64, i64::wrapping_add);
total!(u64, DataType::UInt64, u64::wrapping_add);
total!(i128, DataType::Decimal128(38, 0), i128::wrapping_add);

macro_rules! summand {
    ($($T:ty => $S:ty),*) => { $(impl Summand<$S> for $T {
        #[inline(always)]
        fn widen(self) -> $S {
            self as $S
        }
    })* };
}
summand!(f32 => f64, f64 => f64, i8 => i64, i16 => i64, i32 => i64, i64 => i64, i64 => i128, u64 => i128);
summand!(u8 => u64, u16 => u64, u32 => u64, u64 => u64);
