//! The numbers that arrays and codecs store: their names in both versions of Zarr, and conversions between them.

use arrow::datatypes::{ArrowPrimitiveType, DataType, Float16Type};

/// 16-bit floats.
pub(super) type F16 = <Float16Type as ArrowPrimitiveType>::Native;

/// A kind of number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Number {
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float16,
    Float32,
    Float64,
}

use Number::*;

impl Number {
    /// From the name of v3 (`int16`).
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "int8" => Int8,
            "int16" => Int16,
            "int32" => Int32,
            "int64" => Int64,
            "uint8" => UInt8,
            "uint16" => UInt16,
            "uint32" => UInt32,
            "uint64" => UInt64,
            "float16" => Float16,
            "float32" => Float32,
            "float64" => Float64,
            _ => return None,
        })
    }

    /// From the type string of v2 (`<i2`), without the byte order.
    pub fn from_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "i1" => Int8,
            "i2" => Int16,
            "i4" => Int32,
            "i8" => Int64,
            "u1" => UInt8,
            "u2" => UInt16,
            "u4" => UInt32,
            "u8" => UInt64,
            "f2" => Float16,
            "f4" => Float32,
            "f8" => Float64,
            _ => return None,
        })
    }

    /// The name in v3.
    pub fn name(self) -> &'static str {
        match self {
            Int8 => "int8",
            Int16 => "int16",
            Int32 => "int32",
            Int64 => "int64",
            UInt8 => "uint8",
            UInt16 => "uint16",
            UInt32 => "uint32",
            UInt64 => "uint64",
            Float16 => "float16",
            Float32 => "float32",
            Float64 => "float64",
        }
    }

    /// Bytes of one.
    pub fn size(self) -> usize {
        match self {
            Int8 | UInt8 => 1,
            Int16 | UInt16 | Float16 => 2,
            Int32 | UInt32 | Float32 => 4,
            Int64 | UInt64 | Float64 => 8,
        }
    }

    pub fn is_float(self) -> bool {
        matches!(self, Float16 | Float32 | Float64)
    }

    /// The Arrow type of its values. 16-bit floats widen to 32 bits: few of DataFusion's functions know them.
    pub fn arrow(self) -> DataType {
        match self {
            Int8 => DataType::Int8,
            Int16 => DataType::Int16,
            Int32 => DataType::Int32,
            Int64 => DataType::Int64,
            UInt8 => DataType::UInt8,
            UInt16 => DataType::UInt16,
            UInt32 => DataType::UInt32,
            UInt64 => DataType::UInt64,
            Float16 | Float32 => DataType::Float32,
            Float64 => DataType::Float64,
        }
    }

    /// The native bytes of an integer, which must fit; `None` where it does not or this is a float.
    pub fn bytes_of_int(self, value: i128) -> Option<Vec<u8>> {
        Some(match self {
            Int8 => i8::try_from(value).ok()?.to_ne_bytes().to_vec(),
            Int16 => i16::try_from(value).ok()?.to_ne_bytes().to_vec(),
            Int32 => i32::try_from(value).ok()?.to_ne_bytes().to_vec(),
            Int64 => i64::try_from(value).ok()?.to_ne_bytes().to_vec(),
            UInt8 => u8::try_from(value).ok()?.to_ne_bytes().to_vec(),
            UInt16 => u16::try_from(value).ok()?.to_ne_bytes().to_vec(),
            UInt32 => u32::try_from(value).ok()?.to_ne_bytes().to_vec(),
            UInt64 => u64::try_from(value).ok()?.to_ne_bytes().to_vec(),
            Float16 | Float32 | Float64 => return None,
        })
    }

    /// The native bytes of the nearest float; `None` where this is an integer.
    pub fn bytes_of_float(self, value: f64) -> Option<Vec<u8>> {
        Some(match self {
            Float16 => F16::from_f64(value).to_ne_bytes().to_vec(),
            Float32 => (value as f32).to_ne_bytes().to_vec(),
            Float64 => value.to_ne_bytes().to_vec(),
            _ => return None,
        })
    }

    /// The integers in native bytes; those of 64 unsigned bits keep their bits. Floats are cut to integers.
    pub fn ints(self, bytes: &[u8]) -> Vec<i64> {
        match self {
            Int8 => read(bytes, |b| i64::from(i8::from_ne_bytes(b))),
            Int16 => read(bytes, |b| i64::from(i16::from_ne_bytes(b))),
            Int32 => read(bytes, |b| i64::from(i32::from_ne_bytes(b))),
            Int64 => read(bytes, i64::from_ne_bytes),
            UInt8 => read(bytes, |b: [u8; 1]| i64::from(b[0])),
            UInt16 => read(bytes, |b| i64::from(u16::from_ne_bytes(b))),
            UInt32 => read(bytes, |b| i64::from(u32::from_ne_bytes(b))),
            UInt64 => read(bytes, |b| u64::from_ne_bytes(b) as i64),
            Float16 | Float32 | Float64 => self.floats(bytes).into_iter().map(|value| value as i64).collect(),
        }
    }

    /// The numbers in native bytes as 64-bit floats.
    pub fn floats(self, bytes: &[u8]) -> Vec<f64> {
        match self {
            Float16 => read(bytes, |b| F16::from_ne_bytes(b).to_f64()),
            Float32 => read(bytes, |b| f64::from(f32::from_ne_bytes(b))),
            Float64 => read(bytes, f64::from_ne_bytes),
            UInt64 => read(bytes, |b| u64::from_ne_bytes(b) as f64),
            _ => self.ints(bytes).into_iter().map(|value| value as f64).collect(),
        }
    }

    /// The native bytes of integers, cut to this type's width as C does.
    pub fn bytes_of_ints(self, values: &[i64]) -> Vec<u8> {
        match self {
            Float16 | Float32 | Float64 => {
                self.bytes_of_floats(&values.iter().map(|&value| value as f64).collect::<Vec<_>>())
            }
            _ if self.size() == 1 => values.iter().map(|&value| value as u8).collect(),
            _ if self.size() == 2 => values.iter().flat_map(|&value| (value as u16).to_ne_bytes()).collect(),
            _ if self.size() == 4 => values.iter().flat_map(|&value| (value as u32).to_ne_bytes()).collect(),
            _ => values.iter().flat_map(|&value| value.to_ne_bytes()).collect(),
        }
    }

    /// The native bytes of floats; integers are cut.
    pub fn bytes_of_floats(self, values: &[f64]) -> Vec<u8> {
        match self {
            Float16 => values.iter().flat_map(|&value| F16::from_f64(value).to_ne_bytes()).collect(),
            Float32 => values.iter().flat_map(|&value| (value as f32).to_ne_bytes()).collect(),
            Float64 => values.iter().flat_map(|&value| value.to_ne_bytes()).collect(),
            UInt64 => values.iter().flat_map(|&value| (value as u64).to_ne_bytes()).collect(),
            _ => self.bytes_of_ints(&values.iter().map(|&value| value as i64).collect::<Vec<_>>()),
        }
    }

    /// The native bytes of another type's native bytes.
    pub fn cast(self, bytes: &[u8], to: Self) -> Vec<u8> {
        match self.is_float() || to.is_float() {
            true => to.bytes_of_floats(&self.floats(bytes)),
            false => to.bytes_of_ints(&self.ints(bytes)),
        }
    }
}

fn read<const N: usize, T>(bytes: &[u8], convert: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&item| convert(item)).collect()
}
