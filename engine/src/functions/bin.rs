//! `bin(x, w)`: the start of the half-open interval `[k·w, (k+1)·w)` that holds `x`.
//!
//! Numbers are binned from 0. Times are binned by a step such as `'1 month'`: months and years from the start of the
//! year 0, weeks from a Monday, everything shorter from 1970-01-01.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::date_parts::{calendar_of, micros_of};
use crate::source::calendar::{Calendar, CalendarDate};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Bin {
    signature: Signature,
}

impl Default for Bin {
    fn default() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

/// The length of a bin of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Calendar months.
    Months(i64),
    /// Microseconds, counted from an origin.
    Micros {
        /// The length of a bin.
        length: i64,
        /// Where a bin starts, in microseconds since 1970-01-01.
        origin: i64,
    },
}

impl ScalarUDFImpl for Bin {
    fn name(&self) -> &str {
        "bin"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        datafusion::common::internal_err!("bin tells its type by fields")
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        let field = &arguments.arg_fields[0];
        let is_text =
            matches!(arguments.arg_fields[1].data_type(), DataType::Utf8 | DataType::Utf8View | DataType::Interval(_));
        let has_calendar = field.metadata().contains_key("calendar");
        let data_type = match field.data_type() {
            DataType::Timestamp(unit, _) => DataType::Timestamp(*unit, None),
            DataType::Date32 | DataType::Date64 => DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Int64 if has_calendar => DataType::Int64,
            other if is_text => {
                let name = field.name();
                return plan_err!(
                    "bin of `{name}`, which is {other}, takes a number as its width, found a step of time"
                );
            }
            other if other.is_integer() && arguments.arg_fields[1].data_type().is_integer() => DataType::Int64,
            other if other.is_numeric() => DataType::Float64,
            other => return plan_err!("bin takes a number or a time, found {other}"),
        };
        if matches!(data_type, DataType::Timestamp(..)) && !is_text {
            return plan_err!(
                "bin of a time takes a step such as '1 month', found {}",
                arguments.arg_fields[1].data_type()
            );
        }
        let mut metadata = field.metadata().clone();
        metadata.retain(|key, _| key == "calendar" || key == "units");
        Ok(Arc::new(Field::new("bin", data_type, true).with_metadata(metadata)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(width) = &arguments.args[1] else {
            return exec_err!("the width of bin must be a constant");
        };
        let is_scalar = matches!(arguments.args[0], ColumnarValue::Scalar(_));
        let values = arguments.args[0].to_array(arguments.number_rows)?;
        let binned = match step_of(width)? {
            Some(step) => bin_times(&values, step, &calendar_of(arguments.arg_fields[0].metadata())?)?,
            None => bin_numbers(&values, width)?,
        };
        let binned = cast(&binned, arguments.return_field.data_type())?;
        match is_scalar {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&binned, 0)?)),
            false => Ok(ColumnarValue::Array(binned)),
        }
    }
}

/// The step that a constant tells, or `None` when it is a number.
pub fn step_of(width: &ScalarValue) -> Result<Option<Step>> {
    match width {
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) | ScalarValue::LargeUtf8(Some(text)) => {
            parse_step(text).map(Some)
        }
        ScalarValue::IntervalMonthDayNano(Some(interval)) => {
            let micros = i64::from(interval.days) * DAY + interval.nanoseconds / 1000;
            match (interval.months, micros) {
                (0, length) if length > 0 => Ok(Some(Step::Micros { length, origin: 0 })),
                (months, 0) if months > 0 => Ok(Some(Step::Months(i64::from(months)))),
                _ => exec_err!("bin takes months or shorter units, not both, found {width}"),
            }
        }
        _ => Ok(None),
    }
}

