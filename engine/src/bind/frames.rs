//! The cells of a window along a dimension: so many cells from each cell, or an interval of labels from its label.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNano, IntervalUnit};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{Expr, Spanned};

use super::Binder;
use super::pipeline::Pipeline;
use super::selection::is_time;
use crate::error::Error;
use crate::functions::micros_of;
use crate::scan::Axis;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// How far from a cell a bound of its window lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offset {
    /// Cells: negative ones come before.
    Cells(i64),
    /// A length of time: a negative one lies before.
    Time(IntervalMonthDayNano),
}

/// The cells of a window; `None` is an open end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// Cells counted from the cell itself.
    Cells(Option<i64>, Option<i64>),
    /// Labels within a time of the cell's own, where steps differ.
    Labels(Option<Offset>, Option<Offset>),
}

impl Offset {
    /// The offset in the other direction.
    pub fn negated(self) -> Self {
        match self {
            Self::Cells(cells) => Self::Cells(cells.saturating_neg()),
            Self::Time(time) => Self::Time(IntervalMonthDayNano {
                months: time.months.saturating_neg(),
                days: time.days.saturating_neg(),
                nanoseconds: time.nanoseconds.saturating_neg(),
            }),
        }
    }
}

impl Frame {
    /// The frame as SQL says it, without what it is ordered by.
    pub fn sql(&self) -> String {
        let cells = |bound: &Option<i64>, open: &str| match bound {
            None => format!("UNBOUNDED {open}"),
            Some(0) => "CURRENT ROW".to_string(),
            Some(cells) if *cells < 0 => format!("{} PRECEDING", cells.unsigned_abs()),
            Some(cells) => format!("{cells} FOLLOWING"),
        };
        let labels = |bound: &Option<Offset>, open: &str| match bound {
            Some(Offset::Time(time)) => time_bound(*time),
            Some(Offset::Cells(count)) => cells(&Some(*count), open),
            None => cells(&None, open),
        };
        match self {
            Self::Cells(from, to) => {
                format!("ROWS BETWEEN {} AND {}", cells(from, "PRECEDING"), cells(to, "FOLLOWING"))
            }
            Self::Labels(from, to) => {
                format!("RANGE BETWEEN {} AND {}", labels(from, "PRECEDING"), labels(to, "FOLLOWING"))
            }
        }
    }

    /// The cells that a window holds where it does not leave the array: so many must be there, unless it is open or its
    /// cells cannot be counted.
    pub fn least(&self) -> i64 {
        match self {
            Self::Cells(Some(from), Some(to)) => to.saturating_sub(*from).saturating_add(1),
            _ => 1,
        }
    }
}

fn time_bound(time: IntervalMonthDayNano) -> String {
    let IntervalMonthDayNano { months, days, nanoseconds } = time;
    let is_before = months < 0 || days < 0 || nanoseconds < 0;
    let (months, days, nanoseconds) = (months.unsigned_abs(), days.unsigned_abs(), nanoseconds.unsigned_abs());
    let direction = if is_before { "PRECEDING" } else { "FOLLOWING" };
    format!("INTERVAL '{months} months {days} days {nanoseconds} nanoseconds' {direction}")
}

