//! The unfinished work of jobs, as their plans tell it, and how long their tasks took.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ballista_core::JobId;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_scheduler::state::execution_graph::ExecutionGraph;
use ballista_scheduler::state::execution_stage::{ExecutionStage, TaskInfo};

use crate::cluster::Scheduler;
use crate::cluster::measured::time_of;
use crate::cluster::slices::bytes_a_partition;
use crate::scaling::{JobWork, TaskEstimate, TaskRates};

/// What was learned of tasks, and of which of them.
#[derive(Debug)]
pub struct JobWatch {
    tasks: TaskEstimate,
    /// Stages and tasks that have ended, by job.
    seen: HashMap<JobId, HashSet<(usize, usize)>>,
}

/// The jobs of a scheduler at one moment.
#[derive(Debug, Default)]
pub struct JobsNow {
    /// What is left of each.
    pub work: Vec<JobWork>,
    /// Tasks that run, by executor.
    pub tasks: HashMap<String, u32>,
}

impl Default for JobWatch {
    fn default() -> Self {
        Self { tasks: TaskEstimate::new(TaskRates::default()), seen: HashMap::new() }
    }
}

impl JobWatch {
    /// How long tasks take, as far as known.
    pub fn rates(&self) -> TaskRates {
        self.tasks.rates()
    }

    /// Looks at the jobs that run.
    pub async fn look(&mut self, scheduler: &Scheduler) -> JobsNow {
        let jobs = scheduler.server().state.task_manager.get_running_job_cache();
        self.seen.retain(|id, _| jobs.contains_key(id));
        let cores = cores_of(scheduler);
        let mut now = JobsNow::default();
        for (id, job) in jobs.iter() {
            let graph = job.execution_graph.read().await;
            self.learn(id, graph.as_ref(), &cores);
            now.work.push(work_of(id, graph.as_ref(), &cores));
            for task in graph.running_tasks() {
                *now.tasks.entry(task.executor_id).or_default() += 1;
            }
        }
        now.work.sort_by(|a, b| a.id.cmp(&b.id));
        now
    }

    /// Learns from the tasks that have ended since the last time.
    fn learn(&mut self, id: &JobId, graph: &dyn ExecutionGraph, cores: &Cores) {
        let seen = self.seen.entry(id.clone()).or_default();
        for (stage_id, stage) in graph.stages() {
            let bytes = bytes_a_partition(stage.plan());
            for task in stage.task_infos().unwrap_or_default() {
                let is_done = matches!(task.task_status, Status::Successful(_));
                if is_done && seen.insert((*stage_id, task.task_id)) {
                    self.tasks.observe(bytes, time_of(task).mul_f64(cores_a_partition(task, cores)));
                }
            }
        }
    }
}

/// The cores of executors, by name.
type Cores = HashMap<String, u32>;

fn cores_of(scheduler: &Scheduler) -> Cores {
    let members = scheduler.state().members().into_iter();
    members.map(|member| (member.metadata.id, member.metadata.specification.vcores)).collect()
}

/// The share of a core that each partition of a task has to itself: partitions of a task run beside each other, as far as
/// there are cores.
fn cores_a_partition(task: &TaskInfo, cores: &Cores) -> f64 {
    let executor = match &task.task_status {
        Status::Running(running) => &running.executor_id,
        Status::Successful(done) => &done.executor_id,
        Status::Failed(_) => return 1.0,
    };
    // Nobody knows the cores of one that has left: it counts as one with enough of them.
    let cores = cores.get(executor).map_or(usize::MAX, |cores| *cores as usize);
    let partitions = task.global_input_partition_ids.len().max(1);
    cores.min(partitions) as f64 / partitions as f64
}

/// What is left of a job: the stages that have their inputs.
fn work_of(id: &JobId, graph: &dyn ExecutionGraph, cores: &Cores) -> JobWork {
    let mut work = JobWork {
        id: id.to_string(),
        remaining_partitions: 0,
        remaining_bytes: 0,
        running_partitions: 0,
        running_seconds: 0.0,
        rates: None,
    };
    for stage in graph.stages().values() {
        let remaining = match stage {
            ExecutionStage::Resolved(stage) => stage.partitions as u64,
            ExecutionStage::Running(stage) => {
                let running = stage.task_infos.iter().filter(|task| matches!(task.task_status, Status::Running(_)));
                let (mut partitions, mut seconds) = (0u64, 0.0);
                for task in running {
                    let count = task.global_input_partition_ids.len() as u64;
                    partitions += count;
                    let runs = since(task.launch_time.max(task.scheduled_time)).as_secs_f64();
                    seconds += count as f64 * runs * cores_a_partition(task, cores);
                }
                work.running_partitions += partitions;
                work.running_seconds += seconds;
                stage.pending.remaining() as u64 + partitions
            }
            ExecutionStage::UnResolved(_) | ExecutionStage::Successful(_) | ExecutionStage::Failed(_) => 0,
        };
        work.remaining_partitions += remaining;
        let bytes = remaining.saturating_mul(bytes_a_partition(stage.plan()));
        work.remaining_bytes = work.remaining_bytes.saturating_add(bytes);
    }
    work
}

/// The time since a moment that is given in milliseconds.
fn since(milliseconds: u128) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Duration::from_millis(u64::try_from(now.saturating_sub(milliseconds)).unwrap_or(u64::MAX))
}
