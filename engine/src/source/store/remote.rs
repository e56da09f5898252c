//! Objects behind a network: reads that give up when nothing comes, and absence told from failure.

use std::future::Future;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStoreExt};

use super::failure::lacks_container;
use super::{Arriving, Kind, Object, Store};
use crate::source::SourceError;

/// Objects deleted at the same time.
const DELETES_IN_FLIGHT_MAX: usize = 8;

impl Store {
    /// The bytes of an object or of a range of it, or `None` when there is none.
    pub(super) async fn fetch(
        &self,
        key: &str,
        path: &Path,
        range: Option<GetRange>,
    ) -> Result<Option<Bytes>, SourceError> {
        let options = GetOptions { range, ..GetOptions::default() };
        match self.patiently(key, self.objects.get_opts(path, options)).await? {
            Ok(found) => self.collect(key, found).await.map(Some),
            Err(error) if self.is_absence(&error) => Ok(None),
            Err(error) => Err(self.object_error(key, &error)),
        }
    }

    /// An object whose bytes are coming, or its bytes where there are fewer than `arriving_min`; `None` when there is none.
    pub(super) async fn begin(&self, key: &str, path: &Path, arriving_min: u64) -> Result<Option<Object>, SourceError> {
        let found = match self.patiently(key, self.objects.get_opts(path, GetOptions::default())).await? {
            Ok(found) => found,
            Err(error) if self.is_absence(&error) => return Ok(None),
            Err(error) => return Err(self.object_error(key, &error)),
        };
        let size = found.range.end - found.range.start;
        let (true, Ok(expected)) = (size >= arriving_min, usize::try_from(size)) else {
            return self.collect(key, found).await.map(|bytes| Some(Object::Bytes(bytes)));
        };
        let state = (found.into_stream(), self.clone(), key.to_string());
        let body = stream::unfold(state, |(mut body, store, key)| async move {
            let piece = match store.patiently(&key, body.next()).await {
                Ok(piece) => piece?.map_err(|error| store.object_error(&key, &error)),
                Err(stalled) => Err(stalled),
            };
            Some((piece, (body, store, key)))
        });
        let (store, key) = (self.clone(), key.to_string());
        let shorter = move |received| store.cut_short(&key, size, received);
        Ok(Some(Object::Arriving(Arriving::new(expected, body, shorter))))
    }

