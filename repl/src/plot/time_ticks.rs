//! Round instants along an axis: years, months, days, hours.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

use super::ticks::{Tick, Ticks, number_ticks, round_step};

const SECOND: f64 = 1e6;
const MINUTE: f64 = 60.0 * SECOND;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;
const MONTH: f64 = 30.44 * DAY;
const YEAR: f64 = 365.25 * DAY;

/// The distance between marks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// A number of microseconds, from midnight.
    Micros(f64),
    /// Days of the month: 1, 6, 11 … so that every month begins with a mark.
    Days(u32),
    Months(u32),
    Years(i32),
}

/// At most about `count` round instants between two, in microseconds since 1970-01-01.
pub(crate) fn time_ticks(low: f64, high: f64, count: usize) -> Ticks {
    let (Some(start), Some(end)) = (instant(low), instant(high)) else {
        return number_ticks(low, high, count);
    };
    if end <= start || count == 0 {
        return Ticks { marks: vec![mark(start, Step::Micros(SECOND))], factor: String::new() };
    }
    let step = step_for((high - low) / count as f64);
    let mut marks = Vec::new();
    let mut next = floor(start, step);
    // A bound, should a calendar ever fail to move on.
    for _ in 0..10_000 {
        let Some(at) = next.filter(|at| *at <= end) else { break };
        if at >= start {
            marks.push(mark(at, step));
        }
        next = advance(at, step);
    }
    Ticks { marks, factor: String::new() }
}

/// An instant by itself: its date, and the time of day where it has one.
pub(crate) fn instant_text(micros: i64) -> String {
    let Some(at) = DateTime::from_timestamp_micros(micros).map(|at| at.naive_utc()) else { return micros.to_string() };
    let format = match at.time() {
        NaiveTime::MIN => "%Y-%m-%d",
        time if time.second() == 0 && time.nanosecond() == 0 => "%Y-%m-%d %H:%M",
        _ => "%Y-%m-%d %H:%M:%S%.f",
    };
    at.format(format).to_string()
}

fn step_for(least: f64) -> Step {
    let micros = [
        [1.0, 2.0, 5.0, 10.0, 15.0, 30.0].map(|n| n * SECOND),
        [1.0, 2.0, 5.0, 10.0, 15.0, 30.0].map(|n| n * MINUTE),
        [1.0, 2.0, 3.0, 6.0, 12.0, 24.0].map(|n| n * HOUR),
    ];
    if least < SECOND {
        return Step::Micros(round_step(least).max(1.0));
    }
    if let Some(step) = micros.as_flattened().iter().find(|step| **step >= least).filter(|step| **step < DAY) {
        return Step::Micros(*step);
    }
    match least {
        l if l <= DAY => Step::Days(1),
        l if l <= 2.0 * DAY => Step::Days(2),
        l if l <= 5.0 * DAY => Step::Days(5),
        l if l <= 10.0 * DAY => Step::Days(10),
        l if l <= 15.5 * DAY => Step::Days(15),
        l if l <= MONTH * 1.02 => Step::Months(1),
        l if l <= 2.0 * MONTH => Step::Months(2),
        l if l <= 3.0 * MONTH => Step::Months(3),
        l if l <= 6.0 * MONTH => Step::Months(6),
        l if l <= YEAR => Step::Years(1),
        l => Step::Years(round_step((l / YEAR).ceil()).round().max(1.0) as i32),
    }
}

/// The last round instant at or before one.
fn floor(at: NaiveDateTime, step: Step) -> Option<NaiveDateTime> {
    let date = at.date();
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN);
    match step {
        Step::Micros(step) => {
            let since_midnight = (at - midnight(date)).num_microseconds()? as f64;
            Some(midnight(date) + TimeDelta::microseconds(((since_midnight / step).floor() * step) as i64))
        }
        Step::Days(days) => date.with_day(((date.day() - 1) / days * days) + 1).map(midnight),
        Step::Months(months) => {
            NaiveDate::from_ymd_opt(date.year(), date.month0() / months * months + 1, 1).map(midnight)
        }
        Step::Years(years) => NaiveDate::from_ymd_opt(date.year().div_euclid(years) * years, 1, 1).map(midnight),
    }
}

