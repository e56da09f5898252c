//! The session that statements run in: in this process, or in a server.

use quarray_distributed::serve::RemoteSession;
use quarray_engine::outcome::DatasetSummary;
use quarray_engine::progress::ProgressSnapshot;
use quarray_engine::session::{KnownNames, TableListing};
use quarray_engine::source::store::StoreOptions;
use quarray_engine::{Error, Outcome, Session};

use crate::args::Attachment;

/// A session, wherever it is. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub enum AnySession {
    /// In this process.
    Here(Session),
    /// In a server.
    There(RemoteSession),
}

impl AnySession {
    /// Runs one statement.
    pub async fn query(&self, text: &str) -> Result<Outcome, Error> {
        match self {
            Self::Here(session) => session.query(text).await,
            Self::There(session) => session.query(text).await,
        }
    }

    /// Gives a store a name.
    pub async fn attach(&self, attachment: &Attachment) -> Result<(), Error> {
        let Attachment { name, uri } = attachment;
        match self {
            Self::Here(session) => session.attach(name, uri, &StoreOptions::new()).await,
            Self::There(session) => {
                let quoted = name.to_ascii_lowercase().replace('"', "\"\"");
                let text = format!("ATTACH '{}' AS \"{quoted}\"", uri.replace('\'', "''"));
                session.query(&text).await.map(|_| ()).map_err(without_places)
            }
        }
    }

    /// What a name, or the store at a path or URL, holds.
    pub async fn describe(&self, name: &str) -> Result<DatasetSummary, Error> {
        match self {
            Self::Here(session) => session.describe(name).await,
            Self::There(session) => session.describe(name).await,
        }
    }

    /// The names that queries can use.
    pub async fn tables(&self) -> Result<Vec<TableListing>, Error> {
        match self {
            Self::Here(session) => Ok(session.tables()),
            Self::There(session) => session.tables().await,
        }
    }

    /// What a line can be completed with, as far as it is known at once. Not for use on threads of a runtime.
    pub fn names_at_once(&self) -> KnownNames {
        match self {
            Self::Here(session) => session.known_names(),
            Self::There(session) => session.names_at_once(),
        }
    }

    /// How far the running query is.
    pub fn progress(&self) -> ProgressSnapshot {
        match self {
            Self::Here(session) => session.progress().snapshot(),
            Self::There(session) => session.progress(),
        }
    }

    /// The address of the page about the running query, where there is one.
    pub fn page(&self) -> Option<String> {
        match self {
            Self::Here(session) => session.page(),
            Self::There(session) => session.page(),
        }
    }

    /// Ends a session in a server.
    pub async fn close(self) {
        match self {
            Self::Here(_) => {}
            Self::There(session) => session.close().await,
        }
    }
}

/// The error of a statement that the user has not written: there is nothing to point at.
fn without_places(error: Error) -> Error {
    match error {
        Error::Bind(diagnostic) => Error::Bind(diagnostic.at(None)),
        Error::Syntax(diagnostics) => {
            Error::Syntax(diagnostics.into_iter().map(|diagnostic| diagnostic.at(None)).collect())
        }
        other => other,
    }
}
