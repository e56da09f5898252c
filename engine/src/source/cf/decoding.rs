//! From stored values to decoded ones.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Float64Array, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::*;
use serde_json::{Map, Value};

use super::masks::{self, FromPacked, Packed};
use super::time::TimeUnits;

/// Which rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether the CF conventions are applied at all.
    pub decode_cf: bool,
    /// Whether a missing float is a NaN in the values. Otherwise NaNs are values, and missing floats are nulls.
    pub nan_as_null: bool,
}

/// How the values of one variable are decoded.
#[derive(Debug, Clone)]
pub struct Decoding {
    stored: DataType,
    data_type: DataType,
    nan_is_missing: bool,
    masks: Vec<Packed>,
    meaning: Meaning,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Meaning {
    /// What is stored, but for the missing values.
    Same,
    /// Stored times the first plus the second.
    Scaled(f64, f64),
    /// Times.
    Time(TimeUnits, Option<(f64, f64)>),
    /// Truths.
    Bool,
}

impl Decoding {
    /// The decoding of values stored as the Arrow type `stored`. `fill` is a missing value that the format itself
    /// names, beside the attributes `_FillValue` and `missing_value`.
    pub fn new(stored: &DataType, attributes: &Map<String, Value>, fill: Option<Packed>, rules: Rules) -> Self {
        if !rules.decode_cf || !stored.is_numeric() {
            let nan_is_missing = stored.is_floating() && rules.nan_as_null;
            return Self {
                stored: stored.clone(),
                data_type: stored.clone(),
                nan_is_missing,
                masks: Vec::new(),
                meaning: Meaning::Same,
            };
        }
        let mut masks = masks::of_attributes(attributes);
        masks.extend(fill);
        let unpacked = match attributes.get("_Unsigned").and_then(Value::as_str) {
            Some("true") => other_sign(stored, true),
            Some("false") => other_sign(stored, false),
            _ => stored.clone(),
        };
        if unpacked != *stored {
            masks.iter_mut().for_each(|mask| *mask = same_bits(*mask, &unpacked));
        }
        let meaning = meaning(&unpacked, attributes);
        let data_type = match meaning {
            Meaning::Same => unpacked.clone(),
            Meaning::Scaled(..) => DataType::Float64,
            Meaning::Time(units, _) if units.calendar.is_timestamp() => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            Meaning::Time(..) => DataType::Int64,
            Meaning::Bool => DataType::Boolean,
        };
        let nan_is_missing = data_type.is_floating() && rules.nan_as_null;
        Self { stored: unpacked, data_type, nan_is_missing, masks, meaning }
    }

    /// The Arrow type of the decoded values.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Whether missing values are NaNs among the decoded ones, which then have no validity.
    pub fn nan_is_missing(&self) -> bool {
        self.nan_is_missing
    }

    /// The calendar of times that are no timestamps.
    pub fn calendar(&self) -> Option<&'static str> {
        match self.meaning {
            Meaning::Time(units, _) if !units.calendar.is_timestamp() => Some(units.calendar.name()),
            _ => None,
        }
    }

    /// The decoded values of stored ones, which are of the stored type.
    pub fn decode(&self, stored: ArrayRef) -> Result<ArrayRef, String> {
        if self.meaning == Meaning::Same && self.masks.is_empty() && *stored.data_type() == self.stored {
            return Ok(stored);
        }
        match &self.stored {
            DataType::Int8 => self.decode_as::<Int8Type>(&stored),
            DataType::Int16 => self.decode_as::<Int16Type>(&stored),
            DataType::Int32 => self.decode_as::<Int32Type>(&stored),
            DataType::Int64 => self.decode_as::<Int64Type>(&stored),
            DataType::UInt8 => self.decode_as::<UInt8Type>(&stored),
            DataType::UInt16 => self.decode_as::<UInt16Type>(&stored),
            DataType::UInt32 => self.decode_as::<UInt32Type>(&stored),
            DataType::UInt64 => self.decode_as::<UInt64Type>(&stored),
            DataType::Float32 => self.decode_as::<Float32Type>(&stored),
            DataType::Float64 => self.decode_as::<Float64Type>(&stored),
            _ => Ok(stored),
        }
    }

