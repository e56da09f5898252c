//! Jobs that are given up: which of their tasks are still at work.

use std::collections::BTreeSet;

use ballista_core::serde::protobuf::failed_task::FailedReason;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_core::serde::protobuf::{ExecutionError, FailedTask};
use ballista_scheduler::cluster::BoundTask;

use super::play::Play;
use super::{GROUPS_SQL, TestResult};
use crate::cluster::guarded_state::GuardedClusterState;
use crate::cluster::leftovers::tasks_given_up;

fn names(tasks: &[BoundTask]) -> BTreeSet<(usize, usize)> {
    tasks.iter().map(|(_, task)| (task.key.stage_id, task.key.task_id)).collect()
}

/// Three tasks: one is done, one has failed if the job has, and the others are at work.
#[tokio::test]
async fn tasks_of_a_job_that_was_given_up_are_known() -> TestResult {
    for is_failed in [false, true] {
        let executors = [("a", 1), ("b", 1), ("c", 1)];
        let play = Play::new(GuardedClusterState::default(), &executors, &[("job", GROUPS_SQL)]).await?;
        let bound = play.bind().await?;
        let [done, other, at_work] = bound.as_slice() else {
            return Err(format!("expected three tasks, found {}", bound.len()).into());
        };
        play.complete(std::slice::from_ref(done)).await?;
        let expected = match is_failed {
            false => names(&[other.clone(), at_work.clone()]),
            true => {
                let failed_reason = Some(FailedReason::ExecutionError(ExecutionError {}));
                let failed =
                    FailedTask { error: "as the test wants it".to_string(), failed_reason, ..Default::default() };
                play.tell(other, Status::Failed(failed)).await?;
                names(std::slice::from_ref(at_work))
            }
        };
        let job = play.jobs.values().next().ok_or("no job")?;
        let mut graph = job.execution_graph.write().await;
        graph.abort_running("as the test wants it".to_string());
        let found: BTreeSet<_> = tasks_given_up(graph.as_ref()).into_iter().collect();
        assert_eq!(found, expected, "failed: {is_failed}");
    }
    Ok(())
}
