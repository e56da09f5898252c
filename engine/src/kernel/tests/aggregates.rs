//! Known answers of aggregates.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, UInt64Array,
};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};

use crate::kernel::{AggregateKind, AxisGroups, BlockLayout, Cells, KernelError};

fn run(kind: AggregateKind, layout: &BlockLayout, values: ArrayRef, groups: usize) -> ArrayRef {
    let mut accumulator = kind.accumulator(&[values.data_type().clone()], groups).unwrap();
    accumulator.update(layout, &[Cells { values: &values, nan_is_missing: true }], None).unwrap();
    accumulator.finish(0..groups).unwrap()
}

fn rows(rows: usize, columns: usize) -> BlockLayout {
    BlockLayout::new(vec![rows, columns], vec![AxisGroups::Identity { first: 0, stride: 1 }, AxisGroups::Collapsed])
}

fn columns(rows: usize, columns: usize) -> BlockLayout {
    BlockLayout::new(vec![rows, columns], vec![AxisGroups::Collapsed, AxisGroups::Identity { first: 0, stride: 1 }])
}

#[test]
fn sums_and_means_skip_nan() {
    let values: ArrayRef = Arc::new(Float32Array::from(vec![1.0, f32::NAN, 2.0, f32::NAN, f32::NAN, f32::NAN]));
    let sums = run(AggregateKind::Sum, &rows(2, 3), values.clone(), 2);
    assert_eq!(sums.as_primitive::<Float64Type>(), &Float64Array::from(vec![Some(3.0), None]));
    let means = run(AggregateKind::Average, &columns(2, 3), values.clone(), 3);
    assert_eq!(means.as_primitive::<Float64Type>(), &Float64Array::from(vec![Some(1.0), None, Some(2.0)]));
    let counts = run(AggregateKind::Count, &columns(2, 3), values.clone(), 3);
    assert_eq!(counts.as_primitive::<Int64Type>().values().to_vec(), [1, 0, 1]);
    let least = run(AggregateKind::Minimum, &rows(2, 3), values, 2);
    assert_eq!(least.as_primitive::<Float32Type>(), &Float32Array::from(vec![Some(1.0), None]));
}

#[test]
fn extremes_follow_the_total_order() {
    for values in [vec![0.0f32, -0.0], vec![-0.0, 0.0]] {
        let values: ArrayRef = Arc::new(Float32Array::from(values));
        let least = run(AggregateKind::Minimum, &rows(1, 2), values.clone(), 1);
        assert!(least.as_primitive::<Float32Type>().value(0).is_sign_negative());
        let greatest = run(AggregateKind::Maximum, &rows(1, 2), values, 1);
        assert!(greatest.as_primitive::<Float32Type>().value(0).is_sign_positive());
    }
}

#[test]
fn integer_sums_are_exact() {
    let values: ArrayRef = Arc::new(Int32Array::from(vec![i32::MAX; 100]));
    let sums = run(AggregateKind::Sum, &rows(1, 100), values, 1);
    assert_eq!(sums.as_primitive::<Int64Type>().value(0), 100 * i64::from(i32::MAX));
}

#[test]
fn constant_cells_do_not_vary() {
    let values: ArrayRef = Arc::new(Float32Array::from(vec![273.15; 10_000]));
    for layout in [rows(2, 5000), columns(5000, 2)] {
        let variances = run(AggregateKind::Variance { ddof: 0 }, &layout, values.clone(), 2);
        assert_eq!(variances.as_primitive::<Float64Type>().values().to_vec(), [0.0, 0.0]);
        let means = run(AggregateKind::Average, &layout, values.clone(), 2);
        assert_eq!(means.as_primitive::<Float64Type>().value(0), f64::from(273.15f32));
    }
}

#[test]
fn variances_stand_great_means() {
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values((0..3000).map(|k| 1e9 + f64::from(k % 3))));
    for layout in [rows(1, 3000), columns(3000, 1)] {
        let variance = run(AggregateKind::Variance { ddof: 0 }, &layout, values.clone(), 1);
        assert!((variance.as_primitive::<Float64Type>().value(0) - 2.0 / 3.0).abs() < 1e-9);
    }
}

#[test]
fn one_cell_has_no_sample_variance() {
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    assert!(run(AggregateKind::Variance { ddof: 1 }, &rows(1, 1), values.clone(), 1).is_null(0));
    let variance = run(AggregateKind::Variance { ddof: 0 }, &rows(1, 1), values, 1);
    assert_eq!(variance.as_primitive::<Float64Type>(), &Float64Array::from(vec![0.0]));
}

#[test]
fn averages_of_great_integers_do_not_wrap() {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX; 64]));
    let means = run(AggregateKind::Average, &rows(1, 64), values, 1);
    assert_eq!(means.as_primitive::<Float64Type>().value(0), i64::MAX as f64);
}

