//! Moves the cells of boxes: spreads a variable over more dimensions, cuts boxes out, picks positions.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, MutableArrayData, UInt64Array, make_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::take;
use arrow::datatypes::DataType;

use super::error::KernelError;
use super::fold::for_each_cell;
use super::layout::{BlockLayout, RunGroups};
use super::native::{Native, array_of, native_values};

/// Spreads the values of a variable over all cells of a block. `from_dims`: for each dimension of the variable, which
/// dimension of the block it is, in any order; along the others every cell gets the same value.
pub fn broadcast(values: &ArrayRef, from_dims: &[usize], block_shape: &[usize]) -> Result<ArrayRef, KernelError> {
    if from_dims.iter().any(|&dimension| dimension >= block_shape.len()) {
        return Err(KernelError::Layout(format!("dimensions {from_dims:?} of a block of shape {block_shape:?}")));
    }
    check_length(values, from_dims.iter().map(|&dimension| block_shape[dimension]).product())?;
    if from_dims.iter().copied().eq(0..block_shape.len()) {
        return Ok(values.clone());
    }
    let mut steps = vec![0; block_shape.len()];
    let mut stride = 1;
    for &dimension in from_dims.iter().rev() {
        steps[dimension] += stride;
        stride *= block_shape[dimension];
    }
    let axes = block_shape.iter().zip(steps).map(|(&length, step)| Axis::Steps { length, step }).collect();
    gather(values, Source::new(0, axes))
}

/// Picks positions of each dimension, as an outer product: `picks[d]` are the positions along dimension `d`, `None`
/// for all of them.
pub fn select(values: &ArrayRef, shape: &[usize], picks: &[Option<Vec<usize>>]) -> Result<ArrayRef, KernelError> {
    check_box(values, shape, picks.len())?;
    let mut axes = Vec::with_capacity(shape.len());
    for ((&length, pick), step) in shape.iter().zip(picks).zip(strides(shape)) {
        axes.push(match pick {
            None => Axis::Steps { length, step },
            Some(positions) => {
                if let Some(position) = positions.iter().find(|&&position| position >= length) {
                    return Err(KernelError::Layout(format!("position {position} of a dimension of {length}")));
                }
                Axis::Offsets(positions.iter().map(|position| position * step).collect())
            }
        });
    }
    gather(values, Source::new(0, axes))
}

/// Cuts a box out of a box.
pub fn slice_box(values: &ArrayRef, shape: &[usize], region: &[Range<usize>]) -> Result<ArrayRef, KernelError> {
    check_box(values, shape, region.len())?;
    let (mut first, mut axes) = (0, Vec::with_capacity(shape.len()));
    for ((&length, range), step) in shape.iter().zip(region).zip(strides(shape)) {
        if range.start > range.end || range.end > length {
            return Err(KernelError::Layout(format!("positions {range:?} of a dimension of {length}")));
        }
        first += range.start * step;
        axes.push(Axis::Steps { length: range.len(), step });
    }
    gather(values, Source::new(first, axes))
}

/// For each cell of a block, the value of the group that it belongs to: shared where these lie together.
pub fn of_groups(groups: &ArrayRef, layout: &BlockLayout) -> Result<ArrayRef, KernelError> {
    layout.check(groups.len())?;
    let (mut stretches, mut is_consecutive) = (Vec::new(), true);
    layout.for_each_run(|run| match run.groups {
        RunGroups::Consecutive(first) => stretches.push((first, first + run.cells.len())),
        _ => is_consecutive = false,
    });
    match stretches.as_slice() {
        [(first, last)] if is_consecutive => Ok(groups.slice(*first, last - first)),
        _ if is_consecutive => {
            let data = groups.to_data();
            let mut values = MutableArrayData::new(vec![&data], false, layout.cells());
            stretches.iter().try_for_each(|&(first, last)| values.try_extend(0, first, last))?;
            Ok(make_array(values.freeze()))
        }
        _ => {
            let mut places = vec![0u64; layout.cells()];
            for_each_cell(layout, |cell, group| places[cell] = group as u64);
            Ok(take(groups, &UInt64Array::from(places), None)?)
        }
    }
}

/// Where each value of a new box comes from in an old one.
#[derive(Debug)]
struct Source {
    first: usize,
    /// Merged as far as possible.
    axes: Vec<Axis>,
    cells: usize,
}

#[derive(Debug)]
enum Axis {
    Steps { length: usize, step: usize },
    Offsets(Vec<usize>),
}

