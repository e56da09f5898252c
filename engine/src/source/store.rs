//! URL → object store: the only opener of URLs.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;

use super::SourceError;

/// Options of a store, credentials among them: names in lower case, values as text.
pub type StoreOptions = BTreeMap<String, String>;

/// An object store and the place in it that a URL names.
#[derive(Debug, Clone)]
pub struct Store {
    /// The address as given, secrets taken out.
    pub uri: String,
    /// The store.
    pub objects: Arc<dyn ObjectStore>,
    /// Where in it.
    pub root: Path,
}

impl Store {
    /// Opens a local path, or a `file://`, `http(s)://`, `s3://`, `gs://`, `az://`, `abfs(s)://` URL. Nothing is read yet.
    pub fn open(uri: &str, _options: &StoreOptions) -> Result<Self, SourceError> {
        Err(SourceError::Address { uri: uri.to_string(), message: "not there yet".to_string() })
    }

    /// The object under `key` (`tmin/.zarray`), or `None` when there is none.
    pub async fn get(&self, _key: &str) -> Result<Option<Bytes>, SourceError> {
        Ok(None)
    }

    /// The bytes of a range of the object under `key`, or `None` when there is none.
    pub async fn get_range(&self, _key: &str, _range: std::ops::Range<u64>) -> Result<Option<Bytes>, SourceError> {
        Ok(None)
    }

    /// The last `length` bytes of the object under `key` (fewer when it is shorter), or `None` when there is none.
    pub async fn get_suffix(&self, _key: &str, _length: u64) -> Result<Option<Bytes>, SourceError> {
        Ok(None)
    }
}
