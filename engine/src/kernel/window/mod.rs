//! Moving windows along one dimension of neighbouring blocks.
//!
//! A window is summed from its cells each time: adding the cell that enters and subtracting the one that leaves would
//! keep the error of a great value for ever. The loop goes over neighbouring results, as many as the machine's
//! registers are wide, and for them over the places in the window, whichever dimension the window runs along.

mod results;
mod tiles;

use std::ops::Range;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;

use super::cells::Cells;
use super::error::KernelError;
use super::native::Physical;
use tiles::Windows;

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

/// A window that moves along a dimension: of the cells at positions `p + from ..= p + to`, as far as there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MovingWindow {
    /// What is computed.
    pub kind: WindowKind,
    /// The first cell, counted from the cell itself.
    pub from: isize,
    /// The last cell, counted from the cell itself.
    pub to: isize,
    /// The least number of cells that are not missing for a result; `to - from + 1` for complete windows.
    pub least: usize,
}

/// Cells of a box along the dimension of a window. Stretches that follow each other have the same other dimensions.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// The cells of the box, in C order.
    pub cells: Cells<'a>,
    /// Positions of the box along the dimension.
    pub length: usize,
}

/// The dimension of a window among those of its boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Along {
    /// Cells of the dimensions before it.
    pub outer: usize,
    /// Cells of the dimensions after it.
    pub inner: usize,
}

impl Along {
    /// Dimension `axis` of boxes of `shape`.
    pub fn new(shape: &[usize], axis: usize) -> Self {
        Self { outer: shape[..axis].iter().product(), inner: shape[axis + 1..].iter().product() }
    }
}

impl WindowKind {
    /// Whether results of this type that are missing are NaNs: averages, and sums of floats. Where a NaN of them is a
    /// result, they have nulls like all others.
    pub fn is_nan_coded(self, result: &DataType) -> bool {
        matches!(self, Self::Sum | Self::Average) && *result == DataType::Float64
    }

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

impl MovingWindow {
    /// One result for each position of `range` along the dimension (and each position of the other dimensions, in C
    /// order). Positions are counted from the first cell of the first stretch; cells before and after all stretches are
    /// not there. Missing results are nulls, or NaNs (see [`WindowKind::is_nan_coded`]).
    pub fn results(
        self,
        stretches: &[Stretch<'_>],
        along: Along,
        range: Range<usize>,
    ) -> Result<ArrayRef, KernelError> {
        let Some(first) = stretches.first() else {
            return Err(KernelError::Layout("a window over nothing".to_string()));
        };
        let data_type = first.cells.values.data_type();
        let mut length = 0;
        for stretch in stretches {
            let (expected, found) = (along.outer * stretch.length * along.inner, stretch.cells.values.len());
            if found != expected {
                return Err(KernelError::Length { what: "a box", expected, found });
            }
            if stretch.cells.values.data_type() != data_type {
                let found = stretch.cells.values.data_type().clone();
                return Err(KernelError::Type { what: "a box", expected: data_type.clone(), found });
            }
            length += stretch.length;
        }
        if range.start > range.end || range.end > length {
            return Err(KernelError::Layout(format!("positions {range:?} of a dimension of {length}")));
        }
        let result = self.kind.result_type(data_type)?;
        let windows = Windows::new(self, stretches, along, range);
        match (self.kind, Physical::of(data_type)) {
            (WindowKind::Count, _) => windows.counts(),
            (WindowKind::Shift, _) => windows.shift(),
            (kind, Some(physical)) => windows.numbers(kind, physical, &result),
            (kind, None) => Err(KernelError::Unsupported { what: format!("{kind:?}"), found: result.to_string() }),
        }
    }
}
