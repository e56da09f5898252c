//! `median` and `quantile`: exact, so every value is kept until the end, as a float, which the result is too.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, LargeListArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};

use super::Accumulator;
use super::extreme::Ordered;
use crate::kernel::cells::{Cells, Missing, Presence, check_merge, check_update};
use crate::kernel::error::KernelError;
use crate::kernel::fold::{Fold, fold, for_each_cell};
use crate::kernel::layout::BlockLayout;
use crate::kernel::native::{array_of, float_type, float_values, native_values};

/// Quantiles of groups, with linear interpolation between neighbours (numpy's default).
#[derive(Debug)]
pub(crate) struct QuantileAccumulator<T> {
    argument: DataType,
    fraction: f64,
    kept: Kept<T>,
}

/// The values of each group, in no order.
#[derive(Debug)]
struct Kept<T> {
    groups: Vec<Vec<T>>,
    /// Bytes that the values occupy, kept up to date wherever a group grows.
    bytes: usize,
}

impl<T: Ordered> QuantileAccumulator<T> {
    /// An accumulator of `groups` quantiles of an argument of which `T` is the `float_type`.
    pub(crate) fn new(argument: DataType, fraction: f64, groups: usize) -> Self {
        Self { argument, fraction, kept: Kept { groups: vec![Vec::new(); groups], bytes: 0 } }
    }

    fn state_field(&self) -> FieldRef {
        Arc::new(Field::new_list_field(float_type(&self.argument), false))
    }
}

impl<T: Ordered> Accumulator for QuantileAccumulator<T> {
    fn update(
        &mut self,
        layout: &BlockLayout,
        arguments: &[Cells<'_>],
        mask: Option<&BooleanArray>,
    ) -> Result<(), KernelError> {
        let groups = self.kept.groups.len();
        check_update("quantile", std::slice::from_ref(&self.argument), groups, layout, arguments, mask)?;
        let (missing, values) = (Missing::of(&arguments[0], mask), float_values(arguments[0].values)?);
        fold(&mut self.kept, layout, &native_values::<T>(&values), &missing);
        Ok(())
    }

    fn merge(&mut self, layout: &BlockLayout, state: &[ArrayRef]) -> Result<(), KernelError> {
        check_merge("quantile", 1, self.kept.groups.len(), layout, state)?;
        let expected = DataType::LargeList(self.state_field());
        let lists = match state[0].as_list_opt::<i64>() {
            Some(lists) if *lists.data_type() == expected => lists,
            _ => return Err(KernelError::Type { what: "a state", expected, found: state[0].data_type().clone() }),
        };
        let (values, offsets) = (native_values::<T>(lists.values()), lists.value_offsets());
        for_each_cell(layout, |cell, group| {
            self.kept.extend(group, &values[offsets[cell] as usize..offsets[cell + 1] as usize]);
        });
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::LargeList(self.state_field())]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>, KernelError> {
        self.kept.bytes = 0;
        let groups = std::mem::take(&mut self.kept.groups);
        let offsets = OffsetBuffer::from_lengths(groups.iter().map(Vec::len));
        let mut values = Vec::with_capacity(groups.iter().map(Vec::len).sum());
        // Each group is dropped as soon as it is copied.
        groups.into_iter().for_each(|group| values.extend(group));
        let values = array_of(&float_type(&self.argument), values, None)?;
        Ok(vec![Arc::new(LargeListArray::try_new(self.state_field(), offsets, values, None)?)])
    }

    fn finish(&mut self, range: Range<usize>) -> Result<ArrayRef, KernelError> {
        let fraction = self.fraction;
        let groups = &mut self.kept.groups[range];
        let nulls = NullBuffer::new(BooleanBuffer::collect_bool(groups.len(), |k| !groups[k].is_empty()));
        let quantiles = groups.iter_mut().map(|values| quantile(values, fraction)).collect::<Vec<_>>();
        Ok(Arc::new(Float64Array::new(quantiles.into(), (nulls.null_count() > 0).then_some(nulls))))
    }

    fn memory_size(&self) -> usize {
        self.kept.bytes + self.kept.groups.capacity() * size_of::<Vec<T>>()
    }
}

impl<T: Ordered> Kept<T> {
    #[inline(always)]
    fn push(&mut self, group: usize, value: T) {
        let values = &mut self.groups[group];
        if values.len() == values.capacity() {
            self.bytes += grow(values, 1);
        }
        values.push(value);
    }

    fn extend(&mut self, group: usize, more: &[T]) {
        let values = &mut self.groups[group];
        self.bytes += grow(values, more.len());
        values.extend_from_slice(more);
    }
}

impl<T: Ordered> Fold<T> for Kept<T> {
    #[inline(always)]
    fn one<P: Presence>(&mut self, group: usize, values: &[T], present: P) {
        if P::EVERY {
            return self.extend(group, values);
        }
        let kept = &mut self.groups[group];
        self.bytes += grow(kept, values.len());
        kept.extend(values.iter().enumerate().filter(|&(k, &value)| present.has(k, value)).map(|(_, &value)| value));
    }

    #[inline(always)]
    fn consecutive<P: Presence>(&mut self, first: usize, values: &[T], present: P) {
        for (k, &value) in values.iter().enumerate() {
            if present.has(k, value) {
                self.push(first + k, value);
            }
        }
    }

    #[inline(always)]
    fn labelled<P: Presence>(&mut self, base: usize, labels: &[u32], stride: usize, values: &[T], present: P) {
        for (k, (&label, &value)) in labels.iter().zip(values).enumerate() {
            if present.has(k, value) {
                self.push(base + label as usize * stride, value);
            }
        }
    }
}

/// Makes room for `more` values; returns the bytes that it took.
#[inline(never)]
fn grow<T>(values: &mut Vec<T>, more: usize) -> usize {
    let before = values.capacity();
    values.reserve(more);
    (values.capacity() - before) * size_of::<T>()
}

/// The quantile of values, which are put in another order; 0 of none.
fn quantile<T: Ordered>(values: &mut [T], fraction: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let index = (values.len() - 1) as f64 * fraction.clamp(0.0, 1.0);
    let (below, part) = (index.floor() as usize, index.fract());
    let (_, &mut low, above) = values.select_nth_unstable_by_key(below, |value| value.key());
    let low = low.float();
    match above.iter().min_by_key(|value| value.key()) {
        Some(high) if part > 0.0 => between(low, high.float(), part),
        _ => low,
    }
}

/// Between two numbers, from whichever is nearer, as numpy does.
fn between(low: f64, high: f64, part: f64) -> f64 {
    if low == high {
        low
    } else if part == 0.5 {
        low * 0.5 + high * 0.5
    } else if part < 0.5 {
        low + (high - low) * part
    } else {
        high - (high - low) * (1.0 - part)
    }
}
