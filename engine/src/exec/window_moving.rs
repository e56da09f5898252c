//! Blocks → blocks with windows along an axis: neighbouring blocks are held as long as a window looks at them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{TryStreamExt, stream};

use super::block::{Block, block_schema};
use super::evaluate::{BlockColumn, CellExpressions, CellValues};
use super::halo::{Halo, continues};
use super::operator::operator_methods;
use super::origin::OriginCell;
use super::pivot::kernel;
use super::read::run_of;
use super::work::WorkGrid;
use crate::kernel::{Along, Cells, MovingWindow, Stretch, WindowKind};
use crate::scan::{CellTable, nan_to_null};

/// Adds windows along one axis to the blocks of a reader that gives them in the order of that axis, with halos, which
/// end here.
#[derive(Debug)]
pub struct MovingWindowExec {
    input: Arc<dyn ExecutionPlan>,
    windows: Arc<PreparedWindows>,
    work: Arc<WorkGrid>,
    pub(super) origin: OriginCell,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// Windows along one axis, with their arguments as prepared expressions.
#[derive(Debug)]
pub struct PreparedWindows {
    halo: Halo,
    windows: Vec<MovingWindow>,
    arguments: CellExpressions,
    /// The columns of the blocks that come in, then the windows.
    columns: Vec<BlockColumn>,
    schema: SchemaRef,
}

impl PreparedWindows {
    /// Windows of arguments over `columns`, by the names of the columns they make, with the halo they look at.
    pub fn new(
        table: &CellTable,
        mut columns: Vec<BlockColumn>,
        halo: Halo,
        windows: Vec<(String, MovingWindow, Expr)>,
    ) -> Result<Self> {
        let expressions: Vec<Expr> = windows.iter().map(|(_, _, argument)| argument.clone()).collect();
        let arguments = CellExpressions::new(table, columns.clone(), &expressions)?;
        for (number, (name, window, _)) in windows.iter().enumerate() {
            let data_type: DataType = window.kind.result_type(&arguments.data_type(number)?).map_err(kernel)?;
            let axes = (0..table.axes().len()).collect();
            let nan_is_missing = window.kind.is_nan_coded(&data_type);
            columns.push(BlockColumn { name: name.clone(), data_type, axes, nan_is_missing });
        }
        let schema = block_schema(columns.iter().map(|column| (column.name.clone(), column.data_type.clone())));
        let windows = windows.into_iter().map(|(_, window, _)| window).collect();
        Ok(Self { halo, windows, arguments, columns, schema })
    }

    /// The columns of the blocks with the windows.
    pub fn columns(&self) -> &[BlockColumn] {
        &self.columns
    }

    /// What a window looks at in a block. Shifted cells are not looked into: a missing one must be a null.
    fn argument(&self, number: usize, block: &Block) -> Result<CellValues> {
        let argument = self.arguments.evaluate(number, block)?;
        Ok(match self.windows[number].kind == WindowKind::Shift && argument.nan_is_missing {
            true => CellValues { values: nan_to_null(&argument.values), nan_is_missing: false },
            false => argument,
        })
    }
}

impl MovingWindowExec {
    /// Windows over `input`, which gives the blocks of `work` and their halos.
    pub fn new(input: Arc<dyn ExecutionPlan>, windows: Arc<PreparedWindows>, work: Arc<WorkGrid>) -> Self {
        let equivalence = EquivalenceProperties::new(Arc::clone(&windows.schema));
        let properties = input.properties().as_ref().clone().with_eq_properties(equivalence);
        let (origin, metrics) = (OriginCell::default(), ExecutionPlanMetricsSet::new());
        Self { input, windows, work, origin, properties: Arc::new(properties), metrics }
    }
}

impl DisplayAs for MovingWindowExec {
    fn fmt_as(&self, _format: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        let windows = self.windows.windows.iter();
        let windows: Vec<_> = windows.map(|w| format!("{:?} of cells {}..={}", w.kind, w.from, w.to)).collect();
        write!(formatter, "MovingWindowExec: {}", windows.join(", "))
    }
}

impl ExecutionPlan for MovingWindowExec {
    operator_methods!("MovingWindowExec": input);

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut replaced = Self::new(children.swap_remove(0), Arc::clone(&self.windows), Arc::clone(&self.work));
        replaced.origin = Arc::clone(&self.origin);
        Ok(Arc::new(replaced))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new("MovingWindowExec").register(context.memory_pool());
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let input = self.input.execute(partition, context)?;
        let run = run_of(&self.input, partition)?;
        let chain = Chain {
            windows: Arc::clone(&self.windows),
            work: Arc::clone(&self.work),
            next: run.start,
            end: run.end,
            held: VecDeque::new(),
            ready: VecDeque::new(),
            memory,
            baseline,
        };
        let blocks = stream::try_unfold((chain, input), |(mut chain, mut input)| async move {
            loop {
                if let Some(batch) = chain.ready.pop_front() {
                    return Ok(Some((batch, (chain, input))));
                }
                match input.try_next().await? {
                    Some(batch) => chain.push(&batch)?,
                    None if chain.held.is_empty() => return Ok(None),
                    None => chain.close()?,
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.windows.schema), blocks)))
    }
}

