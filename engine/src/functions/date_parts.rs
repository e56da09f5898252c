//! `year(time)`, `month(time)`, `dayofyear(time)` … in every calendar.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use crate::source::calendar::{Calendar, CalendarDate};

/// A part of a date: its names, and how it is computed.
#[derive(Debug)]
pub struct Part {
    name: &'static str,
    aliases: &'static [&'static str],
    of: fn(&Calendar, i64, &CalendarDate) -> i32,
}

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Every part there is a function for.
pub const PARTS: &[Part] = &[
    Part { name: "year", aliases: &[], of: |_, _, date| date.year },
    Part { name: "quarter", aliases: &[], of: |_, _, date| (date.month as i32 - 1) / 3 + 1 },
    Part { name: "month", aliases: &[], of: |_, _, date| date.month as i32 },
    Part { name: "day", aliases: &["dayofmonth"], of: |_, _, date| date.day as i32 },
    Part { name: "hour", aliases: &[], of: |_, _, date| date.hour as i32 },
    Part { name: "minute", aliases: &[], of: |_, _, date| date.minute as i32 },
    Part { name: "second", aliases: &[], of: |_, _, date| date.second as i32 },
    // Sunday is 0, as in DuckDB and PostgreSQL; 1970-01-01 was a Thursday.
    Part { name: "dayofweek", aliases: &["dow"], of: |_, micros, _| (micros.div_euclid(DAY) + 4).rem_euclid(7) as i32 },
    Part { name: "dayofyear", aliases: &["doy"], of: |calendar, micros, _| calendar.day_of_year(micros) as i32 },
];

/// The function of one part.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DatePart {
    name: &'static str,
    aliases: Vec<String>,
    signature: Signature,
}

impl DatePart {
    /// The function of a part.
    pub fn new(part: &Part) -> Self {
        Self {
            name: part.name,
            aliases: part.aliases.iter().map(ToString::to_string).collect(),
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for DatePart {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Int64 | DataType::Null] => {
                Ok(DataType::Int32)
            }
            [DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8] => Ok(DataType::Int32),
            other => plan_err!("{} takes a date or a time, found {other:?}", self.name),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(part) = PARTS.iter().find(|part| part.name == self.name) else {
            return exec_err!("no part of a date is called {}", self.name);
        };
        let calendar = calendar_of(arguments.arg_fields[0].metadata())?;
        let is_scalar = matches!(arguments.args[0], ColumnarValue::Scalar(_));
        let values = arguments.args[0].to_array(arguments.number_rows)?;
        let micros = micros_of(&values)?;
        let value = |index: usize| {
            micros.is_valid(index).then(|| {
                let at = micros.as_primitive::<Int64Type>().value(index);
                (part.of)(&calendar, at, &calendar.date_of(at))
            })
        };
        let parts: ArrayRef = Arc::new((0..micros.len()).map(value).collect::<Int32Array>());
        match is_scalar {
            true => Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&parts, 0)?)),
            false => Ok(ColumnarValue::Array(parts)),
        }
    }
}

/// The calendar that a field's metadata names.
pub fn calendar_of(metadata: &std::collections::HashMap<String, String>) -> Result<Calendar> {
    match metadata.get("calendar") {
        None => Ok(Calendar::ProlepticGregorian),
        Some(name) => match Calendar::from_name(name) {
            Some(calendar) => Ok(calendar),
            None => exec_err!("unknown calendar {name}"),
        },
    }
}

/// Instants as whole microseconds since 1970-01-01.
pub fn micros_of(values: &ArrayRef) -> Result<ArrayRef> {
    if values.data_type() == &DataType::Int64 {
        return Ok(Arc::clone(values));
    }
    let times = cast(values, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
    Ok(Arc::new(times.as_primitive::<TimestampMicrosecondType>().reinterpret_cast::<Int64Type>()))
}
