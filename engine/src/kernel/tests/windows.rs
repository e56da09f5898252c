//! Moving windows against one window at a time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array, Int16Array, StringArray};
use arrow::datatypes::{DataType, Float64Type};
use proptest::prelude::*;

use super::reference::{Cell, aggregate, assert_close, flat, numbers, position};
use crate::kernel::{AggregateKind, Along, Cells, MovingWindow, Stretch, WindowKind, slice_box};
use crate::scan::nan_to_null;

/// The aggregate that a window computes.
fn aggregate_of(kind: WindowKind) -> AggregateKind {
    match kind {
        WindowKind::Sum => AggregateKind::Sum,
        WindowKind::Average => AggregateKind::Average,
        WindowKind::Count => AggregateKind::Count,
        WindowKind::Minimum => AggregateKind::Minimum,
        WindowKind::Shift => unreachable!("a shifted cell is no aggregate"),
        WindowKind::Maximum => AggregateKind::Maximum,
        WindowKind::StandardDeviation { ddof } => AggregateKind::StandardDeviation { ddof },
        WindowKind::Variance { ddof } => AggregateKind::Variance { ddof },
    }
}

/// Results with those that are missing as nulls.
fn with_nulls(kind: WindowKind, results: ArrayRef) -> ArrayRef {
    let is_nan_coded = kind.is_nan_coded(results.data_type()) && results.nulls().is_none();
    if is_nan_coded { nan_to_null(&results) } else { results }
}

/// The window over a box that is cut at some positions of the dimension.
fn moving_window(
    window: MovingWindow,
    values: &ArrayRef,
    nan_is_missing: bool,
    (shape, axis): (&[usize], usize),
    cuts: &[usize],
    range: std::ops::Range<usize>,
) -> ArrayRef {
    let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut % (shape[axis] + 1)).chain([0, shape[axis]]).collect();
    bounds.sort_unstable();
    let boxes: Vec<(ArrayRef, usize)> = bounds
        .windows(2)
        .map(|bounds| {
            let mut region: Vec<_> = shape.iter().map(|&length| 0..length).collect();
            region[axis] = bounds[0]..bounds[1];
            (slice_box(values, shape, &region).unwrap(), bounds[1] - bounds[0])
        })
        .collect();
    let stretches: Vec<_> = boxes
        .iter()
        .map(|(values, length)| Stretch { cells: Cells { values, nan_is_missing }, length: *length })
        .collect();
    with_nulls(window.kind, window.results(&stretches, Along::new(shape, axis), range).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn every_window_is_the_aggregate_of_its_cells(
        shape in prop::collection::vec(1..9usize, 1..4),
        axis in 0..4usize,
        (from, to) in (-9..10isize, 0..10isize).prop_map(|(from, length)| (from, from + length)),
        (start, end) in (0..9usize, 0..9usize),
        least in 0..4usize,
        cells in prop::collection::vec((any::<i8>(), 0..10u8), 800),
        (ints, nulls) in (any::<bool>(), any::<bool>()),
        cuts in prop::collection::vec(0..9usize, 0..4),
    ) {
        let axis = axis % shape.len();
        let range = start.min(end).min(shape[axis])..start.max(end).min(shape[axis]);
        let total = shape.iter().product::<usize>();
        let cells = cells[..total].iter().map(|&(v, m)| (v, m > 0 || !nulls, m == 1));
        let values: ArrayRef = match ints {
            true => Arc::new(Int16Array::from_iter(cells.map(|(v, there, _)| there.then_some(i16::from(v))))),
            false => Arc::new(Float32Array::from_iter(
                cells.map(|(v, there, nan)| there.then_some(if nan { f32::NAN } else { f32::from(v) * 0.37 })),
            )),
        };
        let there = numbers(&values);
        let mut new_shape = shape.clone();
        new_shape[axis] = range.len();
        for kind in [
            WindowKind::Sum, WindowKind::Average, WindowKind::Count, WindowKind::Minimum, WindowKind::Maximum,
            WindowKind::Variance { ddof: 0 }, WindowKind::StandardDeviation { ddof: 1 }
        ] {
            let window = MovingWindow { kind, from, to, least };
            let found = moving_window(window, &values, true, (&shape, axis), &cuts, range.clone());
            prop_assert_eq!(found.data_type(), &kind.result_type(values.data_type()).unwrap());
            let expected = (0..new_shape.iter().product::<usize>()).map(|result| {
                let mut at = position(&new_shape, result);
                let middle = (at[axis] + range.start) as isize;
                let mut window = Vec::new();
                for p in (middle + from..=middle + to).filter(|&p| p >= 0 && p < shape[axis] as isize) {
                    at[axis] = p as usize;
                    let index = flat(&shape, &at);
                    if let Some(value) = there[index].filter(|value| !value.is_nan()) {
                        window.push(Cell { index, value, other: 0.0 });
                    }
                }
                (window.len() >= least).then(|| aggregate(&aggregate_of(kind), &window)).flatten()
            });
            assert_close(&numbers(&found), &expected.collect::<Vec<_>>(), &format!("{kind:?}"));
        }
        let shift = MovingWindow { kind: WindowKind::Shift, from, to: from, least: 1 };
        let found = moving_window(shift, &values, false, (&shape, axis), &cuts, range.clone());
        let expected = (0..new_shape.iter().product::<usize>()).map(|result| {
            let mut at = position(&new_shape, result);
            let source = (at[axis] + range.start) as isize + from;
            at[axis] = source.clamp(0, shape[axis] as isize - 1) as usize;
            if at[axis] as isize == source { there[flat(&shape, &at)] } else { None }
        });
        let bits = |value: Option<f64>| value.map(f64::to_bits);
        prop_assert_eq!(
            numbers(&found).into_iter().map(bits).collect::<Vec<_>>(), expected.map(bits).collect::<Vec<_>>()
        );
    }
}

