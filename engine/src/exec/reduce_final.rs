//! Partial states → rows: the second phase of a grid reduction.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, UInt32Array};
use arrow::compute::{cast, filter_record_batch, take};
use arrow::datatypes::{Int64Type, UInt64Type};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, InputDistributionRequirements, Partitioning,
    PhysicalExpr, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::block::{Block, list_values};
use super::operator::operator_methods;
use super::pivot::kernel;
use super::reduce_partial::{Reduction, describe};
use super::reduce_spec::{ReduceSpec, cells_of};
use crate::array::Region;
use crate::kernel::Accumulator;

/// Rows of one batch of the result: enough to be written quickly, few enough to stay in the cache.
const BATCH_ROWS: usize = 16_384;

/// Merges the states of all partitions, in the order of the partitions whatever the order in which they come, so that
/// sums of floats are the same in every run; gives the groups as rows, in the order of the dimensions.
#[derive(Debug)]
pub struct GridReduceFinalExec {
    input: Arc<dyn ExecutionPlan>,
    reduction: Arc<Reduction>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl GridReduceFinalExec {
    /// The second phase over `input`, a plan of one partition that gives partial states.
    pub fn new(input: Arc<dyn ExecutionPlan>, reduction: Arc<Reduction>) -> Self {
        let spec = &reduction.spec;
        let mut equivalence = EquivalenceProperties::new(Arc::clone(&spec.schema));
        let orders = spec.orders.iter().map(|order| {
            let sorted = order.iter().map(|&(column, descending)| {
                let name = spec.schema.field(column).name();
                let expression: Arc<dyn PhysicalExpr> = Arc::new(Column::new(name, column));
                let options = arrow::compute::SortOptions { descending, nulls_first: descending };
                PhysicalSortExpr::new(expression, options)
            });
            sorted.collect::<Vec<_>>()
        });
        equivalence.add_orderings(orders);
        let properties = PlanProperties::new(
            equivalence,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { input, reduction, properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for GridReduceFinalExec {
    fn fmt_as(&self, _format: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "GridReduceFinalExec: {}", describe(&self.reduction.spec))
    }
}

impl ExecutionPlan for GridReduceFinalExec {
    operator_methods!("GridReduceFinalExec": input);

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(children.swap_remove(0), Arc::clone(&self.reduction))))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new("GridReduceFinalExec").register(context.memory_pool());
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let reduction = Arc::clone(&self.reduction);
        let input = self.input.execute(partition, context)?;
        let rows = stream::once(async move {
            let merged = Merged::of(&reduction, input, memory, &baseline).await?;
            let starts = (0..merged.groups).step_by(BATCH_ROWS);
            let merged = Arc::new(parking_lot::Mutex::new(merged));
            Ok::<_, datafusion::error::DataFusionError>(stream::iter(starts.map(move |start| {
                let batch = merged.lock().rows(&reduction, start);
                batch.inspect(|batch| baseline.record_output(batch.num_rows()))
            })))
        })
        .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.reduction.spec.schema), rows)))
    }
}

/// The accumulators of the whole result.
pub struct Merged {
    groups: usize,
    accumulators: Vec<Box<dyn Accumulator>>,
    _memory: MemoryReservation,
}

impl Merged {
    /// Merges partial states in the order of their partitions.
    pub async fn of(
        reduction: &Reduction,
        mut input: SendableRecordBatchStream,
        memory: MemoryReservation,
        baseline: &BaselineMetrics,
    ) -> Result<Self> {
        let groups = reduction.spec.groups()?;
        memory.try_grow(groups.saturating_mul(reduction.bytes_per_group()))?;
        let mut accumulators = reduction.start(groups)?;
        let mut early: BTreeMap<u64, RecordBatch> = BTreeMap::new();
        let mut next = 0;
        while let Some(batch) = input.next().await {
            let batch = batch?;
            let _timer = baseline.elapsed_compute().timer();
            for row in 0..batch.num_rows() {
                let partition = batch.column(0).as_primitive::<UInt64Type>().value(row);
                early.insert(partition, batch.slice(row, 1));
            }
            drop(batch);
            while let Some(state) = early.remove(&next) {
                merge(reduction, &mut accumulators, &state)?;
                next += 1;
            }
            memory.try_resize(accumulators.iter().map(|accumulator| accumulator.memory_size()).sum())?;
        }
        for state in early.values() {
            merge(reduction, &mut accumulators, state)?;
        }
        Ok(Self { groups, accumulators, _memory: memory })
    }

    /// The groups from `start` on as rows: those that have cells.
    fn rows(&mut self, reduction: &Reduction, start: usize) -> Result<RecordBatch> {
        let spec = &reduction.spec;
        let range = start..(start + BATCH_ROWS).min(self.groups);
        let mut columns = key_columns(spec, start, range.len())?;
        let aggregates = spec.aggregates.len();
        for accumulator in &mut self.accumulators[..aggregates] {
            columns.push(accumulator.finish(range.clone()).map_err(kernel)?);
        }
        let fields = spec.schema.fields();
        let columns = columns.iter().zip(fields).map(|(column, field)| Ok(cast(column, field.data_type())?));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(range.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&spec.schema), columns, &options)?;
        if !reduction.has_presence() || spec.keys.is_empty() {
            return Ok(batch);
        }
        let present = self.accumulators[aggregates].finish(range).map_err(kernel)?;
        let present = present.as_primitive::<Int64Type>().values().iter().map(|&cells| Some(cells > 0)).collect();
        Ok(filter_record_batch(&batch, &present)?)
    }
}

fn merge(reduction: &Reduction, accumulators: &mut [Box<dyn Accumulator>], state: &RecordBatch) -> Result<()> {
    let place = state.project(&[1, 2])?;
    let Some(Block { region: groups, .. }) = Block::of_batch(&place)?.pop() else { return Ok(()) };
    if cells_of(&groups)? == 0 {
        return Ok(());
    }
    let layout = reduction.spec.merge_layout(&groups);
    let mut column = 3;
    for accumulator in accumulators {
        let count = accumulator.state_types().len();
        let states: Vec<ArrayRef> =
            (column..column + count).map(|index| list_values(state.column(index), 0)).collect::<Result<_>>()?;
        accumulator.merge(&layout, &states).map_err(kernel)?;
        column += count;
    }
    Ok(())
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
