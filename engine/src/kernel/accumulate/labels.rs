//! Values that are only carried along, as 64 bits each, whatever their type.

use arrow::array::ArrayRef;
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::DataType;

use crate::kernel::error::KernelError;
use crate::kernel::native::{Physical, array_of, native_values};

/// The bits of an array's values, by their width.
#[derive(Debug)]
pub(crate) enum Labels {
    One(ScalarBuffer<u8>),
    Two(ScalarBuffer<u16>),
    Four(ScalarBuffer<u32>),
    Eight(ScalarBuffer<u64>),
}

impl Labels {
    /// The bits of the values of an array.
    pub(crate) fn of(array: &ArrayRef) -> Result<Self, KernelError> {
        Ok(match width(array.data_type())? {
            1 => Self::One(native_values(array)),
            2 => Self::Two(native_values(array)),
            4 => Self::Four(native_values(array)),
            _ => Self::Eight(native_values(array)),
        })
    }

    /// The bits of one value.
    #[inline(always)]
    pub(crate) fn bits(&self, cell: usize) -> u64 {
        match self {
            Self::One(labels) => u64::from(labels[cell]),
            Self::Two(labels) => u64::from(labels[cell]),
            Self::Four(labels) => u64::from(labels[cell]),
            Self::Eight(labels) => labels[cell],
        }
    }

    /// An array of values of which the bits are given.
    pub(crate) fn array(
        data_type: &DataType,
        bits: &[u64],
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef, KernelError> {
        match width(data_type)? {
            1 => array_of(data_type, bits.iter().map(|&bits| bits as u8).collect(), nulls),
            2 => array_of(data_type, bits.iter().map(|&bits| bits as u16).collect(), nulls),
            4 => array_of(data_type, bits.iter().map(|&bits| bits as u32).collect(), nulls),
            _ => array_of(data_type, bits.to_vec(), nulls),
        }
    }
}

/// The bytes of a value, 1, 2, 4 or 8.
fn width(data_type: &DataType) -> Result<usize, KernelError> {
    match Physical::of(data_type) {
        Some(physical) => Ok(physical.width()),
        None => Err(KernelError::Unsupported { what: "a label".to_owned(), found: data_type.to_string() }),
    }
}
