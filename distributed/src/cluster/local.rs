//! A cluster of this machine for one session: gone with it, without a trace.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

use super::PlanCodec;
use super::error::ClusterError;
use super::processes::{LocalProcesses, Program};
use super::provider::{ExecutorProvider, ExecutorShape, Stop};
use super::scheduler::{Scheduler, SchedulerSettings};
use crate::backend::ClusterBackend;

/// Threads of the scheduler: they are never those of queries, which may keep all of theirs busy.
const THREADS: usize = 2;

/// Executors register in this time, or the cluster does not start.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// How long an executor that leaves may take.
const LEAVE_PATIENCE: Duration = Duration::from_secs(3);

/// What a cluster is started with.
#[derive(Clone)]
pub struct LocalClusterSettings {
    /// How many executors there are at first.
    pub executors: usize,
    /// What each of them has.
    pub shape: ExecutorShape,
    /// The program that they are.
    pub program: Program,
    /// The codec of plans.
    pub codec: PlanCodec,
    /// Where its files are; the system's place for temporary files by default.
    pub directory: Option<PathBuf>,
}

impl LocalClusterSettings {
    /// The same, with its files there.
    #[must_use]
    pub fn in_directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_path_buf());
        self
    }
}

/// A scheduler in this process, and executors that are children of it.
#[derive(Debug)]
pub struct LocalCluster {
    // The order of fields is that of their end: executors first, their scheduler then, its threads last.
    provider: Arc<LocalProcesses>,
    scheduler: Arc<Scheduler>,
    threads: Threads,
    shape: ExecutorShape,
}

impl LocalCluster {
    /// Starts a scheduler and executors, and waits for them.
    pub async fn start(settings: LocalClusterSettings) -> Result<Self, ClusterError> {
        let threads = Threads::start()?;
        let scheduler = threads.run(Scheduler::start(SchedulerSettings::new(settings.codec))).await?;
        let provider = Arc::new(LocalProcesses::new(settings.program, Arc::clone(&scheduler), settings.directory)?);
        let cluster = Self { provider, scheduler, threads, shape: settings.shape };
        for _ in 0..settings.executors {
            cluster.provider.start(settings.shape).await?;
        }
        cluster.wait(settings.executors).await?;
        Ok(cluster)
    }

    /// Waits until so many executors are ready for work.
    pub async fn wait(&self, executors: usize) -> Result<(), ClusterError> {
        let (scheduler, provider) = (Arc::clone(&self.scheduler), Arc::clone(&self.provider));
        let wait = async move {
            tokio::select! {
                ready = scheduler.wait_for_executors(executors, START_PATIENCE) => ready,
                // One that has ended will not register any more: its last words tell why.
                ended = provider.fewer_than(executors) => Err(ended),
            }
        };
        self.threads.run(wait).await
    }

    /// Where plans of a session run.
    pub fn backend(&self) -> ClusterBackend {
        ClusterBackend::new(Arc::clone(&self.scheduler))
    }

    /// The scheduler.
    pub fn scheduler(&self) -> &Arc<Scheduler> {
        &self.scheduler
    }

    /// Who starts and stops its executors.
    pub fn provider(&self) -> &Arc<LocalProcesses> {
        &self.provider
    }

    /// What an executor has.
    pub fn shape(&self) -> ExecutorShape {
        self.shape
    }

    /// Lets the executors leave.
    pub async fn shut_down(self) {
        let provider = Arc::clone(&self.provider);
        let leave = async move {
            let executors = provider.list();
            let leaving =
                executors.iter().map(|executor| provider.stop(&executor.id, Stop::Gracefully, LEAVE_PATIENCE));
            // One that is not there any more has left by itself.
            futures::future::join_all(leaving).await;
            Ok(())
        };
        // Those that do not leave are stopped when `self` is dropped.
        let _ = self.threads.run(leave).await;
    }
}

/// Threads that end when they are dropped, even on a thread of another runtime.
#[derive(Debug)]
pub(crate) struct Threads(Mutex<Option<Runtime>>);

impl Threads {
    pub(crate) fn start() -> Result<Self, ClusterError> {
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).thread_name("cluster").enable_all().build();
        Ok(Self(Mutex::new(Some(runtime.map_err(ClusterError::system("start threads"))?))))
    }

    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ClusterError>> + Send + 'static,
    ) -> Result<T, ClusterError> {
        let task = self.0.lock().as_ref().map(|runtime| runtime.spawn(work)).ok_or(ClusterError::Closed)?;
        task.await.map_err(|error| ClusterError::Ballista(error.to_string()))?
    }

    /// Work that nobody waits for.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = self.0.lock().as_ref() {
            runtime.spawn(work);
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.lock().take() {
            runtime.shutdown_background();
        }
    }
}
