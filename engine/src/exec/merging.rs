//! The merging of partial states, and the rows of the groups that are complete.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{cast, filter_record_batch, take};
use arrow::datatypes::{Int64Type, UInt64Type};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::metrics::BaselineMetrics;
use futures::TryStreamExt;

use super::block::{Block, list_values};
use super::completion::Completion;
use super::pivot::kernel;
use super::reduce_partial::Reduction;
use super::reduce_spec::{ReduceSpec, cells_of};
use super::turns::Turns;
use crate::array::Region;
use crate::kernel::Accumulator;

/// Rows of one batch of the result: enough to be written quickly, few enough to stay in the cache.
const BATCH_ROWS: usize = 16_384;

/// Merges partial states in the order of their partitions.
pub struct Merging {
    reduction: Arc<Reduction>,
    completion: Arc<Completion>,
    states: States,
    /// The partition whose turn it is.
    next: u64,
    /// The groups that are held, along the axis of the completion.
    held: Range<u64>,
    accumulators: Vec<Box<dyn Accumulator>>,
    /// Rows that are to be given next, counted from the first group that is held.
    rows: Range<usize>,
    /// Groups of all other axes together.
    width: usize,
    memory: MemoryReservation,
    baseline: BaselineMetrics,
}

/// Partial states as they come.
pub struct States {
    input: SendableRecordBatchStream,
    turns: Arc<Turns>,
    /// Those that came before their turn.
    early: BTreeMap<u64, RecordBatch>,
}

impl States {
    /// The states of `input`, whose partitions take turns.
    pub fn new(input: SendableRecordBatchStream, turns: Arc<Turns>) -> Self {
        Self { input, turns, early: BTreeMap::new() }
    }

    /// The state of a partition: without it the answer would be one of some cells only.
    async fn of(&mut self, partition: u64) -> Result<RecordBatch> {
        loop {
            if let Some(state) = self.early.remove(&partition) {
                return Ok(state);
            }
            let Some(batch) = self.input.try_next().await? else {
                return exec_err!("the states of a reduction ended before that of partition {partition} came");
            };
            for row in 0..batch.num_rows() {
                let number = batch.column(0).as_primitive::<UInt64Type>().value(row);
                self.turns.take(number);
                self.early.insert(number, batch.slice(row, 1));
            }
        }
    }
}

impl Merging {
    /// Of these states.
    pub fn new(
        reduction: Arc<Reduction>,
        completion: Arc<Completion>,
        states: States,
        memory: MemoryReservation,
        baseline: BaselineMetrics,
    ) -> Result<Self> {
        let spec = &reduction.spec;
        let is_empty = spec.groups()? == 0;
        let next = if is_empty { completion.partitions() } else { 0 };
        let width = cells_of(&completion.region(&spec.group_shape(), 0..1))?;
        Ok(Self {
            reduction,
            completion,
            states,
            next,
            held: 0..0,
            accumulators: Vec::new(),
            rows: 0..0,
            width,
            memory,
            baseline,
        })
    }

