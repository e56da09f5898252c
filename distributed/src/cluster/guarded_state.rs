//! Which executors there are, and who works on what next: Ballista's state of a cluster with its faults guarded.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::error::{BallistaError, Result};
use ballista_core::serde::protobuf::{ExecutorHeartbeat, executor_status};
use ballista_core::serde::scheduler::{ExecutorData, ExecutorMetadata, TaskKey};
use ballista_scheduler::cluster::memory::InMemoryClusterState;
use ballista_scheduler::cluster::{BoundTask, ClusterState, ClusterStateEventStream, ExecutorSlot};
use ballista_scheduler::config::TaskDistributionPolicy;
use ballista_scheduler::state::task_manager::JobInfoCache;
use parking_lot::RwLock;

use super::budgets::{Allowance, Budgets};
use super::drain::LEAVING;
use super::fences::Fences;
use super::slices::Waiting;

/// The running jobs, as the scheduler hands them out.
pub type RunningJobs = HashMap<JobId, JobInfoCache>;

/// Ballista's state in memory, but
/// - free cores are counted from the tasks that run, at every binding. Ballista keeps a number, and forgets to give cores
///   back when it rolls a running stage back: after losses, executors would stand idle for ever.
/// - fenced executors get no tasks, and those that have left cannot register again.
/// - jobs get equal shares of the cores, the oldest first. Ballista serves them in the order of a hash map.
/// - a job that has the cores to itself gets more partitions a task than cores, where that is as well (`slices.rs`).
#[derive(Default)]
pub struct GuardedClusterState {
    inner: InMemoryClusterState,
    fences: RwLock<Fences>,
    members: RwLock<BTreeMap<String, Member>>,
    departures: AtomicU64,
    /// The cores of tasks that have more partitions than cores: Ballista remembers their partitions.
    sliced: RwLock<HashMap<TaskKey, u32>>,
}

/// An executor that is registered.
#[derive(Debug, Clone)]
pub struct Member {
    /// What it has told of itself.
    pub metadata: ExecutorMetadata,
    /// When it came.
    pub since: Instant,
    /// Whether it has said that it is about to leave.
    pub is_leaving: bool,
}

/// Cores of one executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorCores {
    /// The executor's name.
    pub id: String,
    /// All of its cores.
    pub total: u32,
    /// Those that no task runs on.
    pub free: u32,
}

impl GuardedClusterState {
    /// Gives this executor no new tasks; those that run go on.
    pub fn fence(&self, id: &str) {
        self.fences.write().fence(id);
    }

    /// Gives this executor tasks again.
    pub fn unfence(&self, id: &str) {
        self.fences.write().unfence(id);
    }

    /// The executors behind a fence.
    pub fn fenced(&self) -> HashSet<String> {
        self.fences.read().fenced().clone()
    }

    /// This executor has left or is leaving: it gets no tasks, and cannot register again.
    pub fn dismiss(&self, id: &str) {
        self.fences.write().dismiss(id);
    }

    /// How many executors have left so far.
    pub fn departures(&self) -> u64 {
        self.departures.load(Ordering::Acquire)
    }

    /// The executors that are registered, in the order of their names.
    pub fn members(&self) -> Vec<Member> {
        self.members.read().values().cloned().collect()
    }

    /// Whether this executor is about to leave of its own accord.
    pub fn is_leaving(&self, id: &str) -> bool {
        self.members.read().get(id).is_some_and(|member| member.is_leaving)
    }

    /// Names of the executors that are registered.
    pub async fn executors(&self) -> HashSet<String> {
        self.inner.registered_executor_metadata().await.into_iter().map(|executor| executor.id).collect()
    }

    /// The cores of every executor, free ones counted from the tasks that run.
    pub async fn cores(&self, jobs: &RunningJobs) -> Vec<ExecutorCores> {
        let held = self.cores_held(jobs).await;
        let executors = self.inner.registered_executor_metadata().await;
        let mut cores: Vec<ExecutorCores> = executors
            .into_iter()
            .map(|executor| {
                let total = executor.specification.vcores;
                let held: u32 = held.iter().filter_map(|(_, by)| by.get(&executor.id)).sum();
                ExecutorCores { id: executor.id, total, free: total.saturating_sub(held) }
            })
            .collect();
        cores.sort_by(|a, b| a.id.cmp(&b.id));
        cores
    }

