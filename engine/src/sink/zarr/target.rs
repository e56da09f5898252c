//! Where a store is written to: a directory, or a prefix of a bucket.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::objects::{Objects, REQUESTS_IN_FLIGHT_MAX};
use super::staging::{self, Found, Staging};
use crate::source::SourceError;
use crate::source::store::Store;

/// Where a store is written to. Dropped before [`Target::commit`], it takes away all that was written.
#[derive(Debug)]
pub(super) struct Target {
    store: Store,
    replace: bool,
    kind: Option<Kind>,
    puts: JoinSet<Result<usize, SourceError>>,
    /// Bytes that are being stored.
    bytes_in_flight: usize,
}

/// Bytes that are stored at the same time: more of them wait, unless they are one object.
const BYTES_IN_FLIGHT_MAX: usize = 32 << 20;

#[derive(Debug, Clone)]
enum Kind {
    Directory(Arc<Staging>),
    Objects(Objects),
}

impl Target {
    /// Begins to write; what is there already is refused, or, to be replaced, left as it is until the commit.
    pub(super) async fn begin(store: Store, replace: bool) -> Result<Self, SourceError> {
        store.expect_writable()?;
        let kind = match store.local_path().map(Path::to_path_buf) {
            Some(path) => Kind::Directory(Arc::new(begin_directory(&store, &path, replace).await?)),
            None => Kind::Objects(Objects::begin(store.clone(), replace).await?),
        };
        Ok(Self { store, replace, kind: Some(kind), puts: JoinSet::new(), bytes_in_flight: 0 })
    }

    /// The address, secrets taken out.
    pub(super) fn uri(&self) -> &str {
        &self.store.uri
    }

    /// Stores an object, while others are still being stored; an error may be that of an earlier one.
    pub(super) async fn put(&mut self, key: String, bytes: Bytes) -> Result<(), SourceError> {
        let size = bytes.len();
        self.settle(REQUESTS_IN_FLIGHT_MAX - 1, BYTES_IN_FLIGHT_MAX.saturating_sub(size)).await?;
        self.bytes_in_flight += size;
        let Some(kind) = self.kind.clone() else { return Ok(()) };
        let store = self.store.clone();
        self.puts.spawn(async move {
            match kind {
                Kind::Directory(staging) => staging.put(&key, bytes).await.map_err(|e| store.file_error(&key, &e))?,
                Kind::Objects(objects) => objects.place().put(&key, bytes).await?,
            }
            Ok(size)
        });
        Ok(())
    }

    /// An error of the file that cells wait in.
    pub(super) fn scratch_error(&self, error: &std::io::Error) -> SourceError {
        let failed = self.store.file_error("", error);
        match failed {
            SourceError::NoRoom { uri, message } => SourceError::NoRoom {
                uri,
                message: format!("{message}, for cells that wait for the rest of their chunks"),
            },
            other => other,
        }
    }

    /// Bytes that are being stored.
    pub(super) fn bytes_in_flight(&self) -> usize {
        self.bytes_in_flight
    }

    /// Waits for puts until at most so many of them, with at most so many bytes, are in flight.
    async fn settle(&mut self, puts_left: usize, bytes_left: usize) -> Result<(), SourceError> {
        while self.puts.len() > puts_left || self.bytes_in_flight > bytes_left {
            let Some(put) = self.puts.join_next().await else { return Ok(()) };
            let failed =
                |e: tokio::task::JoinError| SourceError::Store { uri: self.store.uri.clone(), message: e.to_string() };
            self.bytes_in_flight = self.bytes_in_flight.saturating_sub(put.map_err(failed)??);
        }
        Ok(())
    }

    /// Makes what was put, and the documents after it, the store.
    pub(super) async fn commit(mut self, documents: Vec<(String, Bytes)>) -> Result<(), SourceError> {
        self.settle(0, 0).await?;
        match &self.kind {
            Some(Kind::Objects(objects)) => objects.commit(documents).await?,
            Some(Kind::Directory(_)) => {
                for (key, bytes) in documents {
                    self.put(key, bytes).await?;
                }
                self.settle(0, 0).await?;
            }
            None => {}
        }
        let Some(Kind::Directory(staging)) = self.kind.clone() else {
            // It is a store now: nothing is to be taken away.
            self.kind = None;
            return Ok(());
        };
        let replace = self.replace;
        let committed = tokio::task::spawn_blocking(move || staging.commit(replace)).await;
        committed.map_err(std::io::Error::other).and_then(|done| done).map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => occupied(&self.store, "there is something of that name by now"),
            _ => self.store.file_error("", &e),
        })
    }

    /// Takes away all that was written, and waits until it is gone.
    pub(super) async fn abort(mut self) -> Result<(), SourceError> {
        while self.puts.join_next().await.is_some() {}
        match self.kind.take() {
            Some(Kind::Objects(objects)) => objects.abort().await,
            Some(Kind::Directory(staging)) => {
                staging.discard();
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Drop for Target {
    /// A directory is removed at once. Objects are deleted by a task, where there is a runtime to run it.
    fn drop(&mut self) {
        match (self.kind.take(), tokio::runtime::Handle::try_current()) {
            (Some(Kind::Directory(staging)), _) => staging.discard(),
            (Some(Kind::Objects(objects)), Ok(runtime)) => {
                let mut puts = std::mem::take(&mut self.puts);
                runtime.spawn(async move {
                    // A put that arrives after the deletion would stay.
                    while puts.join_next().await.is_some() {}
                    let _ = objects.abort().await;
                });
            }
            _ => {}
        }
    }
}

async fn begin_directory(store: &Store, path: &Path, replace: bool) -> Result<Staging, SourceError> {
    let target = path.to_path_buf();
    let begin = move || {
        let found = staging::look(&target)?;
        let free = found == Found::Nothing || found == Found::Store && replace;
        if free {
            Staging::prepare(&target)?;
        }
        Ok((found, free))
    };
    let begun = tokio::task::spawn_blocking(begin).await.map_err(std::io::Error::other).and_then(|begun| begun);
    match begun.map_err(|e: std::io::Error| store.file_error("", &e))? {
        (_, true) => Staging::begin(path).map_err(|e| store.file_error("", &e)),
        (Found::Store, _) => Err(occupied(store, "there is a Zarr store already: WITH (overwrite = true) replaces it")),
        _ => Err(occupied(store, "there is something already that is not a Zarr store: expected an unused name")),
    }
}

fn occupied(store: &Store, message: &str) -> SourceError {
    SourceError::AlreadyExists { uri: store.uri.clone(), message: message.to_string() }
}
