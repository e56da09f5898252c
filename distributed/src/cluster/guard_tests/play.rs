//! Jobs on executors that are made up: a state binds tasks, and whoever plays says what becomes of them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::record_batch::RecordBatch;
use ballista_core::JobId;
use ballista_core::execution_plans::compute_global_output_partition_ids;
use ballista_core::extension::SessionConfigExt;
use ballista_core::serde::protobuf::job_status::Status as JobStatus;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_core::serde::protobuf::{PartitionLocation, ShuffleWritePartition, SuccessfulTask, TaskStatus};
use ballista_core::serde::scheduler::{
    ExecutorData, ExecutorMetadata, ExecutorOperatingSystemSpecification, ExecutorSpecification,
};
use ballista_scheduler::cluster::{BoundTask, ClusterState};
use ballista_scheduler::config::TaskDistributionPolicy;
use ballista_scheduler::planner::DefaultDistributedPlanner;
use ballista_scheduler::state::execution_graph::{ExecutionGraph, StaticExecutionGraph, TaskDescription};
use ballista_scheduler::state::task_manager::JobInfoCache;
use datafusion::datasource::MemTable;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::TestResult;
use crate::cluster::guarded_state::RunningJobs;
use crate::cluster::outputs::is_tainted;
use crate::cluster::standstill::stands_still;

/// Partitions of the table, and those between stages.
const PARTITIONS: usize = 6;
const TARGET_PARTITIONS: usize = 4;

/// How often a task, and a stage, may fail: as in Ballista.
const FAILURES_MAX: usize = 4;

/// Jobs on executors that are made up: tasks are bound by a state, and done when the test says so.
pub struct Play<S> {
    pub state: S,
    pub jobs: Arc<RunningJobs>,
}

impl<S: ClusterState> Play<S> {
    /// Executors with so many cores, and jobs by their names and queries.
    pub async fn new(state: S, executors: &[(&str, u32)], jobs: &[(&str, &str)]) -> TestResult<Self> {
        let mut plans = Vec::new();
        for (id, sql) in jobs {
            plans.push((*id, plan(sql).await?));
        }
        Self::of_plans(state, executors, &plans).await
    }

    /// The same, by the plans of jobs.
    pub async fn of_plans(
        state: S,
        executors: &[(&str, u32)],
        jobs: &[(&str, Arc<dyn ExecutionPlan>)],
    ) -> TestResult<Self> {
        let mut running = HashMap::new();
        for (id, plan) in jobs {
            running.insert(JobId::from(*id), job(id, Arc::clone(plan))?);
        }
        let play = Self { state, jobs: Arc::new(running) };
        for (id, cores) in executors {
            play.join(id, *cores).await?;
        }
        Ok(play)
    }

    /// An executor comes.
    pub async fn join(&self, id: &str, cores: u32) -> TestResult {
        let data = ExecutorData { executor_id: id.to_string(), total_vcores: cores, available_vcores: cores };
        Ok(self.state.register_executor(executor(id, cores), data).await?)
    }

    pub async fn bind(&self) -> TestResult<Vec<BoundTask>> {
        let policy = TaskDistributionPolicy::RoundRobin;
        Ok(self.state.bind_schedulable_tasks(policy, Arc::clone(&self.jobs), None).await?)
    }

    /// What the scheduler does when it hears of a task.
    pub async fn tell(&self, (executor_id, task): &BoundTask, status: Status) -> TestResult {
        let job = self.jobs.get(&task.key.job_id).ok_or("no such job")?;
        let mut graph = job.execution_graph.write().await;
        let cores = graph.task_vcores(task.key.stage_id, task.key.task_id).unwrap_or_default();
        self.state.unbind_tasks(vec![(executor_id.clone(), cores)]).await?;
        let status = TaskStatus {
            task_id: u32::try_from(task.key.task_id)?,
            job_id: task.key.job_id.to_string(),
            stage_id: u32::try_from(task.key.stage_id)?,
            stage_attempt_num: u32::try_from(task.stage_attempt_num)?,
            status: Some(status),
            ..Default::default()
        };
        graph.update_task_status(&executor(executor_id, 1), vec![status], FAILURES_MAX, FAILURES_MAX)?;
        Ok(())
    }

