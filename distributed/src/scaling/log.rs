//! The record of decisions, for `SHOW SCALING`.

use std::collections::VecDeque;
use std::mem::discriminant;
use std::time::Duration;

use super::decision::Decision;
use super::estimate::TaskRates;
use super::inputs::{Inputs, Limits, ScalingMode};

/// The last decisions, with their inputs. Decisions in a row that change nothing, for the same reason, are one entry.
#[derive(Debug, Clone)]
pub struct ScalingLog {
    entries: VecDeque<LogEntry>,
    capacity: usize,
    dropped: u64,
}

/// A decision, or equal ones in a row.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// When it was made first.
    pub first: Duration,
    /// When it was made last.
    pub last: Duration,
    /// How often in a row it was made.
    pub rounds: u64,
    /// What it was made from, the last time.
    pub basis: Basis,
    /// The decision, as it was made the last time.
    pub decision: Decision,
}

/// The inputs of a decision, without the lists. What was counted of executors and work stands in the decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Basis {
    /// What was asked for.
    pub mode: ScalingMode,
    /// Unfinished jobs.
    pub jobs: u64,
    /// Their unfinished partitions.
    pub remaining_partitions: u64,
    /// The bytes that these read.
    pub remaining_bytes: u64,
    /// Partitions that run.
    pub running_partitions: u64,
    /// How long tasks take.
    pub rates: TaskRates,
    /// How long an executor takes to start.
    pub start_up: Duration,
    /// The share of memory in use.
    pub memory_used: f64,
    /// The limits of the cluster.
    pub cluster: Limits,
    /// The limits of the user.
    pub user: Limits,
}

impl ScalingLog {
    /// A log of so many entries, at least one; the oldest give way.
    pub fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), capacity: capacity.max(1), dropped: 0 }
    }

    /// Records a decision.
    pub fn record(&mut self, inputs: &Inputs, decision: &Decision) {
        let basis = Basis::of(inputs);
        if let Some(last) = self.entries.back_mut()
            && last.is_repeated_by(&basis, decision)
        {
            last.last = inputs.now;
            last.rounds += 1;
            last.basis = basis;
            last.decision = decision.clone();
            return;
        }
        if self.entries.len() == self.capacity {
            self.entries.pop_front();
            self.dropped += 1;
        }
        let decision = decision.clone();
        self.entries.push_back(LogEntry { first: inputs.now, last: inputs.now, rounds: 1, basis, decision });
    }

    /// The entries, the oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        self.entries.iter()
    }

    /// Entries that gave way to newer ones.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl LogEntry {
    /// Figures that drift, as the seconds of work, do not make another entry; what is wanted, limits and reasons do.
    fn is_repeated_by(&self, basis: &Basis, decision: &Decision) -> bool {
        self.decision.is_idle()
            && decision.is_idle()
            && self.decision.desired == decision.desired
            && discriminant(&self.decision.reason) == discriminant(&decision.reason)
            && self.decision.clamps.iter().map(|clamp| clamp.limit).eq(decision.clamps.iter().map(|clamp| clamp.limit))
            && self.decision.census.present() == decision.census.present()
            && self.basis.mode == basis.mode
            && self.basis.cluster == basis.cluster
            && self.basis.user == basis.user
    }
}

impl Basis {
    fn of(inputs: &Inputs) -> Self {
        let sum = |of: fn(&super::inputs::JobWork) -> u64| inputs.jobs.iter().map(of).fold(0, u64::saturating_add);
        Self {
            mode: inputs.mode,
            jobs: inputs.jobs.len() as u64,
            remaining_partitions: sum(|job| job.remaining_partitions),
            remaining_bytes: sum(|job| job.remaining_bytes),
            running_partitions: sum(|job| job.running_partitions),
            rates: inputs.rates,
            start_up: inputs.start_up,
            memory_used: inputs.memory_used,
            cluster: inputs.cluster,
            user: inputs.user,
        }
    }
}
