//! `median` and `quantile`: exact, so every value is kept until the end, as a float, which the result is too.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, LargeListArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};

use super::Accumulator;
use super::extreme::Ordered;
use crate::kernel::cells::{Cells, Missing, Presence, check_merge, check_update};
use crate::kernel::error::KernelError;
use crate::kernel::fold::{Fold, fold, for_each_cell};
use crate::kernel::layout::BlockLayout;
use crate::kernel::native::{array_of, float_type, float_values, native_values, nulls_where_zero};

/// Bytes of a value of this type as quantiles keep it.
pub fn kept_width(argument: &DataType) -> usize {
    if float_type(argument) == DataType::Float32 { size_of::<f32>() } else { size_of::<f64>() }
}

/// Entries of a page of a log.
const PAGE: usize = 1 << 10;

/// Quantiles of groups, with linear interpolation between neighbours (numpy's default).
#[derive(Debug)]
pub(crate) struct QuantileAccumulator<T: Ordered> {
    argument: DataType,
    fraction: f64,
    log: Log<T>,
    parts: Vec<Part<T>>,
    /// The values of one group.
    scratch: Vec<T>,
}

/// Values as they come, each with its group.
#[derive(Debug)]
struct Log<T> {
    groups: usize,
    pages: Vec<Page<T>>,
}

/// Neighbouring entries of a log: memory grows by pages, so that nothing is ever moved to a larger place.
#[derive(Debug)]
struct Page<T> {
    groups: Vec<u32>,
    values: Vec<T>,
}

/// Values of groups that lie together, as a state holds them.
#[derive(Debug)]
struct Part<T: Ordered> {
    values: ScalarBuffer<T>,
    offsets: ScalarBuffer<i64>,
    /// Where the values of each group are, one more than its place in `offsets`; 0 where there are none. Empty when
    /// each group is at its own place.
    places: Vec<u32>,
}

impl<T: Ordered> QuantileAccumulator<T> {
    /// An accumulator of `groups` quantiles of an argument of which `T` is the `float_type`.
    pub(crate) fn new(argument: DataType, fraction: f64, groups: usize) -> Self {
        let log = Log { groups, pages: Vec::new() };
        Self { argument, fraction, log, parts: Vec::new(), scratch: Vec::new() }
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
        let groups = self.log.groups;
        check_update("quantile", std::slice::from_ref(&self.argument), groups, layout, arguments, mask)?;
        if u32::try_from(groups).is_err() {
            return Err(KernelError::Layout(format!("quantiles of {groups} groups, at most {}", u32::MAX)));
        }
        let (missing, values) = (Missing::of(&arguments[0], mask), float_values(arguments[0].values)?);
        fold(&mut self.log, layout, &native_values::<T>(&values), &missing);
        Ok(())
    }

