//! The executors of a simulated cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::inputs::{Executor, ExecutorState};

/// An executor from its start until its end.
#[derive(Debug, Clone)]
pub struct SimulatedExecutor {
    /// Its name.
    pub id: String,
    /// When it was started.
    pub started_ms: u64,
    /// When it began to take tasks.
    pub arrived_ms: Option<u64>,
    /// Time in which it ran nothing, up to `idle_since_ms`.
    idle_ms: u64,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// What it does.
    pub phase: Phase,
    /// Running tasks, as job and task.
    pub running: Vec<(usize, usize)>,
    /// When its last task ended, or when it arrived.
    pub idle_since_ms: u64,
    /// The jobs whose data it holds.
    pub holds: BTreeSet<usize>,
}

/// What an executor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has not arrived.
    Starting,
    /// It takes tasks.
    Accepting,
    /// It takes no more tasks.
    Cordoned,
    /// It takes no more tasks, and is waited for.
    Draining,
    /// It is gone.
    Ended,
}

impl SimulatedExecutor {
    /// An executor that starts now.
    pub fn start(number: usize, now_ms: u64) -> Self {
        Self {
            id: format!("e{number}"),
            started_ms: now_ms,
            arrived_ms: None,
            idle_ms: 0,
            ended_ms: None,
            phase: Phase::Starting,
            running: Vec::new(),
            idle_since_ms: now_ms,
            holds: BTreeSet::new(),
        }
    }

    /// As the rule sees it; `None` once it is gone.
    pub fn view(&self, cores: u32) -> Option<Executor> {
        let tasks = self.running.len() as u32;
        let state = match self.phase {
            Phase::Starting => ExecutorState::Starting { since: Duration::from_millis(self.started_ms) },
            Phase::Accepting if tasks > 0 => ExecutorState::Busy { tasks },
            Phase::Accepting => ExecutorState::Idle { since: Duration::from_millis(self.idle_since_ms) },
            Phase::Cordoned => ExecutorState::Cordoned { tasks },
            Phase::Draining => ExecutorState::Draining { tasks },
            Phase::Ended => return None,
        };
        Some(Executor { id: self.id.clone(), cores, state, holds_data: !self.holds.is_empty() })
    }

    /// Seconds from its start until its end, or until now.
    pub fn seconds(&self, now_ms: u64) -> f64 {
        self.ended_ms.unwrap_or(now_ms).saturating_sub(self.started_ms) as f64 / 1000.0
    }

    /// Seconds until it took tasks.
    pub fn starting_seconds(&self, now_ms: u64) -> f64 {
        self.arrived_ms.or(self.ended_ms).unwrap_or(now_ms).saturating_sub(self.started_ms) as f64 / 1000.0
    }

    /// Seconds in which it ran nothing.
    pub fn idle_seconds(&self, now_ms: u64) -> f64 {
        let still = self.ended_ms.unwrap_or(now_ms).saturating_sub(self.idle_since_ms);
        let is_idle = self.running.is_empty() && self.arrived_ms.is_some();
        (self.idle_ms + if is_idle { still } else { 0 }) as f64 / 1000.0
    }

    /// Begins a task.
    pub fn run(&mut self, job: usize, task: usize, now_ms: u64) {
        if self.running.is_empty() {
            self.idle_ms += now_ms - self.idle_since_ms;
        }
        self.running.push((job, task));
    }

    /// Notes that a task ended.
    pub fn rest(&mut self, now_ms: u64) {
        if self.running.is_empty() {
            self.idle_since_ms = now_ms;
        }
    }

    /// Ends.
    pub fn close(&mut self, now_ms: u64) {
        self.ended_ms = Some(now_ms);
    }
}
