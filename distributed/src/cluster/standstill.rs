//! Jobs that would wait for ever.
//!
//! When executors are lost while a stage that reads another one is at work, Ballista may roll stages back so that none is
//! left with anything to do: a partition counts as taken and nobody works on it, or a stage waits for an input that counts
//! as complete. It refuses a task's status that names a task of a former attempt, and takes note of nothing. The job
//! neither ends nor fails; it has to run again (`guard_tests/random_losses.rs` finds such jobs).

use std::time::Duration;

use ballista_core::JobId;
use ballista_core::serde::protobuf::job_status::Status;
use ballista_scheduler::state::execution_graph::ExecutionGraph;
use ballista_scheduler::state::execution_stage::ExecutionStage;
use tokio::time::Instant;

use super::scheduler::Scheduler;

/// How often it is looked whether a job stands still.
const POLL: Duration = Duration::from_millis(500);

/// A job that has stood still for so long will not go on: what is told of tasks is entered within milliseconds.
const STILL: Duration = Duration::from_secs(2);

/// Waits until a job stands still; it never ends while the job goes on.
pub async fn standstill(scheduler: &Scheduler, job: &JobId) {
    let mut since: Option<Instant> = None;
    while since.is_none_or(|since| since.elapsed() < STILL) {
        tokio::time::sleep(POLL).await;
        let running = scheduler.server().state.task_manager.get_running_job_cache().get(job).cloned();
        let is_still = match running {
            Some(job) => stands_still(job.execution_graph.read().await.as_ref()),
            // It is still planned, or has ended.
            None => false,
        };
        since = since.filter(|_| is_still).or(is_still.then(Instant::now));
    }
}

/// Whether nothing of a running job is at work, nor could be given to anyone.
pub fn stands_still(graph: &dyn ExecutionGraph) -> bool {
    let has_work = |stage: &ExecutionStage| match stage {
        ExecutionStage::Resolved(_) => true,
        ExecutionStage::Running(stage) => stage.available_tasks() > 0,
        ExecutionStage::UnResolved(_) | ExecutionStage::Successful(_) | ExecutionStage::Failed(_) => false,
    };
    let is_running = matches!(graph.status().status, Some(Status::Running(_)));
    is_running && graph.running_tasks().is_empty() && !graph.stages().values().any(has_work)
}
