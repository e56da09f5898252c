//! Chunks → blocks: fetches encoded chunks and decodes them block by block.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::assemble::{external, indexes, read_box};
use super::block::{Block, block_schema};
use super::leaf::{Descriptor, descriptors, leaf};
use super::work::WorkGrid;
use crate::array::{Positions, Region};
use crate::kernel::gather;
use crate::progress::Progress;
use crate::scan::CellTable;
use crate::source::{ArraySource, Chunk, SourceError};

/// Encoded bytes that may be fetched ahead of the block being decoded, a partition.
const LOOK_AHEAD_BYTES: usize = 16 << 20;

/// Reads blocks: one partition of the leaf gives the blocks of its runs, in order.
#[derive(Debug)]
pub struct BlockReadExec {
    input: Arc<dyn ExecutionPlan>,
    table: Arc<CellTable>,
    columns: Vec<usize>,
    work: Arc<WorkGrid>,
    halo: Option<Halo>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// Cells beyond a partition's own that a window along an axis looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halo {
    /// The axis of the window.
    pub axis: usize,
    /// Cells before the first one.
    pub before: u64,
    /// Cells after the last one.
    pub after: u64,
}

impl BlockReadExec {
    /// The leaf and the reading of `columns` (variables of the table) on top of it.
    pub fn plan(table: Arc<CellTable>, columns: Vec<usize>) -> Result<Arc<Self>> {
        Self::plan_with_halo(table, columns, None)
    }

    /// The same, where blocks that differ along the halo's axis alone follow each other, and each run of them begins and
    /// ends with a block of the halo.
    pub fn plan_with_halo(table: Arc<CellTable>, columns: Vec<usize>, halo: Option<Halo>) -> Result<Arc<Self>> {
        let work = Arc::new(WorkGrid::new(&table, &columns, halo.map(|halo| halo.axis)));
        let input = leaf(&work.partitions())?;
        Ok(Arc::new(Self::new(input, table, columns, work, halo)))
    }

    fn new(
        input: Arc<dyn ExecutionPlan>,
        table: Arc<CellTable>,
        columns: Vec<usize>,
        work: Arc<WorkGrid>,
        halo: Option<Halo>,
    ) -> Self {
        let schema = block_schema(columns.iter().map(|&column| {
            let field = &table.columns()[column].field;
            (field.name().clone(), field.data_type().clone())
        }));
        let partitions = input.properties().partitioning.partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Self { input, table, columns, work, halo, schema, properties: Arc::new(properties), metrics }
    }

    /// The blocks there are.
    pub fn work(&self) -> &Arc<WorkGrid> {
        &self.work
    }

    /// The columns that are read, in the order of the blocks' lists.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }
}

impl DisplayAs for BlockReadExec {
    fn fmt_as(&self, _format: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        let names: Vec<_> =
            self.columns.iter().map(|&column| self.table.columns()[column].field.name().as_str()).collect();
        let axes: Vec<_> = self
            .table
            .axes()
            .iter()
            .map(|axis| format!("{}: {}/{}", axis.name, axis.count(), axis.labels.len()))
            .collect();
        write!(
            formatter,
            "BlockReadExec: {}[{}], cells [{}]",
            self.table.source().name,
            names.join(", "),
            axes.join(", ")
        )?;
        write!(formatter, ", blocks {}", self.work.total())
    }
}

