//! Partial states → rows: the second phase of a grid reduction.

use std::fmt;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
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
use futures::stream;

use super::completion::Completion;
use super::merging::{Merging, States};
use super::operator::operator_methods;
use super::origin::OriginCell;
use super::reduce_partial::{Reduction, describe};
use super::turns::Turns;

/// Merges the states of all partitions, in the order of the partitions whatever the order in which they come, so that
/// sums of floats are the same in every run; gives the groups as rows, in the order of the dimensions, as soon as they
/// are complete.
#[derive(Debug)]
pub struct GridReduceFinalExec {
    input: Arc<dyn ExecutionPlan>,
    reduction: Arc<Reduction>,
    completion: Arc<Completion>,
    turns: Arc<Turns>,
    pub(super) origin: OriginCell,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl GridReduceFinalExec {
    /// The second phase over `input`, a plan of one partition that gives partial states.
    /// These take turns, each until its state has come here.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        reduction: Arc<Reduction>,
        completion: Arc<Completion>,
        turns: Arc<Turns>,
    ) -> Self {
        turns.take_states();
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
            if completion.is_early() { EmissionType::Incremental } else { EmissionType::Final },
            Boundedness::Bounded,
        );
        let (origin, metrics) = (OriginCell::default(), ExecutionPlanMetricsSet::new());
        Self { input, reduction, completion, turns, origin, properties: Arc::new(properties), metrics }
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
        let (reduction, completion) = (Arc::clone(&self.reduction), Arc::clone(&self.completion));
        let mut replaced = Self::new(children.swap_remove(0), reduction, completion, Arc::clone(&self.turns));
        replaced.origin = Arc::clone(&self.origin);
        Ok(Arc::new(replaced))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new("GridReduceFinalExec").register(context.memory_pool());
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let input = self.input.execute(partition, context)?;
        let states = States::new(input, Arc::clone(&self.turns));
        let merging =
            Merging::new(Arc::clone(&self.reduction), Arc::clone(&self.completion), states, memory, baseline)?;
        let rows = stream::try_unfold(merging, |mut merging| async move {
            Ok(merging.next().await?.map(|batch| (batch, merging)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.reduction.spec.schema), rows)))
    }
}
