//! The naive reference: datasets as flat lists of cells, every question by its definition.

use crate::answer::{Cell, Column};
use crate::scenario::{Aggregate, Labels, Map, MaskDraw, Scenario, SelectorDraw};
use crate::store::{indexes, offset};

/// Cells on some of the dimensions that are left.
#[derive(Debug, Clone)]
pub struct Cells {
    /// Which of the model's dimensions, in order.
    pub dimensions: Vec<usize>,
    pub values: Vec<Option<f64>>,
}

/// A dimension after the selection.
#[derive(Debug, Clone)]
pub struct Dimension {
    pub name: String,
    pub labels: Labels,
    /// The labels' positions in the whole dimension.
    pub positions: Vec<usize>,
}

/// A dataset after brackets, MASK and EXTEND: what the question at the end is about.
#[derive(Debug)]
pub struct Model {
    pub dimensions: Vec<Dimension>,
    /// The column `m`, on every dimension.
    pub mapped: Vec<Option<f64>>,
    /// The column `u`, on some of them.
    pub small: Cells,
    /// The query so far.
    pub text: String,
}

/// Carries out everything of a scenario before its question.
pub fn prepare(scenario: &Scenario) -> Model {
    let chosen: Vec<Vec<usize>> = (0..scenario.dimensions.len()).map(|d| positions(scenario, d)).collect();
    let is_left = |d: usize| !matches!(scenario.dimensions[d].selector, Some(SelectorDraw::Position(_)));
    let left: Vec<usize> = (0..chosen.len()).filter(|&d| is_left(d)).collect();
    let names = scenario.names();
    let dimensions: Vec<Dimension> = left
        .iter()
        .map(|&d| Dimension {
            name: names[d].clone(),
            labels: scenario.dimensions[d].labels,
            positions: chosen[d].clone(),
        })
        .collect();
    let mut large = select(scenario, true, &chosen, &left);
    let mut small = select(scenario, false, &chosen, &left);
    let mut text = format!("FROM ds{}", brackets(scenario));
    if let Some(mask) = scenario.mask {
        text += &apply_mask(mask, &dimensions, &mut large, &mut small);
    }
    let mapped = apply_map(scenario.map, &dimensions, &large, &small);
    text += &format!(" |> EXTEND {} AS m", map_text(scenario.map));
    Model { dimensions, mapped, small, text }
}

/// An aggregate of cells, or nothing.
pub fn aggregate(function: Aggregate, cells: &[Option<f64>]) -> Option<f64> {
    let mut there: Vec<f64> = cells.iter().flatten().copied().collect();
    let count = there.len() as f64;
    if function == Aggregate::Count {
        return Some(count);
    }
    if there.is_empty() {
        return None;
    }
    let sum: f64 = there.iter().sum();
    let squares: f64 = there.iter().map(|value| (value - sum / count).powi(2)).sum();
    let low = there.iter().copied().fold(f64::INFINITY, f64::min);
    let high = there.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let position = |wanted: f64| cells.iter().position(|cell| *cell == Some(wanted)).map(|position| position as f64);
    match function {
        Aggregate::Avg => Some(sum / count),
        Aggregate::Sum => Some(sum),
        Aggregate::Count => Some(count),
        Aggregate::Min => Some(low),
        Aggregate::Max => Some(high),
        Aggregate::Stddev => (count > 1.0).then(|| (squares / (count - 1.0)).sqrt()),
        Aggregate::VarPop => Some(squares / count),
        Aggregate::Median => {
            there.sort_by(f64::total_cmp);
            let middle = there.len() / 2;
            Some(if there.len() % 2 == 1 { there[middle] } else { f64::midpoint(there[middle - 1], there[middle]) })
        }
        Aggregate::Argmax => position(high),
        Aggregate::Argmin => position(low),
    }
}

impl Model {
    /// Cells along each dimension.
    pub fn shape(&self) -> Vec<usize> {
        self.dimensions.iter().map(|dimension| dimension.positions.len()).collect()
    }

    /// The cells of `m` for each cell of the dimensions that stay, in C order: those along the others, in C order.
    pub fn along(&self, gone: &[usize]) -> Vec<Vec<Option<f64>>> {
        let shape = self.shape();
        let kept: Vec<usize> = (0..shape.len()).filter(|d| !gone.contains(d)).collect();
        let outer: Vec<usize> = kept.iter().map(|&d| shape[d]).collect();
        let inner: Vec<usize> = gone.iter().map(|&d| shape[d]).collect();
        indexes(&outer)
            .map(|fixed| {
                let cell = |moving: Vec<usize>| {
                    let mut index = vec![0; shape.len()];
                    kept.iter().zip(&fixed).for_each(|(&d, &at)| index[d] = at);
                    gone.iter().zip(&moving).for_each(|(&d, &at)| index[d] = at);
                    self.mapped[offset(&index, &shape)]
                };
                indexes(&inner).map(cell).collect()
            })
            .collect()
    }

