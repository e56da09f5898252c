//! Encoded chunks that several partitions read: fetched once, let go when the last one is done.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use datafusion::execution::memory_pool::{MemoryLimit, MemoryReservation};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::source::{ArraySource, Chunk, SourceError};

/// Places of chunks nobody holds any more that are kept before they are cleared away.
const DEAD_MAX: usize = 256;

/// Encoded bytes that all partitions of a plan together fetch ahead of the blocks they decode: with a delay of 100 ms a
/// request this keeps a line of 5 Gbit/s busy.
const AHEAD_BYTES_MAX: usize = 64 << 20;

/// The part of the memory limit that these bytes may take: others need theirs more.
const AHEAD_SHARE: usize = 16;

/// The chunk of an array, by the column it belongs to and its index.
type ChunkKey = (usize, Vec<u64>);

/// Where a chunk is put once it has come.
type ChunkCell = OnceCell<Arc<dyn Chunk>>;

/// The chunks of a plan's arrays that are held at the moment.
#[derive(Debug, Default)]
pub struct SharedChunks {
    cells: Mutex<HashMap<ChunkKey, Weak<ChunkCell>>>,
    /// Chunks that the partition before a boundary and the one behind it both read, while only one of them has.
    kept: Mutex<HashMap<(u64, usize), KeptChunks>>,
    /// Bytes that are fetched ahead.
    ahead: Arc<AtomicUsize>,
}

/// Chunks, and the memory that is taken for them.
pub type KeptChunks = (Vec<SharedChunk>, MemoryReservation);

/// Leave to fetch so many bytes ahead, until it is dropped.
#[derive(Debug)]
pub struct AheadPermit {
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl Drop for AheadPermit {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A chunk, which others find as long as this is held.
#[derive(Debug, Clone)]
pub struct SharedChunk {
    /// The chunk.
    pub chunk: Arc<dyn Chunk>,
    /// Whether it was fetched for whoever asked, and not for someone before.
    pub is_fresh: bool,
    _cell: Arc<ChunkCell>,
}

impl SharedChunks {
    /// The chunk of a column's array, fetched unless someone holds it or is about to.
    pub async fn fetch(
        &self,
        column: usize,
        source: &dyn ArraySource,
        index: &[u64],
    ) -> Result<SharedChunk, SourceError> {
        let cell = self.cell((column, index.to_vec()));
        let mut is_fresh = false;
        let chunk = cell
            .get_or_try_init(|| {
                is_fresh = true;
                source.fetch(index)
            })
            .await?;
        Ok(SharedChunk { chunk: Arc::clone(chunk), is_fresh, _cell: Arc::clone(&cell) })
    }

    /// Tells that a partition has read the chunks of a column that it has in common with its neighbour behind or before
    /// `boundary` (the number of the partition behind): they are kept until that one has read them too.
    pub fn pass(&self, boundary: u64, column: usize, chunks: impl FnOnce() -> Option<KeptChunks>) {
        let mut kept = self.kept.lock();
        if kept.remove(&(boundary, column)).is_none()
            && let Some(chunks) = chunks()
        {
            kept.insert((boundary, column), chunks);
        }
    }

    /// Leave to fetch so many bytes ahead, if that is not too much, nor too large a share of the memory there is.
    pub fn permit_ahead(&self, bytes: usize, memory: MemoryLimit) -> Option<AheadPermit> {
        let most = match memory {
            MemoryLimit::Finite(limit) => AHEAD_BYTES_MAX.min(limit / AHEAD_SHARE),
            _ => AHEAD_BYTES_MAX,
        };
        let fits = |ahead: usize| ahead.checked_add(bytes).filter(|&sum| sum <= most);
        let permitted = self.ahead.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        permitted.then(|| AheadPermit { bytes, all: Arc::clone(&self.ahead) })
    }

    fn cell(&self, key: ChunkKey) -> Arc<ChunkCell> {
        let mut cells = self.cells.lock();
        if let Some(cell) = cells.get(&key).and_then(Weak::upgrade) {
            return cell;
        }
        // As many dead places as live ones, or a few: a store of a million chunks does not gather them.
        if cells.len() == cells.capacity() && cells.len() > DEAD_MAX {
            cells.retain(|_, cell| cell.strong_count() > 0);
            let live = cells.len();
            cells.reserve(live);
        }
        let cell = Arc::new(OnceCell::new());
        cells.insert(key, Arc::downgrade(&cell));
        cell
    }
}
