//! URL → object store: the only opener of URLs.
//!
//! A [`Store`] is a place that holds named byte strings: a directory, a web server's folder, a prefix of a bucket.
//! Architecture invariants: a key (which often comes out of metadata that strangers wrote) never leads out of the
//! place; no message, no `Debug` and no [`Store::uri`] shows a key, a token or a signature.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;

use super::SourceError;
use crate::access::{Confinement, Roots, only_reads};
use address::Address;
use failure::Redactor;
use local::LocalPath;

mod address;
mod arriving;
mod cloud;
mod confined;
mod environment;
mod failure;
mod key;
mod local;
mod network;
mod options;
mod portable;
mod prefix;
mod redirect;
mod remote;
mod signing;
mod web;

pub(crate) use address::without_secrets;
pub use arriving::Arriving;
pub(crate) use failure::{PUBLIC_OPTIONS, add_query};
pub(crate) use key::check as check_key;
pub use local::LocalFile;
pub use portable::Portable;
pub use prefix::UrlPrefixes;
pub(crate) use signing::usual_signing;
pub(crate) use web::{DOCUMENT_BYTES_MAX, WebClient, WebRequest};

/// Options of a store, credentials among them: names in lower case, values as text.
///
/// Of every remote store: `anonymous` (sign nothing), `allow_http` (accept an `http://` endpoint),
/// `missing_is_forbidden` (a 403 on a read means that the object is not there, as S3 answers those who may not list)
/// and `timeout` (seconds without a byte before a request is given up, 30 unless told). The others depend on the store:
/// see the table in `options.rs`.
pub type StoreOptions = BTreeMap<String, String>;

/// An object store and the place in it that a URL names.
#[derive(Clone)]
pub struct Store {
    /// The address as given, secrets taken out.
    pub uri: String,
    /// The store.
    pub objects: Arc<dyn ObjectStore>,
    /// Where in it.
    pub root: Path,
    /// The directory (or file) itself, where it is on this machine: read without the detour.
    directory: Option<PathBuf>,
    /// What the reads and the messages need to know about it.
    traits: Arc<Traits>,
}

/// An object of a store.
#[derive(Debug)]
pub enum Object {
    /// Its bytes.
    Bytes(Bytes),
    /// Where its bytes are read, a range at a time.
    File(LocalFile),
    /// Its bytes as they come.
    Arriving(Arriving),
}

/// Objects with fewer bytes are read whole: thousands of them may be needed at the same time.
const OPENED_BYTES_MIN: u64 = 1 << 20;

/// How a store behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Local,
    Http,
    Cloud,
}

/// What the reads and the messages need to know about a store.
struct Traits {
    kind: Kind,
    redactor: Redactor,
    missing_is_forbidden: bool,
    /// Whether there were credentials to sign with: a refusal is explained by it.
    signed: bool,
    stall_timeout: Duration,
    /// What deletes objects, where it is not the store itself.
    deleter: Option<Arc<dyn ObjectStore>>,
    /// The directories that local files must be in, if there are any.
    roots: Option<Arc<Roots>>,
    may_write: bool,
}

impl Store {
    /// Opens a local path, or a `file://`, `http(s)://`, `s3://`, `gs://`, `az://`, `abfs(s)://` URL. Nothing is read yet.
    ///
    /// Credentials come from the options, then from a SAS in the URL, then from the environment (`AWS_*`, `AZURE_*`,
    /// `GOOGLE_*`); with none of them requests go out unsigned, as public buckets want them.
    pub fn open(uri: &str, options: &StoreOptions) -> Result<Self, SourceError> {
        Self::open_in(uri, options, &environment::Environment::of_process())
    }

    fn open_in(uri: &str, options: &StoreOptions, environment: &environment::Environment) -> Result<Self, SourceError> {
        Self::open_address(&Address::parse(uri, options)?, options, environment, None)
    }

