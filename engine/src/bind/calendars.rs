//! Times of different calendars are not compared: the same number is another day in each.

use arrow::datatypes::{DataType, Field};
use datafusion::common::plan_err;
use datafusion::error::Result;

use crate::source::calendar::Calendar;

/// Refuses to compare two columns, or to make one of them, whose times are of different calendars.
pub(super) fn check_calendars(left: &Field, right: &Field) -> Result<()> {
    let (Some(of_left), Some(of_right)) = (calendar_name(left), calendar_name(right)) else { return Ok(()) };
    let calendar = |name: &str| Calendar::from_name(name);
    if of_left == of_right || calendar(of_left) == calendar(of_right) {
        return Ok(());
    }
    plan_err!(
        "`{}` has times of the calendar {of_left} and `{}` of {of_right}: their days are not the same",
        left.name(),
        right.name()
    )
}

/// The calendar of a column of times. Timestamps are Gregorian, whatever they were made of.
fn calendar_name(field: &Field) -> Option<&str> {
    match field.data_type() {
        DataType::Timestamp(..) => Some("proleptic_gregorian"),
        _ => field.metadata().get("calendar").map(String::as_str),
    }
}
