//! Gathers of boxes against one cell at a time.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::compute::{cast, take};
use arrow::datatypes::DataType;
use proptest::prelude::*;

use super::reference::{flat, position};
use crate::kernel::{broadcast, select, slice_box};

fn values(cells: usize, data_type: &DataType, nulls: bool) -> ArrayRef {
    let numbers = (0..cells as i64).map(|k| (!nulls || k % 3 != 0).then_some(k % 120));
    cast(&arrow::array::Int64Array::from_iter(numbers), data_type).unwrap()
}

/// Takes each cell of a box of `shape` from where `source` says.
fn one_by_one(values: &ArrayRef, shape: &[usize], source: impl Fn(Vec<usize>) -> usize) -> ArrayRef {
    let cells = shape.iter().product::<usize>();
    let indexes = (0..cells).map(|cell| source(position(shape, cell)) as u64);
    take(values, &UInt64Array::from_iter_values(indexes), None).unwrap()
}

fn types() -> impl Strategy<Value = DataType> {
    use DataType as T;
    prop::sample::select(vec![T::Float32, T::Float64, T::Int16, T::Boolean, T::Utf8, T::UInt8, T::Decimal128(10, 0)])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn boxes_are_cut_out(
        sides in prop::collection::vec((1..6usize, 0..6usize, 0..6usize), 0..5),
        data_type in types(),
        nulls: bool,
    ) {
        let shape = sides.iter().map(|side| side.0).collect::<Vec<_>>();
        let region = sides
            .iter()
            .map(|&(length, a, b)| a.min(b).min(length)..a.max(b).min(length))
            .collect::<Vec<Range<usize>>>();
        let new_shape = region.iter().map(Range::len).collect::<Vec<_>>();
        let values = values(shape.iter().product(), &data_type, nulls);
        let expected = one_by_one(&values, &new_shape, |at| {
            flat(&shape, &at.iter().zip(&region).map(|(at, range)| at + range.start).collect::<Vec<_>>())
        });
        prop_assert_eq!(&slice_box(&values, &shape, &region).unwrap(), &expected);
    }

    #[test]
    fn positions_are_picked(
        sides in prop::collection::vec((1..6usize, prop::option::of(prop::collection::vec(0..6usize, 0..6))), 0..5),
        data_type in types(),
        nulls: bool,
    ) {
        let shape = sides.iter().map(|side| side.0).collect::<Vec<_>>();
        let picks = sides
            .iter()
            .map(|(length, pick)| pick.as_ref().map(|pick| pick.iter().map(|p| p % length).collect::<Vec<_>>()))
            .collect::<Vec<_>>();
        let new_shape = picks.iter().zip(&shape).map(|(p, &n)| p.as_ref().map_or(n, Vec::len)).collect::<Vec<_>>();
        let values = values(shape.iter().product(), &data_type, nulls);
        let expected = one_by_one(&values, &new_shape, |at| {
            let old = at.iter().zip(&picks).map(|(&at, pick)| pick.as_ref().map_or(at, |pick| pick[at]));
            flat(&shape, &old.collect::<Vec<_>>())
        });
        prop_assert_eq!(&select(&values, &shape, &picks).unwrap(), &expected);
    }

    #[test]
    fn variables_are_spread(
        block in prop::collection::vec(1..6usize, 0..5),
        order in Just([0usize, 1, 2, 3]).prop_shuffle(),
        dimensions in 0..5usize,
        data_type in types(),
        nulls: bool,
    ) {
        let from = order.iter().copied().filter(|&d| d < block.len()).take(dimensions).collect::<Vec<_>>();
        let shape = from.iter().map(|&d| block[d]).collect::<Vec<_>>();
        let values = values(shape.iter().product(), &data_type, nulls);
        let expected =
            one_by_one(&values, &block, |at| flat(&shape, &from.iter().map(|&d| at[d]).collect::<Vec<_>>()));
        prop_assert_eq!(&broadcast(&values, &from, &block).unwrap(), &expected);
    }
}

#[test]
fn wrong_boxes_are_errors() {
    let values: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3, 4]));
    assert!(slice_box(&values, &[2, 2], &[0..3, 0..1]).is_err());
    assert!(slice_box(&values, &[2, 3], &[0..1, 0..1]).is_err());
    assert!(select(&values, &[2, 2], &[None, Some(vec![2])]).is_err());
    assert!(broadcast(&values, &[2], &[4, 4]).is_err());
}
