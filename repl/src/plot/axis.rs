//! Axes: what positions mean, and which of them are marked.

use quarray_engine::outcome::{Axis, AxisLabels};

use super::map_ticks::Measure;
use super::ticks::{Tick, Ticks, number_ticks};
use super::time_ticks::{instant_text, time_ticks};

/// A stretch of an axis in its own units: numbers, microseconds, or the numbers of texts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    pub(crate) low: f64,
    pub(crate) high: f64,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Numbers,
    Times,
    Texts(Vec<String>),
    /// Places on a map.
    Places(Measure),
    /// A single position and its label.
    Only(f64, String),
    /// Nothing is there: nothing is marked.
    Nothing,
}

impl Scale {
    /// Of numbers, widened when there is but one.
    pub(crate) fn numbers(low: f64, high: f64) -> Self {
        let reach = (low.abs() * 0.05).max(0.5);
        Self { low, high, kind: Kind::Numbers }.widened(reach)
    }

    /// From the first position of an axis to its last.
    pub(crate) fn of_positions(axis: &Axis) -> Self {
        let (low, high) = extent(positions(axis).into_iter());
        Self { low, high, kind: Kind::of(axis) }.widened(reach(axis))
    }

    /// From the outer edge of the first cell of an axis to that of the last.
    pub(crate) fn of_cells(axis: &Axis) -> Self {
        let (low, high) = extent(cell_edges(axis).into_iter());
        Self { low, high, kind: Kind::of(axis) }.widened(reach(axis))
    }

    /// The same, of which numbers are places on a map.
    pub(crate) fn measuring(mut self, measure: Measure) -> Self {
        match &mut self.kind {
            Kind::Numbers => self.kind = Kind::Places(measure),
            Kind::Only(position, text) => *text = measure.only(*position, text),
            _ => {}
        }
        self
    }

    /// Where a value lies, 0 at the low end and 1 at the high one.
    pub(crate) fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// At most about `count` marks.
    pub(crate) fn ticks(&self, count: usize) -> Ticks {
        match &self.kind {
            Kind::Numbers => number_ticks(self.low, self.high, count),
            Kind::Times => time_ticks(self.low, self.high, count),
            Kind::Texts(texts) => text_ticks(texts, count),
            Kind::Places(measure) => measure.ticks(self.low, self.high, count),
            Kind::Only(position, text) => {
                let mark = Tick { value: *position, label: shorten(text), context: String::new() };
                Ticks { marks: vec![mark], factor: String::new() }
            }
            Kind::Nothing => Ticks::default(),
        }
    }

    /// Whether marks are instants, and round ones need not be many.
    pub(crate) fn is_time(&self) -> bool {
        self.kind == Kind::Times
    }

    /// Around a single value, as far as `reach`.
    fn widened(mut self, reach: f64) -> Self {
        if !(self.low.is_finite() && self.high.is_finite()) {
            return Self { low: 0.0, high: 1.0, kind: Kind::Nothing };
        }
        if self.high <= self.low {
            (self.low, self.high) = (self.low - reach, self.low + reach);
        }
        self
    }
}

impl Kind {
    fn of(axis: &Axis) -> Self {
        if let [only] = positions(axis)[..] {
            return Self::Only(only, only_text(&axis.labels));
        }
        match &axis.labels {
            AxisLabels::Numbers(_) => Self::Numbers,
            AxisLabels::Times(_) => Self::Times,
            AxisLabels::Texts(texts) => Self::Texts(texts.clone()),
        }
    }
}

/// The label of an axis that has one.
fn only_text(labels: &AxisLabels) -> String {
    match labels {
        AxisLabels::Numbers(numbers) => numbers.first().map(|number| plain_number(*number)).unwrap_or_default(),
        AxisLabels::Times(times) => times.first().map(|micros| instant_text(*micros)).unwrap_or_default(),
        AxisLabels::Texts(texts) => texts.first().cloned().unwrap_or_default(),
    }
}