    /// The cells of `u` for each cell of the dimensions that stay: those along the others that it has.
    pub fn small_along(&self, gone: &[usize]) -> Vec<Vec<Option<f64>>> {
        let own = &self.small.dimensions;
        let small = Model {
            dimensions: own.iter().map(|&d| self.dimensions[d].clone()).collect(),
            mapped: self.small.values.clone(),
            small: self.small.clone(),
            text: String::new(),
        };
        let is_gone = |place: &usize| gone.contains(&own[*place]);
        let reduced = small.along(&(0..own.len()).filter(is_gone).collect::<Vec<_>>());
        let kept: Vec<usize> = (0..self.dimensions.len()).filter(|d| !gone.contains(d)).collect();
        let shape: Vec<usize> = kept.iter().map(|&d| self.dimensions[d].positions.len()).collect();
        let shared: Vec<usize> = (0..kept.len()).filter(|&place| own.contains(&kept[place])).collect();
        let inner: Vec<usize> = shared.iter().map(|&place| shape[place]).collect();
        let cell = |index: Vec<usize>| shared.iter().map(|&place| index[place]).collect::<Vec<_>>();
        indexes(&shape).map(|index| reduced[offset(&cell(index), &inner)].clone()).collect()
    }

    /// A column of labels for each cell of the dimensions in `kept`.
    pub fn label_column(&self, kept: &[usize], dimension: usize) -> Column {
        let shape: Vec<usize> = kept.iter().map(|&d| self.dimensions[d].positions.len()).collect();
        let place = kept.iter().position(|&d| d == dimension).expect("a kept dimension");
        let cells = indexes(&shape).map(|index| self.dimensions[dimension].label(index[place])).collect();
        Column { name: self.dimensions[dimension].name.clone(), class: "key".to_string(), cells }
    }

