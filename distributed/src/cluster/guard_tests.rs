//! What Ballista does wrong when executors are lost, played on its own graphs, and the guards against it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::record_batch::RecordBatch;
use ballista_core::JobId;
use ballista_core::execution_plans::compute_global_output_partition_ids;
use ballista_core::extension::SessionConfigExt;
use ballista_core::serde::protobuf::job_status::Status as JobStatus;
use ballista_core::serde::protobuf::{
    ExecutorHeartbeat, ExecutorStatus, PartitionLocation, ShuffleWritePartition, SuccessfulTask, TaskStatus,
    executor_status, task_status,
};
use ballista_core::serde::scheduler::{
    ExecutorData, ExecutorMetadata, ExecutorOperatingSystemSpecification, ExecutorSpecification,
};
use ballista_scheduler::cluster::memory::InMemoryClusterState;
use ballista_scheduler::cluster::{BoundTask, ClusterState};
use ballista_scheduler::config::TaskDistributionPolicy;
use ballista_scheduler::planner::DefaultDistributedPlanner;
use ballista_scheduler::state::execution_graph::{ExecutionGraph, StaticExecutionGraph};
use ballista_scheduler::state::task_manager::JobInfoCache;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::guarded_state::{GuardedClusterState, RunningJobs};
use super::outputs::{is_tainted, last_locations};

type TestResult<T = ()> = Result<T, Box<dyn std::error::Error>>;

const GROUPS_SQL: &str = "SELECT k, sum(v) FROM cells GROUP BY k";
const NESTED_SQL: &str = "SELECT m, count(*) FROM (SELECT k, max(v) AS m FROM cells GROUP BY k) GROUP BY m";

/// Jobs on executors that are made up: tasks are bound by a state, and done when the test says so.
struct Play<S> {
    state: S,
    jobs: Arc<RunningJobs>,
}

impl<S: ClusterState> Play<S> {
    async fn new(state: S, executors: &[(&str, u32)], jobs: &[(&str, &str)]) -> TestResult<Self> {
        for (id, cores) in executors {
            let data = ExecutorData { executor_id: id.to_string(), total_vcores: *cores, available_vcores: *cores };
            state.register_executor(executor(id, *cores), data).await?;
        }
        let mut running = HashMap::new();
        for (id, sql) in jobs {
            running.insert(JobId::from(*id), job(id, sql).await?);
        }
        Ok(Self { state, jobs: Arc::new(running) })
    }

    async fn bind(&self) -> TestResult<Vec<BoundTask>> {
        let policy = TaskDistributionPolicy::RoundRobin;
        Ok(self.state.bind_schedulable_tasks(policy, Arc::clone(&self.jobs), None).await?)
    }

    /// What the scheduler does when tasks are done.
    async fn complete(&self, tasks: &[BoundTask]) -> TestResult {
        for (executor_id, task) in tasks {
            self.state.unbind_tasks(vec![(executor_id.clone(), task.vcores_consumed)]).await?;
            let job = self.jobs.get(&task.key.job_id).ok_or("no such job")?;
            let mut graph = job.execution_graph.write().await;
            let ids = compute_global_output_partition_ids(&task.plan, &task.global_input_partition_ids);
            let partition = |id: usize| ShuffleWritePartition {
                partition_id: id as u64,
                num_batches: 1,
                num_rows: 1,
                num_bytes: 1,
                file_id: Some(task.key.task_id as u64),
                is_sort_shuffle: false,
            };
            let done = SuccessfulTask {
                executor_id: executor_id.clone(),
                partitions: ids.into_iter().map(partition).collect(),
                ..Default::default()
            };
            let status = TaskStatus {
                task_id: u32::try_from(task.key.task_id)?,
                job_id: task.key.job_id.to_string(),
                stage_id: u32::try_from(task.key.stage_id)?,
                stage_attempt_num: u32::try_from(task.stage_attempt_num)?,
                status: Some(task_status::Status::Successful(done)),
                ..Default::default()
            };
            graph.update_task_status(&executor(executor_id, 1), vec![status], 4, 4)?;
        }
        Ok(())
    }

