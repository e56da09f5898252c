//! The stages that a plan is cut into, for `EXPLAIN`.

use std::fmt::Write;
use std::sync::Arc;

use ballista_core::JobId;
use ballista_core::execution_plans::UnresolvedShuffleExec;
use ballista_core::extension::SessionConfigExt;
use ballista_scheduler::planner::{DefaultDistributedPlanner, DistributedPlanner};
use datafusion::error::Result;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};
use datafusion::prelude::SessionConfig;

use super::error::ClusterError;
use super::preparation::prepared;

/// The stages of a plan that was made for so many partitions, one a line: the operators at its top and at its bottom, its
/// partitions, what it waits for, and what becomes of its rows.
pub fn stages_of(plan: Arc<dyn ExecutionPlan>, target_partitions: usize) -> Result<String> {
    let config = SessionConfig::new_with_ballista().with_target_partitions(target_partitions);
    let job = JobId::new("explain".to_string());
    let stages = DefaultDistributedPlanner::new().plan_query_stages(&job, prepared(plan)?, config.options());
    let stages = stages.map_err(ClusterError::from)?;
    let mut text = String::new();
    for stage in &stages {
        let Some(top) = stage.children().first().map(|plan| Arc::clone(plan)) else { continue };
        let mut inputs = Vec::new();
        let bottom = lowest(&top, &mut inputs);
        let waits = match inputs.as_slice() {
            [] => String::new(),
            inputs => format!(", after stage {}", inputs.join(" and ")),
        };
        let rows = match stage.shuffle_output_partitioning() {
            Some(Partitioning::Hash(keys, count)) => {
                let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
                format!("rows go to {} by {}", counted(*count, "partition"), keys.join(", "))
            }
            _ => "rows stay in their partitions".to_string(),
        };
        let (number, name, partitions) = (stage.stage_id(), top.name(), stage.input_partition_count());
        let partitions = counted(partitions, "partition");
        let _ = writeln!(text, "  stage {number}: {name} … {bottom}, {partitions}{waits}; {rows}");
    }
    Ok(text)
}

/// `1 stage`, `2 stages`
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The name of the operator at the bottom of a stage, on its first branch; the stages that it reads are added.
fn lowest(plan: &Arc<dyn ExecutionPlan>, inputs: &mut Vec<String>) -> String {
    if let Some(shuffle) = plan.downcast_ref::<UnresolvedShuffleExec>() {
        inputs.push(shuffle.stage_id.to_string());
    }
    let names: Vec<String> = plan.children().into_iter().map(|child| lowest(child, inputs)).collect();
    names.into_iter().next().unwrap_or_else(|| plan.name().to_string())
}
