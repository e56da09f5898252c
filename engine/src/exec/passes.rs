//! A grid reduction whose states grow with the cells (quantiles), in passes over groups that fit in memory.
//!
//! Exact order statistics keep every value of a group until its last cell was read. A first, cheap reduction counts
//! these values; the groups along the outermost axis that is kept are then taken in turn, as many at a time as fit.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::common::DFSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    execute_stream,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::evaluate::CellExpressions;
use super::operator::operator_methods;
use super::origin::OriginCell;
use super::read_metrics::READ_COUNTERS;
use super::reduce::plan_in_one_pass;
use super::reduce_spec::{AggregateSpec, GroupAxis, Grouping};
use super::settings::PlanSettings;
use super::windowed::block_columns;
use crate::kernel::{AggregateKind, kept_width};
use crate::logical::GridReduce;
use crate::scan::{CellTable, axis_with_variables, variables_in};

/// What a pass keeps of values, in blocks, unless the memory limit is low.
const PASS_BLOCKS_MAX: u64 = 100;

/// The share of the memory limit that the values of a pass may take.
const MEMORY_SHARE: usize = 4;

/// Reduces in passes; each is a reduction of its own, over some of the groups of one axis.
#[derive(Debug)]
pub struct PassesExec {
    counts: Arc<dyn ExecutionPlan>,
    reduce: Arc<GridReduce>,
    axis: usize,
    groups: GroupAxis,
    /// Bytes of a value that is kept.
    value_bytes: usize,
    settings: PlanSettings,
    pub(super) origin: OriginCell,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl PassesExec {
    /// The passes of a reduction, or `None` when one is enough, or when its groups cannot be taken in turn.
    pub fn plan(reduce: &GridReduce, whole: &Arc<dyn ExecutionPlan>, settings: PlanSettings) -> Result<Option<Self>> {
        let keeps_values = |aggregate: &AggregateSpec| {
            matches!(aggregate.kind, AggregateKind::Median | AggregateKind::Quantile { .. })
        };
        let order_statistics: Vec<_> = reduce.aggregates.iter().filter(|spec| keeps_values(spec)).collect();
        let shape = reduce.table.shape();
        let cells = shape.iter().fold(order_statistics.len() as u64, |cells, &length| cells.saturating_mul(length));
        if !reduce.windows.is_empty() || cells.saturating_mul(size_of::<f64>() as u64) < pass_bytes(settings) {
            return Ok(None);
        }
        let grouping = Grouping::new(&reduce.table, &reduce.keys)?;
        let kept = grouping.axes.into_iter().enumerate().find(|(_, groups)| groups.count() > 1);
        let Some((axis, groups)) = kept else { return Ok(None) };
        let value_bytes = value_bytes(&reduce.table, &order_statistics)?;
        let counts = plan_in_one_pass(&counting(reduce, axis, &order_statistics)?, settings)?;
        let (reduce, properties) = (Arc::new(reduce.clone()), Arc::clone(whole.properties()));
        let (origin, metrics) = (OriginCell::default(), ExecutionPlanMetricsSet::new());
        Ok(Some(Self { counts, reduce, axis, groups, value_bytes, settings, origin, properties, metrics }))
    }
}

/// Bytes of a value of the widest of the aggregates.
fn value_bytes(table: &CellTable, aggregates: &[&AggregateSpec]) -> Result<usize> {
    let arguments: Vec<_> = aggregates.iter().flat_map(|aggregate| aggregate.arguments.iter().cloned()).collect();
    let columns = block_columns(table, &variables_in(table, &arguments)?);
    let expressions = CellExpressions::new(table, columns, &arguments)?;
    let widths = (0..expressions.count()).map(|argument| Ok(kept_width(&expressions.data_type(argument)?)));
    Ok(widths.collect::<Result<Vec<_>>>()?.into_iter().max().unwrap_or(size_of::<f64>()))
}

/// The reduction that counts the values of each group of an axis, for each of the aggregates.
fn counting(reduce: &GridReduce, axis: usize, aggregates: &[&AggregateSpec]) -> Result<GridReduce> {
    let is_of_axis = |key: &&datafusion::logical_expr::Expr| axis_with_variables(&reduce.table, key) == Some(axis);
    let keys: Vec<_> = reduce.keys.iter().filter(is_of_axis).cloned().collect();
    let mut fields = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        let data_type = super::reduce_spec::type_of_key(&reduce.table, axis, key)?;
        fields.push(Field::new(format!("key {number}"), data_type, true));
    }
    fields.extend((0..aggregates.len()).map(|number| Field::new(format!("count {number}"), DataType::Int64, true)));
    // A mask would leave out the groups without a cell: here every group has its row.
    let counted = aggregates.iter().map(|aggregate| AggregateSpec {
        kind: AggregateKind::Count,
        arguments: aggregate.arguments.clone(),
        filter: conjunction(reduce.mask.iter().chain(&aggregate.filter).cloned()),
    });
    Ok(GridReduce {
        table: Arc::clone(&reduce.table),
        aggregates: counted.collect(),
        mask: None,
        windows: Vec::new(),
        schema: Arc::new(DFSchema::try_from(Schema::new(fields))?),
        keys,
    })
}

impl DisplayAs for PassesExec {
    fn fmt_as(&self, _format: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        let axis = &self.reduce.table.axes()[self.axis].name;
        let aggregates: Vec<_> = self.reduce.aggregates.iter().map(|spec| format!("{:?}", spec.kind)).collect();
        write!(formatter, "PassesExec: {} in passes along {axis}", aggregates.join(", "))
    }
}

