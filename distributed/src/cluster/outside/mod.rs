//! A cluster whose executors are started by someone else: by hand, by systemd, by Kubernetes.
//!
//! They come to the address of its scheduler (`quarray executor --scheduler HOST:PORT`). [`OutsideExecutors`] is their
//! provider: what it is asked to start it wishes for, and tells how many executors are wanted to whoever starts them.

mod name;
mod places;
mod provider;

use std::sync::Arc;
use std::time::Duration;

pub use name::executor_name;
pub use provider::OutsideExecutors;

use super::error::ClusterError;
use super::local::Threads;
use super::scheduler::{Scheduler, SchedulerSettings};
use crate::backend::ClusterBackend;

/// When all executors were lost, jobs wait so long for the next: whoever starts it may need a machine for it first.
const NO_EXECUTORS_GRACE: Duration = Duration::from_secs(600);

/// A scheduler in this process, and the executors that have come to it. They outlive it, and come to its successor.
#[derive(Debug)]
pub struct OutsideCluster {
    // The order of fields is that of their end.
    provider: Arc<OutsideExecutors>,
    scheduler: Arc<Scheduler>,
    _threads: Threads,
}

impl OutsideCluster {
    /// Listens for executors; nobody needs to be there yet.
    pub async fn start(settings: SchedulerSettings) -> Result<Self, ClusterError> {
        let threads = Threads::start()?;
        let settings = SchedulerSettings { no_executors_grace: NO_EXECUTORS_GRACE, ..settings };
        let scheduler = threads.run(Scheduler::start(settings)).await?;
        let provider = Arc::new(OutsideExecutors::new(Arc::clone(&scheduler)));
        Ok(Self { provider, scheduler, _threads: threads })
    }

    /// Where plans of a session run.
    pub fn backend(&self) -> ClusterBackend {
        ClusterBackend::new(Arc::clone(&self.scheduler))
    }

    /// The scheduler.
    pub fn scheduler(&self) -> &Arc<Scheduler> {
        &self.scheduler
    }

    /// Who knows its executors.
    pub fn provider(&self) -> &Arc<OutsideExecutors> {
        &self.provider
    }
}
