//! Aggregates one cell at a time, as their definitions read; and what is needed to compare with them.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use crate::kernel::{AggregateKind, AxisGroups};

/// A cell that counts: its index in the array, its value, and its second argument.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) index: usize,
    pub(super) value: f64,
    pub(super) other: f64,
}

/// The value of an aggregate over cells in C order; `None` where there is none.
pub(super) fn aggregate(kind: &AggregateKind, cells: &[Cell]) -> Option<f64> {
    let count = cells.len() as f64;
    let values = || cells.iter().map(|cell| cell.value);
    let choose = |order: fn(&Cell, &Cell) -> Ordering| {
        cells.iter().copied().reduce(|a, b| if order(&b, &a) == Ordering::Less { b } else { a })
    };
    match kind {
        AggregateKind::Count | AggregateKind::CountAll => return Some(count),
        _ if cells.is_empty() => return None,
        _ => {}
    }
    match kind {
        AggregateKind::Sum => Some(values().sum()),
        AggregateKind::Average => Some(values().sum::<f64>() / count),
        AggregateKind::Minimum | AggregateKind::All => values().min_by(f64::total_cmp),
        AggregateKind::Maximum | AggregateKind::Any => values().max_by(f64::total_cmp),
        AggregateKind::Variance { ddof } => variance(cells, *ddof),
        AggregateKind::StandardDeviation { ddof } => variance(cells, *ddof).map(f64::sqrt),
        AggregateKind::Median => Some(quantile(cells, 0.5)),
        AggregateKind::Quantile { fraction } => Some(quantile(cells, f64::from_bits(*fraction))),
        AggregateKind::ArgMinimum | AggregateKind::First => {
            choose(|a, b| a.other.total_cmp(&b.other).then(a.index.cmp(&b.index))).map(|cell| cell.value)
        }
        AggregateKind::ArgMaximum => {
            choose(|a, b| b.other.total_cmp(&a.other).then(a.index.cmp(&b.index))).map(|cell| cell.value)
        }
        AggregateKind::Last => {
            choose(|a, b| b.other.total_cmp(&a.other).then(b.index.cmp(&a.index))).map(|cell| cell.value)
        }
        AggregateKind::WeightedAverage => {
            let total = cells.iter().map(|cell| cell.other).sum::<f64>();
            (total != 0.0).then(|| cells.iter().map(|cell| cell.other * cell.value).sum::<f64>() / total)
        }
        AggregateKind::Count | AggregateKind::CountAll => Some(count),
    }
}

fn variance(cells: &[Cell], ddof: u8) -> Option<f64> {
    let count = cells.len() as f64;
    let mean = cells.iter().map(|cell| cell.value).sum::<f64>() / count;
    let squares = cells.iter().map(|cell| (cell.value - mean).powi(2)).sum::<f64>();
    let freedom = count - f64::from(ddof);
    (freedom > 0.0).then(|| squares / freedom)
}

fn quantile(cells: &[Cell], fraction: f64) -> f64 {
    let mut values = cells.iter().map(|cell| cell.value).collect::<Vec<_>>();
    values.sort_by(f64::total_cmp);
    let index = (values.len() - 1) as f64 * fraction;
    let (low, high) = (values[index.floor() as usize], values[index.ceil() as usize]);
    low + (high - low) * index.fract()
}

/// The group of a cell at a position.
pub(super) fn group(axes: &[AxisGroups], position: &[usize]) -> usize {
    let contribution = |(axis, &p): (&AxisGroups, &usize)| match axis {
        AxisGroups::Collapsed => 0,
        AxisGroups::Identity { first, stride } => (first + p) * stride,
        AxisGroups::Labelled { labels, stride } => labels[p] as usize * stride,
    };
    axes.iter().zip(position).map(contribution).sum()
}

/// The position of a flat index in a box of `shape`.
pub(super) fn position(shape: &[usize], mut index: usize) -> Vec<usize> {
    let mut position = vec![0; shape.len()];
    for (position, length) in position.iter_mut().zip(shape).rev() {
        *position = index % length;
        index /= length;
    }
    position
}

/// The flat index of a position in a box of `shape`.
pub(super) fn flat(shape: &[usize], position: &[usize]) -> usize {
    shape.iter().zip(position).fold(0, |index, (length, position)| index * length + position)
}

/// The values of an array as floats; `None` where it is null.
pub(super) fn numbers(array: &ArrayRef) -> Vec<Option<f64>> {
    let storage = match array.data_type() {
        DataType::Date32 => &cast(array, &DataType::Int32).unwrap(),
        DataType::Timestamp(..) => &cast(array, &DataType::Int64).unwrap(),
        _ => array,
    };
    let floats = cast(storage, &DataType::Float64).unwrap();
    floats.as_primitive::<Float64Type>().iter().collect()
}

/// Whole numbers as an array of another type, through its storage.
pub(super) fn whole_numbers(values: &[Option<i64>], data_type: &DataType) -> ArrayRef {
    let array = arrow::array::PrimitiveArray::<Int64Type>::from_iter(values.iter().copied());
    let storage = match data_type {
        DataType::Date32 => &cast(&array, &DataType::Int32).unwrap(),
        _ => &(std::sync::Arc::new(array) as ArrayRef),
    };
    cast(storage, data_type).unwrap()
}

/// Fails unless both are the same but for rounding.
pub(super) fn assert_close(found: &[Option<f64>], expected: &[Option<f64>], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (k, pair) in found.iter().zip(expected).enumerate() {
        let same = match pair {
            (Some(a), Some(b)) => {
                a.is_nan() && b.is_nan() || a == b || (a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(1.0)
            }
            (a, b) => a.is_none() == b.is_none(),
        };
        assert!(same, "{what}: found {:?}, expected {:?} in group {k}", pair.0, pair.1);
    }
}