impl Axis {
    fn length(&self) -> usize {
        match self {
            Self::Steps { length, .. } => *length,
            Self::Offsets(offsets) => offsets.len(),
        }
    }

    fn offset(&self, position: usize) -> usize {
        match self {
            Self::Steps { step, .. } => position * step,
            Self::Offsets(offsets) => offsets[position],
        }
    }
}

impl Source {
    fn new(first: usize, axes: Vec<Axis>) -> Self {
        let cells = axes.iter().map(Axis::length).product();
        let mut merged: Vec<Axis> = Vec::with_capacity(axes.len());
        for axis in axes {
            match (merged.last_mut(), axis) {
                (_, Axis::Steps { length: 1, .. }) => {}
                (Some(Axis::Steps { length: outer, step: wide }), Axis::Steps { length, step })
                    if *wide == step * length =>
                {
                    *outer *= length;
                    *wide = step;
                }
                (_, axis) => merged.push(axis),
            }
        }
        Self { first, axes: merged, cells }
    }

    /// The one stretch of old cells that this is, if it is one.
    fn stretch(&self) -> Option<Range<usize>> {
        match self.axes.as_slice() {
            _ if self.cells == 0 => Some(0..0),
            [] => Some(self.first..self.first + 1),
            [Axis::Steps { length, step: 1 }] => Some(self.first..self.first + length),
            _ => None,
        }
    }

    /// Copies the values to their new places.
    fn copy<T: Native>(&self, old: &[T]) -> Vec<T> {
        let mut new = Vec::with_capacity(self.cells);
        let Some((inner, outer)) = self.axes.split_last() else {
            new.extend_from_slice(&old[self.first..self.first + self.cells]);
            return new;
        };
        let mut position = vec![0usize; outer.len()];
        while new.len() < self.cells {
            let start = self.first + outer.iter().zip(&position).map(|(axis, &p)| axis.offset(p)).sum::<usize>();
            match inner {
                Axis::Steps { length, step: 0 } => new.extend(std::iter::repeat_n(old[start], *length)),
                Axis::Steps { length, step: 1 } => new.extend_from_slice(&old[start..start + length]),
                Axis::Steps { length, step } => new.extend(old[start..].iter().step_by(*step).take(*length)),
                Axis::Offsets(offsets) => new.extend(offsets.iter().map(|offset| old[start + offset])),
            }
            for (position, axis) in position.iter_mut().zip(outer).rev() {
                *position += 1;
                if *position < axis.length() {
                    break;
                }
                *position = 0;
            }
        }
        new
    }
}

/// Values in their new places: shared where they lie together, copied where they are numbers, taken one by one else.
fn gather(values: &ArrayRef, source: Source) -> Result<ArrayRef, KernelError> {
    if let Some(stretch) = source.stretch() {
        return Ok(values.slice(stretch.start, stretch.len()));
    }
    let data_type = values.data_type();
    let width = if *data_type == DataType::Boolean { Some(1) } else { data_type.primitive_width() };
    match width {
        Some(1) => copy_cells::<u8>(values, &source),
        Some(2) => copy_cells::<u16>(values, &source),
        Some(4) => copy_cells::<u32>(values, &source),
        Some(8) => copy_cells::<u64>(values, &source),
        _ => {
            let indexes = (0..values.len() as u64).collect::<Vec<_>>();
            Ok(take(values, &UInt64Array::from(source.copy(&indexes)), None)?)
        }
    }
}

fn copy_cells<T: Native>(values: &ArrayRef, source: &Source) -> Result<ArrayRef, KernelError> {
    let nulls = values.nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| {
        let flags = nulls.iter().map(u8::from).collect::<Vec<_>>();
        let flags = source.copy(&flags);
        NullBuffer::new(BooleanBuffer::collect_bool(flags.len(), |k| flags[k] != 0))
    });
    array_of(values.data_type(), source.copy(&native_values::<T>(values)), nulls)
}

/// Cells between neighbours along each dimension of a box in C order.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for dimension in (1..shape.len()).rev() {
        strides[dimension - 1] = strides[dimension] * shape[dimension];
    }
    strides
}

fn check_box(values: &ArrayRef, shape: &[usize], dimensions: usize) -> Result<(), KernelError> {
    if shape.len() != dimensions {
        return Err(KernelError::Layout(format!("{dimensions} selections for a box of shape {shape:?}")));
    }
    check_length(values, shape.iter().product())
}

fn check_length(values: &ArrayRef, expected: usize) -> Result<(), KernelError> {
    match values.len() {
        found if found == expected => Ok(()),
        found => Err(KernelError::Length { what: "a box", expected, found }),
    }
}
