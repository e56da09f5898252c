//! The values of an argument over the cells of a block, and which of them are missing.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;

use super::error::KernelError;
use super::layout::BlockLayout;
use super::native::{Native, native_values, true_bits, with_float};

/// The values of an argument over the cells of a block, with how a missing cell is told.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'a> {
    /// One value for each cell, in C order. A null is a missing cell.
    pub values: &'a ArrayRef,
    /// A NaN is a missing cell too. Says nothing of types other than floats.
    pub nan_is_missing: bool,
}

/// Which cells of a block count.
#[derive(Debug, Clone)]
pub(crate) enum Missing {
    /// All do.
    Nothing,
    /// Those that are no NaN.
    Nan,
    /// Those whose bit is set and, if `nan`, that are no NaN.
    Bits { present: BooleanBuffer, nan: bool },
}

impl Missing {
    /// Which cells count: those that are not missing and that the mask lets through.
    pub(crate) fn of(cells: &Cells<'_>, mask: Option<&BooleanArray>) -> Self {
        let float = matches!(cells.values.data_type(), DataType::Float32 | DataType::Float64);
        let nan = cells.nan_is_missing && float;
        let nulls = cells.values.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let mask = mask.filter(|mask| mask.null_count() > 0 || mask.has_false()).map(true_bits);
        match (nulls, mask) {
            (None, None) if nan => Self::Nan,
            (None, None) => Self::Nothing,
            (Some(nulls), None) => Self::Bits { present: nulls.into_inner(), nan },
            (None, Some(mask)) => Self::Bits { present: mask, nan },
            (Some(nulls), Some(mask)) => Self::Bits { present: nulls.inner() & &mask, nan },
        }
    }

    /// Of one argument alone: a bit for each cell that is there; `None` if all are.
    pub(crate) fn present(cells: &Cells<'_>) -> Option<BooleanBuffer> {
        match Self::of(cells, None) {
            Self::Nan | Self::Bits { nan: true, .. } => with_float!(cells.values, T => {
                let (values, nulls) = (native_values::<T>(cells.values), cells.values.nulls());
                Some(BooleanBuffer::collect_bool(values.len(), |k| {
                    values[k].is_number() && nulls.is_none_or(|nulls| nulls.is_valid(k))
                }))
            }),
            Self::Bits { present, .. } => Some(present),
            Self::Nothing => None,
        }
    }

    /// Also leaves out the cells whose bit is not set.
    pub(crate) fn and(self, bits: Option<BooleanBuffer>) -> Self {
        match (self, bits) {
            (missing, None) => missing,
            (Self::Nothing, Some(present)) => Self::Bits { present, nan: false },
            (Self::Nan, Some(present)) => Self::Bits { present, nan: true },
            (Self::Bits { present, nan }, Some(bits)) => Self::Bits { present: &present & &bits, nan },
        }
    }
}

/// Which cells of a slice count, as a type of its own for each way to tell, so that loops are compiled for each.
pub(crate) trait Presence: Copy {
    /// True if every cell counts.
    const EVERY: bool = false;

    /// The presence of a part of the slice.
    fn part(self, range: Range<usize>) -> Self;

    /// Whether the k-th cell counts, given its value.
    fn has<T: Native>(self, k: usize, value: T) -> bool;
}

/// Every cell counts.
#[derive(Clone, Copy)]
pub(crate) struct Every;

/// A cell counts unless it is a NaN.
#[derive(Clone, Copy)]
pub(crate) struct NotNan;

/// A cell counts if its flag says so.
#[derive(Clone, Copy)]
pub(crate) struct Flags<'a>(pub(crate) &'a [bool]);

impl Presence for Every {
    const EVERY: bool = true;

    #[inline(always)]
    fn part(self, _: Range<usize>) -> Self {
        self
    }

    #[inline(always)]
    fn has<T: Native>(self, _: usize, _: T) -> bool {
        true
    }
}

impl Presence for NotNan {
    #[inline(always)]
    fn part(self, _: Range<usize>) -> Self {
        self
    }

    #[inline(always)]
    fn has<T: Native>(self, _: usize, value: T) -> bool {
        value.is_number()
    }
}

impl Presence for Flags<'_> {
    #[inline(always)]
    fn part(self, range: Range<usize>) -> Self {
        Self(&self.0[range])
    }

    #[inline(always)]
    fn has<T: Native>(self, k: usize, _: T) -> bool {
        self.0[k]
    }
}

/// Checks the arguments of an update: their number, types and lengths, the mask's length, the layout's groups.
pub(crate) fn check_update(
    what: &'static str,
    types: &[DataType],
    groups: usize,
    layout: &BlockLayout,
    arguments: &[Cells<'_>],
    mask: Option<&BooleanArray>,
) -> Result<(), KernelError> {
    layout.check(groups)?;
    if arguments.len() != types.len() {
        return Err(KernelError::Arity { what, expected: types.len(), found: arguments.len() });
    }
    let expected = layout.cells();
    for (argument, data_type) in arguments.iter().zip(types) {
        let (found, length) = (argument.values.data_type(), argument.values.len());
        if length != expected {
            return Err(KernelError::Length { what: "an argument", expected, found: length });
        }
        if found != data_type {
            return Err(KernelError::Type { what: "an argument", expected: data_type.clone(), found: found.clone() });
        }
    }
    match mask.map(Array::len) {
        Some(found) if found != expected => Err(KernelError::Length { what: "the mask", expected, found }),
        _ => Ok(()),
    }
}

/// Checks the arrays of a merge: their number and lengths, and the layout's groups.
pub(crate) fn check_merge(
    what: &'static str,
    arrays: usize,
    groups: usize,
    layout: &BlockLayout,
    state: &[ArrayRef],
) -> Result<(), KernelError> {
    layout.check(groups)?;
    if state.len() != arrays {
        return Err(KernelError::Arity { what, expected: arrays, found: state.len() });
    }
    match state.iter().find(|array| array.len() != layout.cells()) {
        Some(array) => Err(KernelError::Length { what: "a state", expected: layout.cells(), found: array.len() }),
        None => Ok(()),
    }
}
