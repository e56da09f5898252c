//! A simulated day of a cluster, to compare rules of scaling: the same jobs, the same time to start, the same limits and
//! the same interval of decisions, under Quarray's rule and under Dask's.
//!
//! The cost is the time of all executors from their start until their end. The waiting time of a task is the time from
//! when it could begin (for all but a job's last task: when the job came) until it began.

mod cluster;
mod dask;
mod day;
mod executors;
mod random;
mod rule;

use std::fmt;

use cluster::Cluster;
pub use dask::DaskRule;
pub use day::{Day, DayShape, SimulatedJob, SimulatedTask};
pub use random::Random;
pub use rule::{Actions, QuarrayRule, Rule};

use super::Policy;

/// What a simulated cluster is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Executors, at least.
    pub min: u32,
    /// Executors, at most.
    pub max: u32,
    /// Cores of an executor.
    pub cores_each: u32,
    /// Time from the start of an executor until it takes tasks.
    pub start_up_ms: u64,
    /// Time between decisions.
    pub interval_ms: u64,
}

/// What came of a day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// The time of all executors from start to end.
    pub executor_seconds: f64,
    /// The part of it before executors took tasks.
    pub starting_seconds: f64,
    /// The part of it in which an executor ran nothing.
    pub idle_seconds: f64,
    /// The mean time that a task waited.
    pub wait_mean: f64,
    /// The time that 95 of 100 tasks waited at most.
    pub wait_p95: f64,
    /// Tasks that never ran.
    pub tasks_lost: usize,
    /// Tasks that ran again, since their executor was ended.
    pub tasks_rerun: usize,
    /// Executors that were ended while they held data of a job.
    pub holders_stopped: usize,
    /// Executors that were ever started.
    pub executors_started: usize,
    /// Executors at once, at most.
    pub peak: usize,
    /// How often the number of executors turned from rising to falling or back.
    pub reversals: usize,
    waits: Vec<f64>,
    last_rose: Option<bool>,
}

/// One day under each of the rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Quarray's rule, with its defaults.
    pub quarray: Report,
    /// Dask's rule, where the data of a worker that leaves is copied away in no time.
    pub dask: Report,
    /// Dask's rule where nothing is copied, and workers that hold data stay as they do under Quarray's rule.
    pub dask_without_copies: Report,
}

impl Comparison {
    /// Simulates a day under each rule.
    pub fn of(day: &Day, settings: Settings) -> Self {
        Self {
            quarray: simulate(day, settings, &mut QuarrayRule::new(Policy::default())),
            dask: simulate(day, settings, &mut DaskRule::default()),
            dask_without_copies: simulate(day, settings, &mut DaskRule::without_copies()),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Quarray              {}", self.quarray)?;
        writeln!(f, "Dask                 {}", self.dask)?;
        write!(f, "Dask without copies  {}", self.dask_without_copies)
    }
}

/// A day under a rule.
pub fn simulate(day: &Day, settings: Settings, rule: &mut dyn Rule) -> Report {
    Cluster::new(day, settings).run(rule)
}

impl Report {
    /// Counts the changes of a round.
    fn changed(&mut self, actions: &Actions, alive: usize) {
        self.peak = self.peak.max(alive);
        let rises = actions.start > 0 || !actions.resume.is_empty();
        let falls = !actions.cordon.is_empty() || !actions.stop.is_empty();
        for rose in [(falls, false), (rises, true)].into_iter().filter(|(is_so, _)| *is_so).map(|(_, rose)| rose) {
            self.reversals += usize::from(self.last_rose.is_some_and(|last| last != rose));
            self.last_rose = Some(rose);
        }
    }

    fn finish(&mut self) {
        self.waits.sort_by(f64::total_cmp);
        let count = self.waits.len();
        self.wait_mean = self.waits.iter().sum::<f64>() / count.max(1) as f64;
        self.wait_p95 = self.waits.get((count * 95 / 100).min(count.saturating_sub(1))).copied().unwrap_or(0.0);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:7.0} executor-s ({:6.0} starting {:6.0} idle)  wait {:6.2} s mean {:7.2} s p95  {:4} started  peak {:3}  {:4} reversals  {} rerun  {} lost",
            self.executor_seconds,
            self.starting_seconds,
            self.idle_seconds,
            self.wait_mean,
            self.wait_p95,
            self.executors_started,
            self.peak,
            self.reversals,
            self.tasks_rerun,
            self.tasks_lost
        )
    }
}
