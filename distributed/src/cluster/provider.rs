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

/// How an executor comes to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It was started here.
    Started,
    /// It is wished for, and nobody has come yet.
    Awaited,
    /// It was wished for, and has come.
    Answered,
    /// It has come by itself.
    Unasked,
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
    /// When it was started or wished for, or else when it came.
    pub started: Instant,
    /// How it comes to be there.
    pub arrival: Arrival,
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

    /// How many executors there should be: all but those that were told to stop.
    fn wanted(&self) -> usize {
        self.list().len()
    }

    /// What executors have, where whoever starts them chooses it and it is known.
    fn shape(&self) -> Option<ExecutorShape> {
        None
    }

    /// Memory that an executor has in use, where it is known.
    fn used_bytes(&self, executor: &ProvidedExecutor) -> Option<u64> {
        executor.process.and_then(resident_bytes)
    }
}

/// Memory of a process, where the system tells it.
pub(crate) fn resident_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes.saturating_mul(1024))
}