    /// The names of some dimensions, with commas.
    pub fn list(&self, dimensions: &[usize]) -> String {
        dimensions.iter().map(|&d| self.dimensions[d].name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl Dimension {
    /// The label at a position of the selection.
    pub fn label(&self, position: usize) -> Cell {
        let number = self.number(position);
        match self.labels {
            Labels::Days => Cell::Text(format!("{}T00:00:00", date(number))),
            Labels::Ascending | Labels::Descending => Cell::Float(number),
        }
    }

    /// The label as a number.
    pub fn number(&self, position: usize) -> f64 {
        self.labels.at(self.positions[position])
    }
}

fn positions(scenario: &Scenario, dimension: usize) -> Vec<usize> {
    let draw = &scenario.dimensions[dimension];
    let length = draw.length;
    match draw.selector {
        None => (0..length).collect(),
        Some(SelectorDraw::Positions { start, length: cells, step }) => {
            let start = start.min(length);
            (start..(start + cells).min(length)).step_by(step).collect()
        }
        Some(SelectorDraw::LabelRange { first, second }) => {
            let (first, second) = (first % length, second % length);
            (first.min(second)..=first.max(second)).collect()
        }
        Some(SelectorDraw::In { first, second }) => {
            let mut both = vec![first % length, second % length];
            both.sort_unstable();
            both.dedup();
            both
        }
        Some(SelectorDraw::Position(position)) => vec![position % length],
        Some(SelectorDraw::Between(_)) => Vec::new(),
    }
}

fn brackets(scenario: &Scenario) -> String {
    let names = scenario.names();
    let mut parts = Vec::new();
    for (draw, name) in scenario.dimensions.iter().zip(&names) {
        let label = |position: usize| literal(draw.labels, position % draw.length);
        parts.extend(draw.selector.map(|selector| match selector {
            SelectorDraw::Positions { start, length, step } => {
                let start = start.min(draw.length);
                let step = if step == 1 { String::new() } else { format!(":{step}") };
                format!("{name}[{start}:{}{step}]", (start + length).min(draw.length))
            }
            SelectorDraw::LabelRange { first, second } => format!("{name} = {}:{}", label(first), label(second)),
            SelectorDraw::In { first, second } => format!("{name} IN ({}, {})", label(first), label(second)),
            SelectorDraw::Position(position) => format!("{name}[{}]", position % draw.length),
            SelectorDraw::Between(position) => format!("{name} = {}", between(draw.labels, position % draw.length)),
        }));
    }
    if parts.is_empty() { String::new() } else { format!("[{}]", parts.join(", ")) }
}

fn literal(labels: Labels, position: usize) -> String {
    match labels {
        Labels::Days => format!("'{}'", date(labels.at(position))),
        Labels::Ascending | Labels::Descending => labels.at(position).to_string(),
    }
}

/// A range that begins after a label and ends before the next.
fn between(labels: Labels, position: usize) -> String {
    let label = labels.at(position);
    match labels {
        Labels::Days => format!("'{0}T06':'{0}T18:30'", date(label)),
        Labels::Ascending => format!("{}:{}", label + 1.0, label + 9.0),
        Labels::Descending => format!("{}:{}", label + 0.125, label + 0.25),
    }
}

fn select(scenario: &Scenario, is_large: bool, chosen: &[Vec<usize>], left: &[usize]) -> Cells {
    let own: Vec<usize> = (0..chosen.len()).filter(|&d| is_large || scenario.small_has(d)).collect();
    let shape: Vec<usize> = own.iter().map(|&d| scenario.dimensions[d].length).collect();
    let picked: Vec<usize> = own.iter().map(|&d| chosen[d].len()).collect();
    let all = scenario.values(is_large);
    let values = indexes(&picked)
        .map(|index| {
            let cell: Vec<usize> = own.iter().zip(&index).map(|(&d, &at)| chosen[d][at]).collect();
            all[offset(&cell, &shape)]
        })
        .collect();
    let dimensions = (0..left.len()).filter(|&place| own.contains(&left[place])).collect();
    Cells { dimensions, values }
}

fn apply_mask(mask: MaskDraw, dimensions: &[Dimension], large: &mut Cells, small: &mut Cells) -> String {
    let above = |value: Option<f64>, limit: i32| value.is_some_and(|value| value > f64::from(limit));
    let (text, condition) = match mask {
        MaskDraw::Large(limit) => {
            let kept = large.values.iter().map(|value| Some(f64::from(u8::from(above(*value, limit))))).collect();
            (format!("v > {limit}"), Cells { dimensions: large.dimensions.clone(), values: kept })
        }
        MaskDraw::Small(limit) => {
            let kept = small.values.iter().map(|value| Some(f64::from(u8::from(above(*value, limit))))).collect();
            (format!("u > {limit}"), Cells { dimensions: small.dimensions.clone(), values: kept })
        }
        MaskDraw::Label(position) => {
            let Some(first) = dimensions.first().filter(|first| !first.positions.is_empty()) else {
                return String::new();
            };
            let limit = first.positions[position % first.positions.len()];
            let is_kept = |at| Some(f64::from(u8::from(first.number(at) > first.labels.at(limit))));
            let kept = (0..first.positions.len()).map(is_kept).collect();
            (format!("{} > {}", first.name, literal(first.labels, limit)), Cells { dimensions: vec![0], values: kept })
        }
    };
    for variable in [large, small] {
        if condition.dimensions.iter().all(|d| variable.dimensions.contains(d)) {
            let keep = broadcast(&condition, dimensions, &variable.dimensions);
            variable
                .values
                .iter_mut()
                .zip(keep)
                .filter(|(_, keep)| *keep != Some(1.0))
                .for_each(|(value, _)| *value = None);
        }
    }
    format!(" |> MASK {text}")
}

/// The cells of `from` for each cell of the dimensions in `to`.
fn broadcast(from: &Cells, dimensions: &[Dimension], to: &[usize]) -> Vec<Option<f64>> {
    let length = |d: &usize| dimensions[*d].positions.len();
    let shape: Vec<usize> = to.iter().map(length).collect();
    let own: Vec<usize> = from.dimensions.iter().map(length).collect();
    indexes(&shape)
        .map(|index| {
            let place = |d: &usize| index[to.iter().position(|other| other == d).expect("a dimension of the target")];
            let cell: Vec<usize> = from.dimensions.iter().map(place).collect();
            from.values[offset(&cell, &own)]
        })
        .collect()
}

fn map_text(map: Map) -> String {
    match map {
        Map::Itself => "v".to_string(),
        Map::Linear => "v * 2 + 1".to_string(),
        Map::MinusSmall => "CAST(v AS DOUBLE) - u".to_string(),
        Map::Absolute => "abs(v - 50)".to_string(),
        Map::Case(limit) => format!("CASE WHEN v > {limit} THEN v ELSE 0 END"),
        Map::Coalesce => "coalesce(v, 0)".to_string(),
    }
}

fn apply_map(map: Map, dimensions: &[Dimension], large: &Cells, small: &Cells) -> Vec<Option<f64>> {
    let every: Vec<usize> = (0..dimensions.len()).collect();
    let others = broadcast(small, dimensions, &every);
    let cell = |(value, other): (&Option<f64>, Option<f64>)| match map {
        Map::Itself => *value,
        Map::Linear => value.map(|value| value * 2.0 + 1.0),
        Map::MinusSmall => value.zip(other).map(|(value, other)| value - other),
        Map::Absolute => value.map(|value| (value - 50.0).abs()),
        Map::Case(limit) => Some(value.filter(|value| *value > f64::from(limit)).unwrap_or(0.0)),
        Map::Coalesce => Some(value.unwrap_or(0.0)),
    };
    large.values.iter().zip(others).map(cell).collect()
}

/// Year, month and day of a day counted from 1970-01-01.
pub fn civil(days: f64) -> (i64, i64, i64) {
    let shifted = days as i64 + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A day counted from 1970-01-01 as text.
pub fn date(days: f64) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}
