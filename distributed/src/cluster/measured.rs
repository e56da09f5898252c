//! What a job has done so far, by stages: for `EXPLAIN ANALYZE`, and for whoever shows jobs.
//!
//! Tasks send what their operators counted when they are done; Ballista keeps it by stage, in the order in which
//! operators stand in the stage's plan.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::time::Duration;

use ballista_core::JobId;
use ballista_core::serde::protobuf::failed_task::FailedReason;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_scheduler::state::execution_graph::ExecutionGraph;
use ballista_scheduler::state::execution_stage::{ExecutionStage, TaskInfo};
use datafusion::execution::memory_pool::human_readable_size;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};

use super::scheduler::Scheduler;
use super::stages::counted;

/// The name of the most memory that a task held at once, among what its topmost operator tells.
pub const PEAK_MEMORY: &str = "peak_memory";

/// What a job has done so far.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSummary {
    /// Its id.
    pub id: String,
    /// Its stages, by number.
    pub stages: Vec<StageSummary>,
}

/// What a stage has done so far.
#[derive(Debug, Clone, PartialEq)]
pub struct StageSummary {
    /// Its number.
    pub number: usize,
    /// How far it is.
    pub state: StageState,
    /// The stages that it reads.
    pub inputs: Vec<usize>,
    /// Its partitions.
    pub partitions: usize,
    /// Partitions that are done.
    pub partitions_done: usize,
    /// Tasks that run.
    pub tasks_running: usize,
    /// Tasks that have given a result.
    pub tasks_done: usize,
    /// Tasks that ended without one, and whose partitions ran again: lost with their executor, cancelled, failed.
    pub tasks_repeated: usize,
    /// How often the whole stage began anew, since what it reads was lost.
    pub restarts: usize,
    /// The executors of its tasks.
    pub executors: BTreeSet<String>,
    /// From the start of its first task to the end of its last one so far.
    pub elapsed: Duration,
    /// The time of all tasks together.
    pub task_time: Duration,
    /// Bytes of memory that one of its tasks held, at most.
    pub peak_memory: Option<usize>,
    /// Its operators, from the top.
    pub operators: Vec<OperatorSummary>,
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageState {
    /// It waits for others, or for cores.
    Waiting,
    /// Its tasks run.
    Running,
    /// It is done.
    Done,
    /// It failed.
    Failed,
}

/// What an operator has done so far.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorSummary {
    /// How deep it stands below the top of its stage.
    pub depth: usize,
    /// The operator as `EXPLAIN` shows it.
    pub text: String,
    /// The rows that it gave.
    pub rows: Option<usize>,
    /// All that it counted, by name, as `EXPLAIN ANALYZE` shows it.
    pub metrics: String,
    /// Its counters and its times (in nanoseconds), by name.
    pub counters: Vec<(String, usize)>,
}

/// What a job has done so far. `None`: there is no such job, or it has ended and its result was read.
pub async fn job_summary(scheduler: &Scheduler, job: &str) -> Option<JobSummary> {
    let id = JobId::from(job);
    let running = scheduler.server().state.task_manager.get_running_job_cache().get(&id).cloned();
    match running {
        Some(job) => Some(JobSummary::of(job.execution_graph.read().await.as_ref())),
        None => Some(JobSummary::of(scheduler.finished_graph(&id, Duration::ZERO).await?.as_ref())),
    }
}

impl JobSummary {
    /// What the graph of a job tells.
    pub fn of(graph: &dyn ExecutionGraph) -> Self {
        let mut stages: Vec<_> =
            graph.stages().iter().map(|(number, stage)| StageSummary::of(*number, stage)).collect();
        stages.sort_by_key(|stage| stage.number);
        Self { id: graph.job_id().to_string(), stages }
    }

    /// The executors that worked on it.
    pub fn executors(&self) -> BTreeSet<&str> {
        self.stages.iter().flat_map(|stage| &stage.executors).map(String::as_str).collect()
    }

    /// Tasks that have given a result.
    pub fn tasks_done(&self) -> usize {
        self.stages.iter().map(|stage| stage.tasks_done).sum()
    }

