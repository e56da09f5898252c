//! Blocks → blocks with aggregates of the group that each cell belongs to: `avg(t) OVER (PARTITION BY lat, lon)`.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, InputDistributionRequirements, PlanProperties,
};
use futures::{TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::block::{Block, block_schema};
use super::evaluate::BlockColumn;
use super::operator::operator_methods;
use super::origin::OriginCell;
use super::pivot::kernel;
use super::reduce_spec::ReduceSpec;
use crate::array::Region;
use crate::kernel::{gather, nulls_as_nans, with_null_buffer};

/// Adds, to every cell of the blocks of `input`, the aggregates of its group. These come from `groups`, a reduction of
/// its own over the same cells, which is run once and held in memory.
#[derive(Debug)]
pub struct GroupedWindowExec {
    input: Arc<dyn ExecutionPlan>,
    groups: Arc<dyn ExecutionPlan>,
    grouping: Arc<ReduceSpec>,
    columns: Vec<BlockColumn>,
    schema: SchemaRef,
    held: Arc<OnceCell<Arc<HeldGroups>>>,
    pub(super) origin: OriginCell,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// The aggregates of every group, in the order of the groups.
#[derive(Debug)]
struct HeldGroups {
    aggregates: Vec<HeldAggregate>,
    _memory: MemoryReservation,
}

#[derive(Debug)]
struct HeldAggregate {
    values: ArrayRef,
    /// Missing aggregates are NaNs, so that arithmetic with them needs no bitmaps.
    is_nan_coded: bool,
}

impl GroupedWindowExec {
    /// Aggregates of `groups` (the rows of the reduction `grouping`, one for every group) under `names`, added to the
    /// `columns` of the blocks of `input`.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        groups: Arc<dyn ExecutionPlan>,
        grouping: Arc<ReduceSpec>,
        mut columns: Vec<BlockColumn>,
        names: &[String],
    ) -> Self {
        let fields = grouping.schema.fields().iter().skip(grouping.keys.len());
        columns.extend(names.iter().zip(fields).map(|(name, field)| BlockColumn {
            name: name.clone(),
            data_type: field.data_type().clone(),
            axes: (0..grouping.axes.len()).collect(),
            nan_is_missing: *field.data_type() == DataType::Float64,
        }));
        Self::with_columns(input, groups, grouping, columns)
    }

    fn with_columns(
        input: Arc<dyn ExecutionPlan>,
        groups: Arc<dyn ExecutionPlan>,
        grouping: Arc<ReduceSpec>,
        columns: Vec<BlockColumn>,
    ) -> Self {
        let schema = block_schema(columns.iter().map(|column| (column.name.clone(), column.data_type.clone())));
        let equivalence = EquivalenceProperties::new(Arc::clone(&schema));
        let properties = Arc::new(input.properties().as_ref().clone().with_eq_properties(equivalence));
        let (held, origin, metrics) = (Arc::default(), OriginCell::default(), ExecutionPlanMetricsSet::new());
        Self { input, groups, grouping, columns, schema, held, origin, properties, metrics }
    }

    /// The columns of the blocks with the aggregates.
    pub fn columns(&self) -> &[BlockColumn] {
        &self.columns
    }
}

impl DisplayAs for GroupedWindowExec {
    fn fmt_as(&self, _format: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "GroupedWindowExec: {}", super::reduce_partial::describe(&self.grouping))
    }
}

impl ExecutionPlan for GroupedWindowExec {
    operator_methods!("GroupedWindowExec": input, groups);

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::UnspecifiedDistribution, Distribution::SinglePartition])
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (groups, input) = (children.swap_remove(1), children.swap_remove(0));
        let mut replaced = Self::with_columns(input, groups, Arc::clone(&self.grouping), self.columns.clone());
        replaced.origin = Arc::clone(&self.origin);
        Ok(Arc::new(replaced))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let (held, groups) = (Arc::clone(&self.held), Arc::clone(&self.groups));
        let (grouping, schema) = (Arc::clone(&self.grouping), Arc::clone(&self.schema));
        let blocks = stream::once(async move {
            let held = held.get_or_try_init(|| HeldGroups::read(groups, &grouping, context)).await?;
            let held = Arc::clone(held);
            Ok::<_, DataFusionError>(input.and_then(move |batch| {
                let _timer = baseline.elapsed_compute().timer();
                baseline.record_output(batch.num_rows());
                let with_groups = Block::of_batch(&batch).and_then(|mut blocks| match blocks.pop() {
                    Some(block) if blocks.is_empty() => held.extend(block, &grouping)?.into_batch(&schema),
                    _ => datafusion::common::internal_err!("expected one block, found {} rows", batch.num_rows()),
                });
                std::future::ready(with_groups)
            }))
        })
        .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), blocks)))
    }
}

impl HeldGroups {
    async fn read(
        groups: Arc<dyn ExecutionPlan>,
        grouping: &ReduceSpec,
        context: Arc<TaskContext>,
    ) -> Result<Arc<Self>> {
        let memory = MemoryConsumer::new("GroupedWindowExec").register(context.memory_pool());
        let mut rows = groups.execute(0, context)?;
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); grouping.aggregates.len()];
        while let Some(batch) = rows.try_next().await? {
            for (parts, column) in parts.iter_mut().zip(&batch.columns()[grouping.keys.len()..]) {
                memory.try_grow(column.get_array_memory_size())?;
                parts.push(Arc::clone(column));
            }
        }
        let together = |parts: &Vec<ArrayRef>| {
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            if parts.is_empty() { Ok(None) } else { concat(&parts).map(Some) }
        };
        let aggregates = parts.iter().map(together).collect::<Result<Vec<_>, _>>()?;
        let aggregates = aggregates.into_iter().flatten().map(|aggregate| match nulls_as_nans(&aggregate) {
            Some(values) => HeldAggregate { values, is_nan_coded: true },
            None => HeldAggregate { values: aggregate, is_nan_coded: false },
        });
        Ok(Arc::new(Self { aggregates: aggregates.collect(), _memory: memory }))
    }

    /// The block with the aggregates of the groups of its cells.
    fn extend(&self, mut block: Block, grouping: &ReduceSpec) -> Result<Block> {
        let layout = grouping.layout(&block.region, &Region::whole(&grouping.group_shape()));
        for aggregate in &self.aggregates {
            let values = gather::of_groups(&aggregate.values, &layout).map_err(kernel)?;
            block.values.push(if aggregate.is_nan_coded { values } else { with_null_buffer(values) });
        }
        Ok(block)
    }
}
