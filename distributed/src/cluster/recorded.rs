//! What the operators of a job did on executors, told to the query that the job was run for.

use std::collections::BTreeMap;

use ballista_scheduler::state::execution_graph::ExecutionGraph;
use ballista_scheduler::state::execution_stage::{ExecutionStage, SuccessfulStage};
use quarray_engine::queries::{PlanSummary, RunningQuery};

/// Counters of scans, by the names that the engine gives them.
const BYTES_READ: &str = "bytes_read";
const BYTES_DECODED: &str = "bytes_decoded";

/// Tells a query what its finished job did: the stages of the plan, the last one first.
pub fn tell(query: &RunningQuery, graph: &dyn ExecutionGraph) {
    let stages: BTreeMap<usize, &SuccessfulStage> = (graph.stages().iter())
        .filter_map(|(id, stage)| match stage {
            ExecutionStage::Successful(stage) => Some((*id, stage)),
            _ => None,
        })
        .collect();
    let count = stages.len();
    let summaries: Vec<PlanSummary> =
        stages.into_iter().rev().map(|(id, stage)| summary(query, id, stage, count)).collect();
    let total = |name: &str| summaries.iter().map(|summary| summary.total(name)).sum::<u64>();
    query.progress().add_read(total(BYTES_READ));
    query.progress().add_decoded(0, total(BYTES_DECODED));
    if let Some(plan) = PlanSummary::of_several("Stages", summaries) {
        query.tell_plan(plan);
    }
}

fn summary(query: &RunningQuery, id: usize, stage: &SuccessfulStage, count: usize) -> PlanSummary {
    let plan = PlanSummary::measured(stage.plan.as_ref(), &stage.stage_metrics, count, &|text| query.clean(text));
    PlanSummary {
        name: format!("Stage {id}"),
        detail: format!("{} partitions in {} tasks", stage.partitions, stage.task_infos.len()),
        inputs: vec![plan],
        ..PlanSummary::default()
    }
}
