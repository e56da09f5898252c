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
mod viewer;
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
pub use viewer::Viewer;

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
    /// The overviews of a tick, for all who look.
    overviews: Mutex<Overviews>,
}

/// The overviews that were made of one tick: one for each who sees other statements.
#[derive(Debug, Default)]
struct Overviews {
    tick: u64,
    made: HashMap<Viewer, Arc<str>>,
}

/// A statement that does not run, or not for the one who wants to cancel it: which of both is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no query of that name runs")]
pub struct NotCancelled;

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
            overviews: Mutex::default(),
        });
        tokio::spawn(Self::watch(Arc::downgrade(&dashboard)));
        dashboard
    }

    /// Ends looking, and the streams of those who watch.
    pub fn close(&self) {
        self.is_closed.send_replace(true);
    }

    /// Cancels a statement that somebody sees.
    pub fn cancel(&self, id: &str, viewer: &Viewer) -> Result<(), NotCancelled> {
        let query = self.watched.queries.query(id).filter(|query| viewer.sees(query.user())).ok_or(NotCancelled)?;
        query.cancel();
        Ok(())
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
