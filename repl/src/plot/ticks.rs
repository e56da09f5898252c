//! Round numbers along an axis.

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    /// Where, in the axis' own units.
    pub(crate) value: f64,
    /// What is written there.
    pub(crate) label: String,
    /// What the label leaves out (the year of a month): written below, where it changes.
    pub(crate) context: String,
}

/// Marks, and the power of ten that their labels are to be multiplied by.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Ticks {
    pub(crate) marks: Vec<Tick>,
    /// `×10⁶`, empty when it is one.
    pub(crate) factor: String,
}

/// At most `count` round numbers from `low` to `high`.
pub(crate) fn number_ticks(low: f64, high: f64, count: usize) -> Ticks {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 || count == 0 {
        return Ticks { marks: vec![tick(low, format!("{low}"))], factor: String::new() };
    }
    let exponent = exponent_of(low.abs().max(high.abs()));
    Ticks { marks: plain_ticks(low, high, count, 10f64.powi(exponent)), factor: factor_text(exponent) }
}

/// At most `count` places at round numbers from `low` to `high`, written in units of so many, a power of ten.
pub(crate) fn plain_ticks(low: f64, high: f64, count: usize, unit: f64) -> Vec<Tick> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 || count == 0 {
        return vec![tick(low, format!("{}", low / unit))];
    }
    let step = round_step(span / count as f64);
    let exponent = unit.log10().round() as i32;
    let decimals = (exponent - step.log10().floor() as i32 + i32::from(is_quarter(step))).clamp(0, 12) as usize;
    let first = (low / step - 1e-9).ceil();
    let last = (high / step + 1e-9).floor();
    let marks = (0..=(last - first).max(0.0) as usize).map(|index| {
        let value = (first + index as f64) * step;
        // Avoids "-0".
        let shown = if value.abs() < step * 1e-6 { 0.0 } else { value / unit };
        tick(value, format!("{shown:.decimals$}"))
    });
    marks.take(count + 2).collect()
}

/// The smallest of 1, 2, 2.5 and 5 times a power of ten that is no less.
pub(crate) fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

fn is_quarter(step: f64) -> bool {
    let leading = step / 10f64.powf(step.log10().floor());
    (leading - 2.5).abs() < 1e-6
}

/// Numbers from a ten thousandth to a million are written as they are.
fn exponent_of(largest: f64) -> i32 {
    let power = largest.log10().floor();
    if (-3.0..6.0).contains(&power) { 0 } else { (power / 3.0).floor() as i32 * 3 }
}

fn factor_text(exponent: i32) -> String {
    if exponent == 0 {
        return String::new();
    }
    let digits = exponent.to_string().chars().map(superscript).collect::<String>();
    format!("×10{digits}")
}

fn superscript(digit: char) -> char {
    match digit {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        other => char::from_u32(other as u32 - '0' as u32 + '⁰' as u32).unwrap_or(other),
    }
}

fn tick(value: f64, label: String) -> Tick {
    Tick { value, label, context: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(low: f64, high: f64, count: usize, expected: &str) {
        let ticks = number_ticks(low, high, count);
        let labels: Vec<&str> = ticks.marks.iter().map(|mark| mark.label.as_str()).collect();
        assert_eq!(format!("{} {}", labels.join(" "), ticks.factor).trim(), expected);
    }

    #[test]
    fn round_numbers() {
        check(-3.2, 17.9, 6, "0 5 10 15");
        check(0.0, 1.0, 5, "0.0 0.2 0.4 0.6 0.8 1.0");
        check(0.0, 1.0, 4, "0.00 0.25 0.50 0.75 1.00");
        check(-1e-9, 1e-9, 3, "-1 0 1 ×10⁻⁹");
        check(2_000_000.0, 2_100_000.0, 4, "2.000 2.025 2.050 2.075 2.100 ×10⁶");
        check(5.0, 5.0, 4, "5");
        check(1000.0, 250_000.0, 5, "50000 100000 150000 200000 250000");
    }

    #[test]
    fn never_more_than_asked_for_by_much() {
        for count in 1..30 {
            for (low, high) in [(0.0, 1.0), (-1e300, 1e300), (1e-300, 2e-300), (17.3, 17.300_000_1)] {
                assert!(number_ticks(low, high, count).marks.len() <= count + 2);
            }
        }
    }
}