    /// These tasks are done.
    pub async fn complete(&self, tasks: &[BoundTask]) -> TestResult {
        for bound in tasks {
            self.tell(bound, Status::Successful(done(&bound.0, &bound.1))).await?;
        }
        Ok(())
    }

    /// What the scheduler does when an executor is lost.
    pub async fn lose(&self, id: &str) -> TestResult {
        self.state.remove_executor(id).await?;
        for job in self.jobs.values() {
            let mut graph = job.execution_graph.write().await;
            graph.reset_stages_on_lost_executor(id)?;
        }
        Ok(())
    }

    /// Binds and completes until nothing is left to bind.
    pub async fn run(&self) -> TestResult {
        loop {
            let bound = self.bind().await?;
            if bound.is_empty() {
                return Ok(());
            }
            self.complete(&bound).await?;
        }
    }

    /// How it stands with the only job.
    pub async fn status(&self) -> TestResult<Option<JobStatus>> {
        let job = self.jobs.values().next().ok_or("no job")?;
        Ok(job.execution_graph.read().await.status().status.clone())
    }

    /// The places of the result of the only job, as Ballista tells them.
    pub async fn result(&self) -> TestResult<Vec<PartitionLocation>> {
        match self.status().await? {
            Some(JobStatus::Successful(done)) => Ok(done.partition_location),
            other => Err(format!("expected a result, found {other:?}").into()),
        }
    }

    /// Whether the only job stands still.
    pub async fn stands_still(&self) -> TestResult<bool> {
        let job = self.jobs.values().next().ok_or("no job")?;
        Ok(stands_still(job.execution_graph.read().await.as_ref()))
    }

    pub async fn is_tainted(&self) -> TestResult<bool> {
        let job = self.jobs.values().next().ok_or("no job")?;
        Ok(is_tainted(job.execution_graph.read().await.as_ref()))
    }
}

/// What a task says when it is done.
pub fn done(executor_id: &str, task: &TaskDescription) -> SuccessfulTask {
    let ids = compute_global_output_partition_ids(&task.plan, &task.global_input_partition_ids);
    let partition = |id: usize| ShuffleWritePartition {
        partition_id: id as u64,
        num_batches: 1,
        num_rows: 1,
        num_bytes: 1,
        file_id: Some(task.key.task_id as u64),
        is_sort_shuffle: false,
    };
    let partitions = ids.into_iter().map(partition).collect();
    SuccessfulTask { executor_id: executor_id.to_string(), partitions, ..Default::default() }
}

pub fn executor(id: &str, cores: u32) -> ExecutorMetadata {
    ExecutorMetadata {
        id: id.to_string(),
        host: "127.0.0.1".to_string(),
        port: 1,
        grpc_port: 2,
        specification: ExecutorSpecification::default().with_vcores(cores),
        os_info: ExecutorOperatingSystemSpecification::default(),
    }
}

/// A session with the table `cells`.
pub fn session() -> TestResult<SessionContext> {
    let config = SessionConfig::new_with_ballista().with_target_partitions(TARGET_PARTITIONS);
    let context = SessionContext::new_with_config(config);
    let column = || Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("k", column()), ("v", column())])?;
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]; PARTITIONS])?;
    context.register_table("cells", Arc::new(table))?;
    Ok(context)
}

/// A plan over six partitions, with four between its stages.
pub async fn plan(sql: &str) -> TestResult<Arc<dyn ExecutionPlan>> {
    Ok(session()?.sql(sql).await?.create_physical_plan().await?)
}

fn job(id: &str, plan: Arc<dyn ExecutionPlan>) -> TestResult<JobInfoCache> {
    let config = Arc::new(session()?.copied_config());
    let mut planner = DefaultDistributedPlanner::new();
    let id = JobId::from(id);
    let mut graph = StaticExecutionGraph::new("here", &id, "", "session", plan, 0, config, &mut planner, None)?;
    graph.revive();
    Ok(JobInfoCache::new(Box::new(graph)))
}