fn plain_number(number: f64) -> String {
    if number != 0.0 && !(1e-3..1e9).contains(&number.abs()) {
        return format!("{number:e}");
    }
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Half the length of a cell that has no neighbours.
fn reach(axis: &Axis) -> f64 {
    match axis.labels {
        AxisLabels::Times(_) => 43_200e6,
        _ => 0.5,
    }
}

/// The positions of the cells of an axis, in its own units.
pub(crate) fn positions(axis: &Axis) -> Vec<f64> {
    match &axis.labels {
        AxisLabels::Numbers(numbers) => numbers.clone(),
        AxisLabels::Times(times) => times.iter().map(|&micros| micros as f64).collect(),
        AxisLabels::Texts(texts) => (0..texts.len()).map(|index| index as f64).collect(),
    }
}

/// The edges of cells around positions, one more than there are positions: half way between neighbours.
pub(crate) fn cell_edges(axis: &Axis) -> Vec<f64> {
    let positions = positions(axis);
    let (first, last) = match positions.as_slice() {
        [] => return Vec::new(),
        [only] => return vec![only - reach(axis), only + reach(axis)],
        [first, second, ..] => {
            let [.., before, last] = positions.as_slice() else { return Vec::new() };
            (first - (second - first) / 2.0, last + (last - before) / 2.0)
        }
    };
    let between = positions.windows(2).map(|pair| f64::midpoint(pair[0], pair[1]));
    std::iter::once(first).chain(between).chain(std::iter::once(last)).collect()
}

/// The smallest and the largest finite value; infinite ones the other way round when there is none.
pub(crate) fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

fn text_ticks(texts: &[String], count: usize) -> Ticks {
    let stride = texts.len().div_ceil(count.max(1)).max(1);
    let marks = texts.iter().enumerate().step_by(stride).map(|(index, text)| Tick {
        value: index as f64,
        label: shorten(text),
        context: String::new(),
    });
    Ticks { marks: marks.collect(), factor: String::new() }
}

fn shorten(text: &str) -> String {
    const LONGEST: usize = 24;
    match text.chars().count() > LONGEST {
        true => text.chars().take(LONGEST - 1).chain(['…']).collect(),
        false => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_label_is_the_only_mark() {
        let check = |labels: AxisLabels, expected: &str| {
            let axis = Axis { label: String::new(), labels };
            for scale in [Scale::of_positions(&axis), Scale::of_cells(&axis)] {
                let marks = scale.ticks(9).marks;
                assert_eq!(marks.iter().map(|mark| mark.label.as_str()).collect::<Vec<_>>(), [expected]);
                assert!((scale.share(marks[0].value) - 0.5).abs() < 1e-9 && !scale.is_time());
            }
        };
        check(AxisLabels::Times(vec![925_430_400_000_000]), "1999-04-30");
        check(AxisLabels::Times(vec![925_473_600_000_000]), "1999-04-30 12:00");
        check(AxisLabels::Numbers(vec![-84.9375]), "-84.9375");
        check(AxisLabels::Numbers(vec![f64::from(0.1f32)]), "0.1");
        check(AxisLabels::Numbers(vec![2e12]), "2e12");
        check(AxisLabels::Numbers(vec![0.0]), "0");
        check(AxisLabels::Texts(vec!["a".to_string()]), "a");
    }

    #[test]
    fn where_nothing_is_nothing_is_marked() {
        for labels in [AxisLabels::Times(vec![]), AxisLabels::Numbers(vec![]), AxisLabels::Numbers(vec![f64::NAN])] {
            let axis = Axis { label: String::new(), labels };
            for scale in [Scale::of_positions(&axis), Scale::of_cells(&axis)] {
                assert_eq!((scale.share(0.5), scale.ticks(9)), (0.5, Ticks::default()));
            }
        }
        assert_eq!(Scale::numbers(f64::INFINITY, f64::NEG_INFINITY).ticks(9), Ticks::default());
    }
}
