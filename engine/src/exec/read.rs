//! Chunks → blocks: fetches encoded chunks and decodes them block by block.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

use super::array_reader::ArrayReader;
use super::block::{Block, block_schema};
use super::chunk_map::ChunkMap;
use super::chunks_needed::ChunksNeeded;
use super::halo::{Halo, continues};
use super::leaf::{Descriptor, descriptors, leaf, runs};
use super::operator::operator_methods;
use super::origin::OriginCell;
use super::partition_times::{PartitionClock, PartitionTimes};
use super::read_metrics::ReadMetrics;
use super::settings::PlanSettings;
use super::shared_chunks::SharedChunks;
use super::work::WorkGrid;
use crate::array::Region;
use crate::progress::Progress;
use crate::scan::CellTable;

/// Reads blocks: one partition of the leaf gives the blocks of its runs, in order.
#[derive(Debug)]
pub struct BlockReadExec {
    input: Arc<dyn ExecutionPlan>,
    table: Arc<CellTable>,
    columns: Vec<usize>,
    work: Arc<WorkGrid>,
    halo: Option<Halo>,
    /// The run of each partition that is here: a scheduler may have left only some of the plan's.
    runs: Arc<[Descriptor]>,
    chunks: Arc<SharedChunks>,
    /// What was read of the array of each column.
    maps: Arc<[Option<Arc<ChunkMap>>]>,
    times: PartitionTimes,
    schema: SchemaRef,
    pub(super) origin: OriginCell,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl BlockReadExec {
    /// The leaf and the reading of `columns` (variables of the table) on top of it. With a halo, blocks that differ along
    /// its axis alone follow each other, and each run of them begins and ends with blocks of the halo.
    pub fn plan(
        table: Arc<CellTable>,
        columns: Vec<usize>,
        halo: Option<Halo>,
        settings: PlanSettings,
    ) -> Result<Arc<Self>> {
        let work = Arc::new(WorkGrid::new(&table, &columns, halo.map(|halo| halo.axis), settings));
        let input = leaf(&work.partitions())?;
        Ok(Arc::new(Self::new(input, table, columns, work, halo)?))
    }

    fn new(
        input: Arc<dyn ExecutionPlan>,
        table: Arc<CellTable>,
        columns: Vec<usize>,
        work: Arc<WorkGrid>,
        halo: Option<Halo>,
    ) -> Result<Self> {
        let runs = runs(&input)?.into();
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
        let (properties, chunks, origin) = (Arc::new(properties), Arc::default(), OriginCell::default());
        let maps = columns.iter().map(|&column| ChunkMap::new(&table, column).map(Arc::new)).collect();
        let times = PartitionTimes::new(partitions);
        Ok(Self { input, table, columns, work, halo, runs, chunks, maps, times, schema, origin, properties, metrics })
    }

    /// Cells of the partitions that are here, about.
    fn cells_here(&self) -> u64 {
        let blocks: u64 = self.runs.iter().map(|run| run.end - run.start).sum();
        let cells = u128::from(self.work.cells()) * u128::from(blocks) / u128::from(self.work.total().max(1));
        u64::try_from(cells).unwrap_or(u64::MAX)
    }

    /// The blocks there are.
    pub fn work(&self) -> &Arc<WorkGrid> {
        &self.work
    }

    /// Decoded bytes of all cells that are read.
    pub fn bytes(&self) -> u64 {
        let width = |&column: &usize| self.table.columns()[column].field.data_type().primitive_width().unwrap_or(1);
        let widths: usize = self.columns.iter().map(width).sum();
        self.work.cells().saturating_mul(widths as u64)
    }

    /// The chunks that are read.
    pub fn chunks(&self) -> ChunksNeeded {
        ChunksNeeded::of(&self.table, &self.columns)
    }

    /// Which chunks of its arrays have been read.
    pub fn chunk_maps(&self) -> impl Iterator<Item = &Arc<ChunkMap>> {
        self.maps.iter().flatten()
    }

    /// When its partitions worked.
    pub fn partition_times(&self) -> &PartitionTimes {
        &self.times
    }

    /// Notes that a partition of this plan was read elsewhere: all chunks of its blocks.
    pub fn note_partition(&self, partition: usize) {
        let Some(run) = self.runs.get(partition) else { return };
        for map in self.chunk_maps() {
            map.note_all((run.start..run.end).filter_map(|number| self.work.block(number)));
        }
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
        let ChunksNeeded { needed, all, .. } = self.chunks();
        write!(formatter, ", blocks {}, chunks {needed} of {all}", self.work.total())?;
        match &self.table.source().partition {
            Some(partition) => write!(formatter, ", partitions of {partition} chunks"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for BlockReadExec {
    operator_methods!("BlockReadExec": input);

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.swap_remove(0);
        let (table, work) = (Arc::clone(&self.table), Arc::clone(&self.work));
        let mut replaced = Self::new(input, table, self.columns.clone(), work, self.halo)?;
        replaced.origin = Arc::clone(&self.origin);
        Ok(Arc::new(replaced))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut reader = BlockReader::new(self, partition, &context);
        reader.prefetch(self.runs.get(partition));
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
                        Some(next) => {
                            reader.start(next.start);
                            run = Some(next);
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
}

/// The state of one partition's reading.
struct BlockReader {
    arrays: Vec<ArrayReader>,
    work: Arc<WorkGrid>,
    halo: Option<Halo>,
    runs: Arc<[Descriptor]>,
    lengths: Vec<u64>,
    schema: SchemaRef,
    progress: Option<Arc<Progress>>,
    metrics: ReadMetrics,
    clock: PartitionClock,
    /// The box of the last block of the run being read along the halo's axis.
    last: Option<Region>,
    /// Boxes to read next.
    waiting: VecDeque<Region>,
    /// The first block whose chunks were not all asked for yet.
    ahead: u64,
    /// The first block of the run, and whether nothing of it was read yet.
    first: u64,
    is_at_start: bool,
}

/// Blocks looked at ahead at a time.
const AHEAD_BLOCKS_MAX: u64 = 1024;

impl BlockReader {
    fn new(plan: &BlockReadExec, partition: usize, context: &TaskContext) -> Self {
        let metrics = ReadMetrics::new(&plan.metrics, partition);
        let progress = context.session_config().get_extension::<Progress>();
        if let (Some(progress), 0) = (&progress, partition) {
            progress.plan_work(plan.cells_here().saturating_mul(plan.columns.len() as u64));
        }
        let reader = |(&column, map): (&usize, &Option<Arc<ChunkMap>>)| {
            ArrayReader::new(&plan.table, column, Arc::clone(&plan.chunks), map.clone(), context)
        };
        let arrays = plan.columns.iter().zip(plan.maps.iter()).map(reader).collect();
        Self {
            arrays,
            work: Arc::clone(&plan.work),
            halo: plan.halo,
            runs: Arc::clone(&plan.runs),
            lengths: plan.table.shape(),
            schema: Arc::clone(&plan.schema),
            progress,
            metrics,
            clock: plan.times.clock(partition),
            last: None,
            waiting: VecDeque::new(),
            ahead: 0,
            first: 0,
            is_at_start: true,
        }
    }

    /// Starts on a run that begins with this block.
    fn start(&mut self, first: u64) {
        (self.first, self.is_at_start) = (first, true);
    }

    /// Begins to fetch the chunks of a partition's first block, as far as there is leave to, before anyone asks for it.
    fn prefetch(&mut self, run: Option<&Descriptor>) {
        let first = run.and_then(|run| (run.start..run.end).find_map(|number| self.work.block(number)));
        if let (Some(region), true) = (first, tokio::runtime::Handle::try_current().is_ok()) {
            self.arrays.iter_mut().for_each(|array| {
                array.look_ahead(&region);
            });
        }
    }

    /// The next block of a run, halos included.
    async fn next(&mut self, run: &mut Descriptor) -> Result<Option<RecordBatch>> {
        self.clock.asked();
        loop {
            if let Some(region) = self.waiting.pop_front() {
                self.look_ahead(&region, run);
                let batch = self.read(region).await?;
                if std::mem::take(&mut self.is_at_start) {
                    self.pass(run.partition, self.first.checked_sub(1));
                }
                return Ok(Some(batch));
            }
            if run.start == run.end {
                match (self.halo, self.last.take()) {
                    (Some(halo), Some(last)) => self.wait_for(halo.after(&last, self.lengths[halo.axis]), halo.axis),
                    _ => {
                        self.pass(run.partition + 1, Some(run.end));
                        return Ok(None);
                    }
                }
                continue;
            }
            let region = self.work.block(run.start);
            run.start += 1;
            let Some(region) = region else { continue };
            if let Some(halo) = self.halo {
                let begins = self.last.as_ref().is_none_or(|last| !continues(last, &region, halo.axis));
                if begins {
                    let after = self.last.take().and_then(|last| halo.after(&last, self.lengths[halo.axis]));
                    self.wait_for(after, halo.axis);
                    self.wait_for(halo.before(&region), halo.axis);
                }
                self.last = Some(region.clone());
            }
            self.waiting.push_back(region);
        }
    }

    /// Begins to fetch what is read after `region`, which is asked for first.
    fn look_ahead(&mut self, region: &Region, run: &Descriptor) {
        for array in &mut self.arrays {
            array.begin_all(region);
        }
        self.ahead = self.ahead.max(run.start);
        let end = run.end.min(self.ahead.saturating_add(AHEAD_BLOCKS_MAX));
        while self.ahead < end {
            let are_coming = match self.work.block(self.ahead) {
                Some(region) => self.arrays.iter_mut().all(|array| array.look_ahead(&region)),
                None => true,
            };
            if !are_coming {
                break;
            }
            self.ahead += 1;
        }
    }

    /// Tells the partition on the other side of a boundary, where that block lies, what was read here; unless one of the
    /// two runs elsewhere.
    fn pass(&self, boundary: u64, block: Option<u64>) {
        let is_here = |partition: u64| self.runs.iter().any(|run| run.partition == partition);
        if !boundary.checked_sub(1).is_some_and(is_here) || !is_here(boundary) {
            return;
        }
        let block = block.filter(|&block| block < self.work.total()).and_then(|block| self.work.block(block));
        if let Some(there) = block {
            self.arrays.iter().for_each(|array| array.pass(boundary, &there));
        }
    }

    /// A halo may be far longer than a block: it is read in pieces.
    fn wait_for(&mut self, halo: Option<Region>, axis: usize) {
        let Some(halo) = halo else { return };
        let length = self.work.block_length(axis);
        for start in (halo.start[axis]..halo.end(axis)).step_by(length.max(1) as usize) {
            let mut piece = halo.clone();
            piece.start[axis] = start;
            piece.shape[axis] = length.max(1).min(halo.end(axis) - start);
            self.waiting.push_back(piece);
        }
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

/// The run of blocks that a partition of a plan of blocks reads, which is told by the leaf: where a scheduler left some of
/// the partitions only, the place of one is not its number.
pub fn run_of(blocks: &Arc<dyn ExecutionPlan>, partition: usize) -> Result<Descriptor> {
    let mut plan = blocks;
    loop {
        if let Some(read) = plan.downcast_ref::<BlockReadExec>() {
            return match read.runs.get(partition) {
                Some(run) => Ok(*run),
                None => internal_err!("expected one of {} partitions, found {partition}", read.runs.len()),
            };
        }
        match plan.children().first() {
            Some(child) => plan = child,
            None => return internal_err!("no blocks are read under {}", blocks.name()),
        }
    }
}
