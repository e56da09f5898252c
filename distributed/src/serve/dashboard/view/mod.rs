//! What is known, as JSON for the pages.

mod executors;
mod history;
mod overview;
mod query;

pub use history::HistoryFilter;
pub use query::Seen;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use quarray_engine::queries::QueryRecord;
use serde_json::{Value, json};

use super::followed::Followed;
use super::{Dashboard, Viewer};

/// Characters of a statement's text in lists.
const TEXT_CHARACTERS_MAX: usize = 400;

impl Dashboard {
    /// The statements that somebody sees of those that have ended, the latest end first; so many of them at most.
    fn recent(&self, viewer: &Viewer, limit: usize) -> Vec<Arc<QueryRecord>> {
        let all = self.watched.queries.recent(usize::MAX);
        all.into_iter().filter(|record| viewer.sees(&record.user)).take(limit).collect()
    }
}

/// A statement in a list.
fn listed(record: &QueryRecord, followed: Option<&Followed>) -> Value {
    let text: String = record.text.chars().take(TEXT_CHARACTERS_MAX).collect();
    told(record, followed, text)
}

/// A statement, with this much of its text.
fn told(record: &QueryRecord, followed: Option<&Followed>, text: String) -> Value {
    let (read, decoded) = match followed {
        Some(followed) => followed.bytes(record),
        None => (record.progress.bytes_read, record.progress.bytes_decoded),
    };
    let fraction = followed.and_then(|followed| followed.fraction(record));
    json!({
        "id": record.id,
        "text": text,
        "user": record.user,
        "session": record.session,
        "place": record.place,
        "started": milliseconds(record.started),
        "state": record.state.name(),
        "is_over": record.state.is_over(),
        "seconds": record.seconds,
        "rows": record.rows,
        "bytes": record.bytes,
        "read": read,
        "decoded": decoded,
        "fraction": fraction,
        "eta_seconds": eta(record, fraction),
        "error": record.error,
        "jobs": record.jobs,
        "tasks": followed.map(|followed| followed.tasks.counts()),
    })
}

/// How long it will take still, when it goes on as it went so far.
fn eta(record: &QueryRecord, fraction: Option<f64>) -> Option<f64> {
    let fraction = fraction.filter(|fraction| *fraction > 0.02 && *fraction < 1.0)?;
    let is_told = !record.state.is_over() && record.seconds > 0.5;
    is_told.then(|| record.seconds * (1.0 - fraction) / fraction)
}

fn milliseconds(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
