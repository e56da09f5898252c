//! Labels → positions along an axis.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::error::Error;
use crate::labelled::{arrow_error, numbers};
use crate::outcome::{Axis, AxisLabels};
use crate::source::calendar::{Calendar, MICROS_PER_DAY};

/// The axis of a dimension or a column.
pub(super) fn axis_of(name: &str, labels: &ArrayRef, metadata: &HashMap<String, String>) -> Result<Axis, Error> {
    let calendar = metadata.get("calendar").and_then(|name| Calendar::from_name(name));
    let positions = match (labels.data_type(), calendar) {
        (DataType::Int64, Some(calendar)) => AxisLabels::Texts(dates(labels, calendar)),
        (data_type, _) if is_time(data_type) && labels.null_count() == 0 => {
            let micros = cast(labels, &DataType::Timestamp(TimeUnit::Microsecond, None)).map_err(arrow_error)?;
            AxisLabels::Times(micros.as_primitive::<TimestampMicrosecondType>().values().to_vec())
        }
        (data_type, _) if data_type.is_numeric() => AxisLabels::Numbers(numbers(labels).unwrap_or_default()),
        _ => AxisLabels::Texts(texts(labels)?),
    };
    Ok(Axis { label: with_units(name, metadata), labels: positions })
}

/// A name and the units in brackets: `y [m]`.
pub(super) fn with_units(name: &str, metadata: &HashMap<String, String>) -> String {
    match metadata.get("units").filter(|units| !units.is_empty() && !metadata.contains_key("calendar")) {
        Some(units) => format!("{name} [{units}]"),
        None => name.to_string(),
    }
}

/// Whether values of a type are instants.
pub(super) fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}

/// Instants of a calendar as dates, with the time of day where one of them has any.
fn dates(labels: &ArrayRef, calendar: Calendar) -> Vec<String> {
    let labels = labels.as_primitive::<Int64Type>();
    let whole_days = labels.iter().flatten().all(|micros| micros.rem_euclid(MICROS_PER_DAY) == 0);
    let text = |micros: i64| {
        let date = calendar.date_of(micros);
        let day = format!("{:04}-{:02}-{:02}", date.year, date.month, date.day);
        if whole_days { day } else { format!("{day} {:02}:{:02}", date.hour, date.minute) }
    };
    labels.iter().map(|micros| micros.map(text).unwrap_or_default()).collect()
}

fn texts(labels: &ArrayRef) -> Result<Vec<String>, Error> {
    let formatter = ArrayFormatter::try_new(labels.as_ref(), &FormatOptions::default()).map_err(arrow_error)?;
    Ok((0..labels.len()).map(|place| formatter.value(place).to_string()).collect())
}
