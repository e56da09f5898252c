//! The most that each operator held of the memory pool.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, human_readable_size,
};
use parking_lot::Mutex;

/// A memory pool that hands everything on to another, and keeps for every name of a consumer (an operator, whatever the
/// partition) the most that its reservations had at once.
#[derive(Debug)]
pub struct PeakMemory {
    pool: Arc<dyn MemoryPool>,
    consumers: Mutex<Consumers>,
}

/// What consumers hold, by their names, and all of them together.
#[derive(Debug, Default)]
struct Consumers {
    by_name: BTreeMap<String, Held>,
    all: Held,
}

/// Bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Held {
    now: usize,
    peak: usize,
}

impl PeakMemory {
    /// Over this pool.
    pub fn new(pool: Arc<dyn MemoryPool>) -> Self {
        Self { pool, consumers: Mutex::default() }
    }

    /// The peaks, one line each, the greatest first.
    pub fn table(&self) -> String {
        let consumers = self.consumers.lock();
        let mut peaks: Vec<(&String, usize)> = consumers.by_name.iter().map(|(name, held)| (name, held.peak)).collect();
        peaks.retain(|(_, peak)| *peak > 0);
        peaks.sort_by_key(|&(_, peak)| std::cmp::Reverse(peak));
        let lines = peaks.into_iter().map(|(name, peak)| format!("  {name}: {}\n", human_readable_size(peak)));
        lines.collect()
    }

    /// The most that all consumers held at once.
    pub fn peak(&self) -> usize {
        self.consumers.lock().all.peak
    }

    fn change(&self, reservation: &MemoryReservation, change: impl Fn(usize) -> usize) {
        let name = operator(reservation.consumer().name());
        let mut consumers = self.consumers.lock();
        if !consumers.by_name.contains_key(name) {
            consumers.by_name.insert(name.to_string(), Held::default());
        }
        let Consumers { by_name, all } = &mut *consumers;
        for held in by_name.get_mut(name).into_iter().chain([all]) {
            held.now = change(held.now);
            held.peak = held.peak.max(held.now);
        }
    }
}

/// The name without the partition: `SortExec[3]` is `SortExec`.
fn operator(name: &str) -> &str {
    name.split_once('[').map_or(name, |(operator, _)| operator).trim_end()
}

impl fmt::Display for PeakMemory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.pool)
    }
}

impl MemoryPool for PeakMemory {
    fn name(&self) -> &str {
        self.pool.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.pool.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.pool.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.pool.grow(reservation, additional);
        self.change(reservation, |now| now.saturating_add(additional));
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.pool.shrink(reservation, shrink);
        self.change(reservation, |now| now.saturating_sub(shrink));
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.pool.try_grow(reservation, additional)?;
        self.change(reservation, |now| now.saturating_add(additional));
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.pool.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.pool.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    #[test]
    fn the_most_of_all_partitions_at_once_is_kept() -> Result<()> {
        let peaks = Arc::new(PeakMemory::new(Arc::new(GreedyMemoryPool::new(1 << 30))));
        let pool = Arc::clone(&peaks) as Arc<dyn MemoryPool>;
        let reserve = |name: &str| MemoryConsumer::new(name).register(&pool);
        let (first, second, other) = (reserve("SortExec[0]"), reserve("SortExec[1]"), reserve("blocks"));
        first.try_grow(3 << 20)?;
        second.try_grow(4 << 20)?;
        drop(first);
        second.try_grow(1 << 20)?;
        other.grow(100);
        assert!(other.try_grow(2 << 30).is_err());
        assert_eq!(peaks.table(), "  SortExec: 7.0 MB\n  blocks: 100.0 B\n");
        assert_eq!(peaks.peak(), 7 << 20);
        drop((second, other));
        assert_eq!(pool.reserved(), 0);
        Ok(())
    }
}
