//! The data types of Zarr arrays, and the Arrow values of their cells as stored.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float32Array, PrimitiveArray, StringArray, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};

use super::number::{F16, Number};
use crate::source::calendar::Calendar;

/// What one cell holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) enum StoredType {
    /// One byte, 0 or 1.
    Bool,
    /// A number.
    Number(Number),
    /// 64-bit ticks since 1970-01-01; the least one is no time.
    DateTime(Tick),
    /// 64-bit ticks; the least one is missing.
    TimeDelta,
    /// Text in that many bytes, zeros at the end cut off.
    FixedText(usize),
    /// Text in that many 32-bit characters, zeros at the end cut off.
    FixedUtf32(usize),
    /// Text of any length.
    Text,
    /// Bytes of any length.
    Binary,
}

/// How long a tick of numpy's times is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Tick {
    /// That many nanoseconds.
    Nanoseconds(i64),
    /// That many microseconds.
    Microseconds(i64),
    /// That many months.
    Months(i64),
}

impl Tick {
    /// From numpy's unit and how many of them make a tick; `None` for units finer than a nanosecond.
    pub fn new(unit: &str, count: i64) -> Option<Self> {
        let micros = match unit {
            "ns" => return Some(Self::Nanoseconds(count)),
            "Y" => return Some(Self::Months(count.checked_mul(12)?)),
            "M" => return Some(Self::Months(count)),
            "us" | "μs" | "µs" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            "D" => 86_400_000_000,
            "W" => 7 * 86_400_000_000,
            _ => return None,
        };
        count.checked_mul(micros).map(Self::Microseconds)
    }

    /// Microseconds (nanoseconds for ticks of those) since 1970-01-01.
    fn time_of(self, ticks: i64) -> Option<i64> {
        match self {
            Self::Nanoseconds(length) | Self::Microseconds(length) => ticks.checked_mul(length),
            Self::Months(length) => {
                let months = ticks.checked_mul(length)?;
                let year = i32::try_from(1970 + months.div_euclid(12)).ok()?;
                let days = Calendar::ProlepticGregorian.days_of(year, months.rem_euclid(12) as u32 + 1, 1)?;
                days.checked_mul(86_400_000_000)
            }
        }
    }
}

impl StoredType {
    /// Bytes of a cell, or `None` where cells have any length.
    pub fn size(&self) -> Option<usize> {
        match self {
            Self::Bool => Some(1),
            Self::Number(number) => Some(number.size()),
            Self::DateTime(_) | Self::TimeDelta => Some(8),
            Self::FixedText(bytes) => Some(*bytes),
            Self::FixedUtf32(characters) => Some(4 * characters),
            Self::Text | Self::Binary => None,
        }
    }

    /// Bytes of what a byte order applies to.
    pub fn word_size(&self) -> usize {
        match self {
            Self::Number(number) => number.size(),
            Self::DateTime(_) | Self::TimeDelta => 8,
            Self::FixedUtf32(_) => 4,
            Self::Bool | Self::FixedText(_) | Self::Text | Self::Binary => 1,
        }
    }

