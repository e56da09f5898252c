//! What the dashboard shows: statements and their tasks, executors, figures over time.
//!
//! `watch.rs` looks five times a second at the statements that run and once a second at the clusters. What it finds is
//! kept in little room whatever the number of tasks (`tasks/`, `series.rs`), and told as JSON (`view/`) when somebody
//! looks. The pages are files of this crate (`pages/`): plain HTML, CSS and modules that load nothing from elsewhere.

mod assets;
mod clusters;
mod followed;
mod host;
mod jobs;
mod local;
mod plan;
mod series;
mod tasks;
#[cfg(test)]
mod tests;
mod view;
mod watch;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use quarray_engine::queries::QueryRegistry;
use tokio::sync::watch::{Receiver, Sender};

use crate::control::LocalClusters;
use clusters::ClusterFacts;
use followed::Followed;
use series::Series;

pub(super) use assets::{Asset, asset, shell};
use local::THIS_PROCESS;
pub(super) use view::{HistoryFilter, Seen};

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The statements.
    pub queries: Arc<QueryRegistry>,
    /// The clusters that they may run on.
    pub clusters: Arc<LocalClusters>,
}

/// What the dashboard knows.
#[derive(Debug)]
pub struct Dashboard {
    watched: Watched,
    began: Instant,
    state: Mutex<State>,
    /// Counts up whenever there may be news.
    ticks: Sender<u64>,
    is_closed: Sender<bool>,
    /// The overview of a tick, for all who look.
    overview: Mutex<Option<(u64, Arc<str>)>>,
}

/// Why a statement is not cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCancelled {
    /// It does not run.
    #[error("no query of that name runs")]
    Unknown,
    /// It is another's.
    #[error("the query is another user's")]
    Foreign,
}

/// What changes.
#[derive(Debug, Default)]
struct State {
    followed: HashMap<String, Followed>,
    series: Series,
    clusters: Vec<ClusterFacts>,
    /// Cores at work, by process.
    cpu: HashMap<u32, f64>,
}

impl Dashboard {
    /// Begins to look, on the threads of the runtime that this is called on, until it is closed or dropped.
    pub fn start(watched: Watched) -> Arc<Self> {
        let dashboard = Arc::new(Self {
            watched,
            began: Instant::now(),
            state: Mutex::default(),
            ticks: Sender::new(0),
            is_closed: Sender::new(false),
            overview: Mutex::default(),
        });
        tokio::spawn(Self::watch(Arc::downgrade(&dashboard)));
        dashboard
    }

    /// Ends looking, and the streams of those who watch.
    pub fn close(&self) {
        self.is_closed.send_replace(true);
    }

    /// Cancels a statement, for a user where users are known.
    pub fn cancel(&self, id: &str, user: Option<&str>) -> Result<(), NotCancelled> {
        let record = self.watched.queries.query(id).map(|query| query.record(false)).ok_or(NotCancelled::Unknown)?;
        if user.is_some_and(|user| user != record.user) {
            return Err(NotCancelled::Foreign);
        }
        if self.watched.queries.cancel(id) { Ok(()) } else { Err(NotCancelled::Unknown) }
    }

    /// Whether a statement that is over has been looked at once more since.
    pub(super) fn is_settled(&self, id: &str) -> bool {
        self.state.lock().followed.get(id).is_none_or(|followed| followed.is_over)
    }

    /// Tells when there may be news.
    pub(super) fn ticks(&self) -> Receiver<u64> {
        self.ticks.subscribe()
    }

    /// Tells when it is closed.
    pub(super) fn closing(&self) -> Receiver<bool> {
        self.is_closed.subscribe()
    }

    fn is_closed(&self) -> bool {
        *self.is_closed.borrow()
    }
}