impl ExecutionPlan for BlockReadExec {
    fn name(&self) -> &str {
        "BlockReadExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.swap_remove(0);
        let columns = self.columns.clone();
        Ok(Arc::new(Self::new(input, Arc::clone(&self.table), columns, Arc::clone(&self.work), self.halo)))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let reader = BlockReader::new(self, partition, &context);
        let input = self.input.execute(partition, context)?;
        let runs = input
            .map(|batch| descriptors(&batch?))
            .map_ok(|runs| stream::iter(runs.into_iter().map(Ok::<_, DataFusionError>)))
            .try_flatten();
        let state = (reader, Box::pin(runs), None::<Descriptor>);
        let batches = stream::try_unfold(state, |(mut reader, mut runs, mut run)| async move {
            loop {
                match run.take() {
                    None => match runs.try_next().await? {
                        None => return Ok(None),
                        next => {
                            run = next;
                            reader.begin_run();
                        }
                    },
                    Some(mut current) => match reader.next(&mut current).await? {
                        Some(batch) => return Ok(Some((batch, (reader, runs, Some(current))))),
                        None => run = None,
                    },
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The state of one partition's reading.
struct BlockReader {
    arrays: Vec<ArrayReader>,
    work: Arc<WorkGrid>,
    halo: Option<Halo>,
    lengths: Vec<u64>,
    schema: SchemaRef,
    progress: Option<Arc<Progress>>,
    metrics: ReadMetrics,
    /// The box of the last block of the run being read along the halo's axis.
    last: Option<Region>,
}

#[derive(Clone)]
struct ReadMetrics {
    baseline: BaselineMetrics,
    chunks: Count,
    encoded: Count,
    decoded: Count,
    blocks: Count,
}

impl BlockReader {
    fn new(plan: &BlockReadExec, partition: usize, context: &TaskContext) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(&plan.metrics).counter(name, partition);
        let metrics = ReadMetrics {
            baseline: BaselineMetrics::new(&plan.metrics, partition),
            chunks: counter("chunks_read"),
            encoded: counter("bytes_read"),
            decoded: counter("bytes_decoded"),
            blocks: counter("blocks"),
        };
        let progress = context.session_config().get_extension::<Progress>();
        if let (Some(progress), 0) = (&progress, partition) {
            progress.plan_work(plan.work.cells().saturating_mul(plan.columns.len() as u64));
        }
        let arrays = plan.columns.iter().map(|&column| ArrayReader::new(&plan.table, column, context)).collect();
        Self {
            arrays,
            work: Arc::clone(&plan.work),
            halo: plan.halo,
            lengths: plan.table.shape(),
            schema: Arc::clone(&plan.schema),
            progress,
            metrics,
            last: None,
        }
    }

    fn begin_run(&mut self) {
        self.last = None;
    }

    /// The next block of a run, halos included.
    async fn next(&mut self, run: &mut Descriptor) -> Result<Option<RecordBatch>> {
        while run.start < run.end {
            let Some(region) = self.work.block(run.start) else {
                run.start += 1;
                continue;
            };
            if let Some(halo) = self.halo {
                let follows = self.last.as_ref().is_some_and(|last| continues(last, &region, halo.axis));
                if !follows {
                    if let Some(after) = self.last.take().and_then(|last| self.halo_after(&last, halo)) {
                        return self.read(after).await.map(Some);
                    }
                    let before = halo_before(&region, halo);
                    self.last = Some(before.clone().unwrap_or_else(|| empty_before(&region, halo.axis)));
                    if let Some(before) = before {
                        return self.read(before).await.map(Some);
                    }
                }
                self.last = Some(region.clone());
            }
            run.start += 1;
            return self.read(region).await.map(Some);
        }
        match (self.halo, self.last.take()) {
            (Some(halo), Some(last)) => match self.halo_after(&last, halo) {
                Some(after) => self.read(after).await.map(Some),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn halo_after(&self, last: &Region, halo: Halo) -> Option<Region> {
        let end = last.end(halo.axis);
        let length = halo.after.min(self.lengths[halo.axis].saturating_sub(end));
        let mut region = last.clone();
        region.start[halo.axis] = end;
        region.shape[halo.axis] = length;
        (length > 0).then_some(region)
    }

    async fn read(&mut self, region: Region) -> Result<RecordBatch> {
        let mut values = Vec::with_capacity(self.arrays.len());
        for array in &mut self.arrays {
            values.push(array.read(&region, &self.metrics, self.progress.as_deref()).await?);
        }
        self.metrics.blocks.add(1);
        self.metrics.baseline.record_output(1);
        Block { region, values }.into_batch(&self.schema)
    }
}

/// Whether `next` begins along `axis` where `last` ends, over the same cells of the other axes.
pub fn continues(last: &Region, next: &Region, axis: usize) -> bool {
    (0..last.rank()).all(|other| match other == axis {
        true => last.end(axis) == next.start[axis],
        false => last.start[other] == next.start[other] && last.shape[other] == next.shape[other],
    })
}

fn halo_before(region: &Region, halo: Halo) -> Option<Region> {
    let length = halo.before.min(region.start[halo.axis]);
    let mut before = region.clone();
    before.start[halo.axis] -= length;
    before.shape[halo.axis] = length;
    (length > 0).then_some(before)
}

fn empty_before(region: &Region, axis: usize) -> Region {
    let mut empty = region.clone();
    empty.shape[axis] = 0;
    empty
}

/// One array: the chunks it holds at the moment, and its place on the table's axes.
struct ArrayReader {
    source: Arc<dyn ArraySource>,
    /// The table's axis of each dimension, and the positions read along it.
    axes: Vec<(usize, Positions)>,
    held: HashMap<Vec<u64>, Held>,
    reservation: MemoryReservation,
    encoded_size_max: usize,
}

enum Held {
    Pending(SpawnedTask<Result<Arc<dyn Chunk>, SourceError>>),
    Ready(Arc<dyn Chunk>),
}

impl ArrayReader {
    fn new(table: &CellTable, column: usize, context: &TaskContext) -> Self {
        let column = &table.columns()[column];
        let axes = column.axes.iter().map(|&axis| (axis, table.axes()[axis].positions.clone())).collect();
        let source = match table.variable(column) {
            Some(variable) => Arc::clone(&variable.array),
            None => unreachable!("only columns of variables are read"),
        };
        let consumer = MemoryConsumer::new(format!("chunks of {}", column.field.name()));
        let reservation = consumer.register(context.memory_pool());
        Self { source, axes, held: HashMap::new(), reservation, encoded_size_max: 0 }
    }

    /// The cells of a box of the table's selected positions, over the array's own axes.
    async fn read(&mut self, region: &Region, metrics: &ReadMetrics, progress: Option<&Progress>) -> Result<ArrayRef> {
        let bounding = self.bounding(region);
        let index_box = self.source.grid().chunks_of(&bounding);
        let wanted: Vec<Vec<u64>> = indexes(&index_box).collect();
        self.held.retain(|index, held| matches!(held, Held::Pending(_)) || wanted.contains(index));
        self.request(&wanted);
        let mut chunks = Vec::with_capacity(wanted.len());
        for index in &wanted {
            chunks.push(self.chunk(index, metrics, progress).await?);
        }
        self.reserve()?;
        let timer = metrics.baseline.elapsed_compute().timer();
        let values = read_box(self.source.grid(), &bounding, &chunks)?;
        let values = self.select(values, region, &bounding)?;
        timer.done();
        let bytes = values.get_array_memory_size();
        metrics.decoded.add(bytes);
        if let Some(progress) = progress {
            progress.add_decoded(values.len() as u64, bytes as u64);
        }
        Ok(values)
    }

    /// The source positions from the first to the last selected one.
    fn bounding(&self, region: &Region) -> Region {
        let mut bounding = Region::new(Vec::new(), Vec::new());
        for (axis, positions) in &self.axes {
            let first = positions.source(region.start[*axis]);
            let last = positions.source(region.end(*axis) - 1);
            bounding.start.push(first);
            bounding.shape.push(last - first + 1);
        }
        bounding
    }

    fn select(&self, values: ArrayRef, region: &Region, bounding: &Region) -> Result<ArrayRef> {
        if self.axes.iter().all(|(_, positions)| positions.is_contiguous()) {
            return Ok(values);
        }
        let chosen: Vec<Option<Vec<usize>>> = self
            .axes
            .iter()
            .enumerate()
            .map(|(dimension, (axis, positions))| {
                let selected = region.start[*axis]..region.end(*axis);
                let offset = |position: u64| (positions.source(position) - bounding.start[dimension]) as usize;
                (!positions.is_contiguous()).then(|| selected.map(offset).collect())
            })
            .collect();
        let shape: Vec<usize> = bounding.shape.iter().map(|&length| length as usize).collect();
        gather::select(&values, &shape, &chosen).map_err(|error| DataFusionError::External(Box::new(error)))
    }

    /// Begins to fetch the chunks that are not there yet, all at once.
    fn request(&mut self, wanted: &[Vec<u64>]) {
        for index in wanted {
            if !self.held.contains_key(index) {
                let (source, index_of_task) = (Arc::clone(&self.source), index.clone());
                let task = SpawnedTask::spawn(async move { source.fetch(&index_of_task).await });
                self.held.insert(index.clone(), Held::Pending(task));
            }
        }
    }

    async fn chunk(
        &mut self,
        index: &[u64],
        metrics: &ReadMetrics,
        progress: Option<&Progress>,
    ) -> Result<Arc<dyn Chunk>> {
        match self.held.remove(index) {
            Some(Held::Ready(chunk)) => {
                self.held.insert(index.to_vec(), Held::Ready(Arc::clone(&chunk)));
                Ok(chunk)
            }
            Some(Held::Pending(task)) => {
                let fetched = task.join().await.map_err(|error| DataFusionError::Execution(error.to_string()))?;
                let chunk = fetched.map_err(external)?;
                let bytes = chunk.encoded_size();
                self.encoded_size_max = self.encoded_size_max.max(bytes);
                metrics.chunks.add(1);
                metrics.encoded.add(bytes);
                if let Some(progress) = progress {
                    progress.add_read(bytes as u64);
                }
                self.held.insert(index.to_vec(), Held::Ready(Arc::clone(&chunk)));
                Ok(chunk)
            }
            None => datafusion::common::internal_err!("chunk {index:?} was never asked for"),
        }
    }

    /// Takes what the held chunks need from the memory pool.
    fn reserve(&mut self) -> Result<()> {
        let held = self.held.values().map(|held| match held {
            Held::Ready(chunk) => chunk.memory_size(),
            Held::Pending(_) => self.encoded_size_max.min(LOOK_AHEAD_BYTES),
        });
        self.reservation.try_resize(held.sum())
    }
}
