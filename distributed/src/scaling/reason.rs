//! Why a decision is what it is.

use std::fmt;
use std::time::Duration;

/// The reason of a decision. As text it is a sentence for the user.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// There are fewer executors than there must be.
    BelowMinimum {
        /// Executors that are there or coming.
        present: u32,
        /// Executors, at least.
        min: u32,
    },
    /// There are more executors than there may be.
    AboveMaximum {
        /// Executors that are there or coming.
        present: u32,
        /// Executors, at most.
        max: u32,
    },
    /// `SCALE TO n`.
    ScaleTo {
        /// Executors that are there or coming.
        present: u32,
        /// Executors asked for.
        executors: u32,
    },
    /// The executors would not be done in time.
    MoreWork {
        /// Seconds of one core that the work takes.
        work_seconds: f64,
        /// The time in which it should be done.
        target: Duration,
        /// Executors that are there or coming.
        present: u32,
        /// Executors wanted.
        wanted: u32,
    },
    /// Memory is short.
    MemoryPressure {
        /// The share in use.
        used: f64,
        /// The share above which more executors are wanted.
        high: f64,
        /// Executors wanted.
        wanted: u32,
    },
    /// More executors are wanted, and a limit allows no more.
    AtLimit {
        /// Executors that are there or coming.
        present: u32,
        /// Executors wanted.
        wanted: u32,
    },
    /// The executors do the work in time.
    Enough {
        /// Seconds of one core that the work takes.
        work_seconds: f64,
        /// Executors that are there or coming.
        present: u32,
    },
    /// There is no work, and no executor to spare.
    NoWork {
        /// Executors that are there or coming.
        present: u32,
    },
    /// Fewer executors would do, but not for long enough yet.
    Quiet {
        /// Executors that would do.
        enough: u32,
        /// Rounds that still must be quiet.
        rounds_left: u32,
    },
    /// Fewer executors would do, but the last change is too near.
    CoolDown {
        /// Executors that would do.
        enough: u32,
        /// The time that must pass.
        left: Duration,
    },
    /// Fewer executors would do, but all work, hold data or have not been idle for long.
    NotIdle {
        /// Executors that would do.
        enough: u32,
        /// How many of them hold data that will be fetched.
        holding: u32,
        /// The time after which the last idle one is removed.
        idle_time: Duration,
    },
    /// Fewer executors do.
    LessWork {
        /// Executors that are enough.
        enough: u32,
        /// Executors removed.
        removed: u32,
    },
}

impl Reason {
    /// A short name of the kind of reason.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BelowMinimum { .. } => "below minimum",
            Self::AboveMaximum { .. } => "above maximum",
            Self::ScaleTo { .. } => "scale to",
            Self::MoreWork { .. } => "more work",
            Self::MemoryPressure { .. } => "memory pressure",
            Self::AtLimit { .. } => "at limit",
            Self::Enough { .. } => "enough",
            Self::NoWork { .. } => "no work",
            Self::Quiet { .. } => "quiet",
            Self::CoolDown { .. } => "cool-down",
            Self::NotIdle { .. } => "not idle",
            Self::LessWork { .. } => "less work",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BelowMinimum { present, min } => {
                write!(f, "{} are fewer than the minimum of {min}", executors(present))
            }
            Self::AboveMaximum { present, max } => {
                write!(f, "{} are more than the maximum of {max}", executors(present))
            }
            Self::ScaleTo { present, executors } => write!(f, "SCALE TO {executors}; {present} there or coming"),
            Self::MoreWork { work_seconds, target, present, wanted } => write!(
                f,
                "work of {work_seconds:.1} s on one core asks for {} to end {:.1} s after they came; {present} there or coming",
                executors(wanted),
                target.as_secs_f64()
            ),
            Self::MemoryPressure { used, high, wanted } => write!(
                f,
                "{:.0} % of the memory is in use, more than {:.0} %: asks for {}",
                used * 100.0,
                high * 100.0,
                executors(wanted)
            ),
            Self::AtLimit { present, wanted } => {
                write!(f, "{} wanted; {present} there or coming, and no more may be started now", executors(wanted))
            }
            Self::Enough { work_seconds, present } => write!(
                f,
                "work of {work_seconds:.1} s on one core is done in time by {} there or coming",
                executors(present)
            ),
            Self::NoWork { present } => write!(f, "no work; {} there or coming", executors(present)),
            Self::Quiet { enough, rounds_left } => {
                write!(f, "{} would do; removes after {rounds_left} more quiet rounds", executors(enough))
            }
            Self::CoolDown { enough, left } => write!(
                f,
                "{} would do; nothing is removed for {:.1} s, since executors were started",
                executors(enough),
                left.as_secs_f64()
            ),
            Self::NotIdle { enough, holding, idle_time } => write!(
                f,
                "{} would do; none of the others was idle for long enough (the last waits {:.1} s) \
                 and free of data ({holding} hold data to be fetched)",
                executors(enough),
                idle_time.as_secs_f64()
            ),
            Self::LessWork { enough, removed } => {
                write!(f, "enough work for {}; removes {removed} idle", executors(enough))
            }
        }
    }
}

fn executors(count: u32) -> String {
    if count == 1 { "1 executor".to_string() } else { format!("{count} executors") }
}
