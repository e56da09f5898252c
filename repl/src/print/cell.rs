//! Single values as text: the same for CSV and for tables.

use arrow::array::{Array, ArrayRef, AsArray, downcast_dictionary_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::*;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::WriteError;
use super::time::{write_date, write_timestamp};

/// The cells of one column of a batch, as text.
pub(crate) struct Cells<'a> {
    nulls: Option<NullBuffer>,
    text: Box<dyn CellText + 'a>,
}

/// Appends the text of a value that is not missing.
trait CellText {
    fn write(&self, row: usize, out: &mut Vec<u8>);
}

impl<'a> Cells<'a> {
    /// The cells of a column.
    pub(crate) fn new(array: &'a dyn Array) -> Result<Self, WriteError> {
        Ok(Self { nulls: array.logical_nulls(), text: cell_text(array)? })
    }

    /// Appends the value at `row`, or answers that it is missing.
    pub(crate) fn write(&self, row: usize, out: &mut Vec<u8>) -> bool {
        let is_present = self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        if is_present {
            self.text.write(row, out);
        }
        is_present
    }
}

/// Whether values of a type stand at the right of their column.
pub(crate) fn is_numeric(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_numeric(value),
        other => other.is_numeric(),
    }
}

/// Whether the text of a type's values can hold commas, quotes or line ends.
pub(crate) fn is_free_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_free_text(value),
        DataType::Boolean | DataType::Null => false,
        other => !(other.is_numeric() || other.is_temporal()) || matches!(other, DataType::Interval(_)),
    }
}

macro_rules! integers {
    ($array:expr, $type:ty) => {{
        let values: &[<$type as ArrowPrimitiveType>::Native] = $array.as_primitive::<$type>().values();
        Box::new(move |row: usize, out: &mut Vec<u8>| {
            out.extend_from_slice(itoa::Buffer::new().format(values[row]).as_bytes());
        })
    }};
}

macro_rules! floats {
    ($array:expr, $type:ty) => {{
        let values: &[<$type as ArrowPrimitiveType>::Native] = $array.as_primitive::<$type>().values();
        Box::new(move |row: usize, out: &mut Vec<u8>| {
            out.extend_from_slice(zmij::Buffer::new().format(values[row]).as_bytes());
        })
    }};
}

macro_rules! texts {
    ($array:expr) => {{
        let values = $array;
        Box::new(move |row: usize, out: &mut Vec<u8>| out.extend_from_slice(values.value(row).as_bytes()))
    }};
}

fn cell_text<'a>(array: &'a dyn Array) -> Result<Box<dyn CellText + 'a>, WriteError> {
    Ok(match array.data_type() {
        DataType::Int8 => integers!(array, Int8Type),
        DataType::Int16 => integers!(array, Int16Type),
        DataType::Int32 => integers!(array, Int32Type),
        DataType::Int64 => integers!(array, Int64Type),
        DataType::UInt8 => integers!(array, UInt8Type),
        DataType::UInt16 => integers!(array, UInt16Type),
        DataType::UInt32 => integers!(array, UInt32Type),
        DataType::UInt64 => integers!(array, UInt64Type),
        DataType::Float32 => floats!(array, Float32Type),
        DataType::Float64 => floats!(array, Float64Type),
        DataType::Utf8 => texts!(array.as_string::<i32>()),
        DataType::LargeUtf8 => texts!(array.as_string::<i64>()),
        DataType::Utf8View => texts!(array.as_string_view()),
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>().values();
            Box::new(move |row: usize, out: &mut Vec<u8>| write_date(i64::from(values[row]), out))
        }
        DataType::Timestamp(unit, None) => timestamps(array, *unit),
        DataType::Dictionary(_, _) => dictionary(array)?,
        _ => Box::new(Formatted::new(array)?),
    })
}

fn timestamps<'a>(array: &'a dyn Array, unit: TimeUnit) -> Box<dyn CellText + 'a> {
    let values: &[i64] = match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
    };
    Box::new(move |row: usize, out: &mut Vec<u8>| write_timestamp(values[row], unit, out))
}

impl<F: Fn(usize, &mut Vec<u8>)> CellText for F {
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        self(row, out);
    }
}

/// Labels of a dimension: their text is made once a batch, not once a cell.
struct Labels {
    keys: Vec<usize>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

fn dictionary<'a>(array: &'a dyn Array) -> Result<Box<dyn CellText + 'a>, WriteError> {
    let (keys, values): (Vec<usize>, &ArrayRef) = downcast_dictionary_array!(
        array => (array.keys_iter().map(Option::unwrap_or_default).collect(), array.values()),
        _ => return Ok(Box::new(Formatted::new(array)?)),
    );
    // A slice of a batch may refer to a long list of labels: then only the labels it uses are worth the work.
    if values.len() > keys.len() {
        let inner = OwnedValues { keys, values };
        return inner.boxed();
    }
    let cells = Cells::new(values.as_ref())?;
    let mut labels = Labels { keys, text: Vec::new(), ends: Vec::with_capacity(values.len()) };
    for row in 0..values.len() {
        cells.write(row, &mut labels.text);
        labels.ends.push(labels.text.len());
    }
    Ok(Box::new(labels))
}

impl CellText for Labels {
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        let key = self.keys[row];
        let start = key.checked_sub(1).map_or(0, |previous| self.ends[previous]);
        out.extend_from_slice(&self.text[start..self.ends[key]]);
    }
}

/// A dictionary column whose labels are formatted as they come.
struct OwnedValues<'a> {
    keys: Vec<usize>,
    values: &'a ArrayRef,
}

impl<'a> OwnedValues<'a> {
    fn boxed(self) -> Result<Box<dyn CellText + 'a>, WriteError> {
        let cells = cell_text(self.values.as_ref())?;
        let keys = self.keys;
        Ok(Box::new(move |row: usize, out: &mut Vec<u8>| cells.write(keys[row], out)))
    }
}

/// Everything else, by Arrow's own formatter.
struct Formatted<'a>(ArrayFormatter<'a>);

impl<'a> Formatted<'a> {
    fn new(array: &'a dyn Array) -> Result<Self, WriteError> {
        static OPTIONS: FormatOptions<'static> = FormatOptions::new().with_display_error(true);
        let formatter =
            ArrayFormatter::try_new(array, &OPTIONS).map_err(|error| WriteError::of_arrow("text", error))?;
        Ok(Self(formatter))
    }
}

impl CellText for Formatted<'_> {
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        use std::io::Write;
        // Writing to memory cannot fail.
        let _ = write!(out, "{}", self.0.value(row));
    }
}
