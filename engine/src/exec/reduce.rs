//! A grid reduction in two phases.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;

use super::reduce_final::GridReduceFinalExec;
use super::reduce_partial::{GridReducePartialExec, Reduction};
use super::reduce_spec::ReduceSpec;
use super::work::WorkGrid;

/// Partial states of every partition of `input` (which gives the blocks of `work`), then their merge.
pub fn reduce_plan(
    spec: ReduceSpec,
    input: Arc<dyn ExecutionPlan>,
    work: Arc<WorkGrid>,
    threads: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let reduction = Arc::new(Reduction::new(Arc::new(spec))?);
    let partial = GridReducePartialExec::new(input, Arc::clone(&reduction), work, threads)?;
    let merged = CoalescePartitionsExec::new(Arc::new(partial));
    Ok(Arc::new(GridReduceFinalExec::new(Arc::new(merged), reduction)))
}