    /// The sum of a counter of all operators.
    pub fn counter(&self, name: &str) -> usize {
        let operators = self.stages.iter().flat_map(|stage| &stage.operators);
        operators
            .flat_map(|operator| &operator.counters)
            .filter(|(known, _)| known == name)
            .map(|(_, count)| count)
            .sum()
    }
}

impl StageSummary {
    fn of(number: usize, stage: &ExecutionStage) -> Self {
        let tasks = stage.task_infos().unwrap_or_default();
        let done: Vec<&TaskInfo> =
            tasks.iter().filter(|task| matches!(task.task_status, Status::Successful(_))).collect();
        let (state, partitions, restarts, metrics) = match stage {
            ExecutionStage::UnResolved(stage) => (StageState::Waiting, 0, stage.stage_attempt_num, &[][..]),
            ExecutionStage::Resolved(stage) => {
                (StageState::Waiting, stage.partitions, stage.stage_attempt_num, &[][..])
            }
            ExecutionStage::Running(stage) => {
                let metrics = stage.stage_metrics.as_deref().unwrap_or_default();
                (StageState::Running, stage.partitions, stage.stage_attempt_num, metrics)
            }
            ExecutionStage::Successful(stage) => {
                (StageState::Done, stage.partitions, stage.stage_attempt_num, stage.stage_metrics.as_slice())
            }
            ExecutionStage::Failed(stage) => {
                let metrics = stage.stage_metrics.as_deref().unwrap_or_default();
                (StageState::Failed, stage.partitions, stage.stage_attempt_num, metrics)
            }
        };
        let partitions_done: BTreeSet<usize> =
            done.iter().flat_map(|task| task.global_input_partition_ids.iter().copied()).collect();
        Self {
            number,
            state,
            inputs: inputs_of(stage),
            partitions,
            partitions_done: partitions_done.len(),
            tasks_running: tasks.iter().filter(|task| matches!(task.task_status, Status::Running(_))).count(),
            tasks_done: done.len(),
            tasks_repeated: tasks.iter().filter(|task| is_repeated(task)).count(),
            restarts,
            executors: tasks.iter().filter_map(executor_of).collect(),
            elapsed: elapsed(tasks),
            task_time: done.iter().map(|task| time_of(task)).sum(),
            peak_memory: metrics.first().and_then(peak_memory),
            operators: operators(stage.plan(), metrics),
        }
    }
}

/// A stage on one line, and its operators below.
impl fmt::Display for StageSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (partitions, tasks) = (counted(self.partitions, "partition"), counted(self.tasks_done, "task"));
        let executors = counted(self.executors.len(), "executor");
        let (elapsed, busy) = (self.elapsed.as_secs_f64(), self.task_time.as_secs_f64());
        write!(formatter, "stage {}: {partitions} in {tasks} on {executors}, {elapsed:.3} s", self.number)?;
        write!(formatter, " ({busy:.3} s of all tasks)")?;
        if let Some(bytes) = self.peak_memory {
            write!(formatter, ", at most {} of memory a task", human_readable_size(bytes))?;
        }
        if self.tasks_repeated > 0 {
            write!(formatter, ", {} ran again", counted(self.tasks_repeated, "task"))?;
        }
        if self.restarts > 0 {
            write!(formatter, ", began anew {}", counted(self.restarts, "time"))?;
        }
        formatter.write_char('\n')?;
        for operator in &self.operators {
            let metrics =
                if operator.metrics.is_empty() { String::new() } else { format!(", metrics=[{}]", operator.metrics) };
            writeln!(formatter, "{:indent$}{}{metrics}", "", operator.text, indent = 2 + 2 * operator.depth)?;
        }
        Ok(())
    }
}

/// The stages that a stage reads, by number.
fn inputs_of(stage: &ExecutionStage) -> Vec<usize> {
    let inputs = match stage {
        ExecutionStage::UnResolved(stage) => &stage.inputs,
        ExecutionStage::Resolved(stage) => &stage.inputs,
        ExecutionStage::Running(stage) => &stage.inputs,
        ExecutionStage::Successful(stage) => &stage.inputs,
        ExecutionStage::Failed(_) => return Vec::new(),
    };
    let mut inputs: Vec<usize> = inputs.keys().copied().collect();
    inputs.sort_unstable();
    inputs
}

