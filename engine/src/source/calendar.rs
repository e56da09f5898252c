//! The calendars of the CF conventions: microseconds since 1970-01-01 in a calendar ↔ its dates.
//!
//! Years are astronomical: the year before 1 is 0. Days have 24 hours everywhere and no leap seconds.

/// A calendar of the CF conventions (section 4.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Calendar {
    /// `standard`, `gregorian`: Julian up to 1582-10-04, Gregorian from the next day, 1582-10-15.
    Standard,
    /// `proleptic_gregorian`: Gregorian at all times, as Arrow's timestamps are.
    ProlepticGregorian,
    /// `noleap`, `365_day`.
    NoLeap,
    /// `all_leap`, `366_day`.
    AllLeap,
    /// `360_day`: twelve months of 30 days.
    Day360,
    /// `julian`.
    Julian,
}

/// A date and a time of day in some calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CalendarDate {
    /// The year, astronomical.
    pub year: i32,
    /// The month, from 1.
    pub month: u32,
    /// The day of the month, from 1.
    pub day: u32,
    /// The hour, from 0.
    pub hour: u32,
    /// The minute, from 0.
    pub minute: u32,
    /// The second, from 0.
    pub second: u32,
    /// The microsecond, from 0.
    pub microsecond: u32,
}

/// Microseconds of a day.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

/// 1582-10-15, the first day that is Gregorian in [`Calendar::Standard`], in days since 1970-01-01.
const GREGORIAN_START: i64 = -141_427;

/// The Julian date of 1970-01-01 is 13 days earlier.
const JULIAN_LAG: i64 = 13;

use Calendar::*;

impl Calendar {
    /// The calendar of that name, in any case; `None` for others (`none`, `utc` …).
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "standard" | "gregorian" => Standard,
            "proleptic_gregorian" => ProlepticGregorian,
            "noleap" | "365_day" => NoLeap,
            "all_leap" | "366_day" => AllLeap,
            "360_day" => Day360,
            "julian" => Julian,
            _ => return None,
        })
    }

    /// Its name in the conventions.
    pub fn name(self) -> &'static str {
        match self {
            Standard => "standard",
            ProlepticGregorian => "proleptic_gregorian",
            NoLeap => "noleap",
            AllLeap => "all_leap",
            Day360 => "360_day",
            Julian => "julian",
        }
    }

    /// Whether its times are instants that Arrow's timestamps can hold: the same days, though [`Standard`] gives those
    /// before 1582-10-15 other names.
    pub fn is_timestamp(self) -> bool {
        matches!(self, Standard | ProlepticGregorian)
    }

    /// The date of an instant, in microseconds since 1970-01-01 in this calendar.
    pub fn date_of(self, micros: i64) -> CalendarDate {
        let (year, month, day) = self.day_date(micros.div_euclid(MICROS_PER_DAY));
        let rest = micros.rem_euclid(MICROS_PER_DAY);
        let seconds = rest / 1_000_000;
        CalendarDate {
            year: i32::try_from(year).unwrap_or(if year < 0 { i32::MIN } else { i32::MAX }),
            month,
            day,
            hour: (seconds / 3600) as u32,
            minute: (seconds / 60 % 60) as u32,
            second: (seconds % 60) as u32,
            microsecond: (rest % 1_000_000) as u32,
        }
    }

    /// Microseconds since 1970-01-01 in this calendar, or `None` where there is no such date (30 February, 1582-10-10 in
    /// [`Standard`], hour 24) or it does not fit in 64 bits.
    pub fn micros_of(self, date: CalendarDate) -> Option<i64> {
        if date.hour > 23 || date.minute > 59 || date.second > 59 || date.microsecond > 999_999 {
            return None;
        }
        let days = self.days_of(date.year, date.month, date.day)?;
        let seconds = i64::from(date.hour * 3600 + date.minute * 60 + date.second);
        days.checked_mul(MICROS_PER_DAY)?.checked_add(seconds * 1_000_000 + i64::from(date.microsecond))
    }

    /// The day of the year, from 1, of an instant.
    pub fn day_of_year(self, micros: i64) -> u32 {
        let days = micros.div_euclid(MICROS_PER_DAY);
        let (year, ..) = self.day_date(days);
        let first = i32::try_from(year).ok().and_then(|year| self.days_of(year, 1, 1));
        first.map_or(1, |first| (days - first) as u32 + 1)
    }

    /// Days since 1970-01-01 in this calendar, or `None` where there is no such day.
    pub fn days_of(self, year: i32, month: u32, day: u32) -> Option<i64> {
        if !(1..=12).contains(&month) || day == 0 || day > self.days_in_month(year, month) {
            return None;
        }
        let (y, m, d) = (i64::from(year), i64::from(month), i64::from(day));
        let day_of_year = i64::from(days_before(month, false)) + d - 1;
        let leap_day_of_year = i64::from(days_before(month, true)) + d - 1;
        Some(match self {
            Day360 => (y - 1970) * 360 + (m - 1) * 30 + d - 1,
            NoLeap => (y - 1970) * 365 + day_of_year,
            AllLeap => (y - 1970) * 366 + leap_day_of_year,
            ProlepticGregorian => gregorian_days(y, m, d),
            Julian => julian_days(y, m, d) - JULIAN_LAG,
            Standard => match gregorian_days(y, m, d) {
                days if days >= GREGORIAN_START => days,
                _ => Some(julian_days(y, m, d)).filter(|&days| days < GREGORIAN_START)?,
            },
        })
    }

    /// Days of a month, 1 to 12.
    pub fn days_in_month(self, year: i32, month: u32) -> u32 {
        if self == Day360 {
            return 30;
        }
        match month {
            2 => 28 + u32::from(self.is_leap(year)),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// Whether a year has a 29 February (in [`Day360`], which always has one: no).
    pub fn is_leap(self, year: i32) -> bool {
        let julian = year.rem_euclid(4) == 0;
        match self {
            Day360 | NoLeap => false,
            AllLeap => true,
            Julian => julian,
            Standard if year <= 1582 => julian,
            Standard | ProlepticGregorian => julian && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0),
        }
    }

    /// Year, month and day of a day since 1970-01-01 in this calendar.
    fn day_date(self, days: i64) -> (i64, u32, u32) {
        match self {
            Day360 => {
                let rest = days.rem_euclid(360) as u32;
                (1970 + days.div_euclid(360), rest / 30 + 1, rest % 30 + 1)
            }
            NoLeap => fixed_date(days, 365, false),
            AllLeap => fixed_date(days, 366, true),
            ProlepticGregorian => gregorian_date(days),
            Julian => julian_date(days + JULIAN_LAG),
            Standard if days >= GREGORIAN_START => gregorian_date(days),
            Standard => julian_date(days),
        }
    }
}

