//! A prefix of a bucket that becomes a store when its last document is written.
//!
//! A bucket has no rename. Where nothing is under the prefix yet, chunks are written to their place and the documents
//! that make them a store come last. Where a store is to be replaced, the new one is written beside it and copied over
//! at the end: an abort leaves the old one as it was. `.quarray-writing` marks a prefix that is being written, so that
//! two writers do not mix and what a killed one left may be replaced.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode};

use crate::source::SourceError;
use crate::source::store::Store;

/// Requests at the same time.
pub(super) const REQUESTS_IN_FLIGHT_MAX: usize = 8;

/// The object that marks a prefix that is being written.
const MARKER: &str = ".quarray-writing";

/// What makes a prefix a Zarr store.
const ROOT_DOCUMENTS: [&str; 5] = ["zarr.json", ".zmetadata", ".zgroup", ".zarray", ".zattrs"];

/// A prefix that is being written.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    target: Store,
    /// Where a store that is to replace another one waits.
    staging: Option<Store>,
}

impl Objects {
    /// Begins to write a prefix; refuses one that holds anything, unless it is a store (or the remains of one) and is to
    /// be replaced.
    pub(super) async fn begin(target: Store, replace: bool) -> Result<Self, SourceError> {
        let mut is_store = false;
        for document in ROOT_DOCUMENTS {
            is_store |= target.get(document).await?.is_some();
        }
        let exists =
            |message: &str| Err(SourceError::AlreadyExists { uri: target.uri.clone(), message: message.to_string() });
        if is_store {
            if !replace {
                return exists("there is a Zarr store already: WITH (overwrite = true) replaces it");
            }
            let name = target.root.filename().unwrap_or("store").to_string();
            let mut parts: Vec<String> = target.root.parts().map(|part| part.as_ref().to_string()).collect();
            if parts.pop().is_none() {
                return exists("there is a Zarr store at the root of the bucket: expected a prefix to replace");
            }
            parts.push(format!(".{name}.quarray-{}-{:016x}", std::process::id(), random()));
            let staging = Path::parse(parts.join("/")).map_err(|e| target.object_error("", &e.into()))?;
            let staging = target.at(staging);
            return Ok(Self { target, staging: Some(staging) });
        }
        if target.get(MARKER).await?.is_some() {
            if !replace {
                return exists("another write is under way there, or was not finished; it may be replaced");
            }
            target.delete_prefix("").await?;
        } else if target.exists("").await? {
            return exists("there are objects already that are not a Zarr store: expected an empty place");
        }
        claim(&target).await?;
        Ok(Self { target, staging: None })
    }

    /// Where objects are put.
    pub(super) fn place(&self) -> &Store {
        self.staging.as_ref().unwrap_or(&self.target)
    }

    /// Makes what was put, and `documents` after it, the store; the last document is the one that does.
    pub(super) async fn commit(&self, documents: Vec<(String, Bytes)>) -> Result<(), SourceError> {
        if let Some(staging) = &self.staging {
            claim_over(&self.target).await?;
            self.clear_target().await?;
            self.copy_from(staging).await?;
        }
        for (key, bytes) in documents {
            self.target.put(&key, bytes).await?;
        }
        // The store stands; what is left to be tidied is not worth an error.
        let _ = self.target.delete_prefix(MARKER).await;
        if let Some(staging) = &self.staging {
            let _ = staging.delete_prefix("").await;
        }
        Ok(())
    }

    /// Takes away all that was put.
    pub(super) async fn abort(&self) -> Result<(), SourceError> {
        self.place().delete_prefix("").await
    }

    /// Deletes the old store: first the documents that make it one, so that no one reads half of it.
    async fn clear_target(&self) -> Result<(), SourceError> {
        for document in ROOT_DOCUMENTS {
            self.target.delete_prefix(document).await?;
        }
        for name in self.target.list_children("").await? {
            if name != MARKER {
                self.target.delete_prefix(&name).await?;
            }
        }
        Ok(())
    }

    async fn copy_from(&self, staging: &Store) -> Result<(), SourceError> {
        let failed = |error: object_store::Error| self.target.object_error("", &error);
        let copy = |from: Path| async move {
            let below = from.prefix_match(&staging.root).into_iter().flatten();
            let to: Path = self.target.root.parts().chain(below).collect();
            staging.objects.copy(&from, &to).await
        };
        staging
            .objects
            .list(Some(&staging.root))
            .map_ok(|object| object.location)
            .try_for_each_concurrent(REQUESTS_IN_FLIGHT_MAX, copy)
            .await
            .map_err(failed)
    }
}

/// Marks a prefix as being written, unless another writer has done so.
async fn claim(target: &Store) -> Result<(), SourceError> {
    let marker = target.root.clone().join(MARKER);
    match target.objects.put_opts(&marker, marker_bytes().into(), PutMode::Create.into()).await {
        Ok(_) => Ok(()),
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
            let message = "another write is under way there".to_string();
            Err(SourceError::AlreadyExists { uri: target.uri.clone(), message })
        }
        // A store without conditional requests: the last one to come wins.
        Err(object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }) => {
            claim_over(target).await
        }
        Err(error) => Err(target.object_error(MARKER, &error)),
    }
}

async fn claim_over(target: &Store) -> Result<(), SourceError> {
    target.put(MARKER, marker_bytes()).await
}

fn marker_bytes() -> Bytes {
    let time = chrono::Utc::now().to_rfc3339();
    Bytes::from(format!("a Zarr store is being written here by Quarray since {time}\n"))
}

/// A number that no other writer has.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
