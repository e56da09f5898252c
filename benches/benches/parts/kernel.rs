//! Kernels over a block as large as the engine makes them.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Int16Array};
use divan::Bencher;
use divan::counter::BytesCount;
use quarray_engine::kernel::{AggregateKind, Along, AxisGroups, BlockLayout, Cells, MovingWindow, Stretch, WindowKind};

/// Rows and columns of the block.
const SHAPE: [usize; 2] = [256, 1536];
const CELLS: usize = SHAPE[0] * SHAPE[1];

/// Smooth values; each `nan_every`th is a NaN.
fn floats(nan_every: Option<usize>) -> ArrayRef {
    let value = |cell: usize| match nan_every {
        Some(every) if cell.is_multiple_of(every) => f32::NAN,
        _ => (cell % 1009) as f32 * 0.25 - 40.0,
    };
    Arc::new(Float32Array::from_iter_values((0..CELLS).map(value)))
}

/// Every eighth is missing.
fn integers() -> ArrayRef {
    Arc::new((0..CELLS).map(|cell| (!cell.is_multiple_of(8)).then_some((cell % 1009) as i16)).collect::<Int16Array>())
}

/// Groups of the cells of a block.
#[derive(Debug, Clone, Copy)]
enum Groups {
    All,
    Row,
    Column,
    MonthAndColumn,
}

impl Groups {
    /// How many there are, and where each cell belongs.
    fn layout(self) -> (usize, BlockLayout) {
        let identity = AxisGroups::Identity { first: 0, stride: 1 };
        let months: Arc<[u32]> = (0..SHAPE[0] as u32).map(|row| row / 31 % 12).collect();
        let (groups, axes) = match self {
            Self::All => (1, vec![AxisGroups::Collapsed, AxisGroups::Collapsed]),
            Self::Row => (SHAPE[0], vec![identity, AxisGroups::Collapsed]),
            Self::Column => (SHAPE[1], vec![AxisGroups::Collapsed, identity]),
            Self::MonthAndColumn => {
                (12 * SHAPE[1], vec![AxisGroups::Labelled { labels: months, stride: SHAPE[1] }, identity])
            }
        };
        (groups, BlockLayout::new(SHAPE.to_vec(), axes))
    }
}

const GROUPS: [Groups; 4] = [Groups::All, Groups::Row, Groups::Column, Groups::MonthAndColumn];

/// Folds the block into states of its groups.
fn fold(bencher: Bencher<'_, '_>, kind: &AggregateKind, groups: Groups, cells: Cells<'_>) {
    let (count, layout) = groups.layout();
    let argument = cells.values.data_type().clone();
    let bytes = cells.values.len() * argument.primitive_width().unwrap_or(0);
    let states = || kind.accumulator(std::slice::from_ref(&argument), count);
    bencher.counter(BytesCount::new(bytes)).with_inputs(states).bench_local_refs(|states| {
        let updated = states.as_mut().map(|states| states.update(&layout, &[cells], None));
        assert!(matches!(updated, Ok(Ok(()))), "{updated:?}");
    });
}

#[divan::bench]
fn memcpy(bencher: Bencher<'_, '_>) {
    let source = vec![1.5f32; CELLS];
    let mut target = vec![0f32; CELLS];
    bencher.counter(BytesCount::new(4 * CELLS)).bench_local(|| black_box(&mut target).copy_from_slice(&source));
}

#[divan::bench(args = GROUPS)]
fn average(bencher: Bencher<'_, '_>, groups: Groups) {
    fold(bencher, &AggregateKind::Average, groups, Cells { values: &floats(None), nan_is_missing: true });
}

#[divan::bench(args = GROUPS)]
fn average_with_nans(bencher: Bencher<'_, '_>, groups: Groups) {
    fold(bencher, &AggregateKind::Average, groups, Cells { values: &floats(Some(8)), nan_is_missing: true });
}

#[divan::bench(args = GROUPS)]
fn average_of_int16_with_nulls(bencher: Bencher<'_, '_>, groups: Groups) {
    fold(bencher, &AggregateKind::Average, groups, Cells { values: &integers(), nan_is_missing: false });
}

#[divan::bench(args = GROUPS)]
fn minimum(bencher: Bencher<'_, '_>, groups: Groups) {
    fold(bencher, &AggregateKind::Minimum, groups, Cells { values: &floats(Some(8)), nan_is_missing: true });
}

#[divan::bench(args = GROUPS)]
fn variance(bencher: Bencher<'_, '_>, groups: Groups) {
    let kind = AggregateKind::Variance { ddof: 0 };
    fold(bencher, &kind, groups, Cells { values: &floats(Some(8)), nan_is_missing: true });
}

#[divan::bench(args = GROUPS)]
fn count(bencher: Bencher<'_, '_>, groups: Groups) {
    fold(bencher, &AggregateKind::Count, groups, Cells { values: &floats(Some(8)), nan_is_missing: true });
}

#[divan::bench(args = GROUPS)]
fn quantile(bencher: Bencher<'_, '_>, groups: Groups) {
    let kind = AggregateKind::quantile(0.5);
    fold(bencher, &kind, groups, Cells { values: &floats(Some(8)), nan_is_missing: true });
}

/// A mean of seven neighbours along an axis.
#[divan::bench(args = [0, 1])]
fn window_of_seven_along(bencher: Bencher<'_, '_>, axis: usize) {
    let values = floats(Some(8));
    let window = MovingWindow { kind: WindowKind::Average, from: -6, to: 0, least: 7 };
    let (along, length) = (Along::new(&SHAPE, axis), SHAPE[axis]);
    bencher.counter(BytesCount::new(4 * CELLS)).bench_local(|| {
        let stretch = Stretch { cells: Cells { values: &values, nan_is_missing: true }, length };
        assert!(window.results(&[stretch], along, 0..length).is_ok());
    });
}
