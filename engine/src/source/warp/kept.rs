//! Chunks that are kept for their neighbours: a box of cells in one grid lies in several chunks of another, each of which
//! is also wanted by the boxes beside it.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::array::ChunkGrid;
use crate::source::{ArraySource, Chunk, SourceError};

/// Bytes of chunks that are kept, at most: a row of tiles of some scenes.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// Chunks that are kept, at most: some of them hold a file open.
const KEPT_CHUNKS_MAX: usize = 256;

/// The chunks of several arrays that were asked for last.
#[derive(Debug, Default)]
pub(in crate::source) struct KeptChunks {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    places: HashMap<Key, Place>,
    bytes: usize,
    /// Goes on with every question.
    now: u64,
}

/// The number of an array, and the chunk's index in it.
type Key = (usize, Vec<u64>);

/// A chunk, once it was fetched: who wants it meanwhile waits for whoever fetches it.
type Fetched = Arc<OnceCell<Arc<dyn Chunk>>>;

#[derive(Debug)]
struct Place {
    chunk: Fetched,
    bytes: usize,
    last_asked: u64,
}

impl KeptChunks {
    fn place(&self, key: &Key) -> Fetched {
        let mut kept = self.kept.lock();
        kept.now += 1;
        let now = kept.now;
        let new = || Place { chunk: Fetched::default(), bytes: 0, last_asked: now };
        let place = kept.places.entry(key.clone()).or_insert_with(new);
        place.last_asked = now;
        Arc::clone(&place.chunk)
    }

    /// Counts a chunk that was fetched, and forgets those that were not asked for the longest.
    fn count(&self, key: &Key, chunk: &Fetched, bytes: usize) {
        let mut kept = self.kept.lock();
        match kept.places.get_mut(key) {
            Some(place) if Arc::ptr_eq(&place.chunk, chunk) && place.bytes == 0 => place.bytes = bytes,
            _ => return,
        }
        kept.bytes += bytes;
        while kept.bytes > KEPT_BYTES_MAX || kept.places.len() > KEPT_CHUNKS_MAX {
            let fetched = kept.places.iter().filter(|(_, place)| place.bytes > 0);
            let Some(oldest) = fetched.min_by_key(|(_, place)| place.last_asked).map(|(key, _)| key.clone()) else {
                return;
            };
            if let Some(place) = kept.places.remove(&oldest) {
                kept.bytes -= place.bytes;
            }
        }
    }

    fn forget(&self, key: &Key, chunk: &Fetched) {
        let mut kept = self.kept.lock();
        if kept.places.get(key).is_some_and(|place| Arc::ptr_eq(&place.chunk, chunk) && place.bytes == 0) {
            kept.places.remove(key);
        }
    }
}

/// An array whose chunks are kept for a while.
#[derive(Debug)]
pub(in crate::source) struct KeptArray {
    source: Arc<dyn ArraySource>,
    kept: Arc<KeptChunks>,
    number: usize,
}

impl KeptArray {
    /// An array, with a number of its own among those whose chunks are kept together.
    pub fn new(source: Arc<dyn ArraySource>, kept: Arc<KeptChunks>, number: usize) -> Self {
        Self { source, kept, number }
    }
}

#[async_trait]
impl ArraySource for KeptArray {
    fn grid(&self) -> &ChunkGrid {
        self.source.grid()
    }

    async fn fetch(&self, chunk: &[u64]) -> Result<Arc<dyn Chunk>, SourceError> {
        let key = (self.number, chunk.to_vec());
        let place = self.kept.place(&key);
        let fetched = place.get_or_try_init(|| self.source.fetch(chunk)).await.map(Arc::clone);
        match &fetched {
            Ok(fetched) => self.kept.count(&key, &place, fetched.memory_size().max(1)),
            Err(_) => self.kept.forget(&key, &place),
        }
        fetched
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use arrow::array::{ArrayRef, Int8Array};

    use super::*;
    use crate::array::Region;

    #[derive(Debug)]
    struct Counted {
        grid: ChunkGrid,
        fetched: AtomicUsize,
    }

    #[derive(Debug)]
    struct Large;

    #[async_trait]
    impl ArraySource for Counted {
        fn grid(&self) -> &ChunkGrid {
            &self.grid
        }

        async fn fetch(&self, chunk: &[u64]) -> Result<Arc<dyn Chunk>, SourceError> {
            self.fetched.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            match chunk {
                [9] => Err(SourceError::Chunk { array: "a".into(), chunk: vec![9], message: "broken".into() }),
                _ => Ok(Arc::new(Large)),
            }
        }
    }

    #[async_trait]
    impl Chunk for Large {
        async fn wait(&self, _region: &Region) -> Result<(), SourceError> {
            Ok(())
        }

        fn read(&self, _region: &Region) -> Result<ArrayRef, SourceError> {
            Ok(Arc::new(Int8Array::from(vec![0])))
        }

        fn encoded_size(&self) -> usize {
            0
        }

        fn memory_size(&self) -> usize {
            KEPT_BYTES_MAX / 3
        }
    }

    #[tokio::test]
    async fn chunks_are_fetched_once_while_they_are_kept() -> Result<(), SourceError> {
        let source = Arc::new(Counted { grid: ChunkGrid::new(vec![10], vec![1]), fetched: AtomicUsize::default() });
        let array = KeptArray::new(source.clone(), Arc::default(), 0);
        let (a, b) = tokio::join!(array.fetch(&[0]), array.fetch(&[0]));
        assert!(Arc::ptr_eq(&a?, &b?));
        for chunk in [1, 2, 0, 3, 0] {
            array.fetch(&[chunk]).await?;
        }
        // Only the second chunk had to leave.
        assert_eq!(source.fetched.load(Ordering::Relaxed), 4);
        array.fetch(&[1]).await?;
        assert_eq!(source.fetched.load(Ordering::Relaxed), 5);
        for _ in 0..2 {
            assert!(array.fetch(&[9]).await.is_err());
        }
        assert_eq!(source.fetched.load(Ordering::Relaxed), 7);
        Ok(())
    }
}
