//! Arrow values → stored cells: which stored type, and what stands for a missing cell.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, TimeUnit};
use serde_json::Value;

use super::cells::{Cells, Fill};
use super::{Packing, VariableSchema};
use crate::source::cf::Packed;

/// What kind of cells a variable has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    Boolean,
    Integer,
    Float,
    Text,
    /// `Int64` ticks since 1970-01-01, nanoseconds a tick.
    Time {
        tick_ns: i64,
    },
    /// `Int64` ticks.
    Duration {
        unit: &'static str,
        numpy: &'static str,
    },
}

/// How the cells of a variable are stored.
#[derive(Debug, Clone)]
pub(super) struct Encoding {
    pub(super) kind: CellKind,
    /// The stored type's name in version 3 of the format.
    pub(super) name_v3: &'static str,
    /// And in version 2.
    pub(super) name_v2: &'static str,
    /// Bytes of a cell; 1 for texts, whose width varies.
    pub(super) width: usize,
    /// What stands for a missing cell, where there can be one.
    pub(super) missing: Option<Fill>,
    /// The Arrow type that the values are brought to first.
    carrier: DataType,
    packing: Option<Packing>,
}

impl Encoding {
    /// How a variable is stored; an Arrow type that has no stored counterpart is refused by its name.
    pub(super) fn of(variable: &VariableSchema) -> Result<Self, String> {
        let packing = variable.packing.clone().filter(|_| variable.data_type == DataType::Float64);
        let (kind, name_v3, name_v2, carrier) = match &packing {
            None => stored_type(variable)?,
            Some(packing) => {
                let stored = VariableSchema { data_type: packing.stored.clone(), ..variable.clone() };
                match stored_type(&stored)? {
                    found @ (CellKind::Integer | CellKind::Float, ..) => found,
                    _ => return Err(format!("expected values packed into numbers, found {}", packing.stored)),
                }
            }
        };
        let width = carrier.primitive_width().unwrap_or(1);
        let mut encoding = Self { kind, name_v3, name_v2, width, missing: None, carrier, packing };
        let own = variable.attributes.get("_FillValue").or(variable.attributes.get("missing_value"));
        encoding.missing = match kind {
            CellKind::Float => Some(Fill::Fixed(own.and_then(|value| float(value, width)).unwrap_or(nan(width)))),
            CellKind::Time { .. } | CellKind::Duration { .. } => Some(Fill::Fixed(i64::MIN.to_le_bytes().to_vec())),
            CellKind::Integer => own.map(|value| encoding.integer(value)).transpose()?,
            CellKind::Text => own.and_then(Value::as_str).map(|text| Fill::Text(text.to_string())),
            CellKind::Boolean => None,
        };
        Ok(encoding)
    }

    /// From now on the times are stored as floats.
    pub(super) fn hold_floats(&mut self) {
        (self.name_v3, self.name_v2, self.missing) = ("float64", "<f8", Some(Fill::Fixed(nan(8))));
    }

    /// What cells outside the array's shape hold.
    pub(super) fn padding(&self) -> Fill {
        match (&self.missing, self.kind) {
            (Some(missing), _) => missing.clone(),
            (None, CellKind::Text) => Fill::Text(String::new()),
            (None, _) => Fill::Fixed(vec![0; self.width]),
        }
    }

    /// The stored cells of values, and whether one of them is missing.
    pub(super) fn encode(&self, values: &ArrayRef) -> Result<(Cells, bool), String> {
        let packed;
        let values = match &self.packing {
            None => values,
            Some(packing) => {
                packed = packed_values(values, packing)?;
                &packed
            }
        };
        let cast_values;
        let values = if values.data_type() == &self.carrier {
            values
        } else {
            cast_values = cast(values, &self.carrier).map_err(|e| e.to_string())?;
            &cast_values
        };
        let cells = match self.kind {
            CellKind::Text => self.texts(values)?,
            CellKind::Boolean => Cells::Fixed { width: 1, bytes: booleans(values.as_boolean()) },
            _ => Cells::Fixed { width: self.width, bytes: fixed(values, self.width)? },
        };
        self.mark_missing(cells, values)
    }

