//! Which stored values mean "missing".

use arrow::array::{ArrowNativeTypeOp, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::ArrowPrimitiveType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

/// A number as stored, before scale and offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Packed {
    /// A whole number.
    Int(i128),
    /// Any other.
    Float(f64),
}

impl Packed {
    /// From the JSON of an attribute: a number, "NaN", "Infinity", or a float in base64, as xarray writes it to
    /// version 3 of Zarr.
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_i128().map(Self::Int).or_else(|| number.as_f64().map(Self::Float)),
            Value::String(text) => match text.as_str() {
                "NaN" | "nan" => Some(Self::Float(f64::NAN)),
                "Infinity" => Some(Self::Float(f64::INFINITY)),
                "-Infinity" => Some(Self::Float(f64::NEG_INFINITY)),
                _ => float_in_base64(text),
            },
            _ => None,
        }
    }
}

fn float_in_base64(text: &str) -> Option<Packed> {
    let bytes = BASE64.decode(text).ok()?;
    match bytes.as_slice() {
        [_, _, _, _] => bytes.try_into().ok().map(|bytes| Packed::Float(f64::from(f32::from_le_bytes(bytes)))),
        _ => bytes.try_into().ok().map(|bytes| Packed::Float(f64::from_le_bytes(bytes))),
    }
}

/// The values of `_FillValue` and `missing_value`, each a number or a list of them.
pub(super) fn of_attributes(attributes: &Map<String, Value>) -> Vec<Packed> {
    let mut values = Vec::new();
    for name in ["_FillValue", "missing_value"] {
        match attributes.get(name) {
            Some(Value::Array(list)) => values.extend(list.iter().filter_map(Packed::from_json)),
            Some(value) => values.extend(Packed::from_json(value)),
            None => {}
        }
    }
    values
}

/// A stored type whose values can be compared with packed numbers.
pub(super) trait FromPacked: ArrowPrimitiveType {
    /// The value that stands for a packed number, or `None` where it has none.
    fn of(packed: Packed) -> Option<Self::Native>;
}

macro_rules! ints {
    ($($arrow:ident $native:ident),*) => {$(
        impl FromPacked for arrow::datatypes::$arrow {
            fn of(packed: Packed) -> Option<$native> {
                match packed {
                    Packed::Int(value) => $native::try_from(value).ok(),
                    Packed::Float(value) if value.fract() == 0.0 && value.abs() < 1e20 => $native::try_from(value as i128).ok(),
                    Packed::Float(_) => None,
                }
            }
        }
    )*};
}
ints!(Int8Type i8, Int16Type i16, Int32Type i32, Int64Type i64, UInt8Type u8, UInt16Type u16, UInt32Type u32, UInt64Type u64);

macro_rules! floats {
    ($($arrow:ident $native:ident),*) => {$(
        impl FromPacked for arrow::datatypes::$arrow {
            fn of(packed: Packed) -> Option<$native> {
                Some(match packed {
                    Packed::Int(value) => value as $native,
                    Packed::Float(value) => value as $native,
                })
            }
        }
    )*};
}
floats!(Float32Type f32, Float64Type f64);

/// The masks of a type: NaN is none of them, it is missing by itself.
pub(super) fn of_type<T: FromPacked>(packed: &[Packed]) -> Vec<T::Native> {
    let mut masks: Vec<T::Native> = packed
        .iter()
        .filter_map(|&packed| T::of(packed))
        .filter(|mask| mask.is_eq(*mask) && !is_nan::<T>(*mask))
        .collect();
    masks.dedup();
    masks
}

/// Whether a value is a NaN.
pub(super) fn is_nan<T: ArrowPrimitiveType>(value: T::Native) -> bool {
    value.partial_cmp(&value).is_none()
}

/// The validity of values of which those in `masks` are missing, together with what was missing before.
pub(super) fn validity<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, masks: &[T::Native]) -> Option<NullBuffer> {
    use arrow::array::Array;
    let values = array.values();
    let valid = match masks {
        [] => return array.nulls().cloned(),
        [mask] => BooleanBuffer::collect_bool(values.len(), |i| values[i] != *mask),
        _ => BooleanBuffer::collect_bool(values.len(), |i| !masks.contains(&values[i])),
    };
    NullBuffer::union(Some(&NullBuffer::new(valid)), array.nulls()).filter(|nulls| nulls.null_count() > 0)
}
