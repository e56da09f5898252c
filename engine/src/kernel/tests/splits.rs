//! Every aggregate, over random shapes, groups, types, missing cells and masks, split into blocks that come in any
//! order and are merged: the answers must be those of the definitions.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array};
use arrow::datatypes::{DataType, TimeUnit};
use proptest::prelude::*;

use super::reference::{self, Cell, aggregate, assert_close, flat, numbers, position, whole_numbers};
use crate::kernel::{Accumulator, AggregateKind, AxisGroups, BlockLayout, Cells, slice_box};

#[derive(Debug, Clone)]
struct Case {
    shape: Vec<usize>,
    axes: Vec<AxisGroups>,
    groups: usize,
    values: ArrayRef,
    others: ArrayRef,
    nan_is_missing: bool,
    mask: Option<BooleanArray>,
    /// Where each dimension is cut.
    cuts: Vec<usize>,
    /// Turns the order of the blocks.
    turn: usize,
}

/// Cells along a dimension, at most.
const LENGTH_MAX: usize = 80;

/// What becomes of a dimension: reduced, kept, or labelled.
fn axes(shape: Vec<usize>) -> impl Strategy<Value = (Vec<usize>, Vec<AxisGroups>, usize)> {
    let rank = shape.len();
    let choices = prop::collection::vec((0..3usize, prop::collection::vec(0..3u32, LENGTH_MAX), 0..2usize), rank);
    choices.prop_map(move |choices| {
        let (mut stride, mut axes) = (1, Vec::new());
        for (&length, (choice, labels, first)) in shape.iter().zip(choices).rev() {
            let (axis, groups) = match choice {
                0 => (AxisGroups::Collapsed, 1),
                1 => (AxisGroups::Identity { first, stride }, first + length),
                _ => (AxisGroups::Labelled { labels: labels[..length].into(), stride }, 3),
            };
            axes.push(axis);
            stride *= groups;
        }
        axes.reverse();
        (shape.clone(), axes, stride)
    })
}

fn array(data_type: DataType, cells: &[(i8, u8)]) -> ArrayRef {
    let number = |&(value, missing): &(i8, u8)| (missing > 0).then_some(value);
    let float =
        |cell: &(i8, u8)| if cell.1 == 1 { Some(f64::NAN) } else { number(cell).map(|v| f64::from(v) * 0.37 + 273.15) };
    match data_type {
        DataType::Float64 => Arc::new(Float64Array::from_iter(cells.iter().map(float))),
        DataType::Float32 => Arc::new(Float32Array::from_iter(cells.iter().map(|c| float(c).map(|v| v as f32)))),
        DataType::Boolean => Arc::new(BooleanArray::from_iter(cells.iter().map(|c| number(c).map(|v| v > 60)))),
        _ if data_type.is_unsigned_integer() => {
            whole_numbers(&cells.iter().map(|c| number(c).map(|v| i64::from(v).abs())).collect::<Vec<_>>(), &data_type)
        }
        _ => whole_numbers(&cells.iter().map(|c| number(c).map(i64::from)).collect::<Vec<_>>(), &data_type),
    }
}

fn types() -> impl Strategy<Value = DataType> {
    use DataType as T;
    let time = |unit| T::Timestamp(unit, None);
    prop::sample::select(vec![
        T::Float32,
        T::Float64,
        T::Float32,
        T::Float64,
        T::Int8,
        T::Int16,
        T::Int32,
        T::Int64,
        T::UInt8,
        T::UInt16,
        T::UInt32,
        T::UInt64,
        T::Boolean,
        T::Date32,
        time(TimeUnit::Microsecond),
        time(TimeUnit::Nanosecond),
    ])
}

