//! The statements that have ended.

use serde_json::{Value, json};

use super::super::{Dashboard, Viewer};
use super::listed;

/// Statements of one answer, at most.
const LISTED_MAX: usize = 200;

/// Statements that are looked through.
const SEARCHED_MAX: usize = 1000;

/// Which statements are wanted.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    /// Their text holds this, in whatever case.
    pub text: String,
    /// What became of them.
    pub state: String,
}

impl Dashboard {
    /// The statements that somebody sees of those that have ended, the latest end first.
    pub fn history(&self, filter: &HistoryFilter, viewer: &Viewer) -> Value {
        let records = self.recent(viewer, SEARCHED_MAX);
        let wanted = filter.text.to_lowercase();
        let found: Vec<_> = records
            .iter()
            .filter(|record| filter.state.is_empty() || record.state.name() == filter.state)
            .filter(|record| wanted.is_empty() || record.text.to_lowercase().contains(&wanted))
            .collect();
        let state = self.state.lock();
        let told = found.iter().take(LISTED_MAX).map(|record| listed(record, state.followed.get(&record.id)));
        json!({ "found": found.len(), "queries": told.collect::<Vec<_>>() })
    }
}