    /// The next rows.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let time = self.baseline.elapsed_compute().clone();
        loop {
            if !self.rows.is_empty() {
                let _timer = time.timer();
                let start = self.rows.start;
                self.rows.start = self.rows.end.min(start + BATCH_ROWS);
                let batch = self.rows_of(start..self.rows.start)?;
                self.baseline.record_output(batch.num_rows());
                return Ok(Some(batch));
            }
            if self.next == self.completion.partitions() {
                return Ok(None);
            }
            let state = self.states.of(self.next).await?;
            let timer = time.timer();
            // The rows before these were given: their groups are let go.
            let first = self.next.checked_sub(1).map_or(0, |before| self.completion.complete(before));
            self.hold(first..self.completion.reach(self.next))?;
            self.merge(&state)?;
            timer.done();
            let complete = self.completion.complete(self.next) - self.held.start;
            self.rows = 0..complete as usize * self.width;
            self.next += 1;
        }
    }

    /// Holds these groups from now on: what they have so far is kept.
    fn hold(&mut self, groups: Range<u64>) -> Result<()> {
        if groups == self.held && !self.accumulators.is_empty() {
            return Ok(());
        }
        let shape = self.reduction.spec.group_shape();
        let count = cells_of(&self.completion.region(&shape, groups.clone()))?;
        self.memory.try_grow(count.saturating_mul(self.reduction.bytes_per_group()))?;
        let mut before = std::mem::replace(&mut self.accumulators, self.reduction.start(count)?);
        let left = groups.start.max(self.held.start)..groups.end.min(self.held.end);
        if !before.is_empty() && !left.is_empty() {
            let offset = (left.start - self.held.start) as usize * self.width;
            let region = self.completion.region(&shape, left);
            let layout = self.reduction.spec.merge_layout(&region, self.completion.axis, groups.start);
            for (old, new) in before.iter_mut().zip(&mut self.accumulators) {
                let states = old.state().map_err(kernel)?;
                let states: Vec<ArrayRef> = states.iter().map(|state| state.slice(offset, layout.cells())).collect();
                new.merge(&layout, &states).map_err(kernel)?;
            }
        }
        drop(before);
        self.held = groups;
        self.resize()
    }

    fn merge(&mut self, state: &RecordBatch) -> Result<()> {
        let place = state.project(&[1, 2])?;
        let Some(Block { region: groups, .. }) = Block::of_batch(&place)?.pop() else { return Ok(()) };
        if cells_of(&groups)? == 0 {
            return Ok(());
        }
        let layout = self.reduction.spec.merge_layout(&groups, self.completion.axis, self.held.start);
        let mut column = 3;
        for accumulator in &mut self.accumulators {
            let count = accumulator.state_types().len();
            let states: Vec<ArrayRef> =
                (column..column + count).map(|index| list_values(state.column(index), 0)).collect::<Result<_>>()?;
            accumulator.merge(&layout, &states).map_err(kernel)?;
            column += count;
        }
        self.resize()
    }

    fn resize(&self) -> Result<()> {
        self.memory.try_resize(self.accumulators.iter().map(|accumulator| accumulator.memory_size()).sum())
    }

    /// Some of the groups that are held as rows: those that have cells.
    fn rows_of(&mut self, range: Range<usize>) -> Result<RecordBatch> {
        let spec = &self.reduction.spec;
        let first = self.held.start as usize * self.width + range.start;
        let mut columns = key_columns(spec, first, range.len())?;
        let aggregates = spec.aggregates.len();
        for accumulator in &mut self.accumulators[..aggregates] {
            columns.push(accumulator.finish(range.clone()).map_err(kernel)?);
        }
        let fields = spec.schema.fields();
        let columns = columns.iter().zip(fields).map(|(column, field)| Ok(cast(column, field.data_type())?));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(range.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&spec.schema), columns, &options)?;
        if !self.reduction.has_presence() || spec.keys.is_empty() {
            return Ok(batch);
        }
        let present = self.accumulators[aggregates].finish(range).map_err(kernel)?;
        let present = present.as_primitive::<Int64Type>().values().iter().map(|&cells| Some(cells > 0)).collect();
        Ok(filter_record_batch(&batch, &present)?)
    }
}

/// The key columns of `rows` groups from `start` on.
fn key_columns(spec: &ReduceSpec, start: usize, rows: usize) -> Result<Vec<ArrayRef>> {
    let shape = Region::whole(&spec.group_shape()).shape;
    spec.keys
        .iter()
        .map(|(axis, values)| {
            let stride: u64 = shape[axis + 1..].iter().product();
            let index = |group: usize| (group as u64 / stride.max(1) % shape[*axis]) as u32;
            Ok(take(values, &UInt32Array::from_iter_values((start..start + rows).map(index)), None)?)
        })
        .collect()
}
