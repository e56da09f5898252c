//! The adaptive rule of Dask, for comparison.
//!
//! It is told more than in life: the true mean time of the tasks of every job from the first moment, and that the data of
//! a worker that leaves is copied away at no cost.

use std::collections::BTreeMap;

use super::super::inputs::{Executor, ExecutorState, Inputs, ScalingMode};
use super::rule::{Actions, Rule};

const TARGET_SECONDS: f64 = 5.0;
const WAIT_COUNT: u32 = 3;
const MEMORY_HIGH: f64 = 0.6;

/// `Scheduler.adaptive_target` and `AdaptiveCore.recommendations`, with their defaults.
#[derive(Debug, Default)]
pub struct DaskRule {
    /// In how many rounds in a row a worker was to be closed.
    close_counts: BTreeMap<String, u32>,
    keeps_holders: bool,
}

impl DaskRule {
    /// The rule where workers that hold data stay, as they must where nothing copies it away.
    pub fn without_copies() -> Self {
        Self { keeps_holders: true, ..Self::default() }
    }
}

impl Rule for DaskRule {
    fn round(&mut self, inputs: &Inputs, job_seconds: &[f64]) -> Actions {
        let (min, max) = match inputs.mode {
            ScalingMode::Fixed(executors) => (executors, executors),
            ScalingMode::Between { min, max } => (min, max),
        };
        let target = adaptive_target(inputs, job_seconds, self.keeps_holders).min(max).max(min) as usize;
        let planned = inputs.executors.len();
        let mut actions = Actions::default();
        if target >= planned {
            self.close_counts.clear();
            actions.start = (target - planned) as u32;
            return actions;
        }
        let to_close = to_close(inputs, target, self.keeps_holders);
        self.close_counts.retain(|worker, _| to_close.contains(worker));
        for worker in to_close {
            let count = self.close_counts.entry(worker.clone()).or_default();
            *count += 1;
            if *count >= WAIT_COUNT {
                self.close_counts.remove(&worker);
                actions.stop.push(worker);
            }
        }
        actions
    }
}

/// Workers that the known work asks for.
fn adaptive_target(inputs: &Inputs, job_seconds: &[f64], keeps_holders: bool) -> u32 {
    let observed: Vec<&Executor> = inputs.executors.iter().filter(|executor| executor.is_accepting()).collect();
    let expected: f64 =
        inputs.jobs.iter().zip(job_seconds).map(|(job, seconds)| job.remaining_partitions as f64 * seconds).sum();
    let ready: u64 = inputs.jobs.iter().map(|job| job.remaining_partitions).sum();
    let mut cpu = (expected / TARGET_SECONDS).ceil().min(ready as f64);
    let workers = observed.len() as u32;
    if workers > 0 {
        let threads: u32 = observed.iter().map(|executor| executor.cores).sum();
        cpu = (cpu / f64::from(threads) * f64::from(workers)).ceil();
    } else if ready > 0 {
        cpu = cpu.max(1.0);
    }
    let memory = if inputs.memory_used > MEMORY_HIGH { 2 * workers } else { 0 };
    let target = memory.max(cpu as u32);
    let can_close = |executor: &Executor| executor.tasks() == 0 && !(keeps_holders && executor.holds_data);
    let idle = observed.iter().filter(|executor| can_close(executor)).count() as u32;
    if target >= workers { target } else { workers - idle }
}

/// Workers to close: first those that have not arrived, then idle ones, then busy ones.
fn to_close(inputs: &Inputs, target: usize, keeps_holders: bool) -> Vec<String> {
    let planned = inputs.executors.len();
    let not_arrived = inputs.executors.iter().rev().filter(|executor| executor.is_starting());
    let mut close: Vec<String> = not_arrived.take(planned - target).map(|executor| executor.id.clone()).collect();
    if target < planned - close.len() {
        let mut observed: Vec<&Executor> = inputs.executors.iter().filter(|executor| executor.is_accepting()).collect();
        let surplus = observed.len().saturating_sub(target);
        observed.retain(|executor| !(keeps_holders && executor.holds_data));
        observed.sort_by_key(|executor| !matches!(executor.state, ExecutorState::Idle { .. }));
        close.extend(observed.into_iter().take(surplus).map(|executor| executor.id.clone()));
    }
    close
}
