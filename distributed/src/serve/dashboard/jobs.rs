//! What the graph of a cluster's job tells of its tasks, read bit by bit.
//!
//! The tasks of a stage are a list that only grows, so that a look reads what is new and what was unfinished the last time,
//! however many tasks have ended before.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ballista_core::serde::protobuf::task_status::Status;
use ballista_scheduler::state::execution_graph::ExecutionGraph;
use ballista_scheduler::state::execution_stage::ExecutionStage;
use datafusion::physical_plan::ExecutionPlan;
use quarray_engine::exec::{BlockReadExec, ChunkMap};

use super::plan::Clean;
use super::tasks::{TaskEnd, TaskKey, TaskStream};
use crate::cluster::measured::times_of;

/// How far a job has been read.
#[derive(Debug, Default)]
pub struct JobCursor {
    stages: HashMap<usize, StageCursor>,
}

/// How far a job is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct JobProgress {
    /// Partitions of all stages.
    pub partitions: u64,
    /// Those that have ended.
    pub done: u64,
}

#[derive(Debug, Default)]
struct StageCursor {
    attempt: usize,
    /// Tasks before this one have been seen.
    seen: usize,
    /// Tasks that ran at the last look.
    open: BTreeMap<usize, OpenTask>,
    /// What reads arrays in the stage.
    reads: Option<Vec<Arc<dyn ExecutionPlan>>>,
}

/// A task that runs: where, since when, and on how many partitions.
#[derive(Debug)]
struct OpenTask {
    executor: String,
    start: u64,
    partitions: u64,
}

/// What reading a stage needs to know of its query and its job.
struct Reading<'a> {
    began: u64,
    key: &'a dyn Fn(usize) -> TaskKey,
    clean: Clean<'a>,
}

impl JobCursor {
    /// Reads what is new in the `number`th job of a query that began at `began` (milliseconds since 1970).
    pub fn read(
        &mut self,
        number: u32,
        graph: &dyn ExecutionGraph,
        began: u64,
        tasks: &mut TaskStream,
        clean: Clean<'_>,
    ) -> JobProgress {
        let mut progress = JobProgress::default();
        let mut retries = 0u64;
        for (&id, stage) in graph.stages() {
            let cursor = self.stages.entry(id).or_default();
            let (partitions, waiting, attempt, failures) = figures(stage);
            retries += failures + attempt as u64;
            let key =
                |task: usize| TaskKey { job: number, stage: id as u32, attempt: attempt as u32, task: task as u32 };
            if attempt != cursor.attempt {
                cursor.begin_again(attempt, id, began, number, tasks);
            }
            tasks.tell_stage(number, id as u32, partitions, waiting);
            cursor.read(stage, tasks, &Reading { began, key: &key, clean });
            let running: u64 = cursor.open.values().map(|task| task.partitions).sum();
            progress.partitions += partitions;
            progress.done += match stage {
                ExecutionStage::Successful(_) => partitions,
                ExecutionStage::Running(_) => partitions.saturating_sub(waiting + running),
                _ => 0,
            };
        }
        tasks.tell_retries(retries);
        progress
    }

    /// The chunks that its stages read.
    pub fn chunk_maps(&self) -> Vec<Arc<ChunkMap>> {
        let reads = self.stages.values().filter_map(|stage| stage.reads.as_ref()).flatten();
        let reads = reads.filter_map(|plan| plan.downcast_ref::<BlockReadExec>());
        reads.flat_map(|read| read.chunk_maps().cloned().collect::<Vec<_>>()).collect()
    }
}

impl StageCursor {
    fn read(&mut self, stage: &ExecutionStage, tasks: &mut TaskStream, reading: &Reading<'_>) {
        let Reading { began, key, clean } = *reading;
        let infos = stage.task_infos().unwrap_or_default();
        let reads = self.reads.get_or_insert_with(|| reads_of(stage.plan()));
        let since = |moment: u128| u64::try_from(moment).unwrap_or(u64::MAX).saturating_sub(began);
        let open: Vec<usize> = self.open.keys().copied().collect();
        let news = self.seen..infos.len();
        for task in open.into_iter().chain(news) {
            let Some(info) = infos.get(task) else { continue };
            let (start, end) = times_of(info);
            let (start, end) = (since(start), since(end));
            match &info.task_status {
                Status::Running(running) => {
                    if let Entry::Vacant(place) = self.open.entry(task) {
                        let partitions = info.global_input_partition_ids.len() as u64;
                        let executor = running.executor_id.clone();
                        tasks.start(key(task), &executor, start);
                        place.insert(OpenTask { executor, start, partitions });
                    }
                }
                Status::Successful(done) => {
                    self.open.remove(&task);
                    tasks.end(key(task), &done.executor_id, start, end, &TaskEnd::Done);
                    for partition in &info.global_input_partition_ids {
                        let reads = reads.iter().filter_map(|plan| plan.downcast_ref::<BlockReadExec>());
                        reads.for_each(|read| read.note_partition(*partition));
                    }
                }
                Status::Failed(failed) => {
                    let open = self.open.remove(&task);
                    let executor = open.as_ref().map_or("an executor", |open| open.executor.as_str());
                    let start = open.as_ref().map_or(start, |open| open.start);
                    let how = TaskEnd::Failed(clean(&failed.error));
                    tasks.end(key(task), executor, start, end.max(start), &how);
                }
            }
        }
        self.seen = self.seen.max(infos.len());
    }

    /// The stage was rolled back: what ran of it runs no more.
    fn begin_again(&mut self, attempt: usize, id: usize, began: u64, job: u32, tasks: &mut TaskStream) {
        let now = now().saturating_sub(began);
        let before = self.attempt as u32;
        for (task, OpenTask { executor, start, .. }) in std::mem::take(&mut self.open) {
            let key = TaskKey { job, stage: id as u32, attempt: before, task: task as u32 };
            tasks.end(key, &executor, start, now, &TaskEnd::Failed("its stage runs again".to_string()));
        }
        tasks.tell_incident(now, id as u32, "", "the stage runs again: a part of what it reads was lost");
        (self.attempt, self.seen) = (attempt, 0);
    }
}

/// Partitions of a stage, those that wait, the attempt at it, and how often partitions have failed.
fn figures(stage: &ExecutionStage) -> (u64, u64, usize, u64) {
    match stage {
        ExecutionStage::UnResolved(stage) => {
            let partitions = partitions_of(stage.plan.as_ref());
            (partitions, partitions, stage.stage_attempt_num, 0)
        }
        ExecutionStage::Resolved(stage) => {
            (stage.partitions as u64, stage.partitions as u64, stage.stage_attempt_num, 0)
        }
        ExecutionStage::Running(stage) => {
            let failures = stage.task_failure_numbers.iter().sum::<usize>() as u64;
            (stage.partitions as u64, stage.pending.remaining() as u64, stage.stage_attempt_num, failures)
        }
        ExecutionStage::Successful(stage) => (stage.partitions as u64, 0, stage.stage_attempt_num, 0),
        ExecutionStage::Failed(stage) => (stage.partitions as u64, 0, stage.stage_attempt_num, 0),
    }
}

fn partitions_of(plan: &dyn ExecutionPlan) -> u64 {
    plan.properties().partitioning.partition_count() as u64
}

fn reads_of(plan: &dyn ExecutionPlan) -> Vec<Arc<dyn ExecutionPlan>> {
    let mut found = Vec::new();
    for child in plan.children() {
        if child.downcast_ref::<BlockReadExec>().is_some() {
            found.push(Arc::clone(child));
        }
        found.extend(reads_of(child.as_ref()));
    }
    found
}

pub(super) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
