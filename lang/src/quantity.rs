//! Sizes and durations, as people write them: a number and its unit. The one place that reads and writes them.

use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::suggest::{closest, did_you_mean};

/// The largest size that is read: what a float still counts byte by byte.
pub const BYTES_MAX: u64 = 1 << 53;

/// The longest duration that is read: a hundred years, so that it can be added to any instant.
pub const DURATION_MAX: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

/// Digits after a point that count; what follows them is below any unit.
const FRACTION_DIGITS_MAX: usize = 18;

/// Reads a size: `2 GiB` and `1.5KiB` (binary), `400 MB` (decimal), in any case; a number alone is bytes. Parts of a
/// byte are left out.
pub fn parse_bytes(text: &str) -> Result<u64, Diagnostic> {
    let bytes = SIZE.parse(text)?;
    u64::try_from(bytes).map_err(|_| SIZE.too_large(text))
}

/// Reads a duration: `5 minutes`, `1.5h`, `1 hour 30 minutes`, `500 ms`; a number alone is seconds. Parts of a
/// millisecond are left out.
pub fn parse_duration(text: &str) -> Result<Duration, Diagnostic> {
    let milliseconds = DURATION.parse(text)?;
    u64::try_from(milliseconds).map(Duration::from_millis).map_err(|_| DURATION.too_large(text))
}

/// A size in the largest unit that it has a whole number of, as [`parse_bytes`] reads it.
pub fn bytes_text(bytes: u64) -> String {
    let (number, unit) = SIZE.largest_unit(u128::from(bytes));
    format!("{number} {unit}")
}

