//! Colours of lines and of values.

use super::heat::Cells;
use super::limits::{Limits, limits};

/// Red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Colour(pub(crate) u8, pub(crate) u8, pub(crate) u8);

pub(crate) const WHITE: Colour = Colour(255, 255, 255);
/// Text and axes.
pub(crate) const INK: Colour = Colour(38, 44, 52);
/// What is said by the way.
pub(crate) const FAINT_INK: Colour = Colour(102, 110, 120);
/// Lines behind the data.
pub(crate) const GRID: Colour = Colour(228, 231, 235);
/// Cells that are missing: a grey that is on no scale.
pub(crate) const MISSING: Colour = Colour(214, 216, 219);

/// Paul Tol's "bright" scheme, blue first: told apart by the colour-blind too.
const LINES: [Colour; 7] = [
    Colour(0x2F, 0x6F, 0xB5),
    Colour(0xE2, 0x5C, 0x5C),
    Colour(0x22, 0x88, 0x33),
    Colour(0xC9, 0x9A, 0x12),
    Colour(0xAA, 0x33, 0x77),
    Colour(0x3F, 0xB5, 0xCF),
    Colour(0x7A, 0x7F, 0x87),
];

/// The colour of the line with that number.
pub(crate) fn line_colour(index: usize) -> Colour {
    LINES[index % LINES.len()]
}

/// How values become colours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ColourScale {
    /// The values of the first and the last colour.
    pub(crate) limits: Limits,
}

impl ColourScale {
    /// A scale for cells: see [`limits`]. `None` when there is no finite value.
    pub(crate) fn of(cells: &Cells<'_>) -> Option<Self> {
        let name = format!("{} {}", cells.value_label, cells.long_name);
        limits(cells.values, &cells.colours, &name).map(|limits| Self { limits })
    }

    /// The colour of a value; none for one that is missing.
    pub(crate) fn colour(&self, value: f64) -> Option<Colour> {
        let Limits { low, high, is_diverging, .. } = self.limits;
        if !value.is_finite() {
            return None;
        }
        // Of a scale that parts at 0, one end may have been told nearer than the other: 0 stays in the middle.
        let (from, to) = if is_diverging { (-high.max(-low), high.max(-low)) } else { (low, high) };
        let share = if to > from { ((value.clamp(low, high) - from) / (to - from)).clamp(0.0, 1.0) } else { 0.5 };
        Some(if is_diverging { diverging(share) } else { viridis(share) })
    }
}

/// The viridis colour map, by a polynomial of degree six that is within 2 of 255 of the table.
fn viridis(share: f64) -> Colour {
    const COEFFICIENTS: [[f64; 3]; 7] = [
        [0.277_727_327_223_417_7, 0.005_407_344_544_966_578, 0.334_099_805_335_306_1],
        [0.105_093_043_108_577_4, 1.404_613_529_898_575, 1.384_590_162_594_685],
        [-0.330_861_828_725_556_3, 0.214_847_559_468_213, 0.095_095_163_028_236_59],
        [-4.634_230_498_983_486, -5.799_100_973_351_585, -19.332_440_956_279_87],
        [6.228_269_936_347_081, 14.179_933_366_805_09, 56.690_552_600_681_05],
        [4.776_384_997_670_288, -13.745_145_377_746_01, -65.353_032_633_372_34],
        [-5.435_455_855_934_631, 4.645_852_612_178_535, 26.312_435_249_583_2],
    ];
    let channel = |index: usize| {
        let value = COEFFICIENTS.iter().rev().fold(0.0, |sum, row| sum * share + row[index]);
        (value.clamp(0.0, 1.0) * 255.0).round() as u8
    };
    Colour(channel(0), channel(1), channel(2))
}

/// ColorBrewer's RdBu turned round: cold is blue, warm is red.
fn diverging(share: f64) -> Colour {
    const STOPS: [[u8; 3]; 11] = [
        [5, 48, 97],
        [33, 102, 172],
        [67, 147, 195],
        [146, 197, 222],
        [209, 229, 240],
        [247, 247, 247],
        [253, 219, 199],
        [244, 165, 130],
        [214, 96, 77],
        [178, 24, 43],
        [103, 0, 31],
    ];
    let place = share * (STOPS.len() - 1) as f64;
    let before = (place as usize).min(STOPS.len() - 2);
    let weight = place - before as f64;
    let mix = |index: usize| {
        let (from, to) = (f64::from(STOPS[before][index]), f64::from(STOPS[before + 1][index]));
        (from + (to - from) * weight).round() as u8
    };
    Colour(mix(0), mix(1), mix(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viridis_ends_dark_and_yellow() {
        assert_eq!(viridis(0.0), Colour(71, 1, 85));
        let Colour(red, green, blue) = viridis(1.0);
        assert!(red > 240 && green > 220 && blue < 50);
    }

    #[test]
    fn zero_is_the_middle_of_two_sides() {
        let limits = Limits { low: -2.0, high: 10.0, is_diverging: true, has_below: true, has_above: false };
        let scale = ColourScale { limits };
        assert_eq!(scale.colour(0.0), Some(Colour(247, 247, 247)));
        assert_eq!((scale.colour(10.0), scale.colour(-2.0)), (Some(diverging(1.0)), Some(diverging(0.4))));
        assert_eq!((scale.colour(-9.0), scale.colour(f64::NAN)), (Some(diverging(0.4)), None));
    }

    #[test]
    fn values_outside_have_the_colours_of_the_ends() {
        let limits = Limits { low: 3.0, high: 5.0, is_diverging: false, has_below: true, has_above: true };
        let scale = ColourScale { limits };
        assert_eq!((scale.colour(-1e300), scale.colour(7.0)), (Some(viridis(0.0)), Some(viridis(1.0))));
        let one = ColourScale { limits: Limits { high: 3.0, ..limits } };
        assert_eq!(one.colour(3.0), Some(viridis(0.5)));
    }
}