    fn decode_as<T: FromPacked>(&self, stored: &ArrayRef) -> Result<ArrayRef, String>
    where
        T::Native: Number,
    {
        let values = typed::<T>(stored)?;
        let masks = masks::of_type::<T>(&self.masks);
        let nulls = masks::validity(&values, &masks);
        match self.meaning {
            Meaning::Same if nulls.is_none() => Ok(Arc::new(values)),
            Meaning::Same if self.nan_is_missing => Ok(Arc::new(missing_to_nan::<T>(&values, nulls.as_ref()))),
            Meaning::Same => Ok(Arc::new(PrimitiveArray::<T>::new(values.values().clone(), nulls))),
            Meaning::Scaled(scale, offset) => Ok(self.scaled(&values, nulls, scale, offset)),
            Meaning::Time(units, packing) => times(&values, nulls, units, packing),
            Meaning::Bool => {
                let zero = T::Native::default();
                let truths = BooleanBuffer::collect_bool(values.len(), |i| values.values()[i] != zero);
                Ok(Arc::new(BooleanArray::new(truths, nulls)))
            }
        }
    }

    fn scaled<T: ArrowPrimitiveType>(
        &self,
        values: &PrimitiveArray<T>,
        nulls: Option<NullBuffer>,
        scale: f64,
        offset: f64,
    ) -> ArrayRef
    where
        T::Native: Number,
    {
        let scaled = |value: &T::Native| value.to_float() * scale + offset;
        let numbers = Float64Array::from_iter_values(values.values().iter().map(scaled));
        match (&nulls, self.nan_is_missing) {
            (None, _) => Arc::new(numbers),
            (Some(_), true) => Arc::new(missing_to_nan::<Float64Type>(&numbers, nulls.as_ref())),
            (Some(_), false) => Arc::new(Float64Array::new(numbers.values().clone(), nulls)),
        }
    }
}

/// The type of the same size, with or without a sign.
fn other_sign(stored: &DataType, unsigned: bool) -> DataType {
    match (stored, unsigned) {
        (DataType::Int8, true) => DataType::UInt8,
        (DataType::Int16, true) => DataType::UInt16,
        (DataType::Int32, true) => DataType::UInt32,
        (DataType::Int64, true) => DataType::UInt64,
        (DataType::UInt8, false) => DataType::Int8,
        (DataType::UInt16, false) => DataType::Int16,
        (DataType::UInt32, false) => DataType::Int32,
        (DataType::UInt64, false) => DataType::Int64,
        (same, _) => same.clone(),
    }
}

/// A mask that was written with the other sign.
fn same_bits(mask: Packed, stored: &DataType) -> Packed {
    let (Packed::Int(value), Some(size)) = (mask, stored.primitive_width()) else { return mask };
    let range = 1i128 << (8 * size);
    match value {
        _ if stored.is_unsigned_integer() && value < 0 => Packed::Int(value + range),
        _ if stored.is_signed_integer() && value >= range / 2 => Packed::Int(value - range),
        _ => mask,
    }
}

fn meaning(stored: &DataType, attributes: &Map<String, Value>) -> Meaning {
    let text = |name: &str| attributes.get(name).and_then(Value::as_str);
    let number = |name: &str| attributes.get(name).and_then(first_number);
    let packing = match (number("scale_factor"), number("add_offset")) {
        (None, None) => None,
        (scale, offset) => Some((scale.unwrap_or(1.0), offset.unwrap_or(0.0))),
    };
    let units = text("units").and_then(|units| TimeUnits::parse(units, text("calendar").unwrap_or("standard")));
    match (units, packing) {
        (Some(units), packing) => Meaning::Time(units, packing),
        (None, Some((scale, offset))) => Meaning::Scaled(scale, offset),
        // xarray's mark of truths that it stored as bytes.
        _ if stored.is_integer() && text("dtype") == Some("bool") => Meaning::Bool,
        _ => Meaning::Same,
    }
}

