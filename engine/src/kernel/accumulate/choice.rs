//! `arg_min`, `arg_max`, `first` and `last`: a label of the cell with the least or greatest key.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, UInt64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;

use super::Accumulator;
use super::extreme::{Ordered, extreme_of};
use super::labels::Labels;
use crate::kernel::cells::{Cells, Missing, Presence, check_merge, check_update};
use crate::kernel::error::KernelError;
use crate::kernel::fold::{Fold, fold, for_each_cell};
use crate::kernel::layout::BlockLayout;
use crate::kernel::native::{Native, Physical, native_values, state_values, with_native};
use crate::kernel::place::Place;

/// The position of a group that has had no cell.
const NONE: u64 = u64::MAX;

/// Which cell of a group is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Choice {
    /// The first with the least key.
    Least,
    /// The first with the greatest key.
    Greatest,
    /// The last with the greatest key.
    LastGreatest,
}

/// Keeps, for each group, the label of the cell that is chosen by its key.
#[derive(Debug)]
pub(crate) struct ChoiceAccumulator {
    /// Of the label and the key.
    arguments: Vec<DataType>,
    choice: Choice,
    choices: Choices,
    /// The position of the next block, if blocks do not tell theirs.
    arrived: u64,
    /// The greatest position of any cell so far.
    latest: Option<u64>,
}

#[derive(Debug)]
struct Choices {
    /// Ordered keys of 64 bits, whatever their type; turned over if the greatest is chosen, so that the least wins.
    keys: Vec<i64>,
    positions: Vec<u64>,
    /// The labels' bits.
    labels: Vec<u64>,
}

/// What becomes of a cell whose key equals the chosen one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ties {
    Lose,
    Win,
    Compare { last: bool },
}

/// The choices while a block is folded in.
struct Choosing<'a> {
    choices: &'a mut Choices,
    /// All ones if the greatest key is chosen: turns keys over.
    turn: i64,
    ties: Ties,
    labels: Labels,
    positions: Positions<'a>,
    /// The first cell of the run.
    start: usize,
}

/// The positions of a block's cells; remembers a stretch of cells that follow each other.
struct Positions<'a> {
    place: Option<&'a Place>,
    stretch: Range<usize>,
    first: u64,
}

impl ChoiceAccumulator {
    /// An accumulator of `groups` choices.
    pub(crate) fn new(arguments: &[DataType], choice: Choice, groups: usize) -> Self {
        let choices = Choices { keys: vec![i64::MAX; groups], positions: vec![NONE; groups], labels: vec![0; groups] };
        Self { arguments: arguments.to_vec(), choice, choices, arrived: 0, latest: None }
    }

    fn last(&self) -> bool {
        self.choice == Choice::LastGreatest
    }

    /// Where the block begins, where it ends, and what that means for ties: if all its cells come after all others,
    /// no positions need be compared.
    fn place_block(&mut self, layout: &BlockLayout) -> Ties {
        let (first, end) = match layout.place() {
            Some(place) => (place.first(), place.last()),
            None => (self.arrived, self.arrived + layout.cells().saturating_sub(1) as u64),
        };
        let in_order = self.latest.is_none_or(|latest| latest < first);
        self.latest = self.latest.max(Some(end));
        match in_order {
            true if self.last() => Ties::Win,
            true => Ties::Lose,
            false => Ties::Compare { last: self.last() },
        }
    }
}

impl Accumulator for ChoiceAccumulator {
    fn update(
        &mut self,
        layout: &BlockLayout,
        arguments: &[Cells<'_>],
        mask: Option<&BooleanArray>,
    ) -> Result<(), KernelError> {
        check_update("a choice by key", &self.arguments, self.choices.keys.len(), layout, arguments, mask)?;
        let ties = self.place_block(layout);
        let positions = Positions::new(layout.place(), self.arrived, layout.cells());
        self.arrived += layout.cells() as u64;
        let missing = Missing::of(&arguments[1], mask).and(Missing::present(&arguments[0]));
        let labels = Labels::of(arguments[0].values)?;
        let turn = if self.choice == Choice::Least { 0 } else { -1 };
        let mut choosing = Choosing { choices: &mut self.choices, turn, ties, labels, positions, start: 0 };
        let keys = arguments[1].values;
        match Physical::of(keys.data_type()) {
            Some(Physical::Float32) => fold(&mut choosing, layout, &native_values::<f32>(keys), &missing),
            Some(Physical::Float64) => fold(&mut choosing, layout, &native_values::<f64>(keys), &missing),
            Some(Physical::Int64) => fold(&mut choosing, layout, &native_values::<i64>(keys), &missing),
            Some(physical) => with_native!(physical, T => fold(&mut choosing, layout, &wide_keys::<T>(keys), &missing)),
            None => {}
        }
        Ok(())
    }

    fn merge(&mut self, layout: &BlockLayout, state: &[ArrayRef]) -> Result<(), KernelError> {
        check_merge("a choice by key", 3, self.choices.keys.len(), layout, state)?;
        let labels = Labels::of(&state[0])?;
        let keys = state_values::<i64>(&state[1], &DataType::Int64)?;
        let positions = state_values::<u64>(&state[2], &DataType::UInt64)?;
        let (ties, mut latest) = (Ties::Compare { last: self.last() }, self.latest);
        for_each_cell(layout, |cell, group| {
            let (key, position) = (keys[cell], positions[cell]);
            if position != NONE && self.choices.prefers(ties, group, key, || position) {
                self.choices.choose(group, key, position, labels.bits(cell));
                latest = latest.max(Some(position));
            }
        });
        self.latest = latest;
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.arguments[0].clone(), DataType::Int64, DataType::UInt64]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>, KernelError> {
        let Choices { keys, positions, labels } = &mut self.choices;
        let labels = Labels::array(&self.arguments[0], &std::mem::take(labels), None)?;
        let keys = Arc::new(Int64Array::from(std::mem::take(keys)));
        Ok(vec![labels, keys, Arc::new(UInt64Array::from(std::mem::take(positions)))])
    }

    fn finish(&mut self, range: Range<usize>) -> Result<ArrayRef, KernelError> {
        let positions = &self.choices.positions[range.clone()];
        let nulls = NullBuffer::new(BooleanBuffer::collect_bool(positions.len(), |k| positions[k] != NONE));
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        Labels::array(&self.arguments[0], &self.choices.labels[range], nulls)
    }

    fn memory_size(&self) -> usize {
        3 * self.choices.keys.capacity() * size_of::<u64>()
    }
}

impl Choices {
    /// Whether a cell is to be chosen instead of the group's present choice.
    #[inline(always)]
    fn prefers(&self, ties: Ties, group: usize, key: i64, position: impl FnOnce() -> u64) -> bool {
        let (chosen, chosen_position) = (self.keys[group], self.positions[group]);
        key < chosen
            || chosen_position == NONE
            || key == chosen
                && match ties {
                    Ties::Lose => false,
                    Ties::Win => true,
                    Ties::Compare { last } => (position() > chosen_position) == last,
                }
    }

