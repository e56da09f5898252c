//! A session: attached datasets, views, settings, and the pipeline of a query on one line.

use std::sync::Arc;

use crate::error::Error;
use crate::outcome::{DatasetSummary, Outcome};
use crate::progress::Progress;
use crate::source::store::StoreOptions;

/// Settings of a session to be.
#[derive(Debug, Clone, Default)]
pub struct SessionBuilder {
    memory_limit: Option<usize>,
    threads: Option<usize>,
    grid: Option<bool>,
}

/// Attached datasets, views and settings. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct Session {
    progress: Arc<Progress>,
}

/// A name that queries can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableListing {
    /// The name.
    pub name: String,
    /// `dataset`, `view`, `table`
    pub kind: &'static str,
    /// The columns: name and what it is (`dimension`, `coordinate`, `variable`, `column`).
    pub columns: Vec<(String, &'static str)>,
}

impl SessionBuilder {
    /// Bytes that queries of the session may hold at once.
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Threads that work on a query; the cores of the machine by default.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Whether plans may stay in arrays (`true` by default); `false` runs everything as rows, with the same answers.
    #[must_use]
    pub fn grid(mut self, grid: bool) -> Self {
        self.grid = Some(grid);
        self
    }

    /// The session.
    pub fn build(self) -> Result<Session, Error> {
        Ok(Session { progress: Arc::default() })
    }
}

impl Session {
    /// Settings of a new session.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// Runs one statement.
    pub async fn query(&self, text: &str) -> Result<Outcome, Error> {
        let _ = text;
        Err(Error::Internal("not there yet".to_string()))
    }

    /// Attaches the store at `uri` as `name`.
    pub async fn attach(&self, name: &str, uri: &str, options: &StoreOptions) -> Result<(), Error> {
        let _ = (name, uri, options);
        Err(Error::Internal("not there yet".to_string()))
    }

    /// The names that queries can use.
    pub fn tables(&self) -> Vec<TableListing> {
        Vec::new()
    }

    /// The functions that queries can call.
    pub fn functions(&self) -> Vec<String> {
        Vec::new()
    }

    /// What an attached name, or the store at a path or URL, holds.
    pub async fn describe(&self, name: &str) -> Result<DatasetSummary, Error> {
        Err(Error::Internal(format!("not there yet: {name}")))
    }

    /// How far the running query is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }
}
