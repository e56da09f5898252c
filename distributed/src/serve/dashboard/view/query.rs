//! One statement.

use serde_json::{Value, json};

use super::super::plan::drawing_of;
use super::super::{Dashboard, Viewer};
use super::told;

/// What somebody who watches a statement has seen of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// The revision of the tasks.
    pub revision: u64,
}

impl Dashboard {
    /// A statement that runs or has ended: what is new since `seen`, which is brought up to date. One that the viewer does
    /// not see is not there.
    pub fn query(&self, id: &str, viewer: &Viewer, seen: &mut Seen) -> Option<Value> {
        let record = self.watched.queries.get(id).filter(|record| viewer.sees(&record.user))?;
        let state = self.state.lock();
        let followed = state.followed.get(id);
        let of_jobs = followed.and_then(|followed| followed.drawing()).cloned();
        let summed = || record.plan.as_ref().map(|plan| drawing_of(plan));
        let tasks = followed.map(|followed| followed.tasks.since(seen.revision));
        if let Some(followed) = followed {
            seen.revision = followed.tasks.revision();
        }
        Some(json!({
            "query": told(&record, followed, record.text.clone()),
            "plan": of_jobs.or_else(summed),
            "tasks": tasks,
            "chunks": followed.map(|followed| followed.chunks()),
        }))
    }
}