    fn texts(&self, values: &ArrayRef) -> Result<Cells, String> {
        let text = |value: Option<&str>| value.unwrap_or_default().to_string();
        Ok(Cells::Text(values.as_string::<i32>().iter().map(text).collect()))
    }

    /// Puts what stands for a missing cell where the nulls are; a value that would be taken for one is an error.
    fn mark_missing(&self, mut cells: Cells, values: &ArrayRef) -> Result<(Cells, bool), String> {
        let nulls = values.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let Some(missing) = &self.missing else {
            return match nulls {
                None => Ok((cells, false)),
                Some(nulls) => Err(format!(
                    "{} of its values are missing, and nothing stands for a missing {}: expected an attribute _FillValue, \
                     or coalesce(…), or a cast to DOUBLE",
                    nulls.null_count(),
                    self.name_v3
                )),
            };
        };
        let valid = |place: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(place));
        let clash = match (&cells, missing) {
            // A NaN of the values is a missing cell already.
            (_, Fill::Fixed(missing)) if self.kind == CellKind::Float && *missing == nan(self.width) => false,
            (Cells::Fixed { width, bytes }, Fill::Fixed(missing)) => {
                bytes.chunks_exact(*width).enumerate().any(|(place, cell)| cell == &missing[..] && valid(place))
            }
            (Cells::Text(texts), Fill::Text(missing)) => {
                texts.iter().enumerate().any(|(place, text)| text == missing && valid(place))
            }
            _ => false,
        };
        if clash {
            return Err("one of its values is the one that stands for a missing cell (_FillValue)".to_string());
        }
        let Some(nulls) = nulls else { return Ok((cells, false)) };
        for place in (0..nulls.len()).filter(|&place| nulls.is_null(place)) {
            match (&mut cells, missing) {
                (Cells::Fixed { width, bytes }, Fill::Fixed(missing)) => {
                    bytes[place * *width..(place + 1) * *width].copy_from_slice(missing);
                }
                (Cells::Text(texts), Fill::Text(missing)) => texts[place].clone_from(missing),
                _ => {}
            }
        }
        Ok((cells, true))
    }

    /// The bytes of a `_FillValue` of an integer array.
    fn integer(&self, value: &Value) -> Result<Fill, String> {
        let number = match value {
            Value::Array(values) if values.len() == 1 => values.first().and_then(whole_number),
            value => whole_number(value),
        };
        let bits = 8 * self.width as u32;
        let range = if self.name_v3.starts_with('u') {
            0..=(1i128 << bits) - 1
        } else {
            -(1i128 << (bits - 1))..=(1i128 << (bits - 1)) - 1
        };
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Fill::Fixed(number.to_le_bytes()[..self.width].to_vec())),
            None => Err(format!("expected a _FillValue that is an {}, found {value}", self.name_v3)),
        }
    }
}

/// Values as the numbers that stand for them in the store; a NaN becomes a missing one.
fn packed_values(values: &ArrayRef, packing: &Packing) -> Result<ArrayRef, String> {
    let Some(numbers) = values.as_primitive_opt::<Float64Type>() else {
        return Err(format!("expected values of type Float64 to pack, found {}", values.data_type()));
    };
    let (scale, offset) = (packing.scale.unwrap_or(1.0), packing.offset.unwrap_or(0.0));
    let is_whole = packing.stored.is_integer();
    let stored = numbers.iter().map(|number| {
        let number = number.filter(|number| !number.is_nan())?;
        let stored = (number - offset) / scale;
        Some(if is_whole { stored.round() } else { stored })
    });
    let stored: ArrayRef = Arc::new(stored.collect::<Float64Array>());
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&stored, &packing.stored, &options)
        .map_err(|error| format!("a value does not fit what it is packed into (scale_factor {scale}): {error}"))
}

/// The bytes of a `_FillValue` of floats that is none of the NaNs.
fn float(value: &Value, width: usize) -> Option<Vec<u8>> {
    let value = if let Value::Array(values) = value { values.first()? } else { value };
    let number = match Packed::from_json(value)? {
        Packed::Int(number) => number as f64,
        Packed::Float(number) => number,
    };
    match width {
        _ if number.is_nan() => None,
        4 => Some((number as f32).to_le_bytes().to_vec()),
        8 => Some(number.to_le_bytes().to_vec()),
        _ => None,
    }
}

