//! Who starts executors and stops them.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::error::ClusterError;

/// What an executor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutorShape {
    /// Cores for tasks.
    pub cores: usize,
    /// Bytes that tasks may hold at once.
    pub memory: u64,
}

/// How an executor is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It takes leave of the scheduler, and goes. What it holds of shuffled data goes with it.
    Gracefully,
    /// At once.
    Now,
}

/// An executor of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvidedExecutor {
    /// Its name, here and with the scheduler.
    pub id: String,
    /// The number of its process, where it is one of this machine.
    pub process: Option<u32>,
    /// What it has.
    pub shape: ExecutorShape,
    /// When it was started.
    pub started: Instant,
}

/// Starts and stops executors somewhere: as processes of this machine, as pods.
#[async_trait]
pub trait ExecutorProvider: Debug + Send + Sync {
    /// Starts an executor; its name. It registers with the scheduler by itself, some time later.
    async fn start(&self, shape: ExecutorShape) -> Result<String, ClusterError>;

    /// Stops an executor and waits until it is gone, for at most as long as `patience`: then it is stopped at once.
    async fn stop(&self, id: &str, how: Stop, patience: Duration) -> Result<(), ClusterError>;

    /// The executors that have been started and are not gone.
    fn list(&self) -> Vec<ProvidedExecutor>;
}