fn executor_of(task: &TaskInfo) -> Option<String> {
    match &task.task_status {
        Status::Running(running) => Some(running.executor_id.clone()),
        Status::Successful(done) => Some(done.executor_id.clone()),
        Status::Failed(_) => None,
    }
}

/// Whether a task ended in a way after which its partitions run again.
fn is_repeated(task: &TaskInfo) -> bool {
    match &task.task_status {
        Status::Failed(failed) => {
            failed.retryable || !matches!(failed.failed_reason, Some(FailedReason::ExecutionError(_)))
        }
        Status::Running(_) | Status::Successful(_) => false,
    }
}

/// When a task started and ended, in milliseconds since 1970: as its executor tells it, else as it was seen from here.
pub fn times_of(task: &TaskInfo) -> (u128, u128) {
    match (task.start_exec_time, task.end_exec_time) {
        (start, end) if start > 0 && end >= start => (start, end),
        _ => {
            let start = task.launch_time.max(task.scheduled_time);
            (start, task.finish_time.max(start))
        }
    }
}

/// How long a task has taken that has ended.
pub fn time_of(task: &TaskInfo) -> Duration {
    let (start, end) = times_of(task);
    milliseconds(end - start)
}

fn elapsed(tasks: &[TaskInfo]) -> Duration {
    let first = tasks.iter().map(|task| task.start_exec_time).filter(|time| *time > 0).min();
    let last = tasks.iter().map(|task| task.end_exec_time).max();
    first.zip(last).map_or(Duration::ZERO, |(first, last)| milliseconds(last.saturating_sub(first)))
}

fn milliseconds(count: u128) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(u64::MAX))
}

/// The operators of a stage with what they counted: that is told of those that count, one after the other.
fn operators(plan: &dyn ExecutionPlan, metrics: &[MetricsSet]) -> Vec<OperatorSummary> {
    let mut found = Vec::new();
    collect(plan, 0, &mut found);
    let counting = found.iter().filter(|(_, _, counts)| *counts).count();
    // Where an executor's plan is not the one that is here, nobody can tell whose the numbers are.
    let mut told = if counting == metrics.len() { metrics.iter() } else { [].iter() };
    let summary = |(depth, text, counts): (usize, String, bool)| {
        let metrics = if counts { told.next() } else { None };
        operator(depth, text, metrics)
    };
    found.into_iter().map(summary).collect()
}

fn collect(plan: &dyn ExecutionPlan, depth: usize, found: &mut Vec<(usize, String, bool)>) {
    let text = DisplayableExecutionPlan::new(plan).one_line().to_string().trim_end().to_string();
    found.push((depth, text, plan.metrics().is_some()));
    plan.children().into_iter().for_each(|child| collect(child.as_ref(), depth + 1, found));
}

fn operator(depth: usize, text: String, metrics: Option<&MetricsSet>) -> OperatorSummary {
    let Some(metrics) = metrics else {
        return OperatorSummary { depth, text, rows: None, metrics: String::new(), counters: Vec::new() };
    };
    let mut shown = MetricsSet::new();
    let mut counters = Vec::new();
    for metric in metrics.iter().filter(|metric| metric.value().name() != PEAK_MEMORY) {
        shown.push(std::sync::Arc::clone(metric));
    }
    let shown = shown.aggregate_by_name().sorted_for_display().timestamps_removed();
    for metric in shown.iter() {
        counters.push((metric.value().name().to_string(), metric.value().as_usize()));
    }
    OperatorSummary { depth, text, rows: shown.output_rows(), metrics: shown.to_string(), counters }
}

/// The most that one of the tasks held.
fn peak_memory(metrics: &MetricsSet) -> Option<usize> {
    let peaks = metrics.iter().filter_map(|metric| match metric.value() {
        MetricValue::Gauge { name, gauge } if name == PEAK_MEMORY => Some(gauge.value()),
        _ => None,
    });
    peaks.max()
}