#[test]
fn sums_forget_the_cells_that_left() {
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1e16, 1.0, 1.0, 1.0, 1.0]));
    let window = MovingWindow { kind: WindowKind::Sum, from: -1, to: 0, least: 2 };
    let sums = moving_window(window, &values, true, (&[5], 0), &[1, 3], 0..5);
    let sums = sums.as_primitive::<Float64Type>();
    assert!(sums.is_null(0));
    assert_eq!(sums.value(4), 2.0);
}

#[test]
fn a_nan_that_is_a_result_is_told_from_a_missing_one() {
    let values: ArrayRef = Arc::new(Float64Array::from(vec![f64::INFINITY, f64::NEG_INFINITY, 1.0, 2.0]));
    let window = MovingWindow { kind: WindowKind::Sum, from: -1, to: 0, least: 2 };
    let sums = moving_window(window, &values, true, (&[4], 0), &[2], 0..4);
    let sums = sums.as_primitive::<Float64Type>();
    assert!(sums.is_null(0) && sums.is_valid(1) && sums.value(1).is_nan());
    assert_eq!((sums.value(2), sums.value(3)), (f64::NEG_INFINITY, 3.0));
}

#[test]
fn text_is_shifted() {
    let values: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c", "d"]));
    for (from, expected) in [
        (-1, [None, None, Some("a"), Some("b")]),
        (isize::MAX, [None; 4]),
        (isize::MIN, [None; 4]),
        (0, [Some("a"), Some("b"), Some("c"), Some("d")]),
    ] {
        let window = MovingWindow { kind: WindowKind::Shift, from, to: from, least: 1 };
        let shifted = moving_window(window, &values, false, (&[2, 2], 0), &[1], 0..2);
        assert_eq!(shifted.data_type(), &DataType::Utf8);
        assert_eq!(shifted.as_string::<i32>().iter().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn wide_windows_span_tiles() {
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values((0..5000).map(f64::from)));
    let window = MovingWindow { kind: WindowKind::Average, from: -10, to: 10, least: 21 };
    let means = moving_window(window, &values, true, (&[5000], 0), &[7, 2048, 2050], 10..4990);
    assert_eq!(means.null_count(), 0);
    assert!(means.as_primitive::<Float64Type>().values().iter().zip(10..).all(|(&mean, k)| mean == f64::from(k)));
}