    fn open_address(
        address: &Address,
        options: &StoreOptions,
        environment: &environment::Environment,
        confinement: Option<&Arc<Confinement>>,
    ) -> Result<Self, SourceError> {
        let redactor = Redactor::new(options, address.sas());
        let shown = address.shown();
        let failed = |message: String| SourceError::Address { uri: shown.clone(), message: redactor.clean(&message) };
        let options = options::Options::check(options, address).map_err(&failed)?;
        let opened = cloud::open(address, &options, environment).map_err(&failed)?;
        let kind = match address {
            Address::Local(_) => Kind::Local,
            Address::Http(_) => Kind::Http,
            _ => Kind::Cloud,
        };
        let traits = Traits {
            kind,
            missing_is_forbidden: options.flag("missing_is_forbidden").map_err(&failed)?,
            signed: opened.signed,
            stall_timeout: options.timeout().map_err(&failed)?,
            deleter: opened.deleter,
            redactor,
            roots: confinement.map(|confinement| Arc::clone(confinement.roots())),
            may_write: confinement.is_none_or(|confinement| confinement.rules().may_write),
        };
        let directory = if let Address::Local(path) = address { Some(path.clone()) } else { None };
        Ok(Self { uri: shown, objects: opened.objects, root: opened.root, directory, traits: Arc::new(traits) })
    }

    /// The path on this machine, where the store is a local one.
    pub fn local_path(&self) -> Option<&FilePath> {
        self.directory.as_deref()
    }

