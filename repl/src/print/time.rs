//! Instants as text, by arithmetic alone: a calendar library is ten times as slow, and results have millions of them.

use arrow::datatypes::TimeUnit;

const SECONDS_A_DAY: i64 = 86_400;

/// Appends an instant as RFC 3339 without a zone: `1980-01-01T12:00:00`, with as many digits of the second as needed.
pub fn write_timestamp(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let units_a_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let seconds = value.div_euclid(units_a_second);
    let nanoseconds = value.rem_euclid(units_a_second) * (1_000_000_000 / units_a_second);
    write_date(seconds.div_euclid(SECONDS_A_DAY), out);
    let second_of_day = seconds.rem_euclid(SECONDS_A_DAY);
    out.push(b'T');
    write_padded(second_of_day / 3600, 2, out);
    out.push(b':');
    write_padded(second_of_day / 60 % 60, 2, out);
    out.push(b':');
    write_padded(second_of_day % 60, 2, out);
    write_fraction(nanoseconds, out);
}

/// Appends the date of a day counted from 1970-01-01: `1980-01-01`.
pub fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil_date(days);
    if !(0..=9999).contains(&year) {
        out.push(if year < 0 { b'-' } else { b'+' });
    }
    write_padded(year.abs(), 4, out);
    out.push(b'-');
    write_padded(month, 2, out);
    out.push(b'-');
    write_padded(day, 2, out);
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar. The year is taken to
/// start in March, so that the leap day is its last.
fn civil_date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

fn write_padded(value: i64, width: usize, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value).as_bytes();
    out.resize(out.len() + width.saturating_sub(digits.len()), b'0');
    out.extend_from_slice(digits);
}

fn write_fraction(nanoseconds: i64, out: &mut Vec<u8>) {
    if nanoseconds == 0 {
        return;
    }
    let (value, width) = match nanoseconds {
        n if n % 1_000_000 == 0 => (n / 1_000_000, 3),
        n if n % 1_000 == 0 => (n / 1_000, 6),
        n => (n, 9),
    };
    out.push(b'.');
    write_padded(value, width, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: i64, unit: TimeUnit, expected: &str) {
        let mut out = Vec::new();
        write_timestamp(value, unit, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn instants_of_every_unit() {
        check(0, TimeUnit::Second, "1970-01-01T00:00:00");
        check(315_576_000_000_000, TimeUnit::Microsecond, "1980-01-01T12:00:00");
        check(-1, TimeUnit::Millisecond, "1969-12-31T23:59:59.999");
        check(1_709_210_096_123_456, TimeUnit::Microsecond, "2024-02-29T12:34:56.123456");
        check(1, TimeUnit::Nanosecond, "1970-01-01T00:00:00.000000001");
    }

    #[test]
    fn far_years() {
        check(-62_167_219_200, TimeUnit::Second, "0000-01-01T00:00:00");
        check(-62_167_219_201, TimeUnit::Second, "-0001-12-31T23:59:59");
        check(253_402_300_800, TimeUnit::Second, "+10000-01-01T00:00:00");
        check(i64::MIN, TimeUnit::Microsecond, "-290308-12-21T19:59:05.224192");
    }
}