fn whole_number(value: &Value) -> Option<i128> {
    let whole = |number: &f64| number.fract() == 0.0 && number.abs() < 9e15;
    value
        .as_i64()
        .map(i128::from)
        .or(value.as_u64().map(i128::from))
        .or_else(|| value.as_f64().filter(whole).map(|number| number as i128))
}

/// The kind of cells, the two names of the stored type, and the Arrow type that has its bytes.
fn stored_type(variable: &VariableSchema) -> Result<(CellKind, &'static str, &'static str, DataType), String> {
    use CellKind::{Boolean, Duration, Float, Integer, Text, Time};
    let time = |tick_ns: i64| (Time { tick_ns }, "int64", "<i8");
    let (kind, v3, v2) = match &variable.data_type {
        DataType::Int64 if variable.calendar.is_some() => time(1_000),
        DataType::Boolean => (Boolean, "bool", "|b1"),
        DataType::Int8 => (Integer, "int8", "|i1"),
        DataType::Int16 => (Integer, "int16", "<i2"),
        DataType::Int32 => (Integer, "int32", "<i4"),
        DataType::Int64 => (Integer, "int64", "<i8"),
        DataType::UInt8 => (Integer, "uint8", "|u1"),
        DataType::UInt16 => (Integer, "uint16", "<u2"),
        DataType::UInt32 => (Integer, "uint32", "<u4"),
        DataType::UInt64 => (Integer, "uint64", "<u8"),
        DataType::Float16 => (Float, "float16", "<f2"),
        DataType::Float32 => (Float, "float32", "<f4"),
        DataType::Float64 => (Float, "float64", "<f8"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => (Text, "string", "|O"),
        DataType::Timestamp(unit, _) => time(tick_ns(unit)),
        DataType::Date32 => time(86_400_000_000_000),
        DataType::Date64 => time(1_000_000),
        DataType::Duration(unit) => {
            let (unit, numpy) = unit_names(unit);
            (Duration { unit, numpy }, "int64", "<i8")
        }
        other => return Err(format!("values of type {other} cannot be stored in a Zarr array")),
    };
    let carrier = match (kind, &variable.data_type) {
        (Text, _) => DataType::Utf8,
        // The days of a Date32 are 32 bits wide.
        (Time { .. } | Duration { .. }, _) => DataType::Int64,
        (_, data_type) => data_type.clone(),
    };
    Ok((kind, v3, v2, carrier))
}

fn tick_ns(unit: &TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

fn unit_names(unit: &TimeUnit) -> (&'static str, &'static str) {
    match unit {
        TimeUnit::Second => ("seconds", "timedelta64[s]"),
        TimeUnit::Millisecond => ("milliseconds", "timedelta64[ms]"),
        TimeUnit::Microsecond => ("microseconds", "timedelta64[us]"),
        TimeUnit::Nanosecond => ("nanoseconds", "timedelta64[ns]"),
    }
}

/// The quiet NaN that numpy has, of 2, 4 or 8 bytes.
pub(super) fn nan(width: usize) -> Vec<u8> {
    match width {
        2 => 0x7e00u16.to_le_bytes().to_vec(),
        4 => f32::NAN.to_le_bytes().to_vec(),
        _ => f64::NAN.to_le_bytes().to_vec(),
    }
}

fn booleans(values: &BooleanArray) -> Vec<u8> {
    values.values().iter().map(u8::from).collect()
}

/// The bytes of values of fixed width as they are in memory, which is little-endian wherever this runs.
fn fixed(values: &ArrayRef, width: usize) -> Result<Vec<u8>, String> {
    let data = values.to_data();
    let bytes = data.buffers().first().map_or(&[][..], |buffer| buffer.as_slice());
    let (start, end) = (data.offset() * width, (data.offset() + data.len()) * width);
    bytes.get(start..end).map(<[u8]>::to_vec).ok_or_else(|| "its values are cut short".to_string())
}
