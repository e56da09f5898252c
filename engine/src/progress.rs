//! How far a query is: counters that operators add to and a shell reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one query. Cheap to add to from any thread.
#[derive(Debug, Default)]
pub struct Progress {
    work_total: AtomicU64,
    work_done: AtomicU64,
    bytes_read: AtomicU64,
    bytes_decoded: AtomicU64,
}

/// The counters at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProgressSnapshot {
    /// Cells that the query has to read, as far as is known yet.
    pub work_total: u64,
    /// Cells read so far.
    pub work_done: u64,
    /// Encoded bytes fetched so far.
    pub bytes_read: u64,
    /// Decoded bytes so far.
    pub bytes_decoded: u64,
}

impl Progress {
    /// The counters now.
    pub fn snapshot(&self) -> ProgressSnapshot {
        ProgressSnapshot {
            work_total: self.work_total.load(Ordering::Relaxed),
            work_done: self.work_done.load(Ordering::Relaxed),
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            bytes_decoded: self.bytes_decoded.load(Ordering::Relaxed),
        }
    }

    /// More cells will have to be read.
    pub fn plan_work(&self, cells: u64) {
        self.work_total.fetch_add(cells, Ordering::Relaxed);
    }

    /// Encoded bytes came in.
    pub fn add_read(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Cells were decoded.
    pub fn add_decoded(&self, cells: u64, bytes: u64) {
        self.work_done.fetch_add(cells, Ordering::Relaxed);
        self.bytes_decoded.fetch_add(bytes, Ordering::Relaxed);
    }
}
