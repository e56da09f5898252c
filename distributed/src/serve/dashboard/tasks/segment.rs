//! A stretch of time on a lane in which tasks ran.

use serde_json::{Value, json};

/// A task, or several that follow each other closely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// When the first task started.
    pub start: u64,
    /// When the last task ended.
    pub end: u64,
    /// The stage that most of the time was spent on.
    pub stage: u32,
    /// How long tasks worked in it.
    pub busy: u64,
    /// How long those of `stage` did.
    pub busy_of_stage: u64,
    /// How many tasks.
    pub tasks: u64,
    /// How many of them failed.
    pub failed: u64,
    /// When it was changed last.
    pub revision: u64,
}

impl Segment {
    /// One task.
    pub fn of_task(stage: u32, start: u64, end: u64, is_failed: bool, revision: u64) -> Self {
        let busy = end.saturating_sub(start);
        Self { start, end, stage, busy, busy_of_stage: busy, tasks: 1, failed: u64::from(is_failed), revision }
    }

    /// Whether the next one on the lane can become a part of this one: both are short, and close to each other.
    pub fn takes(&self, next: &Self, grain: u64) -> bool {
        let is_short = |segment: &Self| segment.end.saturating_sub(segment.start) < grain;
        is_short(self) && is_short(next) && next.start.saturating_sub(self.end) < grain
    }

    /// Makes the next one a part of this one.
    pub fn take(&mut self, next: &Self) {
        if next.stage == self.stage {
            self.busy_of_stage += next.busy_of_stage;
        } else if next.busy_of_stage > self.busy_of_stage {
            (self.stage, self.busy_of_stage) = (next.stage, next.busy_of_stage);
        }
        self.start = self.start.min(next.start);
        self.end = self.end.max(next.end);
        self.busy += next.busy;
        self.tasks += next.tasks;
        self.failed += next.failed;
        self.revision = self.revision.max(next.revision);
    }

    /// As numbers: lane, start, end, stage, tasks, failed tasks, time worked.
    pub fn told(&self, lane: usize) -> Value {
        json!([lane, self.start, self.end, self.stage, self.tasks, self.failed, self.busy])
    }
}
