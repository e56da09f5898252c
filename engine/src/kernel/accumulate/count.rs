//! `count(x)` and `count(*)`: how many cells a group has.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, UInt64Array};
use arrow::datatypes::DataType;

use super::Accumulator;
use crate::kernel::cells::{Cells, Missing, Presence, check_merge, check_update};
use crate::kernel::error::KernelError;
use crate::kernel::fold::{Fold, fold, for_each_cell};
use crate::kernel::large::zeros;
use crate::kernel::layout::BlockLayout;
use crate::kernel::native::{Native, native_values, state_values, true_bits, with_float};

/// Counts cells: those of its argument that are not missing or, without an argument, those that pass the mask.
#[derive(Debug)]
pub(crate) struct CountAccumulator {
    argument: Option<DataType>,
    counts: Counts,
}

/// Neighbouring groups whose counts stay in registers while runs are added to them.
const ROW: usize = 32;

#[derive(Debug)]
pub(crate) struct Counts(pub(crate) Vec<u64>);

impl CountAccumulator {
    pub(crate) fn new(argument: Option<DataType>, groups: usize) -> Self {
        Self { argument, counts: Counts(zeros(groups)) }
    }
}

impl Accumulator for CountAccumulator {
    fn update(
        &mut self,
        layout: &BlockLayout,
        arguments: &[Cells<'_>],
        mask: Option<&BooleanArray>,
    ) -> Result<(), KernelError> {
        check_update("count", self.argument.as_slice(), self.counts.0.len(), layout, arguments, mask)?;
        let missing = match (arguments.first(), mask) {
            (Some(cells), mask) => Missing::of(cells, mask),
            (None, Some(mask)) => Missing::Bits { present: true_bits(mask), nan: false },
            (None, None) => Missing::Nothing,
        };
        match (arguments.first(), &missing) {
            (Some(cells), Missing::Nan | Missing::Bits { nan: true, .. }) => {
                with_float!(cells.values, T => fold(&mut self.counts, layout, &native_values::<T>(cells.values), &missing));
            }
            // The values do not matter; the loops want a slice of some type, and bytes are the least.
            _ => fold(&mut self.counts, layout, &vec![0u8; layout.cells()], &missing),
        }
        Ok(())
    }

    fn merge(&mut self, layout: &BlockLayout, state: &[ArrayRef]) -> Result<(), KernelError> {
        check_merge("count", 1, self.counts.0.len(), layout, state)?;
        let counts = state_values::<u64>(&state[0], &DataType::UInt64)?;
        for_each_cell(layout, |cell, group| self.counts.0[group] += counts[cell]);
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::UInt64]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>, KernelError> {
        Ok(vec![Arc::new(UInt64Array::from(std::mem::take(&mut self.counts.0)))])
    }

    fn finish(&mut self, range: Range<usize>) -> Result<ArrayRef, KernelError> {
        Ok(Arc::new(Int64Array::from_iter_values(self.counts.0[range].iter().map(|&count| count as i64))))
    }

    fn memory_size(&self) -> usize {
        self.counts.0.capacity() * size_of::<u64>()
    }
}

impl<T: Native> Fold<T> for Counts {
    const ROW: usize = ROW;

    #[inline(always)]
    fn one<P: Presence>(&mut self, group: usize, values: &[T], present: P) {
        self.0[group] += if P::EVERY {
            values.len() as u64
        } else {
            values.iter().enumerate().map(|(k, &value)| u64::from(present.has(k, value))).sum()
        };
    }

    #[inline(always)]
    fn consecutive<P: Presence>(&mut self, first: usize, values: &[T], present: P) {
        let counts = &mut self.0[first..first + values.len()];
        let present = present.part(0..values.len());
        for (k, (count, &value)) in counts.iter_mut().zip(values).enumerate() {
            *count += u64::from(present.has(k, value));
        }
    }

    #[inline(always)]
    fn add_row<P: Presence>(&mut self, first: usize, runs: &[(&[T], P)], start: usize) {
        let mut counts = [0u32; ROW];
        for (values, present) in runs {
            let (values, here) = (&values[start..start + ROW], present.part(start..start + ROW));
            for k in 0..ROW {
                counts[k] += u32::from(here.has(k, values[k]));
            }
        }
        let groups = &mut self.0[first..first + ROW];
        for (all, count) in groups.iter_mut().zip(counts) {
            *all += u64::from(count);
        }
    }

    #[inline(always)]
    fn labelled<P: Presence>(&mut self, base: usize, labels: &[u32], stride: usize, values: &[T], present: P) {
        for (k, (&label, &value)) in labels.iter().zip(values).enumerate() {
            self.0[base + label as usize * stride] += u64::from(present.has(k, value));
        }
    }
}
