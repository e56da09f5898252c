//! The weighted mean: the sum of products over the sum of weights.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;

use super::Accumulator;
use crate::kernel::cells::{Cells, Missing, Presence, check_merge, check_update};
use crate::kernel::error::KernelError;
use crate::kernel::fold::{Fold, fold, for_each_cell};
use crate::kernel::layout::BlockLayout;
use crate::kernel::native::{Native, float_values, native_values, state_values, with_float};

const LANES: usize = 16;

/// Weighted means of groups.
#[derive(Debug)]
pub(crate) struct WeightedAverageAccumulator {
    arguments: Vec<DataType>,
    sums: WeightedSums,
}

#[derive(Debug, Default)]
struct WeightedSums {
    products: Vec<f64>,
    weights: Vec<f64>,
}

/// The sums while a block is folded in: with the weights of its cells.
struct Weighing<'a, W> {
    sums: &'a mut WeightedSums,
    weights: &'a [W],
    /// The first cell of the run.
    start: usize,
}

impl WeightedAverageAccumulator {
    /// An accumulator of `groups` weighted means of values and weights of these types.
    pub(crate) fn new(arguments: &[DataType], groups: usize) -> Self {
        let sums = WeightedSums { products: vec![0.0; groups], weights: vec![0.0; groups] };
        Self { arguments: arguments.to_vec(), sums }
    }
}

impl Accumulator for WeightedAverageAccumulator {
    fn update(
        &mut self,
        layout: &BlockLayout,
        arguments: &[Cells<'_>],
        mask: Option<&BooleanArray>,
    ) -> Result<(), KernelError> {
        check_update("weighted average", &self.arguments, self.sums.weights.len(), layout, arguments, mask)?;
        let (values, weights) = (&arguments[0], &arguments[1]);
        check_weights(weights, mask)?;
        let missing = Missing::of(values, mask);
        let (values, weights) = (float_values(values.values)?, float_values(weights.values)?);
        with_float!(weights, W => {
            let weights = native_values::<W>(&weights);
            let mut weighing = Weighing { sums: &mut self.sums, weights: &weights, start: 0 };
            with_float!(values, T => fold(&mut weighing, layout, &native_values::<T>(&values), &missing));
        });
        Ok(())
    }

    fn merge(&mut self, layout: &BlockLayout, state: &[ArrayRef]) -> Result<(), KernelError> {
        check_merge("weighted average", 2, self.sums.weights.len(), layout, state)?;
        let products = state_values::<f64>(&state[0], &DataType::Float64)?;
        let weights = state_values::<f64>(&state[1], &DataType::Float64)?;
        for_each_cell(layout, |cell, group| {
            self.sums.products[group] += products[cell];
            self.sums.weights[group] += weights[cell];
        });
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Float64, DataType::Float64]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>, KernelError> {
        let WeightedSums { products, weights } = std::mem::take(&mut self.sums);
        Ok(vec![Arc::new(Float64Array::from(products)), Arc::new(Float64Array::from(weights))])
    }

    fn finish(&mut self, range: Range<usize>) -> Result<ArrayRef, KernelError> {
        let (products, weights) = (&self.sums.products[range.clone()], &self.sums.weights[range]);
        let nulls = NullBuffer::new(BooleanBuffer::collect_bool(weights.len(), |k| weights[k] != 0.0));
        let means = products.iter().zip(weights).map(|(product, weight)| product / weight).collect::<Vec<_>>();
        Ok(Arc::new(Float64Array::new(means.into(), (nulls.null_count() > 0).then_some(nulls))))
    }

    fn memory_size(&self) -> usize {
        2 * self.sums.weights.capacity() * size_of::<f64>()
    }
}

impl<T: Native, W: Native> Fold<T> for Weighing<'_, W> {
    #[inline(always)]
    fn start(&mut self, cell: usize) {
        self.start = cell;
    }

    #[inline(always)]
    fn one<P: Presence>(&mut self, group: usize, values: &[T], present: P) {
        let (mut products, mut totals) = ([0f64; LANES], [0f64; LANES]);
        let weights = &self.weights[self.start..self.start + values.len()];
        let (rows, weight_rows) = (values.chunks_exact(LANES), weights.chunks_exact(LANES));
        let (rest, weight_rest) = (rows.remainder(), weight_rows.remainder());
        for ((row, weights), start) in rows.zip(weight_rows).zip((0..).step_by(LANES)) {
            let here = present.part(start..start + LANES);
            for k in 0..LANES {
                let has = here.has(k, row[k]);
                products[k] += if has { weights[k].float() * row[k].float() } else { 0.0 };
                totals[k] += if has { weights[k].float() } else { 0.0 };
            }
        }
        let here = present.part(values.len() - rest.len()..values.len());
        for (k, (&value, &weight)) in rest.iter().zip(weight_rest).enumerate() {
            let has = here.has(k, value);
            products[k] += if has { weight.float() * value.float() } else { 0.0 };
            totals[k] += if has { weight.float() } else { 0.0 };
        }
        self.sums.products[group] += products.iter().sum::<f64>();
        self.sums.weights[group] += totals.iter().sum::<f64>();
    }

    #[inline(always)]
    fn consecutive<P: Presence>(&mut self, first: usize, values: &[T], present: P) {
        let groups = first..first + values.len();
        let weights = &self.weights[self.start..self.start + values.len()];
        let (products, totals) = (&mut self.sums.products[groups.clone()], &mut self.sums.weights[groups]);
        let present = present.part(0..values.len());
        for (k, (((product, total), &value), &weight)) in
            products.iter_mut().zip(totals).zip(values).zip(weights).enumerate()
        {
            let has = present.has(k, value);
            *product += if has { weight.float() * value.float() } else { 0.0 };
            *total += if has { weight.float() } else { 0.0 };
        }
    }

    #[inline(always)]
    fn labelled<P: Presence>(&mut self, base: usize, labels: &[u32], stride: usize, values: &[T], present: P) {
        let weights = &self.weights[self.start..];
        for (k, ((&label, &value), &weight)) in labels.iter().zip(values).zip(weights).enumerate() {
            if present.has(k, value) {
                let group = base + label as usize * stride;
                self.sums.products[group] += weight.float() * value.float();
                self.sums.weights[group] += weight.float();
            }
        }
    }
}

/// An error if a cell that passes the mask has no weight.
fn check_weights(weights: &Cells<'_>, mask: Option<&BooleanArray>) -> Result<(), KernelError> {
    let Some(present) = Missing::present(weights) else { return Ok(()) };
    let wanted = |k: usize| mask.is_none_or(|mask| mask.is_valid(k) && mask.value(k));
    match (0..present.len()).any(|k| !present.value(k) && wanted(k)) {
        true => Err(KernelError::MissingWeight),
        false => Ok(()),
    }
}
