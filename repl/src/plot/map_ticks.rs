//! Round places along the axes of a map: degrees with their direction, lengths on the ground.

use super::ticks::{Tick, Ticks, plain_ticks, round_step};

/// What an axis of a map measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Measure {
    /// Degrees to the east, or to the west.
    Longitude,
    /// Degrees to the north, or to the south.
    Latitude,
    /// Lengths, written in units of so many.
    Length(f64),
}

impl Measure {
    /// At most about `count` marks from `low` to `high`.
    pub(crate) fn ticks(self, low: f64, high: f64, count: usize) -> Ticks {
        let marks = match self {
            Self::Length(unit) => plain_ticks(low, high, count, unit),
            _ => degree_places(low, high, count)
                .into_iter()
                .map(|(value, decimals)| self.mark(value, decimals))
                .collect(),
        };
        Ticks { marks, factor: String::new() }
    }

    /// A single place.
    pub(crate) fn only(self, value: f64, plain: &str) -> String {
        match self {
            Self::Length(1.0) => plain.to_string(),
            Self::Length(unit) => format!("{}", value / unit),
            _ => self.mark(value, plain.split_once('.').map_or(0, |(_, decimals)| decimals.len())).label,
        }
    }

    fn mark(self, value: f64, decimals: usize) -> Tick {
        Tick { value, label: degrees_text(self, value, decimals), context: String::new() }
    }
}

/// Distances between marks that divide a circle, in degrees.
const DEGREE_STEPS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0];

/// Round degrees, and the decimals that they are written with.
fn degree_places(low: f64, high: f64, count: usize) -> Vec<(f64, usize)> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 || count == 0 {
        return vec![(low, 0)];
    }
    let least = span / count as f64;
    let whole = DEGREE_STEPS.into_iter().find(|step| *step >= least * (1.0 - 1e-9)).filter(|_| least > 0.5);
    // Below a degree, decimals: labels of grids are decimal too.
    let step = whole.unwrap_or_else(|| if least > 0.5 { (least / 90.0).ceil() * 90.0 } else { round_step(least) });
    let decimals = decimals_of(step);
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    let places = (last - first + 1.0).max(0.0) as usize;
    (0..places.min(count + 2)).map(|index| ((first + index as f64) * step, decimals)).collect()
}

/// Decimals that tell multiples of a step apart.
fn decimals_of(step: f64) -> usize {
    let is_whole = |number: f64| (number - number.round()).abs() < 1e-6;
    (0..12).find(|&decimals| is_whole(step * 10f64.powi(decimals))).unwrap_or(12) as usize
}

/// `20°N`, `5.5°W`, `0°`; longitudes go round.
fn degrees_text(measure: Measure, value: f64, decimals: usize) -> String {
    let value = match measure {
        Measure::Longitude => (value + 180.0).rem_euclid(360.0) - 180.0,
        _ => value,
    };
    let text = format!("{:.decimals$}", value.abs());
    let is_zero = text.chars().all(|c| matches!(c, '0' | '.'));
    let direction = match (measure, value > 0.0) {
        _ if is_zero => "",
        (Measure::Longitude, _) if value <= -180.0 => "",
        (Measure::Longitude, true) => "E",
        (Measure::Longitude, false) => "W",
        (_, true) => "N",
        (_, false) => "S",
    };
    let text = if is_zero { "0".to_string() } else { text };
    format!("{text}°{direction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(measure: Measure, low: f64, high: f64, count: usize, expected: &str) {
        let ticks = measure.ticks(low, high, count);
        let labels: Vec<&str> = ticks.marks.iter().map(|mark| mark.label.as_str()).collect();
        assert_eq!((labels.join(" ").as_str(), ticks.factor.as_str()), (expected, ""));
    }

    #[test]
    fn degrees_have_directions() {
        check(Measure::Latitude, -90.0, 90.0, 7, "90°S 60°S 30°S 0° 30°N 60°N 90°N");
        check(Measure::Longitude, -180.0, 180.0, 8, "180° 135°W 90°W 45°W 0° 45°E 90°E 135°E 180°");
        check(Measure::Longitude, 0.0, 360.0, 6, "0° 60°E 120°E 180° 120°W 60°W 0°");
        check(Measure::Longitude, -85.0, -74.9, 6, "84°W 82°W 80°W 78°W 76°W");
        check(Measure::Latitude, 33.0, 37.1, 5, "33°N 34°N 35°N 36°N 37°N");
        check(Measure::Longitude, 355.0, 365.0, 4, "5°W 0° 5°E");
    }

    #[test]
    fn parts_of_a_degree_are_decimal() {
        check(Measure::Latitude, 46.1, 47.2, 5, "46.25°N 46.50°N 46.75°N 47.00°N");
        check(Measure::Longitude, -0.25, 0.25, 5, "0.2°W 0.1°W 0° 0.1°E 0.2°E");
        check(Measure::Longitude, 8.0001, 8.0009, 4, "8.0002°E 8.0004°E 8.0006°E 8.0008°E");
        check(Measure::Latitude, 5.0, 5.0, 4, "5°N");
        check(Measure::Latitude, 10.2, 10.4, 1, "10.2°N 10.4°N");
    }

    #[test]
    fn steps_are_never_finer_than_asked_for() {
        for count in 1..20 {
            for span in [1e-7, 0.003, 0.7, 1.3, 8.0, 77.0, 360.0, 1e5] {
                let marks = Measure::Longitude.ticks(-span / 3.0, span * 2.0 / 3.0, count).marks.len();
                assert!(marks <= count + 1, "{marks} of {count} in {span}");
            }
        }
    }

    #[test]
    fn lengths_are_written_without_powers() {
        check(Measure::Length(1000.0), 500_000.0, 609_780.0, 6, "500 520 540 560 580 600");
        check(Measure::Length(1000.0), 4_190_200.0, 4_200_000.0, 4, "4192.5 4195.0 4197.5 4200.0");
        check(Measure::Length(1.0), 4_190_200.0, 4_190_900.0, 4, "4190200 4190400 4190600 4190800");
        check(Measure::Length(1000.0), -200_000.0, 200_000.0, 4, "-200 -100 0 100 200");
    }

    #[test]
    fn a_single_place_is_written_as_it_is() {
        assert_eq!(Measure::Longitude.only(-84.9375, "-84.9375"), "84.9375°W");
        assert_eq!(Measure::Latitude.only(0.0, "0"), "0°");
        assert_eq!(Measure::Length(1000.0).only(4_190_250.0, "4190250"), "4190.25");
        assert_eq!(Measure::Length(1.0).only(4_190_250.0, "4190250"), "4190250");
    }
}
