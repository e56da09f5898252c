//! Times as people write them: `2020`, `2020-01`, `2020-01-31`, `2020-01-31T12`, `2020-01-31 12:30:00.5`.

use std::collections::HashMap;

use super::date_parts::calendar_of;
use crate::source::calendar::CalendarDate;

/// The first microsecond that a text stands for, and one past the last, in the calendar that the metadata names; `None`
/// when the text is no time.
pub fn partial_time(text: &str, metadata: &HashMap<String, String>) -> Option<(i64, i64)> {
    let calendar = calendar_of(metadata).ok()?;
    let text = text.trim().trim_end_matches('Z');
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let (negative, date) = match date.strip_prefix('-') {
        Some(date) => (true, date),
        None => (false, date),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let number = |text: &str| {
        (text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty()).then(|| text.parse::<u32>().ok()).flatten()
    };
    let numbers = parts.iter().map(|part| number(part)).collect::<Option<Vec<u32>>>()?;
    if parts[0].len() < 4 || parts.len() > 3 || (time.is_some() && parts.len() != 3) {
        return None;
    }
    let year = i32::try_from(numbers[0]).ok()? * if negative { -1 } else { 1 };
    let at = |year: i32, month: u32, day: u32| {
        calendar.micros_of(CalendarDate { year, month, day, hour: 0, minute: 0, second: 0, microsecond: 0 })
    };
    match (numbers.as_slice(), time) {
        ([_], None) => Some((at(year, 1, 1)?, at(year + 1, 1, 1)?)),
        ([_, month], None) => {
            let next = if *month == 12 { at(year + 1, 1, 1)? } else { at(year, month + 1, 1)? };
            Some((at(year, *month, 1)?, next))
        }
        ([_, month, day], time) => {
            let start = at(year, *month, *day)?;
            let (offset, length) = match time {
                None => (0, 86_400_000_000),
                Some(time) => time_of_day(time)?,
            };
            Some((start + offset, start + offset + length))
        }
        _ => None,
    }
}

/// Microseconds since midnight, and how many the text stands for.
fn time_of_day(text: &str) -> Option<(i64, i64)> {
    let parts: Vec<&str> = text.split(':').collect();
    let (whole, fraction) = match parts.last()?.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (*parts.last()?, None),
    };
    let mut numbers =
        parts[..parts.len() - 1].iter().map(|part| part.parse::<i64>().ok()).collect::<Option<Vec<_>>>()?;
    numbers.push(whole.parse().ok()?);
    let units = [3_600_000_000, 60_000_000, 1_000_000];
    let limits = [24, 60, 60];
    if numbers.len() > 3 || numbers.iter().zip(limits).any(|(&number, limit)| !(0..limit).contains(&number)) {
        return None;
    }
    let start: i64 = numbers.iter().zip(units).map(|(number, unit)| number * unit).sum();
    match fraction {
        None => Some((start, units[numbers.len() - 1])),
        Some(digits) => {
            let padded = format!("{digits:0<6}");
            Some((start + padded.get(..6)?.parse::<i64>().ok()?, 1))
        }
    }
}
