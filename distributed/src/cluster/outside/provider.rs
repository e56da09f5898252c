//! The provider of executors that somebody else starts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ballista_core::serde::protobuf::executor_metric::Metric;
use ballista_scheduler::cluster::ClusterState;
use parking_lot::Mutex;

use super::places::Places;
use crate::cluster::error::ClusterError;
use crate::cluster::provider::{ExecutorProvider, ExecutorShape, ProvidedExecutor, Stop};
use crate::cluster::scheduler::Scheduler;

/// How often it is looked whether an executor that was told to stop has left.
const POLL: Duration = Duration::from_millis(20);

/// What an executor is told that is not wanted any more.
const REASON: &str = "the cluster needs fewer executors";

/// Knows who has registered with a scheduler, and how many executors are wanted.
pub struct OutsideExecutors {
    scheduler: Arc<Scheduler>,
    places: Mutex<Places>,
}

impl fmt::Debug for OutsideExecutors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OutsideExecutors").field("wanted", &self.wanted()).finish_non_exhaustive()
    }
}

impl OutsideExecutors {
    /// The executors of this scheduler.
    pub fn new(scheduler: Arc<Scheduler>) -> Self {
        Self { scheduler, places: Mutex::default() }
    }

    /// What is remembered, as of now.
    fn places(&self) -> parking_lot::MutexGuard<'_, Places> {
        let mut places = self.places.lock();
        places.follow(self.scheduler.state().members());
        places
    }
}

#[async_trait]
impl ExecutorProvider for OutsideExecutors {
    /// Wishes for an executor. The name is that of the wish: whoever comes has one of its own.
    async fn start(&self, shape: ExecutorShape) -> Result<String, ClusterError> {
        Ok(self.places().wish(shape))
    }

    async fn stop(&self, id: &str, _how: Stop, patience: Duration) -> Result<(), ClusterError> {
        {
            let mut places = self.places();
            if places.forget_wish(id) {
                return Ok(());
            }
            if !places.stops(id) {
                return Err(ClusterError::Unknown(id.to_string()));
            }
        }
        self.scheduler.state().dismiss(id);
        let ask = async {
            // One that cannot be reached is not waited for: it was dismissed, and gets no work.
            self.scheduler.server().state.executor_manager.stop_executor(id, REASON.to_string()).await;
            self.scheduler.executor_ended(id, REASON).await?;
            while self.places().list().iter().any(|executor| executor.id == id) {
                tokio::time::sleep(POLL).await;
            }
            Ok(())
        };
        // One that takes longer is not worked with, and its silence will be noticed.
        tokio::time::timeout(patience, ask).await.unwrap_or(Ok(()))
    }

    fn list(&self) -> Vec<ProvidedExecutor> {
        self.places().list()
    }

    fn wanted(&self) -> usize {
        self.places().wanted()
    }

    fn shape(&self) -> Option<ExecutorShape> {
        self.places().shape()
    }

    fn used_bytes(&self, executor: &ProvidedExecutor) -> Option<u64> {
        let heartbeat = self.scheduler.state().get_executor_heartbeat(&executor.id)?;
        heartbeat.metrics.into_iter().find_map(|metric| match metric.metric {
            Some(Metric::ProcPhysicalMemory(bytes)) => Some(bytes),
            _ => None,
        })
    }
}
