//! Axes: what positions mean, and which of them are marked.

use quarray_engine::outcome::{Axis, AxisLabels};

use super::ticks::{Tick, Ticks, number_ticks};
use super::time_ticks::time_ticks;

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
}

impl Scale {
    /// Of numbers, widened when there is but one.
    pub(crate) fn numbers(low: f64, high: f64) -> Self {
        Self { low, high, kind: Kind::Numbers }.widened()
    }

    /// From the first position of an axis to its last.
    pub(crate) fn of_positions(axis: &Axis) -> Self {
        let positions = positions(axis);
        let (low, high) = extent(positions.iter().copied());
        Self { low, high, kind: Kind::of(&axis.labels) }.widened()
    }

    /// From the outer edge of the first cell of an axis to that of the last.
    pub(crate) fn of_cells(axis: &Axis) -> Self {
        let (low, high) = extent(cell_edges(axis).into_iter());
        Self { low, high, kind: Kind::of(&axis.labels) }.widened()
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
        }
    }

    /// Whether marks are instants, and round ones need not be many.
    pub(crate) fn is_time(&self) -> bool {
        self.kind == Kind::Times
    }

    fn widened(mut self) -> Self {
        let reach = match self.kind {
            Kind::Times => 43_200e6,
            _ => (self.low.abs() * 0.05).max(0.5),
        };
        if !(self.low.is_finite() && self.high.is_finite()) {
            (self.low, self.high) = (0.0, 1.0);
        } else if self.high <= self.low {
            (self.low, self.high) = (self.low - reach, self.low + reach);
        }
        self
    }
}

impl Kind {
    fn of(labels: &AxisLabels) -> Self {
        match labels {
            AxisLabels::Numbers(_) => Self::Numbers,
            AxisLabels::Times(_) => Self::Times,
            AxisLabels::Texts(texts) => Self::Texts(texts.clone()),
        }
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
        [only] => return vec![only - 0.5, only + 0.5],
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