    /// The object under `key` (`tmin/.zarray`), or `None` when there is none.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, SourceError> {
        match self.place(key)? {
            Place::File(file) => local::read(file, local::Part::Whole).await.map_err(|e| self.file_error(key, &e)),
            Place::Object(path) => self.fetch(key, &path, None).await,
        }
    }

    /// The object under `key`, or `None` when there is none: as a whole where it is small; a large one opened where it is
    /// a file of this machine, and as soon as it begins to come where it is not.
    pub async fn open_object(&self, key: &str) -> Result<Option<Object>, SourceError> {
        match self.place(key)? {
            Place::File(file) => local::open(file, OPENED_BYTES_MIN).await.map_err(|e| self.file_error(key, &e)),
            Place::Object(path) => self.begin(key, &path, OPENED_BYTES_MIN).await,
        }
    }

    /// The bytes of a range of the object under `key`, or `None` when there is none. A range that reaches beyond the
    /// object's end is an error: whoever asked took it from metadata that does not fit the object.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Bytes>, SourceError> {
        let expected = range.end.checked_sub(range.start).ok_or_else(|| SourceError::Store {
            uri: self.uri_of(key),
            message: format!("expected a range of bytes, found {}..{}", range.start, range.end),
        })?;
        if expected == 0 {
            return Ok(Some(Bytes::new()));
        }
        let found = match self.place(key)? {
            Place::File(file) => {
                local::read(file, local::Part::Range(range.clone())).await.map_err(|e| self.file_error(key, &e))?
            }
            Place::Object(path) => self.fetch_range(key, &path, range.clone()).await?,
        };
        match found {
            Some(bytes) if bytes.len() as u64 != expected => Err(SourceError::Store {
                uri: self.uri_of(key),
                message: format!("expected bytes {}..{}, found {} of them", range.start, range.end, bytes.len()),
            }),
            found => Ok(found),
        }
    }

    /// The last `length` bytes of the object under `key` (fewer when it is shorter), or `None` when there is none.
    pub async fn get_suffix(&self, key: &str, length: u64) -> Result<Option<Bytes>, SourceError> {
        match self.place(key)? {
            Place::File(file) => {
                local::read(file, local::Part::Suffix(length)).await.map_err(|e| self.file_error(key, &e))
            }
            Place::Object(path) => self.fetch_suffix(key, &path, length).await,
        }
    }

    /// Bytes of the object under `key`, or `None` when there is none.
    pub async fn size(&self, key: &str) -> Result<Option<u64>, SourceError> {
        match self.place(key)? {
            Place::File(file) => local::size(file).await.map_err(|e| self.file_error(key, &e)),
            Place::Object(path) => self.object_size(key, &path).await,
        }
    }

    /// The names directly under `prefix` (`""`: under the store itself), files and directories alike, sorted; none when
    /// there is nothing. Web servers cannot be asked: [`SourceError::Unsupported`].
    pub async fn list_children(&self, prefix: &str) -> Result<Vec<String>, SourceError> {
        match self.place_of_prefix(prefix)? {
            Place::File(directory) => local::list(directory).await.map_err(|e| self.file_error(prefix, &e)),
            Place::Object(path) => self.list_objects(prefix, &path).await,
        }
    }

    /// Whether there is an object under `prefix` or below it (`""`: anything in the store at all).
    pub async fn exists(&self, prefix: &str) -> Result<bool, SourceError> {
        match self.place_of_prefix(prefix)? {
            Place::File(path) => local::exists(path).await.map_err(|e| self.file_error(prefix, &e)),
            Place::Object(path) => self.object_exists(prefix, &path).await,
        }
    }

    /// Stores an object under `key`, whole or not at all; an older one is replaced.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), SourceError> {
        self.expect_right_to_write()?;
        match self.place(key)? {
            Place::File(file) => local::write(file, bytes).await.map_err(|e| self.file_error(key, &e)),
            Place::Object(path) => self.put_object(key, &path, bytes).await,
        }
    }

    /// Deletes the object under `prefix` and every one below it (`""`: the whole store).
    pub async fn delete_prefix(&self, prefix: &str) -> Result<(), SourceError> {
        self.expect_right_to_write()?;
        match self.place_of_prefix(prefix)? {
            Place::File(path) => local::delete(path).await.map_err(|e| self.file_error(prefix, &e)),
            Place::Object(path) => self.delete_objects(prefix, &path).await,
        }
    }

    /// The same store at another place in it: a neighbour of this one. Not for local stores.
    pub(crate) fn at(&self, root: Path) -> Self {
        Self {
            uri: self.uri.clone(),
            objects: self.objects.clone(),
            root,
            directory: None,
            traits: self.traits.clone(),
        }
    }

    /// Refuses a store that cannot be written to.
    pub(crate) fn expect_writable(&self) -> Result<(), SourceError> {
        self.expect_right_to_write()?;
        if self.traits.kind == Kind::Http { self.expect_cloud("", "writing to") } else { Ok(()) }
    }

    fn expect_right_to_write(&self) -> Result<(), SourceError> {
        if self.traits.may_write { Ok(()) } else { Err(only_reads(&self.uri)) }
    }

    /// The address of the object under `key`, for messages.
    fn uri_of(&self, key: &str) -> String {
        if key.is_empty() {
            return self.uri.clone();
        }
        format!("{}/{}", self.uri.trim_end_matches('/'), self.traits.redactor.clean(key))
    }

    fn local(&self, path: PathBuf) -> LocalPath {
        LocalPath { path, roots: self.traits.roots.clone() }
    }

    fn place_of_prefix(&self, prefix: &str) -> Result<Place, SourceError> {
        let prefix = prefix.trim_end_matches('/');
        if !prefix.is_empty() {
            return self.place(prefix);
        }
        Ok(match &self.directory {
            Some(directory) => Place::File(self.local(directory.clone())),
            None => Place::Object(self.root.clone()),
        })
    }

    /// Where `key` is kept; a key that leads out of the store is refused.
    fn place(&self, key: &str) -> Result<Place, SourceError> {
        let refused = |message: String| SourceError::Address { uri: self.uri.clone(), message };
        key::check(key).map_err(refused)?;
        if let Some(directory) = &self.directory {
            return Ok(Place::File(self.local(directory.join(key))));
        }
        let path = if self.root.as_ref().is_empty() { key.to_string() } else { format!("{}/{key}", self.root) };
        Path::parse(path).map(Place::Object).map_err(|e| refused(e.to_string()))
    }
}

/// Where a key is kept.
enum Place {
    File(LocalPath),
    Object(Path),
}

impl fmt::Debug for Store {
    /// The address only: what an object store shows of itself may hold its credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("uri", &self.uri).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
