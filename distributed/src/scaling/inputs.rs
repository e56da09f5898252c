//! What a decision on the number of executors is made from.

use std::time::Duration;

use super::estimate::TaskRates;

/// Half times of a start for which the last spare executor is kept: keeping it for as long as a start takes at most doubles
/// what it costs, and the rest is for those who would wait for the start.
const IDLE_HALF_STARTS: u32 = 5;

/// All that a decision looks at. Times are counted from a moment of the caller's choice.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// The time of the decision.
    pub now: Duration,
    /// What was asked for.
    pub mode: ScalingMode,
    /// The unfinished jobs.
    pub jobs: Vec<JobWork>,
    /// Every executor whose process is there, in whatever state.
    pub executors: Vec<Executor>,
    /// How long tasks take, as measured over all jobs.
    pub rates: TaskRates,
    /// How long an executor takes from its start until its first task, as measured.
    pub start_up: Duration,
    /// The share of the executors' memory that is in use, from 0 to 1.
    pub memory_used: f64,
    /// The limits of the cluster.
    pub cluster: Limits,
    /// The limits of its user.
    pub user: Limits,
}

/// What was asked of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalingMode {
    /// `SCALE TO n`.
    Fixed(u32),
    /// `ADAPT BETWEEN min AND max`.
    Between {
        /// Executors, at least.
        min: u32,
        /// Executors, at most.
        max: u32,
    },
}

/// The unfinished part of a job, as its plan tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobWork {
    /// The job.
    pub id: String,
    /// Unfinished partitions of the stages that have their inputs, those of running tasks included.
    pub remaining_partitions: u64,
    /// Bytes that these partitions read.
    pub remaining_bytes: u64,
    /// Partitions that run now.
    pub running_partitions: u64,
    /// Seconds for which these have run so far, together.
    pub running_seconds: f64,
    /// How long tasks take, as measured over this job alone; without it, the rates of all jobs hold.
    pub rates: Option<TaskRates>,
}

/// An executor as the scheduler sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executor {
    /// Its name.
    pub id: String,
    /// Tasks that it runs at once.
    pub cores: u32,
    /// What it does.
    pub state: ExecutorState,
    /// Whether it holds shuffle files of an unfinished job, or a result that nobody has fetched.
    pub holds_data: bool,
}

/// What an executor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutorState {
    /// Its process was started, and it has not yet registered.
    Starting {
        /// When it was started.
        since: Duration,
    },
    /// It runs nothing.
    Idle {
        /// When its last task ended, or when it registered.
        since: Duration,
    },
    /// It runs tasks.
    Busy {
        /// How many.
        tasks: u32,
    },
    /// It gets no more tasks; whether it was rid of all of them is not yet known.
    Cordoned {
        /// Tasks that it still runs.
        tasks: u32,
    },
    /// It gets no more tasks, and is waited for.
    Draining {
        /// Tasks that it still runs.
        tasks: u32,
    },
    /// It was told to end.
    Stopping,
}

/// Limits on executors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Executors, at least.
    pub min: u32,
    /// Executors, at most.
    pub max: u32,
    /// Cores of an executor, at most.
    pub cores_each: u32,
    /// Cores of all executors, at most.
    pub cores_total: Option<u32>,
}

/// The settings of the rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// The time in which the work that is there should be done.
    pub target_duration: Duration,
    /// Executors that one decision starts, at most.
    pub step_limit: u32,
    /// Time after a start or a removal in which nothing is removed for want of work.
    pub cool_down: Duration,
    /// Time between two rounds. Decisions between them, as when a job comes, count as one round together.
    pub interval: Duration,
    /// Rounds in a row that must want fewer executors before one is removed.
    pub quiet_rounds: u32,
    /// Time without a task after which the last spare executor is removed; several spare ones go sooner. Where it is not
    /// given it is 2.5 times as long as executors take to start.
    pub idle_timeout: Option<Duration>,
    /// Time after which an executor that has not come is given up.
    pub start_timeout: Duration,
    /// The share of memory in use above which more executors are wanted.
    pub memory_high: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            target_duration: Duration::from_secs(5),
            step_limit: 8,
            cool_down: Duration::from_secs(5),
            interval: Duration::from_secs(1),
            quiet_rounds: 3,
            idle_timeout: None,
            start_timeout: Duration::from_secs(600),
            memory_high: 0.8,
        }
    }
}

impl Policy {
    /// The time without a task after which the last spare executor is removed.
    pub fn idle_time(&self, start_up: Duration) -> Duration {
        self.idle_timeout.unwrap_or_else(|| start_up.saturating_mul(IDLE_HALF_STARTS) / 2)
    }
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self { min: 0, max: u32::MAX, cores_each: u32::MAX, cores_total: None };
}

impl JobWork {
    /// Seconds of one core that the rest of the job takes.
    ///
    /// Tasks take at least as long as those that run have run on average: that they are slow is seen before the first one
    /// ends. A running task counts for what is left of it, but at least for a tenth: one that takes longer than others is
    /// not done.
    pub fn seconds(&self, rates: TaskRates) -> f64 {
        let rates = self.rates.unwrap_or(rates);
        let (partitions, running) = (self.remaining_partitions as f64, self.running_partitions as f64);
        let running_seconds = self.running_seconds.max(0.0);
        let seen = if running > 0.0 { partitions * running_seconds / running } else { 0.0 };
        let whole = rates.seconds(self.remaining_partitions, self.remaining_bytes).max(seen).clamp(0.0, 1e15);
        let of_running = whole * running / partitions.max(1.0);
        whole - running_seconds.min(0.9 * of_running.min(whole))
    }
}

impl Executor {
    /// Tasks that it runs.
    pub fn tasks(&self) -> u32 {
        match self.state {
            ExecutorState::Busy { tasks } | ExecutorState::Cordoned { tasks } | ExecutorState::Draining { tasks } => {
                tasks
            }
            ExecutorState::Starting { .. } | ExecutorState::Idle { .. } | ExecutorState::Stopping => 0,
        }
    }

    /// Whether it gets tasks.
    pub fn is_accepting(&self) -> bool {
        matches!(self.state, ExecutorState::Idle { .. } | ExecutorState::Busy { .. })
    }

    /// Whether it is on its way.
    pub fn is_starting(&self) -> bool {
        matches!(self.state, ExecutorState::Starting { .. })
    }

    /// Whether it was cordoned and not yet told to end, so that it can be taken back.
    pub fn is_leaving(&self) -> bool {
        matches!(self.state, ExecutorState::Cordoned { .. } | ExecutorState::Draining { .. })
    }

    /// Whether it can end now without a loss.
    pub fn is_free(&self) -> bool {
        self.tasks() == 0 && !self.holds_data
    }
}