/// Days of a year before a month.
fn days_before(month: u32, leap: bool) -> u32 {
    const BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    BEFORE[(month - 1) as usize] + u32::from(leap && month > 2)
}

/// The date where every year has as many days.
fn fixed_date(days: i64, year_days: i64, leap: bool) -> (i64, u32, u32) {
    let day_of_year = days.rem_euclid(year_days) as u32;
    let month = (1..=12).rev().find(|&month| days_before(month, leap) <= day_of_year).unwrap_or(1);
    (1970 + days.div_euclid(year_days), month, day_of_year - days_before(month, leap) + 1)
}

/// Years from March, so that a leap day is the last of its year.
fn march_year(year: i64, month: i64) -> (i64, i64) {
    let year = if month <= 2 { year - 1 } else { year };
    // Days from 1 March to the first of the month.
    (year, (153 * ((month + 9) % 12) + 2) / 5)
}

fn gregorian_days(year: i64, month: i64, day: i64) -> i64 {
    let (year, before) = march_year(year, month);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + before + day - 1 - 719_468
}

/// Days since the Gregorian 1970-01-01 of a Julian date.
fn julian_days(year: i64, month: i64, day: i64) -> i64 {
    let (year, before) = march_year(year, month);
    year.div_euclid(4) * 1461 + year.rem_euclid(4) * 365 + before + day - 1 - 719_470
}

fn gregorian_date(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    from_march(era * 400 + year_of_era, day_of_year)
}

fn julian_date(days: i64) -> (i64, u32, u32) {
    let days = days + 719_470;
    let era = days.div_euclid(1461);
    let of_era = days.rem_euclid(1461);
    let year_of_era = (of_era - of_era / 1460) / 365;
    from_march(era * 4 + year_of_era, of_era - 365 * year_of_era)
}

fn from_march(year: i64, day_of_year: i64) -> (i64, u32, u32) {
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (if month <= 2 { year + 1 } else { year }, month as u32, day as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ALL: [Calendar; 6] = [Standard, ProlepticGregorian, NoLeap, AllLeap, Day360, Julian];

    #[test]
    fn every_day_of_four_thousand_years_comes_back() {
        for calendar in ALL {
            let mut before = None;
            for days in -800_000i64..800_000 {
                let date = calendar.date_of(days * MICROS_PER_DAY);
                assert_eq!(calendar.days_of(date.year, date.month, date.day), Some(days), "{calendar:?} {date:?}");
                assert!(before.is_none_or(|before| before < date), "{calendar:?} {date:?}");
                before = Some(date);
            }
        }
    }

    #[test]
    fn known_days() {
        let days = |calendar: Calendar, year, month, day| calendar.days_of(year, month, day);
        for calendar in ALL {
            assert_eq!(days(calendar, 1970, 1, 1), Some(0), "{calendar:?}");
        }
        assert_eq!(days(ProlepticGregorian, 2000, 3, 1), Some(11_017));
        assert_eq!(days(ProlepticGregorian, 1, 1, 1), Some(-719_162));
        assert_eq!(days(Standard, 1, 1, 1), Some(-719_164));
        assert_eq!(days(Standard, 1582, 10, 4), Some(GREGORIAN_START - 1));
        assert_eq!(days(Standard, 1582, 10, 15), Some(GREGORIAN_START));
        assert_eq!(days(Standard, 1582, 10, 10), None);
        assert_eq!(days(Standard, 1500, 2, 29), Some(GREGORIAN_START - 30_169));
        assert_eq!(days(ProlepticGregorian, 1900, 2, 29), None);
        assert_eq!(days(Day360, 2000, 2, 30), Some(30 * 360 + 59));
        assert_eq!(days(NoLeap, 2000, 2, 29), None);
        assert_eq!(days(AllLeap, 2001, 2, 29), Some(31 * 366 + 59));
        assert_eq!(NoLeap.day_of_year(days(NoLeap, 2004, 12, 31).unwrap() * MICROS_PER_DAY), 365);
        assert_eq!(Day360.day_of_year(-1), 360);
    }

    #[test]
    fn times_of_day_and_the_ends() {
        for calendar in ALL {
            for micros in [i64::MIN, -1, 0, 1, 86_399_999_999, i64::MAX] {
                assert_eq!(
                    calendar.micros_of(calendar.date_of(micros)),
                    Some(micros).filter(|_| micros != i64::MIN),
                    "{calendar:?} {micros}"
                );
            }
        }
        let date = ProlepticGregorian.date_of(-1);
        assert_eq!((date.year, date.hour, date.microsecond), (1969, 23, 999_999));
    }
}