    #[inline(always)]
    fn choose(&mut self, group: usize, key: i64, position: u64, label: u64) {
        self.keys[group] = key;
        self.positions[group] = position;
        self.labels[group] = label;
    }
}

impl Choosing<'_> {
    /// Chooses the cell if its key is better than the group's.
    #[inline(always)]
    fn offer(&mut self, group: usize, key: i64, cell: usize) {
        let positions = &mut self.positions;
        if self.choices.prefers(self.ties, group, key, || positions.of(cell)) {
            self.choices.choose(group, key, positions.of(cell), self.labels.bits(cell));
        }
    }
}

impl<T: Ordered<Key: Into<i64>>> Fold<T> for Choosing<'_> {
    #[inline(always)]
    fn start(&mut self, cell: usize) {
        self.start = cell;
    }

    #[inline(always)]
    fn one<P: Presence>(&mut self, group: usize, values: &[T], present: P) {
        let (key, seen) = match self.turn {
            0 => extreme_of::<T, P, false>(values, present),
            _ => extreme_of::<T, P, true>(values, present),
        };
        if !seen {
            return;
        }
        let found = |&k: &usize| values[k].key() == key && present.has(k, values[k]);
        let last = matches!(self.ties, Ties::Win | Ties::Compare { last: true });
        let k = if last { (0..values.len()).rev().find(found) } else { (0..values.len()).find(found) };
        if let Some(k) = k {
            self.offer(group, key.into() ^ self.turn, self.start + k);
        }
    }

    #[inline(always)]
    fn consecutive<P: Presence>(&mut self, first: usize, values: &[T], present: P) {
        for (k, &value) in values.iter().enumerate() {
            if present.has(k, value) {
                self.offer(first + k, value.key().into() ^ self.turn, self.start + k);
            }
        }
    }

    #[inline(always)]
    fn labelled<P: Presence>(&mut self, base: usize, labels: &[u32], stride: usize, values: &[T], present: P) {
        for (k, (&label, &value)) in labels.iter().zip(values).enumerate() {
            if present.has(k, value) {
                self.offer(base + label as usize * stride, value.key().into() ^ self.turn, self.start + k);
            }
        }
    }
}

/// Keys of up to 64 bits as signed ones that order alike.
fn wide_keys<T: Native>(keys: &ArrayRef) -> Vec<i64> {
    let unsigned = |key: T| key.to_usize().map_or(0, |key| (key as u64 ^ (1 << 63)) as i64);
    let wide = |&key: &T| key.to_i64().unwrap_or(0);
    match keys.data_type() {
        DataType::UInt64 => native_values::<T>(keys).iter().map(|&key| unsigned(key)).collect(),
        _ => native_values::<T>(keys).iter().map(wide).collect(),
    }
}

impl<'a> Positions<'a> {
    fn new(place: Option<&'a Place>, arrived: u64, cells: usize) -> Self {
        match place {
            Some(_) => Self { place, stretch: 0..0, first: 0 },
            None => Self { place, stretch: 0..cells, first: arrived },
        }
    }

    #[inline(always)]
    fn of(&mut self, cell: usize) -> u64 {
        if !self.stretch.contains(&cell)
            && let Some(place) = self.place
        {
            let (position, together) = place.locate(cell);
            (self.first, self.stretch) = (position, cell..cell + together);
        }
        self.first + (cell - self.stretch.start) as u64
    }
}
