//! The stages of a query in figures.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Stages that are told of, at most.
const STAGES_MAX: usize = 256;

/// The stages, by job and number.
#[derive(Debug, Default)]
pub(super) struct Stages(BTreeMap<(u32, u32), Stage>);

#[derive(Debug, Default, Clone, Copy)]
struct Stage {
    partitions: u64,
    waiting: u64,
    running: u64,
    done: u64,
    failed: u64,
    /// Milliseconds of all tasks that have ended, of the shortest and of the longest.
    total: u64,
    shortest: Option<u64>,
    longest: u64,
}

impl Stages {
    pub(super) fn tell(&mut self, job: u32, stage: u32, partitions: u64, waiting: u64) {
        if let Some(stage) = self.stage(job, stage) {
            (stage.partitions, stage.waiting) = (partitions, waiting);
        }
    }

    pub(super) fn start(&mut self, job: u32, stage: u32) {
        if let Some(stage) = self.stage(job, stage) {
            stage.running += 1;
        }
    }

    pub(super) fn end(&mut self, job: u32, stage: u32, milliseconds: u64, is_failed: bool) {
        let Some(stage) = self.stage(job, stage) else { return };
        stage.running = stage.running.saturating_sub(1);
        if is_failed {
            stage.failed += 1;
            return;
        }
        stage.done += 1;
        stage.total = stage.total.saturating_add(milliseconds);
        stage.shortest = Some(stage.shortest.map_or(milliseconds, |shortest| shortest.min(milliseconds)));
        stage.longest = stage.longest.max(milliseconds);
    }

    pub(super) fn told(&self) -> Vec<Value> {
        let told = self.0.iter().map(|((job, number), stage)| {
            json!({
                "job": job,
                "stage": number,
                "partitions": stage.partitions,
                "waiting": stage.waiting,
                "running": stage.running,
                "done": stage.done,
                "failed": stage.failed,
                "mean_ms": stage.total.checked_div(stage.done),
                "shortest_ms": stage.shortest,
                "longest_ms": stage.shortest.map(|_| stage.longest),
            })
        });
        told.collect()
    }

    fn stage(&mut self, job: u32, stage: u32) -> Option<&mut Stage> {
        if self.0.len() >= STAGES_MAX && !self.0.contains_key(&(job, stage)) {
            return None;
        }
        Some(self.0.entry((job, stage)).or_default())
    }
}