    fn merge(&mut self, layout: &BlockLayout, state: &[ArrayRef]) -> Result<(), KernelError> {
        check_merge("quantile", 1, self.log.groups, layout, state)?;
        let expected = DataType::LargeList(self.state_field());
        let lists = match state[0].as_list_opt::<i64>() {
            Some(lists) if *lists.data_type() == expected => lists,
            _ => return Err(KernelError::Type { what: "a state", expected, found: state[0].data_type().clone() }),
        };
        let (mut places, mut is_in_place) = (vec![0u32; self.log.groups], lists.len() == self.log.groups);
        let mut is_one_each = true;
        for_each_cell(layout, |cell, group| {
            is_in_place &= cell == group;
            is_one_each &= places[group] == 0;
            places[group] = cell as u32 + 1;
        });
        if is_in_place {
            places = Vec::new();
        }
        let part = Part { values: native_values(lists.values()), offsets: lists.offsets().inner().clone(), places };
        match is_one_each {
            true => self.parts.push(part),
            false => for_each_cell(layout, |cell, group| self.log.extend(group, part.at(cell))),
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::LargeList(self.state_field())]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>, KernelError> {
        for part in std::mem::take(&mut self.parts) {
            (0..self.log.groups).for_each(|group| self.log.extend(group, part.of(group)));
        }
        let (values, offsets) = self.log.take();
        let values = array_of(&float_type(&self.argument), values, None)?;
        Ok(vec![Arc::new(LargeListArray::try_new(
            self.state_field(),
            OffsetBuffer::new(offsets.into()),
            values,
            None,
        )?)])
    }

    fn finish(&mut self, range: Range<usize>) -> Result<ArrayRef, KernelError> {
        if !self.log.pages.is_empty() {
            let (values, offsets) = self.log.take();
            self.parts.push(Part { values: values.into(), offsets: offsets.into(), places: Vec::new() });
        }
        let (mut quantiles, mut counts) = (Vec::with_capacity(range.len()), Vec::with_capacity(range.len()));
        for group in range {
            self.scratch.clear();
            self.parts.iter().for_each(|part| self.scratch.extend_from_slice(part.of(group)));
            counts.push(self.scratch.len() as u64);
            quantiles.push(quantile(&mut self.scratch, self.fraction));
        }
        Ok(Arc::new(Float64Array::new(quantiles.into(), nulls_where_zero(&counts))))
    }

    fn memory_size(&self) -> usize {
        let page = PAGE * (size_of::<u32>() + size_of::<T>());
        let part = |part: &Part<T>| {
            size_of_val(&*part.values) + size_of_val(&*part.offsets) + part.places.capacity() * size_of::<u32>()
        };
        self.log.pages.len() * page + self.parts.iter().map(part).sum::<usize>()
    }
}

impl<T: Ordered> Log<T> {
    /// The page that has room for another entry.
    #[inline(always)]
    fn page(&mut self) -> &mut Page<T> {
        if self.pages.last().is_none_or(|page| page.values.len() == PAGE) {
            self.add_page();
        }
        let last = self.pages.len() - 1;
        &mut self.pages[last]
    }

    fn extend(&mut self, group: usize, values: &[T]) {
        values.iter().for_each(|&value| self.page().push(group, value));
    }

    #[inline(never)]
    fn add_page(&mut self) {
        self.pages.push(Page { groups: Vec::with_capacity(PAGE), values: Vec::with_capacity(PAGE) });
    }

    /// The values in the order of their groups, and where those of each group begin; nothing is left.
    fn take(&mut self) -> (Vec<T>, Vec<i64>) {
        let pages = std::mem::take(&mut self.pages);
        let mut offsets = vec![0i64; self.groups + 1];
        for &group in pages.iter().flat_map(|page| &page.groups) {
            offsets[group as usize + 1] += 1;
        }
        for group in 0..self.groups {
            offsets[group + 1] += offsets[group];
        }
        let mut next = offsets.clone();
        let mut values = vec![T::default(); offsets[self.groups] as usize];
        // Each page is dropped as soon as it is copied.
        for page in pages {
            for (&group, &value) in page.groups.iter().zip(&page.values) {
                let place = &mut next[group as usize];
                values[*place as usize] = value;
                *place += 1;
            }
        }
        (values, offsets)
    }
}

impl<T: Ordered> Part<T> {
    /// The values of a group.
    fn of(&self, group: usize) -> &[T] {
        match self.places.get(group) {
            None => self.at(group),
            Some(0) => &[],
            Some(&place) => self.at(place as usize - 1),
        }
    }

    /// The values of the group at a place of the state.
    fn at(&self, place: usize) -> &[T] {
        &self.values[self.offsets[place] as usize..self.offsets[place + 1] as usize]
    }
}

impl<T: Ordered> Fold<T> for Log<T> {
    #[inline(always)]
    fn one<P: Presence>(&mut self, group: usize, values: &[T], present: P) {
        for (k, &value) in values.iter().enumerate() {
            if present.has(k, value) {
                self.page().push(group, value);
            }
        }
    }

    #[inline(always)]
    fn consecutive<P: Presence>(&mut self, first: usize, values: &[T], present: P) {
        for (k, &value) in values.iter().enumerate() {
            if present.has(k, value) {
                self.page().push(first + k, value);
            }
        }
    }

    #[inline(always)]
    fn labelled<P: Presence>(&mut self, base: usize, labels: &[u32], stride: usize, values: &[T], present: P) {
        for (k, (&label, &value)) in labels.iter().zip(values).enumerate() {
            if present.has(k, value) {
                self.page().push(base + label as usize * stride, value);
            }
        }
    }
}

impl<T: Ordered> Page<T> {
    #[inline(always)]
    fn push(&mut self, group: usize, value: T) {
        self.groups.push(group as u32);
        self.values.push(value);
    }
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