    /// Executors that may get tasks, with their cores and free cores.
    pub(super) async fn budgets(&self, jobs: &RunningJobs, alive: Option<HashSet<String>>) -> Budgets {
        let mut cores: HashMap<String, ExecutorCores> =
            self.cores(jobs).await.into_iter().map(|cores| (cores.id.clone(), cores)).collect();
        let executors = self.inner.registered_executor_metadata().await;
        let (fences, members) = (self.fences.read(), self.members.read());
        let may = |id: &String| {
            let is_alive = alive.as_ref().is_none_or(|alive| alive.contains(id));
            let is_leaving = members.get(id).is_some_and(|member| member.is_leaving);
            is_alive && !is_leaving && !fences.holds(id)
        };
        let mut budgets = Budgets::default();
        for executor in executors.into_iter().filter(|executor| may(&executor.id)) {
            if let Some(cores) = cores.remove(&executor.id) {
                budgets.total += cores.total;
                budgets.free.insert(executor.id.clone(), (executor, cores.free));
            }
        }
        budgets
    }

    /// Jobs with work that waits, in the order of submission: that is the order of their names (`scheduler.rs`).
    async fn waiting_jobs(&self, jobs: &RunningJobs) -> Vec<WaitingJob> {
        let held: HashMap<JobId, u32> =
            self.cores_held(jobs).await.into_iter().map(|(id, by)| (id, by.values().sum())).collect();
        let mut waiting = Vec::new();
        for (id, job) in jobs {
            let mut graph = job.execution_graph.write().await;
            // A stage whose inputs are there has no tasks to give before this.
            graph.revive();
            if graph.available_tasks() > 0 {
                let held = held.get(id).copied().unwrap_or_default();
                waiting.push(WaitingJob { id: id.clone(), held, waiting: Waiting::of(graph.as_ref()) });
            }
        }
        waiting.sort_by(|a, b| a.id.cmp(&b.id));
        waiting
    }

    /// Cores that the running tasks of every job hold, by executor.
    async fn cores_held(&self, jobs: &RunningJobs) -> Vec<(JobId, HashMap<String, u32>)> {
        let sliced = self.sliced.read().clone();
        let mut held = Vec::with_capacity(jobs.len());
        for (id, job) in jobs {
            let graph = job.execution_graph.read().await;
            let mut by_executor: HashMap<String, u32> = HashMap::new();
            for task in graph.running_tasks() {
                let key = TaskKey { job_id: id.clone(), stage_id: task.stage_id, task_id: task.task_id };
                let cores = sliced.get(&key).copied().or_else(|| graph.task_vcores(task.stage_id, task.task_id));
                *by_executor.entry(task.executor_id).or_default() += cores.unwrap_or(1);
            }
            held.push((id.clone(), by_executor));
        }
        held
    }

    /// Remembers the cores of tasks that Ballista does not know. A stage that runs again has tasks of the same names.
    pub(super) fn remember(&self, bound: &[BoundTask], jobs: &RunningJobs) {
        let mut sliced = self.sliced.write();
        sliced.retain(|key, _| jobs.contains_key(&key.job_id));
        for (_, task) in bound {
            match task.global_input_partition_ids.len() > task.vcores_consumed as usize {
                true => sliced.insert(task.key.clone(), task.vcores_consumed),
                false => sliced.remove(&task.key),
            };
        }
    }
}

#[async_trait]
impl ClusterState for GuardedClusterState {
    async fn init(&self) -> Result<()> {
        self.inner.init().await
    }

    async fn bind_schedulable_tasks(
        &self,
        distribution: TaskDistributionPolicy,
        active_jobs: Arc<RunningJobs>,
        executors: Option<HashSet<String>>,
    ) -> Result<Vec<BoundTask>> {
        let mut budgets = self.budgets(&active_jobs, executors).await;
        let waiting = self.waiting_jobs(&active_jobs).await;
        let bound = bound(&mut budgets, &waiting, &distribution, &active_jobs).await?;
        self.remember(&bound, &active_jobs);
        Ok(bound)
    }

