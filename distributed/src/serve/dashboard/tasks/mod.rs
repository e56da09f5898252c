//! The tasks of one query in time: a lane for each core, drawn as they run.
//!
//! However many tasks there are, no more than [`SEGMENTS_MAX`] segments are kept: when there are more, neighbours that are
//! shorter than a *grain* become one, and the grain doubles until enough have. What is told is then coarser, never wrong:
//! a segment knows how many tasks it stands for and for how long they worked.

mod lanes;
mod segment;
mod stages;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use serde_json::{Value, json};

use lanes::Lanes;
pub use segment::Segment;
use stages::Stages;

/// Segments that are kept of a query, at most.
const SEGMENTS_MAX: usize = 4096;

/// Failures that are remembered, the last ones.
const INCIDENTS_MAX: usize = 100;

/// Characters of a failure's cause that are kept.
const CAUSE_CHARACTERS_MAX: usize = 500;

/// Tasks that run, at most as many as are drawn.
const RUNNING_MAX: usize = 4096;

/// Which task: the job, its stage, the attempt at that stage, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaskKey {
    /// The job, counted in the order in which the query gave them out.
    pub job: u32,
    /// The stage.
    pub stage: u32,
    /// Which attempt at the stage.
    pub attempt: u32,
    /// The task.
    pub task: u32,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskEnd {
    /// Well.
    Done,
    /// By a failure, for this reason.
    Failed(String),
}

/// The tasks of a query so far. Times are milliseconds since the query began.
#[derive(Debug, Default)]
pub struct TaskStream {
    lanes: Lanes,
    stages: Stages,
    running: HashMap<TaskKey, Running>,
    incidents: VecDeque<Incident>,
    /// Neighbours that are shorter than this are one segment.
    grain: u64,
    /// Counts up with every segment.
    revision: u64,
    /// Segments of this revision or an older one have been put together since.
    rewritten: u64,
    done: u64,
    failed: u64,
    /// Partitions that ran again.
    retries: u64,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    lane: usize,
    start: u64,
}

#[derive(Debug)]
struct Incident {
    at: u64,
    stage: u32,
    executor: String,
    cause: String,
}

impl TaskStream {
    /// A task has started on an executor.
    pub fn start(&mut self, key: TaskKey, executor: &str, at: u64) {
        if self.running.contains_key(&key) || self.running.len() >= RUNNING_MAX {
            return;
        }
        let lane = self.lanes.occupy(executor, at);
        self.running.insert(key, Running { lane, start: at });
        self.stages.start(key.job, key.stage);
    }

    /// A task has ended. It need not have been seen before.
    pub fn end(&mut self, key: TaskKey, executor: &str, start: u64, end: u64, how: &TaskEnd) {
        let running = self.running.remove(&key);
        let lane = match running {
            Some(running) => running.lane,
            None => {
                self.stages.start(key.job, key.stage);
                self.lanes.occupy(executor, start)
            }
        };
        let end = end.max(start);
        self.revision += 1;
        let is_failed = matches!(how, TaskEnd::Failed(_));
        let segment = Segment::of_task(key.stage, start, end, is_failed, self.revision);
        self.lanes.add(lane, segment, self.grain);
        self.stages.end(key.job, key.stage, end - start, is_failed);
        match how {
            TaskEnd::Done => self.done += 1,
            TaskEnd::Failed(cause) => {
                self.failed += 1;
                self.note(Incident {
                    at: end,
                    stage: key.stage,
                    executor: executor.to_string(),
                    cause: cause.chars().take(CAUSE_CHARACTERS_MAX).collect(),
                });
            }
        }
        if self.lanes.segments() > SEGMENTS_MAX {
            self.coarsen();
        }
    }

    /// A stage has so many partitions, of which so many wait.
    pub fn tell_stage(&mut self, job: u32, stage: u32, partitions: u64, waiting: u64) {
        self.stages.tell(job, stage, partitions, waiting);
    }

    /// So many partitions have run again so far.
    pub fn tell_retries(&mut self, retries: u64) {
        self.retries = self.retries.max(retries);
    }

    /// Something else went wrong: an executor was lost, a stage ran again.
    pub fn tell_incident(&mut self, at: u64, stage: u32, executor: &str, cause: &str) {
        let cause = cause.chars().take(CAUSE_CHARACTERS_MAX).collect();
        self.note(Incident { at, stage, executor: executor.to_string(), cause });
    }

    /// The query has ended: what still seemed to run has ended with it.
    pub fn finish(&mut self, at: u64) {
        let mut left: Vec<(TaskKey, Running)> = self.running.drain().collect();
        left.sort_by_key(|(_, running)| running.start);
        for (key, running) in left {
            self.revision += 1;
            let segment = Segment::of_task(key.stage, running.start, at.max(running.start), false, self.revision);
            self.lanes.add(running.lane, segment, self.grain);
            self.stages.end(key.job, key.stage, at.saturating_sub(running.start), false);
        }
        if self.lanes.segments() > SEGMENTS_MAX {
            self.coarsen();
        }
    }

    /// The revision of the newest segment.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How many tasks have ended well, have failed, run, and ran again.
    pub fn counts(&self) -> Value {
        json!({
            "done": self.done,
            "failed": self.failed,
            "running": self.running.len(),
            "retries": self.retries,
        })
    }

    /// Everything that is newer than a revision; all of it where older segments have changed since.
    pub fn since(&self, revision: u64) -> Value {
        let is_whole = revision == 0 || revision < self.rewritten;
        let since = if is_whole { 0 } else { revision };
        let mut running: Vec<(usize, u64, u32)> =
            self.running.iter().map(|(key, task)| (task.lane, task.start, key.stage)).collect();
        running.sort_unstable();
        json!({
            "revision": self.revision,
            "whole": is_whole,
            "grain_ms": self.grain,
            "lanes": self.lanes.names(),
            "segments": self.lanes.since(since),
            "running": running,
            "stages": self.stages.told(),
            "counts": self.counts(),
            "incidents": self.incidents.iter().map(Incident::told).collect::<Vec<_>>(),
        })
    }

    fn note(&mut self, incident: Incident) {
        if self.incidents.len() == INCIDENTS_MAX {
            self.incidents.pop_front();
        }
        self.incidents.push_back(incident);
    }

    /// Puts segments together until half of the room is free, or nothing is left to put together.
    fn coarsen(&mut self) {
        while self.lanes.segments() > SEGMENTS_MAX / 2 {
            self.grain = (self.grain * 2).max(1);
            self.lanes.coarsen(self.grain);
            if self.grain > 1 << 40 {
                break;
            }
        }
        self.rewritten = self.revision;
    }
}

impl Incident {
    fn told(&self) -> Value {
        json!({ "at": self.at, "stage": self.stage, "executor": self.executor, "cause": self.cause })
    }
}