/// A number, or the first of a list, as some writers put scalars.
fn first_number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_array()?.first()?.as_f64())
}

/// The values as another type of the same bits.
fn typed<T: ArrowPrimitiveType>(stored: &ArrayRef) -> Result<PrimitiveArray<T>, String> {
    if let Some(values) = stored.as_primitive_opt::<T>() {
        return Ok(values.clone());
    }
    let data = stored.to_data().into_builder().data_type(T::DATA_TYPE).build();
    data.map(PrimitiveArray::from).map_err(|error| error.to_string())
}

fn missing_to_nan<T: ArrowPrimitiveType>(values: &PrimitiveArray<T>, nulls: Option<&NullBuffer>) -> PrimitiveArray<T>
where
    T::Native: Number,
{
    let Some(nulls) = nulls else { return values.clone() };
    let cell = |(value, valid): (&T::Native, bool)| if valid { *value } else { T::Native::nan() };
    PrimitiveArray::from_iter_values(values.values().iter().zip(nulls.iter()).map(cell))
}

/// What numpy keeps a missing time as, and what xarray writes of it where there is no fill value.
const NOT_A_TIME: i64 = i64::MIN;

fn times<T: ArrowPrimitiveType>(
    values: &PrimitiveArray<T>,
    nulls: Option<NullBuffer>,
    units: TimeUnits,
    packing: Option<(f64, f64)>,
) -> Result<ArrayRef, String>
where
    T::Native: Number,
{
    let mut valid = Vec::with_capacity(values.len());
    let mut instants = Vec::with_capacity(values.len());
    for (cell, value) in values.values().iter().enumerate() {
        let is_a_time = !masks::is_nan::<T>(*value) && (packing.is_some() || value.to_whole() != Some(NOT_A_TIME));
        let is_valid = is_a_time && nulls.as_ref().is_none_or(|nulls| nulls.is_valid(cell));
        let instant = match (packing, value.to_whole()) {
            _ if !is_valid => Some(0),
            (Some((scale, offset)), _) => units.instant_of_float(value.to_float() * scale + offset),
            (None, Some(count)) => units.instant_of_int(count),
            (None, None) => units.instant_of_float(value.to_float()),
        };
        instants.push(instant.ok_or_else(|| format!("the time {value:?} does not fit in 64 bits of microseconds"))?);
        valid.push(is_valid);
    }
    let nulls = Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0);
    Ok(match units.calendar.is_timestamp() {
        true => Arc::new(PrimitiveArray::<TimestampMicrosecondType>::new(instants.into(), nulls)),
        false => Arc::new(PrimitiveArray::<Int64Type>::new(instants.into(), nulls)),
    })
}

/// What decoding does with single numbers.
trait Number: Copy {
    fn to_float(self) -> f64;
    /// A whole number of 64 bits; floats are none.
    fn to_whole(self) -> Option<i64>;
    /// NaN; for integers, which have none, 0.
    fn nan() -> Self;
}

macro_rules! numbers {
    ($($native:ident: $int:expr, $nan:expr;)*) => {$(
        impl Number for $native {
            fn to_float(self) -> f64 {
                self as f64
            }
            fn to_whole(self) -> Option<i64> {
                let whole: fn($native) -> Option<i64> = $int;
                whole(self)
            }
            fn nan() -> Self {
                $nan
            }
        }
    )*};
}
numbers! {
    i8: |value| Some(i64::from(value)), 0;
    i16: |value| Some(i64::from(value)), 0;
    i32: |value| Some(i64::from(value)), 0;
    i64: Some, 0;
    u8: |value| Some(i64::from(value)), 0;
    u16: |value| Some(i64::from(value)), 0;
    u32: |value| Some(i64::from(value)), 0;
    u64: |value| i64::try_from(value).ok(), 0;
    f32: |_| None, f32::NAN;
    f64: |_| None, f64::NAN;
}