#[test]
fn a_missing_weight_is_an_error_unless_masked() {
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
    let weights: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None]));
    let cells = [&values, &weights].map(|values| Cells { values, nan_is_missing: true });
    let types = [DataType::Float64, DataType::Float64];
    let mut accumulator = AggregateKind::WeightedAverage.accumulator(&types, 1).unwrap();
    let missing = accumulator.update(&rows(1, 2), &cells, None);
    assert!(matches!(missing, Err(KernelError::MissingWeight)));
    accumulator.update(&rows(1, 2), &cells, Some(&BooleanArray::from(vec![true, false]))).unwrap();
    let means = accumulator.finish(0..1).unwrap();
    assert_eq!(means.as_primitive::<Float64Type>(), &Float64Array::from(vec![1.0]));
}

#[test]
fn wrong_calls_are_errors() {
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
    let cells = [Cells { values: &values, nan_is_missing: true }];
    let mut accumulator = AggregateKind::Sum.accumulator(&[DataType::Float64], 1).unwrap();
    assert!(matches!(accumulator.update(&rows(2, 1), &cells, None), Err(KernelError::Layout(_))));
    assert!(matches!(accumulator.update(&rows(1, 3), &cells, None), Err(KernelError::Length { .. })));
    assert!(matches!(accumulator.update(&rows(1, 2), &[], None), Err(KernelError::Arity { .. })));
    let mut integers = AggregateKind::Sum.accumulator(&[DataType::Int64], 1).unwrap();
    assert!(matches!(integers.update(&rows(1, 2), &cells, None), Err(KernelError::Type { .. })));
    let crooked = BlockLayout::new(vec![2], vec![]);
    assert!(matches!(accumulator.update(&crooked, &cells, None), Err(KernelError::Layout(_))));
    assert!(!AggregateKind::Sum.supports(&[DataType::Utf8]));
    assert!(AggregateKind::Count.supports(&[DataType::Utf8]));
}

#[test]
fn kept_values_are_told_as_memory() {
    let values: ArrayRef = Arc::new(Float32Array::from(vec![1.0; 3000]));
    let mut accumulator = AggregateKind::Median.accumulator(&[DataType::Float32], 3).unwrap();
    let cells = [Cells { values: &values, nan_is_missing: true }];
    accumulator.update(&columns(1000, 3), &cells, None).unwrap();
    assert!((12_000..30_000).contains(&accumulator.memory_size()));
}

#[test]
fn long_runs_of_a_slice_are_unpacked_piece_by_piece() {
    let there = |k: usize| !k.is_multiple_of(3) && k % 64 != 5;
    let all: ArrayRef = Arc::new(Float32Array::from_iter((0..30_011).map(|k| there(k).then_some(k as f32))));
    let mask = BooleanArray::from_iter((0..30_020).map(|k| Some(k % 7 != 0)));
    let (values, mask) = (all.slice(11, 30_000), mask.slice(13, 30_000));
    for (layout, groups) in [(rows(1, 30_000), 1), (columns(3, 10_000), 10_000), (rows(3, 10_000), 3)] {
        let mut accumulator = AggregateKind::Sum.accumulator(&[DataType::Float32], groups).unwrap();
        accumulator.update(&layout, &[Cells { values: &values, nan_is_missing: true }], Some(&mask)).unwrap();
        let mut expected = vec![0.0; groups];
        layout.for_each_run(|run| {
            for (k, cell) in run.cells.clone().enumerate() {
                if there(cell + 11) && (cell + 13) % 7 != 0 {
                    expected[run.groups.group(k)] += (cell + 11) as f64;
                }
            }
        });
        let found = accumulator.finish(0..groups).unwrap();
        let found = found.as_primitive::<Float64Type>().iter().map(|sum| sum.unwrap_or(0.0)).collect::<Vec<_>>();
        assert_eq!(found, expected);
    }
}

#[test]
fn great_keys_without_a_sign_are_chosen() {
    let labels: ArrayRef = Arc::new(Float32Array::from(vec![1.0, 2.0, 3.0]));
    let keys: ArrayRef = Arc::new(UInt64Array::from(vec![1, u64::MAX, 1 << 63]));
    let cells = [&labels, &keys].map(|values| Cells { values, nan_is_missing: true });
    for (kind, expected) in [(AggregateKind::ArgMaximum, 2.0), (AggregateKind::First, 1.0)] {
        let mut accumulator = kind.accumulator(&[DataType::Float32, DataType::UInt64], 1).unwrap();
        accumulator.update(&rows(1, 3), &cells, None).unwrap();
        assert_eq!(accumulator.finish(0..1).unwrap().as_primitive::<Float32Type>().value(0), expected);
    }
}
