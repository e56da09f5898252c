//! How many statements have ended, and how.

use super::record::QueryState;

/// Upper bounds of the classes that durations are counted in, in seconds; one more class has all that are longer.
pub const SECONDS_BOUNDS: [f64; 12] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0, 300.0, 1800.0];

/// The statements of a registry since its beginning.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueryTotals {
    /// Statements that have ended well.
    pub done: u64,
    /// Statements that have failed.
    pub failed: u64,
    /// Statements that were cancelled.
    pub cancelled: u64,
    /// Statements by how long they took: each class has those above the bound before it, up to its own, and the last those
    /// above all of [`SECONDS_BOUNDS`].
    pub by_seconds: [u64; SECONDS_BOUNDS.len() + 1],
    /// The time of all of them together.
    pub seconds: f64,
}

impl QueryTotals {
    /// One more has ended.
    pub(super) fn add(&mut self, state: QueryState, seconds: f64) {
        match state {
            QueryState::Done => self.done += 1,
            QueryState::Failed => self.failed += 1,
            QueryState::Cancelled => self.cancelled += 1,
            QueryState::Planning | QueryState::Running => return,
        }
        let class = SECONDS_BOUNDS.iter().position(|&bound| seconds <= bound).unwrap_or(SECONDS_BOUNDS.len());
        if let Some(count) = self.by_seconds.get_mut(class) {
            *count += 1;
        }
        self.seconds += seconds;
    }
}
