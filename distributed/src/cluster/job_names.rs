//! How a scheduler names its jobs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use ballista_scheduler::scheduler_server::JobIdGenerator;

/// Names of jobs, whose order is that of submission.
pub(super) struct JobNames {
    started_ms: u128,
    last: AtomicU64,
}

impl JobNames {
    /// Names of a scheduler that starts now.
    pub(super) fn new() -> Self {
        let started_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Self { started_ms, last: AtomicU64::new(0) }
    }
}

#[async_trait]
impl JobIdGenerator for JobNames {
    async fn next_id(&self) -> String {
        // Executors may outlive a scheduler: the next one must not give the same names.
        format!("job-{:x}-{:08}", self.started_ms, self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }
}
