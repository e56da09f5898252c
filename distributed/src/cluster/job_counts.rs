//! How many jobs a scheduler was given, and how many of their answers were not believed.

use std::sync::atomic::{AtomicU64, Ordering};

/// The jobs of a scheduler, counted.
#[derive(Debug, Default)]
pub struct JobCounts {
    begun: AtomicU64,
    distrusted: AtomicU64,
}

impl JobCounts {
    /// Jobs that were begun: a query is one, and one more for every time that it had to run again.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Jobs whose answer was thrown away, since a part of them ran again and may have counted twice.
    pub fn distrusted(&self) -> u64 {
        self.distrusted.load(Ordering::Relaxed)
    }

    pub(super) fn note_begun(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_distrusted(&self) {
        self.distrusted.fetch_add(1, Ordering::Relaxed);
    }
}