    /// What the scheduler does when an executor is lost.
    async fn lose(&self, id: &str) -> TestResult {
        self.state.remove_executor(id).await?;
        for job in self.jobs.values() {
            let mut graph = job.execution_graph.write().await;
            graph.reset_stages_on_lost_executor(id)?;
        }
        Ok(())
    }

    /// Binds and completes until nothing is left to bind.
    async fn run(&self) -> TestResult {
        loop {
            let bound = self.bind().await?;
            if bound.is_empty() {
                return Ok(());
            }
            self.complete(&bound).await?;
        }
    }

    /// The places of the result of the only job, as Ballista tells them.
    async fn result(&self) -> TestResult<Vec<PartitionLocation>> {
        let job = self.jobs.values().next().ok_or("no job")?;
        match job.execution_graph.read().await.status().status.clone() {
            Some(JobStatus::Successful(done)) => Ok(done.partition_location),
            other => Err(format!("expected a result, found {other:?}").into()),
        }
    }

    async fn is_tainted(&self) -> TestResult<bool> {
        let job = self.jobs.values().next().ok_or("no job")?;
        Ok(is_tainted(job.execution_graph.read().await.as_ref()))
    }
}

fn executor(id: &str, cores: u32) -> ExecutorMetadata {
    ExecutorMetadata {
        id: id.to_string(),
        host: "127.0.0.1".to_string(),
        port: 1,
        grpc_port: 2,
        specification: ExecutorSpecification::default().with_vcores(cores),
        os_info: ExecutorOperatingSystemSpecification::default(),
    }
}

/// A job over six partitions, with four between its stages.
async fn job(id: &str, sql: &str) -> TestResult<JobInfoCache> {
    let context = SessionContext::new_with_config(SessionConfig::new_with_ballista().with_target_partitions(4));
    let column = || Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("k", column()), ("v", column())])?;
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]; 6])?;
    context.register_table("cells", Arc::new(table))?;
    let plan = context.sql(sql).await?.create_physical_plan().await?;
    let config = Arc::new(context.copied_config());
    let mut planner = DefaultDistributedPlanner::new();
    let id = JobId::from(id);
    let mut graph = StaticExecutionGraph::new("here", &id, "", "session", plan, 0, config, &mut planner, None)?;
    graph.revive();
    Ok(JobInfoCache::new(Box::new(graph)))
}

/// The cores that the survivor gets to work with after the other executor was lost in the middle of the second stage.
async fn cores_after_loss<S: ClusterState>(state: S) -> TestResult<u32> {
    let play = Play::new(state, &[("a", 2), ("b", 2)], &[("job", GROUPS_SQL)]).await?;
    for _ in 0..2 {
        // Six partitions on four cores.
        let scan = play.bind().await?;
        play.complete(&scan).await?;
    }
    let merge = play.bind().await?;
    assert_eq!(merge.iter().map(|(_, task)| task.vcores_consumed).sum::<u32>(), 4);
    play.lose("a").await?;
    Ok(play.bind().await?.iter().map(|(_, task)| task.vcores_consumed).sum())
}

#[tokio::test]
async fn cores_of_a_stage_that_is_rolled_back_are_free_again() -> TestResult {
    assert_eq!(cores_after_loss(GuardedClusterState::default()).await?, 2);
    Ok(())
}

/// When this fails, Ballista has been mended, and the guard may go.
#[tokio::test]
async fn ballista_alone_loses_these_cores() -> TestResult {
    assert_eq!(cores_after_loss(InMemoryClusterState::default()).await?, 0);
    Ok(())
}

#[tokio::test]
async fn of_several_places_of_a_partition_the_last_is_read() -> TestResult {
    let state = GuardedClusterState::default();
    let play = Play::new(state, &[("a", 2), ("b", 2)], &[("job", GROUPS_SQL)]).await?;
    for _ in 0..2 {
        play.complete(&play.bind().await?).await?;
    }
    let merge = play.bind().await?;
    let by_a: Vec<BoundTask> = merge.into_iter().filter(|(executor, _)| executor == "a").collect();
    play.complete(&by_a).await?;
    play.lose("a").await?;
    play.run().await?;
    let told = play.result().await?;
    assert_eq!(told.len(), 6, "two partitions are told of twice");
    let read = last_locations(told);
    assert_eq!(read.len(), 4);
    let holders: Vec<_> =
        read.values().map(|place| place.executor_meta.as_ref().map(|meta| meta.id.as_str())).collect();
    assert_eq!(holders, [Some("b"); 4]);
    assert!(!play.is_tainted().await?, "a job of two stages is right all the same");
    Ok(())
}

