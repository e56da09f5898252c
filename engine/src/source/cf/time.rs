//! `days since 1980-01-01 12:00:00`: numbers that are times.

use crate::source::calendar::{Calendar, CalendarDate, MICROS_PER_DAY};

/// Times as a count of units since an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeUnits {
    /// The calendar of the dates.
    pub calendar: Calendar,
    /// The instant, in microseconds since 1970-01-01 in the calendar.
    reference: i64,
    /// A unit is `micros / divisor` microseconds.
    micros: i64,
    divisor: i64,
}

impl TimeUnits {
    /// From the attributes `units` and `calendar`; `None` where they tell of no times that can be decoded: no
    /// "since", a calendar that is not CF's, months or years in a calendar where they have no fixed length.
    pub fn parse(units: &str, calendar: &str) -> Option<Self> {
        let at = units.to_ascii_lowercase().find(" since ")?;
        let calendar = Calendar::from_name(calendar)?;
        let (micros, divisor) = unit(units[..at].trim(), calendar)?;
        let reference = reference(units[at + " since ".len()..].trim(), calendar)?;
        Some(Self { calendar, reference, micros, divisor })
    }

    /// Nanoseconds of a unit.
    pub fn unit_ns(&self) -> i128 {
        i128::from(self.micros) * 1_000 / i128::from(self.divisor)
    }

    /// From 1970-01-01 to the instant that is counted from, nanoseconds in the calendar.
    pub fn reference_ns(&self) -> i128 {
        i128::from(self.reference) * 1_000
    }

    /// The instant of a whole count, or `None` where it does not fit in 64 bits of microseconds.
    pub fn instant_of_int(&self, count: i64) -> Option<i64> {
        let micros = i128::from(count) * i128::from(self.micros);
        let micros = micros.div_euclid(i128::from(self.divisor)) + i128::from(self.reference);
        i64::try_from(micros).ok()
    }

    /// The instant of a count with a fraction, to the nearest microsecond, or `None` where it does not fit.
    pub fn instant_of_float(&self, count: f64) -> Option<i64> {
        if !count.is_finite() || count.abs() > 9e18 {
            return None;
        }
        let whole = count.trunc();
        let fraction = (count - whole) * (self.micros as f64) / (self.divisor as f64);
        self.instant_of_int(whole as i64)?.checked_add(fraction.round() as i64)
    }
}

/// The microseconds of a unit, as a fraction.
fn unit(name: &str, calendar: Calendar) -> Option<(i64, i64)> {
    // Symbols tell cases apart (`ms`, `Ms`), names do not.
    let lower = name.to_ascii_lowercase();
    Some(match lower.as_str() {
        "nanoseconds" | "nanosecond" | "nanosec" | "nanosecs" | "nsec" | "nsecs" | "ns" => (1, 1000),
        "microseconds" | "microsecond" | "microsec" | "microsecs" | "usec" | "us" | "µs" | "μs" => (1, 1),
        "milliseconds" | "millisecond" | "millisec" | "millisecs" | "msec" | "msecs" | "ms" => (1_000, 1),
        "seconds" | "second" | "sec" | "secs" | "s" => (1_000_000, 1),
        "minutes" | "minute" | "min" | "mins" => (60_000_000, 1),
        "hours" | "hour" | "hr" | "hrs" | "h" => (3_600_000_000, 1),
        "days" | "day" | "d" => (MICROS_PER_DAY, 1),
        "weeks" | "week" => (7 * MICROS_PER_DAY, 1),
        "fortnights" | "fortnight" => (14 * MICROS_PER_DAY, 1),
        "common_years" | "common_year" => (365 * MICROS_PER_DAY, 1),
        "months" | "month" if calendar == Calendar::Day360 => (30 * MICROS_PER_DAY, 1),
        "years" | "year" | "yr" | "yrs" => (year_days(calendar)? * MICROS_PER_DAY, 1),
        _ => return None,
    })
}

/// The days of a year where all have as many.
fn year_days(calendar: Calendar) -> Option<i64> {
    match calendar {
        Calendar::Day360 => Some(360),
        Calendar::NoLeap => Some(365),
        Calendar::AllLeap => Some(366),
        Calendar::Standard | Calendar::ProlepticGregorian | Calendar::Julian => None,
    }
}

/// `1980-1-1 12:00:0.0 +05:00`: the date, and where they stand the time and the offset from UTC.
fn reference(text: &str, calendar: Calendar) -> Option<i64> {
    let (date, rest) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim()),
        None => (text, ""),
    };
    let (year, month, day) = date_parts(date)?;
    let zone_at = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.'))).unwrap_or(rest.len());
    let (hour, minute, second, microsecond) = time_parts(rest[..zone_at].trim())?;
    let offset = zone_minutes(rest[zone_at..].trim())?;
    let local = calendar.micros_of(CalendarDate { year, month, day, hour, minute, second, microsecond })?;
    local.checked_sub(offset * 60_000_000)
}

/// Year, month and day; what is left out is 1. Eight digits may stand without hyphens.
fn date_parts(date: &str) -> Option<(i32, u32, u32)> {
    let (negative, digits) = match date.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, date.strip_prefix('+').unwrap_or(date)),
    };
    let parts: Vec<u32> = match digits.split_at_checked(8) {
        Some((_, "")) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            vec![whole(&digits[..4])?, whole(&digits[4..6])?, whole(&digits[6..])?]
        }
        _ => digits.split('-').map(whole).collect::<Option<_>>()?,
    };
    let (year, month, day) = match parts[..] {
        [year] => (year, 1, 1),
        [year, month] => (year, month, 1),
        [year, month, day] => (year, month, day),
        _ => return None,
    };
    let year = i32::try_from(year).ok()?;
    Some((if negative { -year } else { year }, month, day))
}