    /// The Arrow type of the cells as stored.
    pub fn arrow(&self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Number(number) => number.arrow(),
            Self::DateTime(Tick::Nanoseconds(_)) => DataType::Timestamp(TimeUnit::Nanosecond, None),
            Self::DateTime(_) => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimeDelta => DataType::Int64,
            Self::FixedText(_) | Self::FixedUtf32(_) | Self::Text => DataType::Utf8,
            Self::Binary => DataType::Binary,
        }
    }

    /// The Arrow array of cells in native bytes; the buffer is kept, not copied, where the layout allows.
    pub fn array_of(&self, bytes: Buffer, cells: usize) -> Result<ArrayRef, String> {
        let expected = self.size().and_then(|size| size.checked_mul(cells));
        if expected != Some(bytes.len()) {
            return Err(format!("{} bytes were decoded, expected {expected:?} for {cells} cells", bytes.len()));
        }
        Ok(match self {
            Self::Bool => Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(cells, |i| bytes[i] != 0), None)),
            Self::Number(Number::Float16) => {
                let halves = bytes.as_chunks::<2>().0.iter().map(|&half| F16::from_ne_bytes(half).to_f32());
                Arc::new(Float32Array::from_iter_values(halves))
            }
            Self::Number(number) => number_array(*number, bytes, cells)?,
            Self::TimeDelta => {
                let ticks = aligned::<Int64Type>(bytes, cells);
                let nulls = not_a_time(&ticks);
                Arc::new(PrimitiveArray::<Int64Type>::new(ticks, nulls))
            }
            Self::DateTime(tick @ Tick::Nanoseconds(_)) => times::<TimestampNanosecondType>(bytes, cells, *tick)?,
            Self::DateTime(tick) => times::<TimestampMicrosecondType>(bytes, cells, *tick)?,
            Self::FixedText(size) => fixed_texts(&bytes, *size, cells, |text| {
                std::str::from_utf8(text).map(String::from).map_err(|_| format!("{text:?} is not UTF-8"))
            })?,
            Self::FixedUtf32(characters) => fixed_texts(&bytes, 4 * characters, cells, utf32_text)?,
            Self::Text | Self::Binary => return Err("cells of any length are no plain bytes".to_string()),
        })
    }
}

fn number_array(number: Number, bytes: Buffer, cells: usize) -> Result<ArrayRef, String> {
    let bytes = align(bytes, number.size());
    let data = arrow::array::ArrayData::builder(number.arrow()).len(cells).add_buffer(bytes).build();
    data.map(make_array).map_err(|error| error.to_string())
}

/// The buffer, copied only where it does not stand at a multiple of `size`.
fn align(bytes: Buffer, size: usize) -> Buffer {
    match (bytes.as_ptr() as usize).is_multiple_of(size.max(1)) {
        true => bytes,
        false => Buffer::from_slice_ref(bytes.as_slice()),
    }
}

fn aligned<T: ArrowPrimitiveType>(bytes: Buffer, cells: usize) -> ScalarBuffer<T::Native> {
    ScalarBuffer::new(align(bytes, size_of::<T::Native>()), 0, cells)
}

/// Nulls where numpy says "not a time".
fn not_a_time(ticks: &[i64]) -> Option<NullBuffer> {
    let valid = BooleanBuffer::collect_bool(ticks.len(), |i| ticks[i] != i64::MIN);
    Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0)
}

fn times<T: ArrowPrimitiveType<Native = i64>>(bytes: Buffer, cells: usize, tick: Tick) -> Result<ArrayRef, String> {
    let ticks = aligned::<T>(bytes, cells);
    let nulls = not_a_time(&ticks);
    if matches!(tick, Tick::Nanoseconds(1) | Tick::Microseconds(1)) {
        return Ok(Arc::new(PrimitiveArray::<T>::new(ticks, nulls)));
    }
    let convert = |&ticks: &i64| match ticks {
        i64::MIN => Ok(i64::MIN),
        _ => tick.time_of(ticks).ok_or_else(|| format!("the time {ticks} ({tick:?}) does not fit in 64 bits")),
    };
    let times = ticks.iter().map(convert).collect::<Result<Vec<i64>, String>>()?;
    Ok(Arc::new(PrimitiveArray::<T>::new(times.into(), nulls)))
}

/// Texts of a fixed size; zeros at their ends are no part of them.
fn fixed_texts(
    bytes: &[u8],
    size: usize,
    cells: usize,
    text_of: impl Fn(&[u8]) -> Result<String, String>,
) -> Result<ArrayRef, String> {
    let mut texts = Vec::with_capacity(cells);
    for cell in 0..cells {
        texts.push(text_of(&bytes[cell * size..(cell + 1) * size])?);
        if let Some(text) = texts.last_mut() {
            text.truncate(text.trim_end_matches('\0').len());
        }
    }
    Ok(Arc::new(StringArray::from(texts)))
}

fn utf32_text(bytes: &[u8]) -> Result<String, String> {
    let character = |&word: &[u8; 4]| {
        let code = u32::from_ne_bytes(word);
        char::from_u32(code).ok_or_else(|| format!("{code:#x} is not a character"))
    };
    bytes.as_chunks::<4>().0.iter().map(character).collect()
}