impl Binder<'_> {
    /// The offset that a constant tells; `None` for NULL.
    pub(super) fn offset_of(&self, expression: &Expr) -> Result<Option<Offset>, Error> {
        let value = self.constant(expression)?;
        let month_day_nano = DataType::Interval(IntervalUnit::MonthDayNano);
        match &value {
            value if value.is_null() => Ok(None),
            value if matches!(value.data_type(), DataType::Interval(_)) => match value.cast_to(&month_day_nano) {
                Ok(ScalarValue::IntervalMonthDayNano(Some(time))) if has_one_sign(time) => Ok(Some(Offset::Time(time))),
                _ => {
                    let message = format!("expected an interval in one direction, found {expression}");
                    Err(self.error_at(expression.span(), message))
                }
            },
            value => match (value.data_type().is_integer(), value.cast_to(&DataType::Int64)) {
                (true, Ok(ScalarValue::Int64(Some(cells)))) => Ok(Some(Offset::Cells(cells))),
                _ => {
                    let message = format!("expected a number of cells or an interval, found {value}");
                    Err(self.error_at(expression.span(), message))
                }
            },
        }
    }

    /// The frame between two offsets along a dimension. An interval is a number of cells where all steps between labels
    /// are the same.
    pub(super) fn frame(
        &self,
        pipeline: &Pipeline,
        axis: &Axis,
        (from, to): (Option<Offset>, Option<Offset>),
        place: &Expr,
    ) -> Result<Frame, Error> {
        let is_time_bound = |offset: &Option<Offset>| matches!(offset, Some(Offset::Time(_)));
        if !is_time_bound(&from) && !is_time_bound(&to) {
            let cells = |offset: Option<Offset>| match offset {
                Some(Offset::Cells(cells)) => Some(cells),
                _ => None,
            };
            return self.counted(pipeline, axis, (cells(from), cells(to)), place);
        }
        if !is_time(axis) {
            let message = format!("an interval goes with a dimension of times, and {} is none", axis.name);
            return Err(self.error_at(place.span(), message));
        }
        let step = if pipeline.is_filtered() { None } else { step_of_labels(axis)? };
        let as_cells = |offset: Option<Offset>, round_up: bool| match (offset, step) {
            (None, _) => Some(None),
            (Some(Offset::Cells(cells)), _) => Some(Some(cells)),
            (Some(Offset::Time(time)), Some(step)) => Some(Some(cells_of(time, step, round_up)?)),
            (Some(Offset::Time(_)), None) => None,
        };
        if let (Some(from), Some(to)) = (as_cells(from, true), as_cells(to, false)) {
            return self.counted(pipeline, axis, (from, to), place);
        }
        let is_mixed = [from, to].iter().any(|offset| matches!(offset, Some(Offset::Cells(cells)) if *cells != 0));
        if is_mixed || !matches!(axis.labels.data_type(), DataType::Timestamp(..)) {
            let message =
                format!("windows by such an interval along {}, whose steps differ, are not there yet", axis.name);
            return Err(self.error_at(place.span(), message));
        }
        Ok(Frame::Labels(from, to))
    }

    fn counted(
        &self,
        pipeline: &Pipeline,
        axis: &Axis,
        (from, to): (Option<i64>, Option<i64>),
        place: &Expr,
    ) -> Result<Frame, Error> {
        if matches!((from, to), (Some(from), Some(to)) if from > to) {
            return Err(self.error_at(place.span(), "a window ends where it begins or later: [time-6:time]"));
        }
        if [from, to].iter().any(|bound| bound.is_some_and(|cells| cells != 0)) {
            self.check_neighbours(pipeline, axis, place.span())?;
        }
        Ok(Frame::Cells(from, to))
    }
}

/// The time from each label to the next, in microseconds, where it is always the same.
fn step_of_labels(axis: &Axis) -> Result<Option<i64>, Error> {
    let micros = micros_of(&axis.selected_labels()?)?;
    let micros = micros.as_primitive::<Int64Type>().values();
    let mut steps = micros.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    let Some(step) = steps.next().filter(|&step| step > 0) else { return Ok(None) };
    Ok(steps.all(|other| other == step).then_some(step))
}

/// The cells that a time is, where they are `step` apart.
fn cells_of(time: IntervalMonthDayNano, step: i64, round_up: bool) -> Option<i64> {
    let micros = i64::from(time.days).checked_mul(DAY)?.checked_add(time.nanoseconds / 1000)?;
    let below = micros.div_euclid(step);
    (time.months == 0).then_some(below + i64::from(round_up && micros.rem_euclid(step) != 0))
}

fn has_one_sign(time: IntervalMonthDayNano) -> bool {
    let signs = [i64::from(time.months), i64::from(time.days), time.nanoseconds].map(i64::signum);
    !(signs.contains(&1) && signs.contains(&-1))
}