/// A size for people, about: in the largest decimal unit that it has at least one of, with two digits.
pub fn rounded_bytes_text(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    // What would be rounded to a thousand has the next unit.
    while value >= 999.5
        && let Some(larger) = units.next()
    {
        (value, unit) = (value / 1000.0, larger);
    }
    let is_whole = unit == "B" || value >= 9.95 || (value * 10.0).round() % 10.0 == 0.0;
    if is_whole { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// A duration in the largest unit that it has a whole number of, as [`parse_duration`] reads it. Parts of a millisecond
/// are left out.
pub fn duration_text(duration: Duration) -> String {
    let (number, unit) = DURATION.largest_unit(duration.as_millis());
    let plural = if number == 1 || unit == "ms" { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// Something that is measured in units.
struct Quantity {
    what: &'static str,
    example: &'static str,
    /// From the largest to the smallest, which is what is counted in.
    units: &'static [Unit],
    /// What a number alone counts, in the smallest unit.
    without_unit: u128,
    /// Whether several of them, one after the other, are added.
    is_sum: bool,
    most: u128,
    most_text: &'static str,
}

struct Unit {
    name: &'static str,
    /// How it is written otherwise, in lower case.
    others: &'static [&'static str],
    factor: u128,
}

const fn unit(name: &'static str, others: &'static [&'static str], factor: u128) -> Unit {
    Unit { name, others, factor }
}

const SIZE: Quantity = Quantity {
    what: "a size",
    example: "2 GiB",
    units: &[
        unit("TiB", &[], 1 << 40),
        unit("TB", &["t"], 1_000_000_000_000),
        unit("GiB", &[], 1 << 30),
        unit("GB", &["g"], 1_000_000_000),
        unit("MiB", &[], 1 << 20),
        unit("MB", &["m"], 1_000_000),
        unit("KiB", &[], 1 << 10),
        unit("kB", &["k"], 1_000),
        unit("B", &["byte", "bytes"], 1),
    ],
    without_unit: 1,
    is_sum: false,
    most: BYTES_MAX as u128,
    most_text: "8192 TiB",
};

const DURATION: Quantity = Quantity {
    what: "a duration",
    example: "5 minutes",
    units: &[
        unit("day", &["days", "d"], 24 * 60 * 60 * 1_000),
        unit("hour", &["hours", "h"], 60 * 60 * 1_000),
        unit("minute", &["minutes", "min", "mins", "m"], 60 * 1_000),
        unit("second", &["seconds", "sec", "secs", "s"], 1_000),
        unit("ms", &["millisecond", "milliseconds"], 1),
    ],
    without_unit: 1_000,
    is_sum: true,
    most: DURATION_MAX.as_millis(),
    most_text: "36500 days",
};

impl Quantity {
    /// What the text says, in the smallest unit.
    fn parse(&self, text: &str) -> Result<u128, Diagnostic> {
        let mut rest = text.trim();
        let mut total: u128 = 0;
        let mut is_first = true;
        while is_first || !rest.is_empty() {
            if !is_first && !self.is_sum {
                return Err(self.expected(text));
            }
            let (number, after_number) = split_where(rest, |c| !(c.is_ascii_digit() || c == '.'));
            let (name, after_name) = split_where(after_number.trim_start(), |c| !c.is_alphabetic());
            let is_alone = is_first && after_name.is_empty();
            let factor = match name {
                "" if is_alone => self.without_unit,
                "" => return Err(self.expected(text)),
                name => self.unit(name).map(|unit| unit.factor).ok_or_else(|| self.unknown_unit(name, number, text))?,
            };
            let part = scaled(number, factor).ok_or_else(|| match is_number(number) {
                true => self.too_large(text),
                false => self.expected(text),
            })?;
            total = total.checked_add(part).filter(|sum| *sum <= self.most).ok_or_else(|| self.too_large(text))?;
            rest = after_name.trim_start();
            is_first = false;
        }
        Ok(total)
    }

    fn unit(&self, name: &str) -> Option<&Unit> {
        let name = name.to_lowercase();
        self.units.iter().find(|unit| unit.name.to_lowercase() == name || unit.others.contains(&name.as_str()))
    }

    /// The largest unit that an amount has a whole number of, and that number. Nothing is counted in the unit of a
    /// number alone.
    fn largest_unit(&self, amount: u128) -> (u128, &'static str) {
        let is_whole = |unit: &&Unit| match amount {
            0 => unit.factor == self.without_unit,
            amount => amount.is_multiple_of(unit.factor),
        };
        self.units.iter().find(is_whole).map_or((amount, ""), |unit| (amount / unit.factor, unit.name))
    }

    fn expected(&self, text: &str) -> Diagnostic {
        Diagnostic::new(format!("expected {} such as '{}', found '{text}'", self.what, self.example))
    }

    fn unknown_unit(&self, name: &str, number: &str, text: &str) -> Diagnostic {
        if !is_number(number) {
            return self.expected(text);
        }
        let names: Vec<&str> = self.units.iter().map(|unit| unit.name).collect();
        let message = format!("expected {} in {}, found the unit `{name}`", self.what, names.join(", "));
        let near = closest(name, self.units.iter().flat_map(|unit| unit.others.iter().copied().chain([unit.name])));
        match near {
            Some(near) => Diagnostic::new(message).with_help(did_you_mean(near)),
            None => Diagnostic::new(message),
        }
    }

    fn too_large(&self, text: &str) -> Diagnostic {
        Diagnostic::new(format!("expected {} of at most {}, found '{text}'", self.what, self.most_text))
    }
}

/// The text up to the first character that ends it, and the rest.
fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// Whether it is digits with at most one point among them.
fn is_number(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit()) && text.matches('.').count() <= 1
}

/// A decimal number times a factor, rounded down; `None` if it is no number, or too large to count.
fn scaled(number: &str, factor: u128) -> Option<u128> {
    if !is_number(number) {
        return None;
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: String = fraction.chars().take(FRACTION_DIGITS_MAX).collect();
    let (mut numerator, mut denominator): (u128, u128) = (0, 1);
    for digit in fraction.chars() {
        numerator = numerator * 10 + u128::from(digit.to_digit(10)?);
        denominator *= 10;
    }
    whole.checked_mul(factor)?.checked_add(numerator * factor / denominator)
}