fn cases() -> impl Strategy<Value = Case> {
    // Rows as long as kernels take at once, and longer, with fewer of them.
    let short = (prop::collection::vec(1..7usize, 0..4), 1..12usize);
    let long = (prop::collection::vec(1..7usize, 0..2), 30..LENGTH_MAX);
    let shapes = prop_oneof![3 => short, 1 => long].prop_map(|(outer, last)| [outer.as_slice(), &[last]].concat());
    (shapes.prop_flat_map(axes), types(), types()).prop_flat_map(|((shape, axes, groups), value_type, other_type)| {
        let cells = shape.iter().product::<usize>();
        let rank = shape.len();
        // 0 is null, 1 is NaN: either all cells are there, or some are not.
        let values = prop_oneof![
            prop::collection::vec((any::<i8>(), 2..3u8), cells),
            prop::collection::vec((any::<i8>(), 1..8u8), cells),
            prop::collection::vec((-2..2i8, 0..8u8), cells),
        ];
        let others = prop_oneof![
            prop::collection::vec((any::<i8>(), 2..3u8), cells),
            prop::collection::vec((-2..2i8, 0..8u8), cells),
        ];
        let mask =
            prop::option::of(prop::collection::vec(prop::option::weighted(0.9, prop::bool::weighted(0.7)), cells));
        let cuts = prop::collection::vec(0..8usize, rank);
        (values, others, any::<bool>(), mask, cuts, 0..5usize).prop_map(
            move |(values, others, nan_is_missing, mask, cuts, turn)| Case {
                shape: shape.clone(),
                axes: axes.clone(),
                groups,
                values: array(value_type.clone(), &values),
                others: array(other_type.clone(), &others),
                nan_is_missing,
                mask: mask.map(BooleanArray::from),
                cuts,
                turn,
            },
        )
    })
}

impl Case {
    /// The arguments of an aggregate.
    fn arguments(&self, kind: &AggregateKind) -> Vec<ArrayRef> {
        let two = kind.supports(&[self.values.data_type().clone(), self.others.data_type().clone()]);
        match kind {
            AggregateKind::CountAll => vec![],
            _ if two => vec![self.values.clone(), self.others.clone()],
            _ => vec![self.values.clone()],
        }
    }

    /// The cells that count for each group, by the definitions.
    fn cells(&self, kind: &AggregateKind) -> Vec<Vec<Cell>> {
        let arguments = self.arguments(kind);
        let columns = arguments.iter().map(numbers).collect::<Vec<_>>();
        let mut groups = vec![Vec::new(); self.groups];
        for index in 0..self.shape.iter().product() {
            let masked = self.mask.as_ref().is_some_and(|mask| mask.is_null(index) || !mask.value(index));
            let there = columns.iter().all(|column| match column[index] {
                Some(value) => !(self.nan_is_missing && value.is_nan()),
                None => false,
            });
            if there && !masked {
                let cell = |argument: usize| columns.get(argument).and_then(|column| column[index]).unwrap_or(0.0);
                let group = reference::group(&self.axes, &position(&self.shape, index));
                groups[group].push(Cell { index, value: cell(0), other: cell(1) });
            }
        }
        groups
    }

    /// The boxes that the cuts make, in another order.
    fn blocks(&self) -> Vec<Vec<Range<usize>>> {
        let mut blocks: Vec<Vec<Range<usize>>> = vec![vec![]];
        for (&length, &cut) in self.shape.iter().zip(&self.cuts) {
            let cut = if cut < length { cut } else { 0 };
            let parts = [0..cut, cut..length].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
            blocks = blocks
                .iter()
                .flat_map(|block| parts.iter().map(|part| [block.as_slice(), std::slice::from_ref(part)].concat()))
                .collect();
        }
        let turn = self.turn % blocks.len();
        blocks.rotate_left(turn);
        blocks
    }