impl ExecutionPlan for PassesExec {
    operator_methods!("PassesExec": counts);

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            counts: children.swap_remove(0),
            reduce: Arc::clone(&self.reduce),
            axis: self.axis,
            groups: self.groups.clone(),
            value_bytes: self.value_bytes,
            settings: self.settings,
            origin: Arc::clone(&self.origin),
            properties: Arc::clone(&self.properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let passes = MetricBuilder::new(&self.metrics).counter("passes", partition);
        let counters = ReadCounters::new(&self.metrics, partition);
        let counts = self.counts.execute(partition, Arc::clone(&context))?;
        let pass = Pass {
            reduce: Arc::clone(&self.reduce),
            axis: self.axis,
            groups: self.groups.clone(),
            settings: self.settings,
        };
        let values_max = bytes_max(self.settings, &context) / self.value_bytes;
        let rows = stream::once(async move {
            let counts = read_counts(counts, pass.groups.count() as usize).await?;
            let ranges = ranges(&counts, values_max);
            passes.add(ranges.len());
            let rows = stream::iter(ranges)
                .map(move |groups| {
                    let plan = pass.over(groups)?;
                    let rows = execute_stream(Arc::clone(&plan), Arc::clone(&context))?;
                    // Nothing follows the rows but the adding up of what the pass did.
                    let counters = counters.clone();
                    Ok::<_, DataFusionError>(rows.chain(stream::iter(std::iter::from_fn(move || {
                        counters.add(plan.as_ref());
                        None
                    }))))
                })
                .try_flatten();
            Ok::<_, DataFusionError>(rows)
        })
        .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(self.reduce.schema.inner()), rows)))
    }
}

/// What the readers of all passes did, those of the first, which counts, left out: they show it themselves.
#[derive(Debug, Clone)]
struct ReadCounters(Vec<(&'static str, Count)>);

impl ReadCounters {
    fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name| (name, MetricBuilder::new(metrics).counter(name, partition));
        Self(READ_COUNTERS.map(counter).to_vec())
    }

    /// Adds the counters of a plan that has run.
    fn add(&self, plan: &dyn ExecutionPlan) {
        if let Some(metrics) = plan.metrics() {
            for (name, counter) in &self.0 {
                counter.add(metrics.sum_by_name(name).map_or(0, |value| value.as_usize()));
            }
        }
        plan.children().into_iter().for_each(|child| self.add(child.as_ref()));
    }
}

struct Pass {
    reduce: Arc<GridReduce>,
    axis: usize,
    groups: GroupAxis,
    settings: PlanSettings,
}

impl Pass {
    /// The reduction of the cells of some groups of the axis.
    fn over(&self, groups: Range<usize>) -> Result<Arc<dyn ExecutionPlan>> {
        let table = self.reduce.table.as_ref().clone();
        let positions = &table.axes()[self.axis].positions;
        let positions = match &self.groups {
            GroupAxis::Labelled { labels, .. } => {
                positions.filter(|selected| groups.contains(&(labels[selected as usize] as usize)))
            }
            _ => positions.slice(groups.start as u64, groups.len() as u64, 1),
        };
        let table = Arc::new(table.with_positions(self.axis, positions));
        plan_in_one_pass(&GridReduce { table, ..self.reduce.as_ref().clone() }, self.settings)
    }
}

/// Bytes of values that a pass keeps, unless the memory limit is low.
fn pass_bytes(settings: PlanSettings) -> u64 {
    settings.block_bytes.saturating_mul(PASS_BLOCKS_MAX)
}

/// Bytes of values that a pass may keep.
fn bytes_max(settings: PlanSettings, context: &TaskContext) -> usize {
    let bytes = usize::try_from(pass_bytes(settings)).unwrap_or(usize::MAX);
    match context.memory_pool().memory_limit() {
        MemoryLimit::Finite(limit) => bytes.min(limit / MEMORY_SHARE),
        _ => bytes,
    }
}

/// The values of each group, all aggregates together.
async fn read_counts(mut rows: SendableRecordBatchStream, groups: usize) -> Result<Vec<usize>> {
    let mut counts = Vec::with_capacity(groups);
    while let Some(batch) = rows.try_next().await? {
        let schema = batch.schema();
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .zip(schema.fields())
            .filter(|(_, field)| field.name().starts_with("count "))
            .map(|(column, _)| column.as_primitive::<Int64Type>().values().clone())
            .collect();
        counts
            .extend((0..batch.num_rows()).map(|row| columns.iter().map(|column| column[row] as usize).sum::<usize>()));
    }
    Ok(counts)
}

/// Runs of groups with at most so many values, or of one group that has more.
fn ranges(counts: &[usize], values_max: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut values = 0usize;
    for (group, &count) in counts.iter().enumerate() {
        match ranges.last_mut() {
            Some(last) if values.saturating_add(count) <= values_max => {
                last.end = group + 1;
                values += count;
            }
            _ => {
                ranges.push(group..group + 1);
                values = count;
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn groups_are_taken_as_many_as_fit() {
        assert_eq!(ranges(&[1, 2, 3, 4], 3), [0..2, 2..3, 3..4]);
        assert_eq!(ranges(&[5, 0, 0, 1], 4), [0..1, 1..4]);
        assert!(ranges(&[], 4).is_empty());
    }
}
