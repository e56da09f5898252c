//! Arrow types as the Rust types their values are stored in.

use arrow::array::{Array, ArrayData, ArrayRef, BooleanArray, make_array};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{ArrowNativeType, DataType};

use super::error::KernelError;

/// A Rust type that stores cells. Booleans are stored as `u8` here.
pub(crate) trait Native: ArrowNativeType + PartialEq + Default + Send + Sync {
    /// Whether there are NaNs: no loop that looks for them is compiled for other types.
    const FLOAT: bool = false;

    /// Not a NaN: always true of integers.
    #[allow(clippy::eq_op, reason = "a NaN is what differs from itself")]
    #[inline(always)]
    fn is_number(self) -> bool {
        self == self
    }

    /// The value as a float, rounded to the nearest one.
    fn float(self) -> f64;
}

/// The Rust type that stores an Arrow type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Physical {
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float32,
    Float64,
}

impl Physical {
    /// How values of `data_type` are stored; `None` if not as one number each.
    pub(crate) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 | DataType::Date32 | DataType::Time32(_) => Self::Int32,
            DataType::Int64
            | DataType::Timestamp(..)
            | DataType::Date64
            | DataType::Time64(_)
            | DataType::Duration(_) => Self::Int64,
            DataType::UInt8 | DataType::Boolean => Self::UInt8,
            DataType::UInt16 => Self::UInt16,
            DataType::UInt32 => Self::UInt32,
            DataType::UInt64 => Self::UInt64,
            DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            _ => return None,
        })
    }

    /// The bytes of a value.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Int8 | Self::UInt8 => 1,
            Self::Int16 | Self::UInt16 => 2,
            Self::Int32 | Self::UInt32 | Self::Float32 => 4,
            Self::Int64 | Self::UInt64 | Self::Float64 => 8,
        }
    }
}

/// `with_native!(physical, T => expression)`: the expression with `T` standing for the Rust type.
macro_rules! with_native {
    ($physical:expr, $T:ident => $body:expr) => {{
        use $crate::kernel::native::Physical;
        match $physical {
            Physical::Int8 => {
                type $T = i8;
                $body
            }
            Physical::Int16 => {
                type $T = i16;
                $body
            }
            Physical::Int32 => {
                type $T = i32;
                $body
            }
            Physical::Int64 => {
                type $T = i64;
                $body
            }
            Physical::UInt8 => {
                type $T = u8;
                $body
            }
            Physical::UInt16 => {
                type $T = u16;
                $body
            }
            Physical::UInt32 => {
                type $T = u32;
                $body
            }
            Physical::UInt64 => {
                type $T = u64;
                $body
            }
            Physical::Float32 => {
                type $T = f32;
                $body
            }
            Physical::Float64 => {
                type $T = f64;
                $body
            }
        }
    }};
}
pub(crate) use with_native;

/// `with_float!(array, T => expression)`: the expression with `T` standing for `f32` or `f64`, the type of the array.
macro_rules! with_float {
    ($array:expr, $T:ident => $body:expr) => {
        if *$array.data_type() == arrow::datatypes::DataType::Float32 {
            type $T = f32;
            $body
        } else {
            type $T = f64;
            $body
        }
    };
}
pub(crate) use with_float;

macro_rules! native {
    ($float:literal: $($T:ty),*) => { $(impl Native for $T {
        const FLOAT: bool = $float;

        #[inline(always)]
        fn float(self) -> f64 {
            self as f64
        }
    })* };
}
native!(false: i8, i16, i32, i64, u8, u16, u32, u64, i128);
native!(true: f32, f64);

/// The type of float that stands for numbers of this type where results are floats anyway: `f32` where it is exact.
pub(crate) fn float_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Float32 | DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Float32,
        _ => DataType::Float64,
    }
}

/// Numbers as floats of their `float_type`; nulls stay. Floats are shared, not copied.
pub(crate) fn float_values(array: &ArrayRef) -> Result<ArrayRef, KernelError> {
    Ok(cast(array, &float_type(array.data_type()))?)
}

/// The values of an array whose type is stored as `T`: shared, not copied, except that booleans become bytes.
pub(crate) fn native_values<T: Native>(array: &ArrayRef) -> ScalarBuffer<T> {
    if let Some(booleans) = array.as_any().downcast_ref::<BooleanArray>() {
        let (yes, no) = (T::usize_as(1), T::usize_as(0));
        return booleans.values().iter().map(|value| if value { yes } else { no }).collect::<Vec<T>>().into();
    }
    let data = array.to_data();
    ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len())
}

/// An array of `data_type`, which is stored as `T`.
pub(crate) fn array_of<T: Native>(
    data_type: &DataType,
    values: Vec<T>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, KernelError> {
    if *data_type == DataType::Boolean {
        let bits = BooleanBuffer::collect_bool(values.len(), |k| values[k] != T::default());
        return Ok(std::sync::Arc::new(BooleanArray::new(bits, nulls)));
    }
    let length = values.len();
    let data = ArrayData::builder(data_type.clone())
        .len(length)
        .add_buffer(ScalarBuffer::from(values).into_inner())
        .nulls(nulls)
        .build()?;
    Ok(make_array(data))
}

/// The values of a state array of `data_type`, after a check that it is one.
pub(crate) fn state_values<T: Native>(array: &ArrayRef, data_type: &DataType) -> Result<ScalarBuffer<T>, KernelError> {
    if array.data_type() == data_type {
        return Ok(native_values(array));
    }
    Err(KernelError::Type { what: "a state", expected: data_type.clone(), found: array.data_type().clone() })
}

/// Booleans of a mask that are true, as bits.
pub(crate) fn true_bits(mask: &BooleanArray) -> BooleanBuffer {
    match mask.nulls() {
        Some(nulls) => mask.values() & nulls.inner(),
        None => mask.values().clone(),
    }
}

/// Nulls where a count is zero; none if no count is.
pub(crate) fn nulls_where_zero(counts: &[u64]) -> Option<NullBuffer> {
    let nulls = NullBuffer::new(BooleanBuffer::collect_bool(counts.len(), |k| counts[k] > 0));
    (nulls.null_count() > 0).then_some(nulls)
}
