//! A grid reduction in two phases.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;

use super::completion::Completion;
use super::passes::PassesExec;
use super::reduce_final::GridReduceFinalExec;
use super::reduce_partial::{GridReducePartialExec, Reduction};
use super::reduce_spec::{GroupAxis, Grouping, ReduceSpec};
use super::settings::PlanSettings;
use super::windowed::BlockPlan;
use crate::logical::{GridReduce, neighbours};
use crate::scan::variables_in;

/// The plan of a reduction: in one pass over the cells, or in several where its states would not fit.
pub fn plan_reduce(reduce: &GridReduce, settings: PlanSettings) -> Result<Arc<dyn ExecutionPlan>> {
    let whole = plan_in_one_pass(reduce, settings)?;
    match PassesExec::plan(reduce, &whole, settings)? {
        Some(passes) => Ok(Arc::new(passes)),
        None => Ok(whole),
    }
}

/// The plan of a reduction that goes over the cells once.
pub fn plan_in_one_pass(reduce: &GridReduce, settings: PlanSettings) -> Result<Arc<dyn ExecutionPlan>> {
    let aggregated = reduce.aggregates.iter().flat_map(|aggregate| aggregate.arguments.iter().chain(&aggregate.filter));
    let expressions = reduce.mask.iter().chain(aggregated).chain(neighbours(&reduce.windows));
    let columns = variables_in(&reduce.table, expressions)?;
    let grouping = Grouping::new(&reduce.table, &reduce.keys)?;
    let settings = settings.for_states(states(&grouping, reduce.aggregates.len()));
    let plan = BlockPlan::new(&reduce.table, columns, &reduce.windows, settings)?;
    let spec = ReduceSpec {
        table: Arc::clone(&reduce.table),
        columns: plan.columns.clone(),
        axes: grouping.axes,
        keys: grouping.keys,
        aggregates: reduce.aggregates.clone(),
        mask: reduce.mask.clone(),
        schema: Arc::clone(reduce.schema.inner()),
        orders: grouping.orders,
    };
    two_phases(Arc::new(spec), plan, settings)
}

/// States that every partition may have: one for each of the aggregates and each group, but for groups along an axis
/// that partitions follow each other along, of which each has a few.
pub fn states(grouping: &Grouping, aggregates: usize) -> u64 {
    let outermost = grouping.axes.iter().position(|axis| axis.count() > 1);
    let in_all = |(number, axis): (usize, &GroupAxis)| match Some(number) == outermost && axis.is_in_order() {
        true => 1,
        false => axis.count(),
    };
    grouping.axes.iter().enumerate().map(in_all).fold(aggregates as u64, u64::saturating_mul)
}

/// Partial states of every partition of a plan of blocks, then their merge.
pub fn two_phases(spec: Arc<ReduceSpec>, plan: BlockPlan, settings: PlanSettings) -> Result<Arc<dyn ExecutionPlan>> {
    let completion = Arc::new(Completion::new(&spec, &plan.work));
    let reduction = Arc::new(Reduction::new(spec)?);
    let partial = GridReducePartialExec::new(plan.blocks, Arc::clone(&reduction), plan.work, settings.threads)?;
    let turns = Arc::clone(partial.turns());
    let merged = CoalescePartitionsExec::new(Arc::new(partial));
    Ok(Arc::new(GridReduceFinalExec::new(Arc::new(merged), reduction, completion, turns)))
}
