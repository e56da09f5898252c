//! Clusters by name: of this machine, and of executors that come from outside.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::RwLock;

use super::any_cluster::AnyCluster;
use super::controller::{Asked, Controller};
use crate::backend::ClusterBackend;
use crate::cluster::{
    ClusterError, ExecutorShape, LocalCluster, LocalClusterSettings, OutsideCluster, PlanCodec, Program,
    SchedulerSettings,
};
use crate::scaling::{Limits, Policy, ScalingMode};

/// What a cluster is created with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterSettings {
    /// Executors, at least, and at first.
    pub min: u32,
    /// Executors, at most.
    pub max: u32,
    /// What each of them has.
    pub shape: ExecutorShape,
    /// How long executors are without work until they go; chosen by how long they take to start where it is not told.
    pub idle_timeout: Option<Duration>,
}

/// The clusters of a process. What is dropped of them ends.
#[derive(Debug)]
pub struct LocalClusters {
    program: Program,
    codec: PlanCodec,
    directory: Option<PathBuf>,
    user: Limits,
    /// The address of the pages about them.
    dashboard: OnceLock<String>,
    clusters: RwLock<BTreeMap<String, Arc<NamedCluster>>>,
}

/// A cluster with its controller.
#[derive(Debug)]
pub(crate) struct NamedCluster {
    // The order of fields is that of their end: nobody starts executors of a cluster that is ending.
    pub controller: Controller,
    pub cluster: AnyCluster,
    /// Held by every backend that uses it.
    uses: Arc<()>,
}

/// What became of a cluster that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Removed,
    /// There is none of that name.
    Unknown,
    /// It is used in so many places, and still there.
    InUse(usize),
    /// It belongs to the server, and is still there.
    OfServer,
}

/// Executors of an outside cluster as long as nobody asks for another number.
const OUTSIDE_MAX: u32 = 64;

impl LocalClusters {
    /// No clusters yet. Executors are `program`, their files lie in `directory` (the system's place for temporary files by
    /// default), and of each cluster no more are started than `user` allows.
    pub fn new(program: Program, codec: PlanCodec, directory: Option<PathBuf>, user: Limits) -> Self {
        Self { program, codec, directory, user, dashboard: OnceLock::new(), clusters: RwLock::default() }
    }

    /// Starts a cluster, and waits for its first executors. `false`: there is one of that name.
    pub async fn create(&self, name: &str, settings: ClusterSettings) -> Result<bool, ClusterError> {
        let mut clusters = self.clusters.write().await;
        if clusters.contains_key(name) {
            return Ok(false);
        }
        let first = settings.min.min(self.user.max);
        let cluster = LocalCluster::start(LocalClusterSettings {
            executors: first as usize,
            shape: settings.shape,
            program: self.program.clone(),
            codec: Arc::clone(&self.codec),
            directory: self.directory.clone(),
        });
        let cluster = cluster.await?;
        let asked = Asked {
            mode: ScalingMode::Between { min: settings.min, max: settings.max },
            keeps_all: false,
            shape: settings.shape,
            policy: Policy { idle_timeout: settings.idle_timeout, ..Policy::default() },
            cluster: of_executors(settings.shape),
            user: self.user,
        };
        clusters.insert(name.to_string(), NamedCluster::controlled(AnyCluster::Local(cluster), asked));
        Ok(true)
    }

    /// Pages about these clusters are there, for `SHOW CLUSTERS` to tell. The first one told of stays.
    pub fn shown_at(&self, link: &str) {
        let _ = self.dashboard.set(link.to_string());
    }

    /// The address of the pages about them.
    pub fn dashboard(&self) -> Option<&str> {
        self.dashboard.get().map(String::as_str)
    }

