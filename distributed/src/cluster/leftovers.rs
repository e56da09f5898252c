//! What a job leaves on executors when it ends before it is done: tasks at work, and the files that they write.
//!
//! An executor knows a task by its name only once it has read the task's plan, which may take long where a store is slow.
//! A task that is cancelled before that is not found, and works on; so it is cancelled again. Of a stage that has failed,
//! Ballista cancels no task at all.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ballista_core::JobId;
use ballista_core::serde::protobuf::failed_task::FailedReason;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_scheduler::state::execution_graph::{ExecutionGraph, RunningTaskInfo};
use ballista_scheduler::state::execution_stage::ExecutionStage;

use super::scheduler::Scheduler;

/// Tasks are cancelled and files are removed after each of these pauses.
const PAUSES: [Duration; 5] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120)];

/// A cancelled task has ended and writes no more after this, unless it is in the middle of a large block.
const END: Duration = Duration::from_millis(500);

/// The graph of a job that was given up comes a moment after the news of it; it is waited for so long.
const GRAPH_PATIENCE: Duration = Duration::from_secs(5);

/// Clears away what a job has left that was given up, a few times, as long as the scheduler is there.
pub(super) async fn clear_away(scheduler: Weak<Scheduler>, job: JobId) {
    let Some(there) = scheduler.upgrade() else { return };
    let graph = there.finished_graph(&job, GRAPH_PATIENCE).await;
    drop(there);
    let tasks = graph.map_or_else(Vec::new, |graph| tasks_given_up(graph.as_ref()));
    for pause in PAUSES {
        tokio::time::sleep(pause).await;
        let Some(there) = scheduler.upgrade() else { return };
        cancel(&there, &job, &tasks).await;
        drop(there);
        tokio::time::sleep(END).await;
        let Some(there) = scheduler.upgrade() else { return };
        there.forget(&job);
    }
}

/// The tasks that were at work when their job was given up: their stages and numbers.
pub(super) fn tasks_given_up(graph: &dyn ExecutionGraph) -> Vec<(usize, usize)> {
    let was_at_work = |status: &Status| match status {
        Status::Running(_) => true,
        Status::Failed(failed) => matches!(failed.failed_reason, Some(FailedReason::TaskKilled(_))),
        Status::Successful(_) => false,
    };
    let failed = graph.stages().iter().filter_map(|(id, stage)| match stage {
        ExecutionStage::Failed(stage) => Some((*id, &stage.task_infos)),
        _ => None,
    });
    let tasks = failed.flat_map(|(id, tasks)| tasks.iter().map(move |task| (id, task)));
    tasks.filter(|(_, task)| was_at_work(&task.task_status)).map(|(id, task)| (id, task.task_id)).collect()
}

/// Cancels tasks wherever they are: where they were is not kept.
async fn cancel(scheduler: &Arc<Scheduler>, job: &JobId, tasks: &[(usize, usize)]) {
    if tasks.is_empty() {
        return;
    }
    let executors: HashSet<String> = scheduler.state().executors().await;
    let everywhere = executors.iter().flat_map(|executor| {
        tasks.iter().map(|&(stage_id, task_id)| RunningTaskInfo {
            task_id,
            job_id: job.clone(),
            stage_id,
            executor_id: executor.clone(),
        })
    });
    // An executor that does not hear it is asked again.
    let _ = scheduler.server.state.executor_manager.cancel_running_tasks(everywhere.collect()).await;
}
