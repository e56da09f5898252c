//! The first page: what happens now.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::clusters::{ClusterFacts, decisions};
use super::super::host::machine_memory;
use super::super::jobs::now;
use super::super::{Dashboard, Overviews, THIS_PROCESS, Viewer};
use super::listed;

/// Statements in the list, at most.
const LISTED_MAX: usize = 50;

/// Statements that have ended, in the list.
const ENDED_LISTED: usize = 10;

impl Dashboard {
    /// What happens now, as text that is made once for all who see the same of it.
    pub async fn overview(&self, viewer: &Viewer) -> Arc<str> {
        let tick = *self.ticks.borrow();
        if let Some(text) = self.overviews.lock().of(tick).get(viewer) {
            return Arc::clone(text);
        }
        let decisions = decisions(&self.watched.clusters).await;
        let text: Arc<str> = self.overview_value(decisions, viewer).to_string().into();
        self.overviews.lock().of(tick).insert(viewer.clone(), Arc::clone(&text));
        text
    }

    /// The figures over time.
    pub fn series(&self) -> Value {
        self.state.lock().series.told()
    }

    /// Whether there is a sample of everything.
    pub fn is_ready(&self) -> bool {
        !self.is_closed() && self.state.lock().series.last().is_some()
    }

    fn overview_value(&self, decisions: Vec<Value>, viewer: &Viewer) -> Value {
        let (mut running, recent) = (self.watched.queries.running(), self.recent(viewer, ENDED_LISTED));
        let running_count = running.len();
        running.retain(|record| viewer.sees(&record.user));
        let totals = self.watched.queries.totals();
        let state = self.state.lock();
        let list = |records: &mut dyn Iterator<Item = &quarray_engine::queries::QueryRecord>| -> Vec<Value> {
            records.take(LISTED_MAX).map(|record| listed(record, state.followed.get(&record.id))).collect()
        };
        json!({
            "now": now(),
            "version": env!("CARGO_PKG_VERSION"),
            "up_seconds": self.began.elapsed().as_secs(),
            "machine": {
                "cores": std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
                "memory": machine_memory(),
                "place": THIS_PROCESS,
            },
            "sample": state.series.last().map(|sample| sample.told()),
            "clusters": state.clusters.iter().map(ClusterFacts::told).collect::<Vec<_>>(),
            "decisions": decisions,
            "sessions": self.watched.queries.sessions(),
            "viewer": viewer.user(),
            "running_count": running_count,
            "running_seen": running.len(),
            "running": list(&mut running.iter().rev()),
            "recent": list(&mut recent.iter().map(|record| &**record)),
            "totals": { "done": totals.done, "failed": totals.failed, "cancelled": totals.cancelled },
        })
    }
}

impl Overviews {
    /// Those of a tick, without those of another.
    fn of(&mut self, tick: u64) -> &mut HashMap<Viewer, Arc<str>> {
        if self.tick != tick {
            self.made.clear();
            self.tick = tick;
        }
        &mut self.made
    }
}
