//! Which values the first and the last colour stand for, and whether colours part at 0.

use quarray_engine::outcome::{ColourOptions, Palette};

use super::axis::extent;

/// The values between which colours change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    /// The value of the first colour.
    pub(crate) low: f64,
    /// The value of the last colour.
    pub(crate) high: f64,
    /// Whether colours part at 0.
    pub(crate) is_diverging: bool,
    /// Whether there are values below the first colour.
    pub(crate) has_below: bool,
    /// Whether there are values above the last colour.
    pub(crate) has_above: bool,
}

/// Values that percentiles are told from, at most: of more, values at equal distances.
const SAMPLE_MAX: usize = 4_000_000;

/// How much farther from 0 one side may reach than the other where both count the same.
const SIDES_MAX: f64 = 5.0;

/// The limits for values of that name; `None` when there is no finite value.
pub(crate) fn limits(values: &[f64], options: &ColourOptions, name: &str) -> Option<Limits> {
    let (lowest, highest) = extent(values.iter().copied());
    if lowest > highest {
        return None;
    }
    let robust = if options.robust { percentiles(values, [0.02, 0.98]) } else { None };
    // Where nearly all values are the same, the others are what is to be seen.
    let (low, high) = robust.filter(|(low, high)| low < high).unwrap_or((lowest, highest));
    let (low, high) = told(options, (low, high));
    let is_diverging = match options.palette {
        Palette::Diverging => true,
        Palette::Sequential => false,
        Palette::Automatic => says_difference(name) || has_two_sides(low, high),
    };
    let (low, high) = if is_diverging { around_zero(options, (low, high)) } else { (low, high) };
    Some(Limits { low, high, is_diverging, has_below: lowest < low, has_above: highest > high })
}

/// The limits that were told, the others as they are.
fn told(options: &ColourOptions, (low, high): (f64, f64)) -> (f64, f64) {
    match (options.min, options.max) {
        (Some(min), Some(max)) => (min, max),
        (Some(min), None) => (min, if high > min { high } else { min + 1.0 }),
        (None, Some(max)) => (if low < max { low } else { max - 1.0 }, max),
        (None, None) => (low, high),
    }
}

/// As far to one side of 0 as to the other, unless both ends were told.
fn around_zero(options: &ColourOptions, (low, high): (f64, f64)) -> (f64, f64) {
    match (options.min, options.max) {
        (None, None) => (-high.max(-low), high.max(-low)),
        (Some(min), None) if min < 0.0 => (min, -min),
        (None, Some(max)) if max > 0.0 => (-max, max),
        _ => (low, high),
    }
}

/// Whether values lie on both sides of 0, about as far.
fn has_two_sides(low: f64, high: f64) -> bool {
    low < 0.0 && high > 0.0 && (1.0 / SIDES_MAX..=SIDES_MAX).contains(&(-low / high))
}

/// Whether a name says that values are counted from 0 in either direction.
fn says_difference(name: &str) -> bool {
    const WORDS: [&str; 9] =
        ["anom", "anomaly", "anomalies", "bias", "departure", "diff", "difference", "differences", "trend"];
    name.split(|c: char| !c.is_alphanumeric()).any(|word| WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// The values that those shares of the finite ones lie below, between neighbours as numpy has it.
fn percentiles(values: &[f64], shares: [f64; 2]) -> Option<(f64, f64)> {
    let stride = values.len().div_ceil(SAMPLE_MAX).max(1);
    let mut sample: Vec<f64> = values.iter().step_by(stride).copied().filter(|value| value.is_finite()).collect();
    let last = sample.len().checked_sub(1)?;
    let mut at = |share: f64| {
        let place = share * last as f64;
        let (_, &mut below, above) = sample.select_nth_unstable_by(place as usize, f64::total_cmp);
        let next = above.iter().copied().fold(f64::INFINITY, f64::min);
        if next.is_finite() { below + (next - below) * place.fract() } else { below }
    };
    Some((at(shares[0]), at(shares[1])))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(values: &[f64], options: ColourOptions, name: &str, expected: (f64, f64, bool), outside: (bool, bool)) {
        let found = limits(values, &options, name).unwrap();
        let is_near = |found: f64, expected: f64| (found - expected).abs() < 1e-9;
        let (low, high, is_diverging) = expected;
        assert!(is_near(found.low, low) && is_near(found.high, high), "{values:?} {options:?} {name}: {found:?}");
        assert_eq!(found.is_diverging, is_diverging, "{values:?} {options:?} {name}");
        assert_eq!((found.has_below, found.has_above), outside, "{values:?} {options:?} {name}");
    }

    fn told(min: Option<f64>, max: Option<f64>) -> ColourOptions {
        ColourOptions { min, max, ..ColourOptions::default() }
    }

    #[test]
    fn colours_part_at_zero_where_values_do() {
        let automatic = ColourOptions::default();
        check(&[-10.0, f64::NAN, 5.0], automatic, "tas [C]", (-10.0, 10.0, true), (false, false));
        check(&[-1.0, 100.0], automatic, "tas [C]", (-1.0, 100.0, false), (false, false));
        check(&[-1.0, 100.0], automatic, "tas_anomaly [K]", (-100.0, 100.0, true), (false, false));
        check(&[2.0, 4.0], automatic, "mean difference of tas", (-4.0, 4.0, true), (false, false));
        check(&[2.0, 4.0], automatic, "different [mm]", (2.0, 4.0, false), (false, false));
        check(&[0.0, 4.0], automatic, "pr [mm]", (0.0, 4.0, false), (false, false));
        let of = |palette| ColourOptions { palette, ..automatic };
        check(&[-10.0, 5.0], of(Palette::Sequential), "bias", (-10.0, 5.0, false), (false, false));
        check(&[1.0, 5.0], of(Palette::Diverging), "pr", (-5.0, 5.0, true), (false, false));
        assert_eq!(limits(&[f64::NAN, f64::INFINITY], &automatic, ""), None);
    }

    #[test]
    fn limits_that_were_told_hold() {
        check(&[1.0, 9.0], told(Some(3.0), Some(8.0)), "", (3.0, 8.0, false), (true, true));
        check(&[1.0, 9.0], told(Some(0.0), None), "", (0.0, 9.0, false), (false, false));
        check(&[1.0, 9.0], told(Some(20.0), None), "", (20.0, 21.0, false), (true, false));
        check(&[1.0, 9.0], told(None, Some(1.0)), "", (0.0, 1.0, false), (false, true));
        check(&[-9.0, 9.0], told(None, Some(5.0)), "", (-5.0, 5.0, true), (true, true));
        check(&[-9.0, 9.0], told(Some(-2.0), Some(5.0)), "", (-2.0, 5.0, true), (true, true));
    }

    #[test]
    fn robust_limits_are_percentiles() {
        let robust = ColourOptions { robust: true, ..ColourOptions::default() };
        let mut values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        check(&values, robust, "", (2.0, 98.0, false), (true, true));
        values.extend([f64::NAN, f64::INFINITY]);
        check(&values, robust, "", (2.0, 98.0, false), (true, true));
        // As numpy has it: np.percentile([0, 1, 2], [2, 98]).
        check(&[2.0, 0.0, 1.0], robust, "", (0.04, 1.96, false), (true, true));
        let mut flat = vec![0.0; 1000];
        flat[7] = 5.0;
        check(&flat, robust, "", (0.0, 5.0, false), (false, false));
        // One cell far away does not hide that the others lie around zero.
        let anomalies: Vec<f64> = (-50..=50).map(f64::from).chain([1e6]).collect();
        check(&anomalies, robust, "", (-48.98, 48.98, true), (true, true));
    }
}