/// Reads a step such as `1 month`, `5 days`, `12 hours`.
pub fn parse_step(text: &str) -> Result<Step> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let count: i64 = if number.is_empty() { 1 } else { number.parse().unwrap_or(0) };
    let unit = unit.trim().to_ascii_lowercase();
    let unit = unit.strip_suffix('s').unwrap_or(&unit);
    let fixed = |length: i64, origin: i64| match count.checked_mul(length) {
        Some(length) => Ok(Step::Micros { length, origin }),
        None => exec_err!("the step '{text}' is too long"),
    };
    if count < 1 {
        return exec_err!("expected a step such as '1 month', found '{text}'");
    }
    match unit {
        "year" => Ok(Step::Months(count.saturating_mul(12))),
        "quarter" => Ok(Step::Months(count.saturating_mul(3))),
        "month" => Ok(Step::Months(count)),
        // 1970-01-05 was a Monday.
        "week" => fixed(7 * DAY, 4 * DAY),
        "day" => fixed(DAY, 0),
        "hour" => fixed(DAY / 24, 0),
        "minute" | "min" => fixed(60_000_000, 0),
        "second" | "sec" => fixed(1_000_000, 0),
        "millisecond" => fixed(1000, 0),
        _ => exec_err!("expected a step such as '1 month' or '5 days', found '{text}'"),
    }
}

fn bin_times(values: &ArrayRef, step: Step, calendar: &Calendar) -> Result<ArrayRef> {
    let micros = micros_of(values)?;
    let micros = micros.as_primitive::<Int64Type>();
    let starts: Int64Array = micros.iter().map(|at| at.and_then(|at| start_of(at, step, calendar))).collect();
    match values.data_type() {
        DataType::Int64 => Ok(Arc::new(starts)),
        _ => Ok(Arc::new(starts.reinterpret_cast::<TimestampMicrosecondType>())),
    }
}

/// The start of the bin that holds an instant.
pub fn start_of(at: i64, step: Step, calendar: &Calendar) -> Option<i64> {
    match step {
        Step::Micros { length, origin } => {
            Some((at.checked_sub(origin)?).div_euclid(length).checked_mul(length)?.saturating_add(origin))
        }
        Step::Months(count) => month_start(months_of(at, calendar).div_euclid(count).checked_mul(count)?, calendar),
    }
}

/// The start of the bin after the one that starts at `start`.
pub fn next_start(start: i64, step: Step, calendar: &Calendar) -> Option<i64> {
    match step {
        Step::Micros { length, .. } => start.checked_add(length),
        Step::Months(count) => month_start(months_of(start, calendar).checked_add(count)?, calendar),
    }
}

/// The months from the start of the year 0 to an instant.
fn months_of(at: i64, calendar: &Calendar) -> i64 {
    let date = calendar.date_of(at);
    i64::from(date.year) * 12 + i64::from(date.month) - 1
}

fn month_start(months: i64, calendar: &Calendar) -> Option<i64> {
    calendar.micros_of(CalendarDate {
        year: i32::try_from(months.div_euclid(12)).ok()?,
        month: (months.rem_euclid(12) + 1) as u32,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        microsecond: 0,
    })
}

fn bin_numbers(values: &ArrayRef, width: &ScalarValue) -> Result<ArrayRef> {
    if values.data_type().is_integer() && width.data_type().is_integer() {
        let numbers = cast(values, &DataType::Int64)?;
        let ScalarValue::Int64(Some(width)) = width.cast_to(&DataType::Int64)? else {
            return exec_err!("the width of bin is missing");
        };
        if width < 1 {
            return exec_err!("the width of bin must be positive, found {width}");
        }
        let binned: Int64Array = numbers.as_primitive::<Int64Type>().unary(|value| value.div_euclid(width) * width);
        return Ok(Arc::new(binned));
    }
    let numbers = cast(values, &DataType::Float64)?;
    match width.cast_to(&DataType::Float64)? {
        ScalarValue::Float64(Some(width)) if width > 0.0 => {
            let binned: Float64Array =
                numbers.as_primitive::<Float64Type>().unary(|value| (value / width).floor() * width);
            Ok(Arc::new(binned))
        }
        other => exec_err!("the width of bin must be positive, found {other}"),
    }
}
