//! Known answers of aggregates.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, Float64Array, Int32Array};
use arrow::datatypes::{Float32Type, Float64Type, Int64Type};

use crate::kernel::{AggregateKind, AxisGroups, BlockLayout, Cells};

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