fn advance(at: NaiveDateTime, step: Step) -> Option<NaiveDateTime> {
    match step {
        Step::Micros(step) => at.checked_add_signed(TimeDelta::microseconds(step as i64)),
        Step::Days(days) => {
            let first_of_next = at.with_day(1)?.checked_add_months(Months::new(1))?;
            let next = at.checked_add_signed(TimeDelta::days(i64::from(days)))?;
            // The 31st right before the 1st would be a mark too many.
            let least_gap = TimeDelta::hours(i64::from(days) * 14);
            Some(if first_of_next - next < least_gap { first_of_next } else { next })
        }
        Step::Months(months) => at.checked_add_months(Months::new(months)),
        Step::Years(years) => at.with_year(at.year().checked_add(years)?),
    }
}

fn mark(at: NaiveDateTime, step: Step) -> Tick {
    let (label, context) = match step {
        Step::Micros(step) if step < SECOND => ("%H:%M:%S%.f", "%Y-%m-%d"),
        Step::Micros(step) if step < MINUTE => ("%H:%M:%S", "%Y-%m-%d"),
        Step::Micros(_) => ("%H:%M", "%Y-%m-%d"),
        Step::Days(_) => ("%-d", "%b %Y"),
        Step::Months(_) => ("%b", "%Y"),
        Step::Years(_) => ("%Y", ""),
    };
    Tick {
        value: at.and_utc().timestamp_micros() as f64,
        label: at.format(label).to_string(),
        context: at.format(context).to_string(),
    }
}

fn instant(micros: f64) -> Option<NaiveDateTime> {
    micros.is_finite().then(|| DateTime::from_timestamp_micros(micros as i64)).flatten().map(|at| at.naive_utc())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(from: &str, to: &str, count: usize, expected: &str) {
        let micros = |text: &str| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap().and_utc().timestamp_micros() as f64
        };
        let ticks = time_ticks(micros(from), micros(to), count);
        let labels: Vec<String> =
            ticks.marks.iter().map(|mark| format!("{} {}", mark.label, mark.context).trim().to_string()).collect();
        assert_eq!(labels.join(", "), expected);
    }

    #[test]
    fn round_instants_of_every_length() {
        check("1980-01-01 12:00:00", "2020-12-31 12:00:00", 8, "1990, 2000, 2010, 2020");
        check("2010-01-01 12:00:00", "2010-12-31 12:00:00", 6, "Mar 2010, May 2010, Jul 2010, Sep 2010, Nov 2010");
        check(
            "2010-01-28 00:00:00",
            "2010-02-08 00:00:00",
            6,
            "29 Jan 2010, 1 Feb 2010, 3 Feb 2010, 5 Feb 2010, 7 Feb 2010",
        );
        check(
            "2010-01-01 00:30:00",
            "2010-01-01 13:00:00",
            5,
            "03:00 2010-01-01, 06:00 2010-01-01, 09:00 2010-01-01, 12:00 2010-01-01",
        );
        check(
            "2010-01-01 00:00:00",
            "2010-01-01 00:00:05",
            3,
            "00:00:00 2010-01-01, 00:00:02 2010-01-01, 00:00:04 2010-01-01",
        );
        check("2010-01-01 00:00:00", "2010-01-01 00:00:00", 3, "00:00:00 2010-01-01");
    }

    #[test]
    fn any_range_has_few_marks() {
        for power in 0..18 {
            let span = 10f64.powi(power);
            for count in [1, 4, 9] {
                let marks = time_ticks(1.2e15, 1.2e15 + span, count).marks.len();
                assert!(marks <= 2 * count + 2, "{marks} marks for 1e{power}");
            }
        }
    }
}
