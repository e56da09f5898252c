//! Intervals of time as catalogs write them: `2020-01-01T00:00:00Z/..`, `2020-01`, `../2021`.

use chrono::{DateTime, Months, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta};

/// From when to when, both ends included, in microseconds since 1970; without end where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interval {
    /// The first moment.
    pub low: Option<i64>,
    /// The last moment.
    pub high: Option<i64>,
}

impl Interval {
    /// Reads an interval, or a moment; a date without its end stands for all of the day, the month or the year.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("expected a time or two with `/` between them (2020-01-01T00:00:00Z/..), found `{text}`");
        let open = |part: &str| part.is_empty() || part == "..";
        let interval = match text.split_once('/') {
            Some((low, high)) => {
                let bound = |part: &str| {
                    if open(part) { Ok(None) } else { moments(part).map(Some).ok_or_else(wrong) }
                };
                Self { low: bound(low.trim())?.map(|(low, _)| low), high: bound(high.trim())?.map(|(_, high)| high) }
            }
            None => {
                let (low, high) = moments(text.trim()).ok_or_else(wrong)?;
                Self { low: Some(low), high: Some(high) }
            }
        };
        match (interval.low, interval.high) {
            (None, None) => Err(wrong()),
            (Some(low), Some(high)) if low > high => Err(format!("`{text}` ends before it begins")),
            _ => Ok(interval),
        }
    }

    /// The part that two intervals have in common; `None` when they have none.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let low = self.low.max(other.low);
        let high = match (self.high, other.high) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        match (low, high) {
            (Some(low), Some(high)) if low > high => None,
            _ => Some(Self { low, high }),
        }
    }

    /// As a search writes it.
    pub fn text(self) -> String {
        let bound = |bound: Option<i64>| bound.and_then(time_text).unwrap_or_else(|| "..".to_string());
        format!("{}/{}", bound(self.low), bound(self.high))
    }
}

/// The moment of a time in a document, in microseconds since 1970.
pub(super) fn micros_of(text: &str) -> Option<i64> {
    moments(text).map(|(low, _)| low)
}

fn time_text(micros: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(micros)?;
    let has_fraction = micros.rem_euclid(1_000_000) != 0;
    Some(time.to_rfc3339_opts(if has_fraction { SecondsFormat::Micros } else { SecondsFormat::Secs }, true))
}

/// The first and the last microsecond that a text stands for.
fn moments(text: &str) -> Option<(i64, i64)> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        let micros = time.timestamp_micros();
        return Some((micros, micros));
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.fZ"];
    if let Some(time) = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()) {
        let micros = time.and_utc().timestamp_micros();
        return Some((micros, micros));
    }
    let parts: Vec<&str> = text.split('-').collect();
    let (first, next) = match parts.as_slice() {
        [year] => {
            let first = date(year, "1", "1")?;
            (first, first.checked_add_months(Months::new(12))?)
        }
        [year, month] => {
            let first = date(year, month, "1")?;
            (first, first.checked_add_months(Months::new(1))?)
        }
        [year, month, day] => {
            let first = date(year, month, day)?;
            (first, first.checked_add_signed(TimeDelta::days(1))?)
        }
        _ => return None,
    };
    let micros = |date: NaiveDate| date.and_hms_opt(0, 0, 0).map(|time| time.and_utc().timestamp_micros());
    Some((micros(first)?, micros(next)? - 1))
}

fn date(year: &str, month: &str, day: &str) -> Option<NaiveDate> {
    let is_year = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    let year = is_year.then(|| year.parse().ok()).flatten()?;
    NaiveDate::from_ymd_opt(year, month.parse().ok()?, day.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_and_written() -> Result<(), String> {
        for (text, expected) in [
            ("2020-01-01T00:00:00Z/..", "2020-01-01T00:00:00Z/.."),
            ("../2020-02", "../2020-02-29T23:59:59.999999Z"),
            ("2020", "2020-01-01T00:00:00Z/2020-12-31T23:59:59.999999Z"),
            ("2020-06-01/2020-06-02", "2020-06-01T00:00:00Z/2020-06-02T23:59:59.999999Z"),
            ("2020-06-01T12:00:00+02:00", "2020-06-01T10:00:00Z/2020-06-01T10:00:00Z"),
            ("/2020-06-01T12:00:00.5Z", "../2020-06-01T12:00:00.500000Z"),
        ] {
            assert_eq!(Interval::parse(text)?.text(), expected, "{text}");
        }
        for text in ["", "..", "../..", "yesterday", "2020-13", "2021/2020", "99999", "2020-01-01/x"] {
            assert!(Interval::parse(text).is_err(), "{text}");
        }
        Ok(())
    }

    #[test]
    fn intervals_meet_or_do_not() -> Result<(), String> {
        let meet = |a: &str, b: &str| -> Result<Option<String>, String> {
            Ok(Interval::parse(a)?.intersection(Interval::parse(b)?).map(Interval::text))
        };
        assert_eq!(
            meet("2020-01-01T00:00:00Z/..", "../2020-01-02T00:00:00Z")?.as_deref(),
            Some("2020-01-01T00:00:00Z/2020-01-02T00:00:00Z")
        );
        assert_eq!(meet("2020", "2021")?, None);
        Ok(())
    }
}