#[tokio::test]
async fn a_stage_in_the_middle_that_ran_twice_taints_its_job() -> TestResult {
    for is_lost in [false, true] {
        let state = GuardedClusterState::default();
        let play = Play::new(state, &[("a", 2), ("b", 2)], &[("job", NESTED_SQL)]).await?;
        for _ in 0..2 {
            play.complete(&play.bind().await?).await?;
        }
        let middle = play.bind().await?;
        let by_a: Vec<BoundTask> = middle.iter().filter(|(executor, _)| executor == "a").cloned().collect();
        let by_b: Vec<BoundTask> = middle.into_iter().filter(|(executor, _)| executor == "b").collect();
        match is_lost {
            true => {
                // What b wrote before the stage was rolled back is told of once more afterwards.
                play.complete(&by_b).await?;
                play.lose("a").await?;
            }
            false => {
                play.complete(&by_a).await?;
                play.complete(&by_b).await?;
            }
        }
        play.run().await?;
        assert!(!play.result().await?.is_empty());
        assert_eq!(play.is_tainted().await?, is_lost);
    }
    Ok(())
}

#[tokio::test]
async fn jobs_share_cores_and_the_oldest_comes_first() -> TestResult {
    let names: Vec<String> = (0..9).map(|number| format!("job-{number}")).collect();
    let jobs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), GROUPS_SQL)).collect();
    let job_of = |task: &BoundTask| task.1.key.job_id.to_string();
    let one = Play::new(GuardedClusterState::default(), &[("a", 1)], &jobs).await?;
    let mut order = Vec::new();
    for _ in 0..3 {
        let bound = one.bind().await?;
        order.extend(bound.iter().map(job_of));
        one.complete(&bound).await?;
    }
    assert_eq!(order, ["job-0"; 3], "with one core, the oldest job is done first");

    let four = Play::new(GuardedClusterState::default(), &[("a", 2), ("b", 2)], &jobs[..2]).await?;
    let bound = four.bind().await?;
    let mut cores: HashMap<String, u32> = HashMap::new();
    for task in &bound {
        *cores.entry(job_of(task)).or_default() += task.1.vcores_consumed;
    }
    assert_eq!(cores, HashMap::from([("job-0".to_string(), 2), ("job-1".to_string(), 2)]));
    Ok(())
}

#[tokio::test]
async fn executors_behind_a_fence_get_nothing() -> TestResult {
    let state = GuardedClusterState::default();
    state.fence("a");
    let play = Play::new(state, &[("a", 2), ("b", 1)], &[("job", GROUPS_SQL)]).await?;
    let bound = play.bind().await?;
    assert!(!bound.is_empty() && bound.iter().all(|(executor, _)| executor == "b"));
    play.state.unfence("a");
    let bound = play.bind().await?;
    assert!(!bound.is_empty() && bound.iter().all(|(executor, _)| executor == "a"));
    Ok(())
}

#[tokio::test]
async fn who_leaves_is_not_let_in_again() -> TestResult {
    let play = Play::new(GuardedClusterState::default(), &[("a", 2)], &[("job", GROUPS_SQL)]).await?;
    let leaving = executor_status::Status::Terminating(String::new());
    let heartbeat = ExecutorHeartbeat {
        executor_id: "a".to_string(),
        status: Some(ExecutorStatus { status: Some(leaving) }),
        ..Default::default()
    };
    play.state.save_executor_heartbeat(heartbeat).await?;
    assert!(play.bind().await?.is_empty());
    play.state.remove_executor("a").await?;
    let data = ExecutorData { executor_id: "a".to_string(), total_vcores: 2, available_vcores: 2 };
    assert!(play.state.register_executor(executor("a", 2), data).await.is_err());
    assert_eq!(play.state.departures(), 1);
    Ok(())
}