    async fn unbind_tasks(&self, executor_slots: Vec<ExecutorSlot>) -> Result<()> {
        self.inner.unbind_tasks(executor_slots).await
    }

    async fn register_executor(&self, metadata: ExecutorMetadata, spec: ExecutorData) -> Result<()> {
        if self.fences.read().is_dismissed(&metadata.id) {
            return Err(BallistaError::Configuration(format!("executor {} has left", metadata.id)));
        }
        self.inner.register_executor(metadata.clone(), spec).await?;
        self.members.write().insert(metadata.id.clone(), Member { metadata, since: Instant::now(), is_leaving: false });
        Ok(())
    }

    async fn save_executor_metadata(&self, metadata: ExecutorMetadata) -> Result<()> {
        self.inner.save_executor_metadata(metadata).await
    }

    async fn get_executor_metadata(&self, executor_id: &str) -> Result<ExecutorMetadata> {
        self.inner.get_executor_metadata(executor_id).await
    }

    async fn registered_executor_metadata(&self) -> Vec<ExecutorMetadata> {
        self.inner.registered_executor_metadata().await
    }

    async fn save_executor_heartbeat(&self, heartbeat: ExecutorHeartbeat) -> Result<()> {
        let status = heartbeat.status.as_ref().and_then(|status| status.status.as_ref());
        if matches!(status, Some(executor_status::Status::Terminating(_))) {
            // It will say so once more after it was removed, and must not be taken for a new one then.
            self.dismiss(&heartbeat.executor_id);
        }
        let is_leaving = matches!(status, Some(executor_status::Status::Active(word)) if word == LEAVING);
        if let Some(member) = self.members.write().get_mut(&heartbeat.executor_id).filter(|_| is_leaving) {
            member.is_leaving = true;
        }
        self.inner.save_executor_heartbeat(heartbeat).await
    }

    async fn remove_executor(&self, executor_id: &str) -> Result<()> {
        self.departures.fetch_add(1, Ordering::AcqRel);
        self.members.write().remove(executor_id);
        // Should it come back, it gets tasks until somebody decides anew.
        self.fences.write().unfence(executor_id);
        self.inner.remove_executor(executor_id).await
    }

    fn executor_heartbeats(&self) -> HashMap<String, ExecutorHeartbeat> {
        self.inner.executor_heartbeats()
    }

    fn get_executor_heartbeat(&self, executor_id: &str) -> Option<ExecutorHeartbeat> {
        self.inner.get_executor_heartbeat(executor_id)
    }

    async fn cluster_state_events(&self) -> Result<ClusterStateEventStream> {
        self.inner.cluster_state_events().await
    }
}

/// A job with partitions that no task has taken yet.
struct WaitingJob {
    id: JobId,
    /// Cores that its tasks run on.
    held: u32,
    waiting: Waiting,
}

/// Binds tasks of the jobs that wait.
async fn bound(
    budgets: &mut Budgets,
    waiting: &[WaitingJob],
    distribution: &TaskDistributionPolicy,
    jobs: &RunningJobs,
) -> Result<Vec<BoundTask>> {
    let Some(share) = budgets.share(waiting.len()) else {
        return Ok(Vec::new());
    };
    if let ([job], true) = (waiting, jobs.len() == 1) {
        let slice = job.waiting.slice(budgets.total, |id| budgets.cores_of(id));
        return budgets.bind(distribution, jobs, &job.id, Allowance { cores: u32::MAX, slice }).await;
    }
    let mut bound = Vec::new();
    // Those that hold least come first, the oldest of them before the others; what they leave goes by age alone.
    let mut by_need: Vec<&WaitingJob> = waiting.iter().collect();
    by_need.sort_by_key(|job| job.held);
    for job in by_need {
        let allowance = share.saturating_sub(job.held);
        bound.extend(budgets.bind(distribution, jobs, &job.id, Allowance { cores: allowance, slice: 1 }).await?);
    }
    for job in waiting {
        bound.extend(budgets.bind(distribution, jobs, &job.id, Allowance { cores: u32::MAX, slice: 1 }).await?);
    }
    Ok(bound)
}