    /// Adds a box of cells to an accumulator.
    fn add(&self, accumulator: &mut dyn Accumulator, kind: &AggregateKind, block: &[Range<usize>]) {
        let shape = block.iter().map(Range::len).collect::<Vec<_>>();
        let origin = block.iter().map(|range| range.start).collect::<Vec<_>>();
        let axes = self.axes.iter().zip(block).map(|(axis, range)| match axis {
            AxisGroups::Collapsed => AxisGroups::Collapsed,
            AxisGroups::Identity { first, stride } => {
                AxisGroups::Identity { first: first + range.start, stride: *stride }
            }
            AxisGroups::Labelled { labels, stride } => {
                AxisGroups::Labelled { labels: labels[range.clone()].into(), stride: *stride }
            }
        });
        let layout = BlockLayout::new(shape.clone(), axes.collect()).placed(&shape, &origin, &self.shape);
        let cut = |array: &ArrayRef| slice_box(array, &self.shape, block).unwrap();
        let arguments = self.arguments(kind).iter().map(cut).collect::<Vec<_>>();
        let cells =
            arguments.iter().map(|values| Cells { values, nan_is_missing: self.nan_is_missing }).collect::<Vec<_>>();
        let mask = self.mask.clone().map(|mask| cut(&(Arc::new(mask) as ArrayRef)).as_boolean().clone());
        accumulator.update(&layout, &cells, mask.as_ref()).unwrap();
    }

    fn check(&self, kind: &AggregateKind) {
        let types = self.arguments(kind).iter().map(|array| array.data_type().clone()).collect::<Vec<_>>();
        if !kind.supports(&types) {
            return;
        }
        let expected = self.cells(kind).iter().map(|cells| aggregate(kind, cells)).collect::<Vec<_>>();
        let new = || kind.accumulator(&types, self.groups).unwrap();

        let mut whole = new();
        for block in self.blocks() {
            self.add(whole.as_mut(), kind, &block);
        }
        let found = whole.finish(0..self.groups).unwrap();
        assert_eq!(found.data_type(), &kind.result_type(&types).unwrap(), "{kind:?}");
        assert_close(&numbers(&found), &expected, &format!("{kind:?} of blocks"));

        let (mut merged, middle) = (new(), self.groups / 2);
        for block in self.blocks() {
            let mut part = new();
            self.add(part.as_mut(), kind, &block);
            let state = part.state().unwrap();
            assert_eq!(state.iter().map(|array| array.data_type().clone()).collect::<Vec<_>>(), new().state_types());
            let identity = AxisGroups::Identity { first: 0, stride: 1 };
            merged.merge(&BlockLayout::new(vec![self.groups], vec![identity]), &state).unwrap();
        }
        let halves = [0..middle, middle..self.groups].map(|range| numbers(&merged.finish(range).unwrap()));
        assert_close(&halves.concat(), &expected, &format!("{kind:?} of merged parts"));
    }
}

fn no_weight_is_missing(case: &Case) -> bool {
    numbers(&case.others).iter().all(|weight| weight.is_some_and(|weight| !weight.is_nan()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn every_aggregate_is_what_its_definition_says(case in cases()) {
        use AggregateKind as A;
        let float = matches!(case.values.data_type(), DataType::Float32 | DataType::Float64);
        let nan_counts = float && !case.nan_is_missing && numbers(&case.values).iter().flatten().any(|v| v.is_nan());
        for kind in [
            A::Count, A::CountAll, A::Sum, A::Average, A::Minimum, A::Maximum, A::ArgMinimum, A::ArgMaximum, A::First,
            A::Last, A::Any, A::All, A::Variance { ddof: 0 }, A::StandardDeviation { ddof: 1 }
        ] {
            case.check(&kind);
        }
        for kind in [A::Median, A::quantile(0.0), A::quantile(0.1), A::quantile(0.75), A::quantile(1.0)] {
            // Interpolation towards a NaN, which sorts as the greatest, is not compared.
            if !nan_counts {
                case.check(&kind);
            }
        }
        if no_weight_is_missing(&case) {
            case.check(&A::WeightedAverage);
        }
    }

    #[test]
    fn runs_cover_the_block_in_order(case in cases()) {
        let layout = BlockLayout::new(case.shape.clone(), case.axes.clone());
        let mut next = 0;
        layout.for_each_run(|run| {
            assert_eq!(run.cells.start, next);
            for (k, cell) in run.cells.clone().enumerate() {
                let expected = reference::group(&case.axes, &position(&case.shape, cell));
                assert_eq!(run.groups.group(k), expected);
                assert_eq!(flat(&case.shape, &position(&case.shape, cell)), cell);
            }
            next = run.cells.end;
        });
        prop_assert_eq!(next, layout.cells());
    }
}
