//! What this process has done since it began: counters that operators add to, and that are read when somebody asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool};
use parking_lot::Mutex;

static TOTALS: ProcessTotals = ProcessTotals {
    chunks_read: AtomicU64::new(0),
    chunks_shared: AtomicU64::new(0),
    bytes_read: AtomicU64::new(0),
    bytes_decoded: AtomicU64::new(0),
    cells_decoded: AtomicU64::new(0),
    pools: Mutex::new(Vec::new()),
};

/// The counters of this process.
pub fn totals() -> &'static ProcessTotals {
    &TOTALS
}

/// Counters of scans over all queries, and the pools that queries take memory from. Cheap to add to from any thread.
#[derive(Debug)]
pub struct ProcessTotals {
    chunks_read: AtomicU64,
    chunks_shared: AtomicU64,
    bytes_read: AtomicU64,
    bytes_decoded: AtomicU64,
    cells_decoded: AtomicU64,
    pools: Mutex<Vec<Weak<dyn MemoryPool>>>,
}

/// The counters at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TotalsSnapshot {
    /// Chunks that were fetched from stores.
    pub chunks_read: u64,
    /// Chunks that were wanted and had been fetched already, for a neighbouring partition.
    pub chunks_shared: u64,
    /// Encoded bytes of the chunks that were fetched.
    pub bytes_read: u64,
    /// Bytes of cells that were decoded.
    pub bytes_decoded: u64,
    /// Cells that were decoded.
    pub cells_decoded: u64,
}

/// Memory of all pools of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolTotals {
    /// Bytes that queries hold.
    pub reserved: u64,
    /// Bytes that they may hold, in pools that have a limit.
    pub limit: u64,
}

impl ProcessTotals {
    /// The counters now.
    pub fn snapshot(&self) -> TotalsSnapshot {
        TotalsSnapshot {
            chunks_read: self.chunks_read.load(Ordering::Relaxed),
            chunks_shared: self.chunks_shared.load(Ordering::Relaxed),
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            bytes_decoded: self.bytes_decoded.load(Ordering::Relaxed),
            cells_decoded: self.cells_decoded.load(Ordering::Relaxed),
        }
    }

    /// What the pools that are still there hold.
    pub fn pools(&self) -> PoolTotals {
        let pools: Vec<_> = self.pools.lock().iter().filter_map(Weak::upgrade).collect();
        let mut totals = PoolTotals::default();
        for pool in pools {
            totals.reserved = totals.reserved.saturating_add(pool.reserved() as u64);
            if let MemoryLimit::Finite(limit) = pool.memory_limit()
                && limit != usize::MAX
            {
                totals.limit = totals.limit.saturating_add(limit as u64);
            }
        }
        totals
    }

    /// Memory that is taken from this pool counts, for as long as there is the pool.
    pub fn watch_pool(&self, pool: &Arc<dyn MemoryPool>) {
        let pool = Arc::downgrade(pool);
        let mut pools = self.pools.lock();
        pools.retain(|known| known.strong_count() > 0 && !Weak::ptr_eq(known, &pool));
        pools.push(pool);
    }

    /// A chunk of so many encoded bytes came in.
    pub(crate) fn add_read(&self, bytes: u64) {
        self.chunks_read.fetch_add(1, Ordering::Relaxed);
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A chunk was there already.
    pub(crate) fn add_shared(&self) {
        self.chunks_shared.fetch_add(1, Ordering::Relaxed);
    }

    /// Cells were decoded.
    pub(crate) fn add_decoded(&self, cells: u64, bytes: u64) {
        self.cells_decoded.fetch_add(cells, Ordering::Relaxed);
        self.bytes_decoded.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer};

    use super::*;

    #[test]
    fn pools_count_while_they_are_there() {
        let totals = ProcessTotals {
            chunks_read: AtomicU64::new(0),
            chunks_shared: AtomicU64::new(0),
            bytes_read: AtomicU64::new(0),
            bytes_decoded: AtomicU64::new(0),
            cells_decoded: AtomicU64::new(0),
            pools: Mutex::new(Vec::new()),
        };
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1000));
        let boundless: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(usize::MAX));
        totals.watch_pool(&pool);
        totals.watch_pool(&pool);
        totals.watch_pool(&boundless);
        let held = [&pool, &boundless].map(|pool| {
            let held = MemoryConsumer::new("rows").register(pool);
            held.grow(100);
            held
        });
        assert_eq!(totals.pools(), PoolTotals { reserved: 200, limit: 1000 });
        drop((held, pool));
        assert_eq!(totals.pools(), PoolTotals::default());
    }
}
