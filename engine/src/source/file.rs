//! One file of a store that is read in ranges: formats that keep everything in one object.

use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::SourceError;
use super::store::{Store, StoreOptions};
use crate::access::AccessPolicy;

/// Ranges that are nearer to each other than this may be fetched as one: a request costs more than the bytes between them.
const GAP_MAX: u64 = 1 << 18;

/// Bytes between ranges that cost nothing.
const GAP_FREE: u64 = 1 << 12;

/// Bytes that nobody wants are this part of those of a request, at most: requests are made at the same time, bytes are not.
const GAP_SHARE: u64 = 10;

/// Bytes of a request for several ranges, at most, unless one range alone is longer.
const REQUEST_MAX: u64 = 16 << 20;

/// Requests of one call at the same time.
const REQUESTS_IN_FLIGHT_MAX: usize = 8;

/// A file of a directory, a bucket or a web server.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its address, secrets taken out.
    pub uri: String,
    store: Store,
    key: String,
}

impl SourceFile {
    /// The file at an address, for whoever may touch what the policy says. Nothing is read yet.
    pub fn open(uri: &str, options: &StoreOptions, access: &AccessPolicy) -> Result<Self, SourceError> {
        let (place, query) = match uri.split_once("://").and(uri.find('?')) {
            Some(mark) => uri.split_at(mark),
            None => (uri, ""),
        };
        let (directory, key) = match place.rsplit_once('/') {
            Some(("", key)) => ("/", key),
            Some((directory, key)) => (directory, key),
            None => (".", place),
        };
        let store = Store::open_directory_for(&format!("{directory}{query}"), key, options, access)?;
        Ok(Self { uri: super::store::without_secrets(uri), store, key: key.to_string() })
    }

    /// The file of another name (a path relative to this one's directory, not out of it) beside this one.
    pub fn neighbour(&self, key: &str) -> Self {
        let directory = self.uri.rsplit_once('/').map_or("", |(directory, _)| directory);
        let uri = if directory.is_empty() { key.to_string() } else { format!("{directory}/{key}") };
        Self { uri, store: self.store.clone(), key: key.to_string() }
    }

    /// Whether it is a file of this machine, where many small reads cost little.
    pub fn is_local(&self) -> bool {
        self.store.local_path().is_some()
    }

    /// Bytes of the file.
    pub async fn size(&self) -> Result<u64, SourceError> {
        self.store.size(&self.key).await?.ok_or_else(|| self.absent())
    }

    /// The bytes of a range; one that reaches beyond the file's end is an error.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        self.store.get_range(&self.key, range).await?.ok_or_else(|| self.absent())
    }

    /// The first bytes, as many as there are up to `length`.
    pub async fn read_start(&self, length: u64) -> Result<Bytes, SourceError> {
        let size = self.size().await?;
        self.read(0..length.min(size)).await
    }

    /// The bytes of several ranges, in their order; near ones are fetched together, several requests at a time.
    pub async fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, SourceError> {
        let requests = coalesced(ranges);
        let fetched: Vec<(Range<u64>, Bytes)> = stream::iter(requests)
            .map(|request| async move { self.read(request.clone()).await.map(|bytes| (request, bytes)) })
            .buffered(REQUESTS_IN_FLIGHT_MAX)
            .try_collect()
            .await?;
        ranges
            .iter()
            .map(|range| {
                let after = fetched.partition_point(|(request, _)| request.start <= range.start);
                let found = after.checked_sub(1).and_then(|place| fetched.get(place));
                match found {
                    Some((request, bytes)) if range.end <= request.end => {
                        let from = (range.start - request.start) as usize;
                        Ok(bytes.slice(from..from + (range.end - range.start) as usize))
                    }
                    _ => Ok(Bytes::new()),
                }
            })
            .collect()
    }

    fn absent(&self) -> SourceError {
        SourceError::NotFound { uri: self.uri.clone(), message: "there is no such file".to_string() }
    }
}

/// The requests that cover the ranges, in order, no two of them overlapping.
fn coalesced(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.iter().filter(|range| range.start < range.end).cloned().collect();
    sorted.sort_by_key(|range| (range.start, range.end));
    let mut requests: Vec<Range<u64>> = Vec::new();
    // Bytes of the last request that nobody wants.
    let mut unwanted = 0;
    for range in sorted {
        if let Some(last) = requests.last_mut() {
            let gap = range.start.saturating_sub(last.end);
            let length = range.end.max(last.end) - last.start;
            let is_cheap = gap <= GAP_FREE || (gap <= GAP_MAX && (unwanted + gap) * GAP_SHARE <= length);
            if range.start < last.end || (is_cheap && length <= REQUEST_MAX) {
                last.end = last.end.max(range.end);
                unwanted += gap;
                continue;
            }
        }
        unwanted = 0;
        requests.push(range);
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_ranges_are_one_request() {
        let far = GAP_MAX + 100;
        assert_eq!(coalesced(&[50..60, 0..10, 5..20, far + 60..far + 61, 7..7]), [0..60, far + 60..far + 61]);
        // Where a tenth of what is fetched or more would be for nothing, there are two requests.
        assert_eq!(coalesced(&[0..90_000, 100_000..190_000, 230_000..300_000]), [0..190_000, 230_000..300_000]);
        assert_eq!(coalesced(&[0..REQUEST_MAX, REQUEST_MAX..REQUEST_MAX + 1]).len(), 2);
    }

    #[tokio::test]
    async fn ranges_of_a_file() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bytes.bin");
        let content: Vec<u8> = (0..1_000_000u32).map(|place| (place % 251) as u8).collect();
        std::fs::write(&path, &content)?;
        let file = SourceFile::open(&path.to_string_lossy(), &StoreOptions::new(), &AccessPolicy::everything())?;
        assert_eq!(file.size().await?, 1_000_000);
        let ranges = [10..20, 999_990..1_000_000, 15..400_000, 5..5, 0..1];
        for (range, bytes) in ranges.iter().zip(file.read_ranges(&ranges).await?) {
            assert_eq!(bytes.as_ref(), &content[range.start as usize..range.end as usize]);
        }
        assert!(file.read(999_999..1_000_001).await.is_err());
        let missing = file.neighbour("none.bin").read(0..1).await;
        assert!(matches!(missing, Err(SourceError::NotFound { .. })), "{missing:?}");
        Ok(())
    }
}