/// Neighbouring blocks along the axis, and those that are complete.
struct Chain {
    windows: Arc<PreparedWindows>,
    work: Arc<WorkGrid>,
    /// The partition's own blocks that have not come yet: what is none of them is a halo.
    next: u64,
    end: u64,
    held: VecDeque<Held>,
    ready: VecDeque<RecordBatch>,
    memory: MemoryReservation,
    baseline: BaselineMetrics,
}

struct Held {
    block: Block,
    arguments: Vec<CellValues>,
    /// Whether its windows are still to be computed.
    waits: bool,
}

impl Chain {
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        for block in Block::of_batch(batch)? {
            let axis = self.windows.halo.axis;
            if self.held.back().is_some_and(|last| !continues(&last.block.region, &block.region, axis)) {
                self.close()?;
            }
            let timer = self.baseline.elapsed_compute().timer();
            let arguments = (0..self.windows.arguments.count())
                .map(|argument| self.windows.argument(argument, &block))
                .collect::<Result<Vec<_>>>()?;
            timer.done();
            let waits = self.is_own(&block);
            self.held.push_back(Held { block, arguments, waits });
            self.advance(false)?;
        }
        Ok(())
    }

    /// Computes what is left: nothing follows the last block.
    fn close(&mut self) -> Result<()> {
        self.advance(true)?;
        self.held.clear();
        self.memory.free();
        Ok(())
    }

    fn is_own(&mut self, block: &Block) -> bool {
        while self.next < self.end {
            match self.work.block(self.next) {
                None => self.next += 1,
                Some(region) => {
                    let is_own = region == block.region;
                    self.next += u64::from(is_own);
                    return is_own;
                }
            }
        }
        false
    }

    /// Computes the blocks that see all they look at, and lets go of those that nothing looks at any more.
    fn advance(&mut self, is_last: bool) -> Result<()> {
        let Halo { axis, before, after } = self.windows.halo;
        let Some(end) = self.held.back().map(|last| last.block.region.end(axis)) else { return Ok(()) };
        let sees_all = |held: &Held| is_last || held.block.region.end(axis).saturating_add(after) <= end;
        let complete: Vec<usize> =
            (0..self.held.len()).filter(|&k| self.held[k].waits && sees_all(&self.held[k])).collect();
        for place in complete {
            let batch = self.compute(place)?;
            self.held[place].waits = false;
            self.ready.push_back(batch);
        }
        // The next block begins where the last one ends, unless one still waits.
        let waiting = self.held.iter().find(|held| held.waits).map(|held| held.block.region.start[axis]);
        let looked_at = waiting.unwrap_or(end).saturating_sub(before);
        while self.held.front().is_some_and(|first| first.block.region.end(axis) <= looked_at && !first.waits) {
            self.held.pop_front();
        }
        let bytes = |held: &Held| {
            let arrays = held.block.values.iter().chain(held.arguments.iter().map(|argument| &argument.values));
            arrays.map(|array| array.get_array_memory_size()).sum::<usize>()
        };
        self.memory.try_resize(self.held.iter().map(bytes).sum())
    }

    fn compute(&self, place: usize) -> Result<RecordBatch> {
        let _timer = self.baseline.elapsed_compute().timer();
        let axis = self.windows.halo.axis;
        let block = &self.held[place].block;
        let first = self.held[0].block.region.start[axis];
        let range = (block.region.start[axis] - first) as usize..(block.region.end(axis) - first) as usize;
        let along = Along::new(&block.shape(), axis);
        let mut values = block.values.clone();
        for (number, window) in self.windows.windows.iter().enumerate() {
            let stretches: Vec<_> = self
                .held
                .iter()
                .map(|held| {
                    let CellValues { values, nan_is_missing } = &held.arguments[number];
                    let cells = Cells { values, nan_is_missing: *nan_is_missing };
                    Stretch { cells, length: held.block.region.shape[axis] as usize }
                })
                .collect();
            values.push(window.results(&stretches, along, range.clone()).map_err(kernel)?);
        }
        self.baseline.record_output(1);
        Block { region: block.region.clone(), values }.into_batch(&self.windows.schema)
    }
}
