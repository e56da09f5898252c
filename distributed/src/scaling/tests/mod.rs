//! Tests of the decision: its rules one by one, what holds for all inputs, and whole days.

mod days;
mod properties;
mod rules;
mod sentences;

use std::time::Duration;

use super::*;

/// 2 executors of 2 cores at least, 10 at most; a second of work for a MiB; executors start in 5 s.
fn inputs(executors: Vec<Executor>, jobs: Vec<JobWork>) -> Inputs {
    let cluster = Limits { min: 1, max: 10, cores_each: 2, cores_total: None };
    Inputs {
        now: seconds(1000.0),
        mode: ScalingMode::Between { min: 1, max: 10 },
        jobs,
        executors,
        rates: TaskRates { seconds_a_task: 0.0, seconds_a_byte: 1e-6 },
        start_up: seconds(5.0),
        memory_used: 0.1,
        cluster,
        user: Limits::NONE,
    }
}

/// Work of so many seconds on one core, in so many partitions.
fn job(work_seconds: u64, partitions: u64) -> JobWork {
    JobWork {
        id: "job".to_string(),
        remaining_partitions: partitions,
        remaining_bytes: work_seconds * 1_000_000,
        running_partitions: 0,
        running_seconds: 0.0,
        rates: None,
    }
}

fn executor(id: &str, state: ExecutorState) -> Executor {
    Executor { id: id.to_string(), cores: 2, state, holds_data: false }
}

fn busy(id: &str) -> Executor {
    executor(id, ExecutorState::Busy { tasks: 2 })
}

/// Idle since so many seconds before the time of `inputs`.
fn idle(id: &str, ago: f64) -> Executor {
    executor(id, ExecutorState::Idle { since: seconds(1000.0 - ago) })
}

fn starting(id: &str, ago: f64) -> Executor {
    executor(id, ExecutorState::Starting { since: seconds(1000.0 - ago) })
}

fn holding(executor: Executor) -> Executor {
    Executor { holds_data: true, ..executor }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn decided(inputs: &Inputs) -> Decision {
    decide(inputs, &Policy::default(), &ScalingState::default()).0
}

/// The decision after the same inputs were seen in so many rounds before, a second apart.
fn decided_after(rounds: u32, inputs: &Inputs) -> Decision {
    let mut state = ScalingState::default();
    for round in (1..=rounds).rev() {
        let earlier = Inputs { now: inputs.now.saturating_sub(seconds(f64::from(round))), ..inputs.clone() };
        state = decide(&earlier, &Policy::default(), &state).1;
    }
    decide(inputs, &Policy::default(), &state).0
}