fn whole(digits: &str) -> Option<u32> {
    Some(digits).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?.parse().ok()
}

/// Hours, minutes, seconds and microseconds; what is left out is 0.
fn time_parts(time: &str) -> Option<(u32, u32, u32, u32)> {
    if time.is_empty() {
        return Some((0, 0, 0, 0));
    }
    let mut parts = time.split(':');
    let hour = whole(parts.next()?)?;
    let minute = parts.next().map_or(Some(0), whole)?;
    let (second, fraction) = match parts.next() {
        None => ("0", ""),
        Some(seconds) => seconds.split_once('.').unwrap_or((seconds, "")),
    };
    if parts.next().is_some() || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some((hour, minute, whole(second)?, whole(&micros)?))
}

/// `Z`, `UTC`, `+05:00`, `-0530`, `+5`: minutes east of Greenwich.
fn zone_minutes(zone: &str) -> Option<i64> {
    let name = zone.to_ascii_uppercase();
    let number = match name.as_str() {
        "" | "Z" | "UTC" | "GMT" => return Some(0),
        _ => name.strip_prefix("UTC").or_else(|| name.strip_prefix("GMT")).unwrap_or(&name).trim(),
    };
    let (sign, digits) = match (number.strip_prefix('+'), number.strip_prefix('-')) {
        (Some(digits), _) => (1, digits),
        (_, Some(digits)) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some((hours, minutes)), _) => (whole(hours)?, whole(minutes)?),
        (None, 3 | 4) => (whole(digits.get(..digits.len() - 2)?)?, whole(digits.get(digits.len() - 2..)?)?),
        (None, 1 | 2) => (whole(digits)?, 0),
        _ => return None,
    };
    (hours <= 24 && minutes < 60).then_some(sign * i64::from(hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The instant of a count as text, `Y-M-D h:m:s.µ`.
    fn check(units: &str, calendar: &str, count: f64, expected: &str) {
        let units = TimeUnits::parse(units, calendar).unwrap_or_else(|| unreachable!("{units}"));
        let date = units.calendar.date_of(units.instant_of_float(count).unwrap());
        let CalendarDate { year, month, day, hour, minute, second, microsecond } = date;
        assert_eq!(format!("{year}-{month}-{day} {hour}:{minute}:{second}.{microsecond}"), expected);
    }

    #[test]
    fn units_and_calendars() {
        check("days since 1980-01-01 12:00:00", "proleptic_gregorian", 14974.0, "2020-12-30 12:0:0.0");
        check("hours since 1-1-1 00:00:0.0", "standard", 17_067_072.0, "1948-1-1 0:0:0.0");
        check("Days Since 1582-10-04", "gregorian", 1.0, "1582-10-15 0:0:0.0");
        check("days since 2000-02-28", "noleap", 1.5, "2000-3-1 12:0:0.0");
        check("days since 2001-02-28", "366_day", 1.0, "2001-2-29 0:0:0.0");
        check("months since 2000-01-30", "360_day", 1.0, "2000-2-30 0:0:0.0");
        check("years since 2000-01-01", "365_day", 2.0, "2002-1-1 0:0:0.0");
        check("days since 1900-02-28", "julian", 1.0, "1900-2-29 0:0:0.0");
        check("seconds since 1970-01-01T00:00:00Z", "standard", -0.5, "1969-12-31 23:59:59.500000");
        check("ms since 19700101", "standard", 1.0, "1970-1-1 0:0:0.1000");
        check("ns since 1970-1-1", "standard", 1999.0, "1970-1-1 0:0:0.1");
        check("common_years since 1970", "standard", 1.0, "1971-1-1 0:0:0.0");
    }

    #[test]
    fn zones_and_fractions() {
        check("hours since 2000-01-01 05:00:00 +05:00", "standard", 0.0, "2000-1-1 0:0:0.0");
        check("hours since 2000-01-01 00:00:00.25 -0530", "standard", 0.0, "2000-1-1 5:30:0.250000");
        check("hours since 2000-01-01 00:00 UTC", "standard", 0.0, "2000-1-1 0:0:0.0");
        check("hours since 2000-01-01 6 -6", "standard", 0.0, "2000-1-1 12:0:0.0");
        check("hours since 2000-01-01T00:00:00.123456789+01:00", "standard", 1.0, "2000-1-1 0:0:0.123456");
    }

    #[test]
    fn what_is_no_time_stays_a_number() {
        for (units, calendar) in [
            ("days", "standard"),
            ("days since", "standard"),
            ("days since yesterday", "standard"),
            ("days since 2001-02-29", "standard"),
            ("days since 2000-01-01 25:00", "standard"),
            ("days since 2000-01-01 00:00 CEST", "standard"),
            ("months since 2000-01-01", "standard"),
            ("days since 2000-01-01", "martian"),
            ("parsecs since 2000-01-01", "standard"),
            ("days since 99999999999-01-01", "standard"),
            ("days since é2000é-é", "standard"),
        ] {
            assert_eq!(TimeUnits::parse(units, calendar), None, "{units}");
        }
        let days = TimeUnits::parse("days since 2000-01-01", "standard").unwrap();
        assert_eq!((days.instant_of_int(i64::MAX), days.instant_of_float(f64::NAN)), (None, None));
    }
}
