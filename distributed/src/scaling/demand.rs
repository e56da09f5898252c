//! How many executors the work asks for.

use std::time::Duration;

use super::bounds::cores_each;
use super::census::Census;
use super::inputs::{Executor, ExecutorState, Inputs, Policy};

/// What the work asks for, before limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Seconds of one core that the unfinished jobs take.
    pub work_seconds: f64,
    /// The time in which it should be done once all executors are there.
    pub target: Duration,
    /// Executors that can work on its partitions at once.
    pub usable: u32,
    /// Executors that the work asks for.
    pub by_work: u32,
    /// Executors that the memory in use asks for; 0 where there is enough.
    pub by_memory: u32,
}

impl Demand {
    /// The demand of the unfinished jobs.
    pub fn of(inputs: &Inputs, policy: &Policy, census: &Census) -> Self {
        let work_seconds = inputs.jobs.iter().map(|job| job.seconds(inputs.rates)).fold(0.0, std::ops::Add::add);
        let partitions = inputs.jobs.iter().fold(0u64, |sum, job| sum.saturating_add(job.remaining_partitions));
        let cores = cores_each(inputs);
        let target = target(inputs, policy);
        let usable = u32::try_from(partitions.div_ceil(u64::from(cores))).unwrap_or(u32::MAX);
        // However little the rates make of it: work needs an executor.
        let by_work = executors_for(work_seconds, target, cores, inputs, census).max(1);
        let by_memory = if inputs.memory_used > policy.memory_high && partitions > 0 {
            census.accepting.saturating_add((census.accepting / 2).max(1))
        } else {
            0
        };
        Self { work_seconds, target, usable, by_work: by_work.min(usable), by_memory: by_memory.min(usable) }
    }

    /// Executors wanted.
    pub fn executors(&self) -> u32 {
        self.by_work.max(self.by_memory)
    }
}

/// The time in which the work should be done once the executors came: longer than asked for where starting takes longer.
///
/// `n` executors cost `n` starts, and let the work wait as `1 / n`: their sum is least for a number that falls with the
/// root of the time to start. So the target is the geometric mean of the one that was asked for and that time.
fn target(inputs: &Inputs, policy: &Policy) -> Duration {
    let (asked, start_up) = (policy.target_duration.as_secs_f64(), inputs.start_up.as_secs_f64());
    let mean = Duration::try_from_secs_f64((asked * start_up).sqrt()).unwrap_or(Duration::MAX);
    policy.target_duration.max(mean).max(Duration::from_millis(1))
}

/// More executors are wanted for the work that those which are there, or coming, leave undone while new ones start and
/// work for the target. Where they leave none, as many are wanted as do the work within the target.
fn executors_for(work: f64, target: Duration, cores: u32, inputs: &Inputs, census: &Census) -> u32 {
    let each = target.as_secs_f64() * f64::from(cores);
    let horizon = inputs.start_up.saturating_add(target);
    let done: f64 = inputs.executors.iter().map(|executor| done_within(executor, horizon, inputs)).sum();
    let left = work - done;
    if left > 0.0 {
        census.present().saturating_add((left / each).ceil() as u32)
    } else {
        census.present().min((work / each).ceil() as u32)
    }
}

/// Seconds of one core that an executor gives to the work in a time from now.
fn done_within(executor: &Executor, horizon: Duration, inputs: &Inputs) -> f64 {
    let time = match executor.state {
        ExecutorState::Idle { .. } | ExecutorState::Busy { .. } => horizon,
        ExecutorState::Starting { since } => {
            let spent = inputs.now.saturating_sub(since);
            horizon.saturating_sub(inputs.start_up.saturating_sub(spent))
        }
        _ => Duration::ZERO,
    };
    time.as_secs_f64() * f64::from(executor.cores)
}
