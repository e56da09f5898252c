//! When the partitions of a scan worked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The times of every partition that is here.
#[derive(Debug, Clone)]
pub struct PartitionTimes(Arc<[Times]>);

/// Milliseconds since 1970; 0 where it has not come to that.
#[derive(Debug, Default)]
struct Times {
    started: AtomicU64,
    ended: AtomicU64,
}

/// A partition that has begun to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionSpan {
    /// Its place in the plan.
    pub partition: usize,
    /// When it began, in milliseconds since 1970.
    pub started: u64,
    /// When it ended, if it has.
    pub ended: Option<u64>,
}

/// Tells the times of one partition, the last one when it is dropped.
#[derive(Debug)]
pub(super) struct PartitionClock {
    times: PartitionTimes,
    partition: usize,
    first_asked: u64,
    has_started: bool,
}

impl PartitionTimes {
    /// Nothing has begun yet.
    pub(super) fn new(partitions: usize) -> Self {
        Self((0..partitions).map(|_| Times::default()).collect())
    }

    /// The partitions that have begun.
    pub fn spans(&self) -> Vec<PartitionSpan> {
        let spans = self.0.iter().enumerate().filter_map(|(partition, times)| {
            let started = Some(times.started.load(Ordering::Relaxed)).filter(|&moment| moment > 0)?;
            let ended = Some(times.ended.load(Ordering::Relaxed)).filter(|&moment| moment > 0);
            Some(PartitionSpan { partition, started, ended })
        });
        spans.collect()
    }

    pub(super) fn clock(&self, partition: usize) -> PartitionClock {
        PartitionClock { times: self.clone(), partition, first_asked: 0, has_started: false }
    }
}

impl PartitionClock {
    /// The next block is asked for. The first one is fetched before it is the partition's turn to work: it has begun when
    /// the second is asked for.
    pub(super) fn asked(&mut self) {
        if self.has_started {
            return;
        }
        if self.first_asked == 0 {
            self.first_asked = now();
            return;
        }
        self.has_started = true;
        if let Some(times) = self.times.0.get(self.partition) {
            times.started.store(now(), Ordering::Relaxed);
        }
    }
}

impl Drop for PartitionClock {
    fn drop(&mut self) {
        if self.first_asked == 0 {
            return;
        }
        if let Some(times) = self.times.0.get(self.partition) {
            if !self.has_started {
                times.started.store(self.first_asked, Ordering::Relaxed);
            }
            times.ended.store(now(), Ordering::Relaxed);
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