    /// Listens for executors that come by themselves, and form a cluster. So many of them are wanted; without a number,
    /// all that come are kept. `false`: there is a cluster of that name.
    pub async fn open(
        &self,
        name: &str,
        settings: SchedulerSettings,
        counts: Option<(u32, u32)>,
    ) -> Result<bool, ClusterError> {
        let mut clusters = self.clusters.write().await;
        if clusters.contains_key(name) {
            return Ok(false);
        }
        let cluster = OutsideCluster::start(settings).await?;
        // Whoever starts executors decides what they have; as long as there is none, little is expected of them.
        let shape = ExecutorShape { cores: 1, memory: 0 };
        let (min, max) = counts.unwrap_or((0, OUTSIDE_MAX));
        let asked = Asked {
            mode: ScalingMode::Between { min, max },
            keeps_all: counts.is_none(),
            shape,
            policy: Policy::default(),
            cluster: of_executors(shape),
            // The limits of a user are about this machine.
            user: Limits::NONE,
        };
        clusters.insert(name.to_string(), NamedCluster::controlled(AnyCluster::Outside(cluster), asked));
        Ok(true)
    }

    /// How many executors there should be of a cluster.
    pub async fn wanted(&self, name: &str) -> Option<u32> {
        let wanted = self.get(name).await?.cluster.provider().wanted();
        Some(u32::try_from(wanted).unwrap_or(u32::MAX))
    }

    /// The names of all clusters, and the address of the scheduler of each.
    pub async fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let clusters = self.list().await;
        clusters.into_iter().map(|(name, cluster)| (name, cluster.cluster.scheduler().address())).collect()
    }

    /// Asks for another number of executors. `false`: there is no such cluster.
    pub async fn scale(&self, name: &str, mode: ScalingMode) -> bool {
        let cluster = self.get(name).await;
        cluster.map(|cluster| cluster.controller.ask(mode)).is_some()
    }

    /// Where plans run on a cluster.
    pub async fn backend(&self, name: &str) -> Option<ClusterBackend> {
        // Counted under the lock: whoever removes it counts too.
        let clusters = self.clusters.read().await;
        clusters.get(name).map(|cluster| cluster.cluster.backend().named(name).counted(&cluster.uses))
    }

    /// Lets the executors of a cluster leave that nobody uses.
    pub async fn remove(&self, name: &str) -> Removal {
        let mut clusters = self.clusters.write().await;
        let Some(cluster) = clusters.get(name) else {
            return Removal::Unknown;
        };
        // Nobody begins to use it now: that takes the lock too.
        let uses = Arc::strong_count(&cluster.uses) - 1;
        if matches!(cluster.cluster, AnyCluster::Outside(_)) {
            return Removal::OfServer;
        }
        if uses > 0 {
            return Removal::InUse(uses);
        }
        let removed = clusters.remove(name);
        drop(clusters);
        if let Some(cluster) = removed {
            leave(cluster).await;
        }
        Removal::Removed
    }

    /// Ends all of them.
    pub async fn shut_down(&self) {
        let clusters = std::mem::take(&mut *self.clusters.write().await);
        futures::future::join_all(clusters.into_values().map(leave)).await;
    }

    pub(super) async fn get(&self, name: &str) -> Option<Arc<NamedCluster>> {
        self.clusters.read().await.get(name).cloned()
    }

    /// The names of the clusters; none while one is being made or ended.
    pub fn names_at_once(&self) -> Vec<String> {
        self.clusters.try_read().map(|clusters| clusters.keys().cloned().collect()).unwrap_or_default()
    }

    pub(crate) async fn list(&self) -> Vec<(String, Arc<NamedCluster>)> {
        self.clusters.read().await.iter().map(|(name, cluster)| (name.clone(), Arc::clone(cluster))).collect()
    }
}

impl NamedCluster {
    fn controlled(cluster: AnyCluster, asked: Asked) -> Arc<Self> {
        let controller = Controller::start(Arc::clone(cluster.scheduler()), cluster.provider(), asked);
        Arc::new(Self { controller, cluster, uses: Arc::default() })
    }
}

/// No limits but that of the cores of an executor.
fn of_executors(shape: ExecutorShape) -> Limits {
    Limits { cores_each: u32::try_from(shape.cores).unwrap_or(u32::MAX), ..Limits::NONE }
}

async fn leave(cluster: Arc<NamedCluster>) {
    // Where somebody looks at it this very moment, it ends a moment later, when it is dropped.
    if let Some(NamedCluster { controller, cluster, .. }) = Arc::into_inner(cluster) {
        drop(controller);
        cluster.shut_down().await;
    }
}
