//! Jobs of a scheduler without executors: how they are given to it, waited for, and tried again.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::Array;
use ballista_core::JobId;
use ballista_core::serde::scheduler::ExecutorData;
use ballista_scheduler::cluster::{ClusterState, JobState};
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use futures::{FutureExt, StreamExt};

use super::play::{Play, executor, plan, session};
use super::{GROUPS_SQL, TestResult};
use crate::cluster::delivery::deliver;
use crate::cluster::guarded_state::GuardedClusterState;
use crate::cluster::job::{Order, Tries};
use crate::cluster::{Scheduler, SchedulerSettings, ballista_codec};

const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(2);
const JOBS_DROPPED: u64 = 20;

async fn scheduler() -> TestResult<Arc<Scheduler>> {
    Ok(Scheduler::start(SchedulerSettings::new(ballista_codec())).await?)
}

async fn order(scheduler: &Arc<Scheduler>) -> TestResult<Order> {
    let (scheduler, plan, context) = (Arc::clone(scheduler), plan(GROUPS_SQL).await?, session()?.task_ctx());
    Ok(Order { scheduler, plan, context, in_use: None })
}

/// A job that runs and is none of these.
async fn running(scheduler: &Scheduler, but: &HashSet<JobId>) -> Option<(JobId, ExecutionGraphBox)> {
    let jobs = scheduler.server().state.task_manager.get_running_job_cache();
    let (id, job) = jobs.iter().find(|(id, _)| !but.contains(*id))?;
    Some((id.clone(), job.execution_graph.read().await.cloned()))
}

/// Ballista tells of a success before it puts the graph there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graph_that_comes_late_is_waited_for() -> TestResult {
    let scheduler = scheduler().await?;
    let play = Play::new(GuardedClusterState::default(), &[("a", 2)], &[("job", GROUPS_SQL)]).await?;
    play.run().await?;
    let (id, job) = play.jobs.iter().next().ok_or("no job")?;
    let graph = job.execution_graph.read().await.cloned();
    let waiting = tokio::spawn({
        let (scheduler, id) = (Arc::clone(&scheduler), id.clone());
        async move { scheduler.finished_graph(&id, PATIENCE).await.is_some() }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    scheduler.jobs.save_job(id, &graph).await?;
    assert!(waiting.await?, "it was not waited for");
    assert!(scheduler.finished_graph(&JobId::from("another"), Duration::from_millis(50)).await.is_none());
    Ok(())
}

/// A plan goes to the scheduler by no message: its arrays are those of the session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_handed_over_as_it_is() -> TestResult {
    let scheduler = scheduler().await?;
    let order = order(&scheduler).await?;
    let given = arrays(&order.plan);
    assert_eq!(given.len(), 6, "an array a partition");
    let mut rows = deliver(order);
    let taken = async {
        loop {
            if let Some((_, graph)) = running(&scheduler, &HashSet::new()).await {
                return graph.stages().values().flat_map(|stage| arrays_of(stage.plan())).collect::<Vec<_>>();
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let taken = tokio::select! {
        taken = tokio::time::timeout(PATIENCE, taken) => taken?,
        row = rows.next() => return Err(format!("rows without executors: {row:?}").into()),
    };
    assert_eq!(taken, given);
    Ok(())
}

/// The places of the first arrays of a plan's tables in memory.
fn arrays(plan: &Arc<dyn ExecutionPlan>) -> Vec<usize> {
    arrays_of(plan.as_ref())
}

fn arrays_of(plan: &dyn ExecutionPlan) -> Vec<usize> {
    let source = plan.downcast_ref::<DataSourceExec>().map(|leaf| leaf.data_source().as_ref() as &dyn Any);
    let batches = source.and_then(|source| source.downcast_ref::<MemorySourceConfig>());
    let batches = batches.into_iter().flat_map(|source| source.partitions()).flatten();
    let own =
        batches.map(|batch| batch.column(0).to_data().buffers().first().map_or(0, |bytes| bytes.as_ptr() as usize));
    let mut found: Vec<usize> = own.collect();
    found.extend(plan.children().into_iter().flat_map(arrays));
    found
}

/// A job cannot be cancelled before it is planned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_nobody_waits_for_ends_though_it_was_not_planned_yet() -> TestResult {
    let scheduler = scheduler().await?;
    let order = order(&scheduler).await?;
    for _ in 0..JOBS_DROPPED {
        let mut rows = deliver(order.clone());
        assert!(rows.next().now_or_never().is_none(), "rows without executors");
    }
    // All of them are planned by then.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(scheduler.job_counts().begun(), JOBS_DROPPED);
    let ended = async {
        while !scheduler.server().state.task_manager.get_running_job_cache().is_empty() {
            tokio::time::sleep(POLL).await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await;
    let left = scheduler.server().state.task_manager.get_running_job_cache().len();
    ended.map_err(|_| format!("{left} of {JOBS_DROPPED} run on"))?;
    Ok(())
}

/// How a job comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fails,
    FailsWhileAnExecutorLeaves,
    IsCancelledWhileAnExecutorLeaves,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_while_executors_leave_runs_again_a_few_times() -> TestResult {
    for (fate, jobs, told) in [
        (Fate::Fails, 1, "as the test wants it"),
        (
            Fate::FailsWhileAnExecutorLeaves,
            5,
            "executors were lost during each of 5 tries of the query: as the test wants it",
        ),
        (Fate::IsCancelledWhileAnExecutorLeaves, 1, "Cancelled"),
    ] {
        let scheduler = scheduler().await?;
        // It has no core, and is there so that there is one.
        let data = ExecutorData { executor_id: "stays".to_string(), total_vcores: 0, available_vcores: 0 };
        scheduler.state().register_executor(executor("stays", 0), data).await?;
        let order = order(&scheduler).await?;
        let computed = tokio::spawn(async move {
            let ended = order.compute(&mut Tries::default()).await;
            ended.err().map(|error| error.to_string())
        });
        let mut ended = HashSet::new();
        while !computed.is_finished() {
            if let Some((id, graph)) = running(&scheduler, &ended).await {
                end(&scheduler, &id, graph, fate).await?;
                ended.insert(id);
            }
            tokio::time::sleep(POLL).await;
        }
        let error = computed.await?.ok_or("it has an answer")?;
        assert_eq!((scheduler.job_counts().begun(), error.as_str()), (jobs, told), "{fate:?}");
    }
    Ok(())
}

async fn end(scheduler: &Scheduler, id: &JobId, mut graph: ExecutionGraphBox, fate: Fate) -> TestResult {
    if fate != Fate::Fails {
        scheduler.state().remove_executor("leaves").await?;
    }
    if fate == Fate::IsCancelledWhileAnExecutorLeaves {
        return Ok(scheduler.server().cancel_job(id.clone()).await?);
    }
    graph.fail_job("as the test wants it".to_string());
    Ok(scheduler.jobs.save_job(id, &graph).await?)
}
