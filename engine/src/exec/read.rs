//! Chunks → blocks: fetches encoded chunks and decodes them block by block.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
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

use super::array_reader::ArrayReader;
use super::block::{Block, block_schema};
use super::leaf::{Descriptor, descriptors, leaf};
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

/// What a partition's reading has done.
#[derive(Clone)]
pub struct ReadMetrics {
    pub(super) baseline: BaselineMetrics,
    pub(super) chunks: Count,
    pub(super) encoded: Count,
    pub(super) decoded: Count,
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