    /// A range of an object; from a web server that does not know ranges, the part of the whole.
    pub(super) async fn fetch_range(
        &self,
        key: &str,
        path: &Path,
        range: Range<u64>,
    ) -> Result<Option<Bytes>, SourceError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        match self.patiently(key, self.objects.get_opts(path, options)).await? {
            Ok(found) => self.collect(key, found).await.map(Some),
            Err(error) if self.is_absence(&error) => Ok(None),
            Err(error) if self.lacks_ranges(&error) => {
                let whole = self.fetch(key, path, None).await?;
                Ok(whole.map(|bytes| slice(&bytes, range)))
            }
            Err(error) => Err(self.object_error(key, &error)),
        }
    }

    /// The end of an object. Azure and some web servers know no ranges from the end: their objects are measured first.
    pub(super) async fn fetch_suffix(&self, key: &str, path: &Path, length: u64) -> Result<Option<Bytes>, SourceError> {
        if length == 0 {
            return Ok(Some(Bytes::new()));
        }
        let options = GetOptions { range: Some(GetRange::Suffix(length)), ..GetOptions::default() };
        match self.patiently(key, self.objects.get_opts(path, options)).await? {
            Ok(found) => return self.collect(key, found).await.map(Some),
            Err(error) if self.is_absence(&error) => return Ok(None),
            Err(error) if self.lacks_ranges(&error) => {}
            Err(error) => return Err(self.object_error(key, &error)),
        }
        let Some(size) = self.object_size(key, path).await? else { return Ok(None) };
        if size == 0 {
            return Ok(Some(Bytes::new()));
        }
        self.fetch_range(key, path, size.saturating_sub(length)..size).await
    }

    /// Bytes of an object, or `None` when there is none.
    pub(super) async fn object_size(&self, key: &str, path: &Path) -> Result<Option<u64>, SourceError> {
        match self.patiently(key, self.objects.head(path)).await? {
            Ok(found) => Ok(Some(found.size)),
            Err(error) if self.is_absence(&error) => Ok(None),
            Err(error) => Err(self.object_error(key, &error)),
        }
    }

    /// The names directly under a path.
    pub(super) async fn list_objects(&self, prefix: &str, path: &Path) -> Result<Vec<String>, SourceError> {
        self.expect_cloud(prefix, "listing of")?;
        let found = self.patiently(prefix, self.objects.list_with_delimiter(Some(path))).await?;
        let found = found.map_err(|e| self.object_error(prefix, &e))?;
        let places = found.common_prefixes.into_iter().chain(found.objects.into_iter().map(|object| object.location));
        let mut names: Vec<String> = places.filter_map(|place| place.filename().map(str::to_string)).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Whether there is an object of that name or below it; of a web server only the former can be asked.
    pub(super) async fn object_exists(&self, prefix: &str, path: &Path) -> Result<bool, SourceError> {
        if self.traits.kind != Kind::Cloud || !path.as_ref().is_empty() {
            match self.patiently(prefix, self.objects.head(path)).await? {
                Ok(_) => return Ok(true),
                Err(error) if self.is_absence(&error) => {}
                Err(error) => return Err(self.object_error(prefix, &error)),
            }
        }
        if self.traits.kind != Kind::Cloud {
            return Ok(false);
        }
        let mut below = self.objects.list(Some(path));
        match self.patiently(prefix, below.next()).await? {
            None => Ok(false),
            Some(Ok(_)) => Ok(true),
            Some(Err(error)) => Err(self.object_error(prefix, &error)),
        }
    }

    /// Stores an object.
    pub(super) async fn put_object(&self, key: &str, path: &Path, bytes: Bytes) -> Result<(), SourceError> {
        self.expect_cloud(key, "writing to")?;
        // The time goes by while a body is sent, so it is given more of it, by its size (at 1 MB/s).
        let limit = self.traits.stall_timeout + std::time::Duration::from_micros(bytes.len() as u64);
        match tokio::time::timeout(limit, self.objects.put(path, bytes.into())).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.object_error(key, &error)),
            Err(_) => Err(self.stalled(key)),
        }
    }

    /// Deletes an object and those below it.
    pub(super) async fn delete_objects(&self, prefix: &str, path: &Path) -> Result<(), SourceError> {
        self.expect_cloud(prefix, "deleting from")?;
        let failed = |error: object_store::Error| self.object_error(prefix, &error);
        let deleter = self.traits.deleter.as_ref().unwrap_or(&self.objects);
        let delete = |place: Path| async move {
            match deleter.delete(&place).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        };
        if !path.as_ref().is_empty() {
            delete(path.clone()).await.map_err(failed)?;
        }
        let below = self.objects.list(Some(path)).map_ok(|object| object.location);
        below.try_for_each_concurrent(DELETES_IN_FLIGHT_MAX, delete).await.map_err(failed)
    }

    /// The bytes of an answer; an answer that is cut short is an error.
    async fn collect(&self, key: &str, found: GetResult) -> Result<Bytes, SourceError> {
        let expected = found.range.end - found.range.start;
        let mut body = found.into_stream();
        let mut pieces: Vec<Bytes> = vec![];
        while let Some(piece) = self.patiently(key, body.next()).await? {
            pieces.push(piece.map_err(|e| self.object_error(key, &e))?);
        }
        let bytes = joined(pieces);
        if bytes.len() as u64 != expected {
            return Err(self.cut_short(key, expected, bytes.len()));
        }
        Ok(bytes)
    }

    fn cut_short(&self, key: &str, expected: u64, found: usize) -> SourceError {
        let message = format!("the answer was cut short: expected {expected} bytes, found {found}");
        SourceError::Store { uri: self.uri_of(key), message }
    }

    /// Waits for a step of a request, but not for ever. The retries of a failing request have 20 s of their own.
    async fn patiently<T>(&self, key: &str, step: impl Future<Output = T>) -> Result<T, SourceError> {
        tokio::time::timeout(self.traits.stall_timeout, step).await.map_err(|_| self.stalled(key))
    }

    fn stalled(&self, key: &str) -> SourceError {
        let seconds = self.traits.stall_timeout.as_secs_f64();
        SourceError::Store { uri: self.uri_of(key), message: format!("no answer within {seconds} s") }
    }

    fn is_absence(&self, error: &object_store::Error) -> bool {
        match error {
            // Where the whole bucket is missing, a name is misspelt: no object of it is merely absent.
            object_store::Error::NotFound { .. } => !lacks_container(error),
            object_store::Error::PermissionDenied { .. } => self.traits.missing_is_forbidden,
            _ => false,
        }
    }

    /// Whether a range was refused because the store has none (of that kind), the object being there.
    fn lacks_ranges(&self, error: &object_store::Error) -> bool {
        match error {
            object_store::Error::NotSupported { .. } => true,
            object_store::Error::Generic { .. } => {
                self.traits.kind == Kind::Http
                    && ["Range request not supported", "non-partial response", "416 Range Not Satisfiable"]
                        .iter()
                        .any(|sign| error.to_string().contains(sign))
            }
            _ => false,
        }
    }

    pub(super) fn expect_cloud(&self, key: &str, what: &'static str) -> Result<(), SourceError> {
        if self.traits.kind == Kind::Cloud {
            return Ok(());
        }
        Err(SourceError::Unsupported { array: self.uri_of(key), what, found: "a web server".to_string() })
    }
}

/// The part of `bytes` that is in the range.
fn slice(bytes: &Bytes, range: Range<u64>) -> Bytes {
    let cut = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(cut(range.start)..cut(range.end))
}

/// One run of bytes; a single piece is not copied.
fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop().unwrap_or_default();
    }
    let mut bytes = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in pieces {
        bytes.extend_from_slice(&piece);
    }
    bytes.freeze()
}
