//! A statement as others see it.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::plan_summary::PlanSummary;
use crate::progress::ProgressSnapshot;

/// What became of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueryState {
    /// It is parsed, bound and planned; a statement without rows is also carried out in this state.
    Planning,
    /// Its plan runs, or its rows wait to be read.
    Running,
    /// It has ended well: whoever wanted its rows has read them.
    Done,
    /// It has ended with an error.
    Failed,
    /// It was cancelled, or its rows were dropped before their end.
    Cancelled,
}

impl QueryState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Planning, Self::Running, Self::Done, Self::Failed, Self::Cancelled];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether it will not change any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for QueryState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A statement at one moment: while it runs, or after its end.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryRecord {
    /// Its name: later statements have greater ones.
    pub id: String,
    /// What it said, secrets taken out, cut where it is long.
    pub text: String,
    /// Whose it is; empty where nobody was asked.
    pub user: String,
    /// The session that it belongs to.
    pub session: String,
    /// Where its plan runs: `this process`, or the name of a cluster.
    pub place: String,
    /// When it began.
    pub started: SystemTime,
    /// What became of it.
    pub state: QueryState,
    /// How long it has taken, until its rows were read.
    pub seconds: f64,
    /// Rows that were read from it.
    pub rows: u64,
    /// Bytes of these rows.
    pub bytes: u64,
    /// What it has read and decoded, of how much.
    pub progress: ProgressSnapshot,
    /// Why it failed, secrets taken out.
    pub error: Option<String>,
    /// The jobs that a cluster ran for it, the latest last.
    pub jobs: Vec<String>,
    /// What the operators of its plan did. In lists of running statements it is left out: ask for one by its id.
    pub plan: Option<Arc<PlanSummary>>,
}
