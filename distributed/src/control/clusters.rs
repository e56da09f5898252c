//! Clusters of this machine, by name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::RwLock;

use super::controller::{Asked, Controller};
use crate::backend::ClusterBackend;
use crate::cluster::{ClusterError, ExecutorShape, LocalCluster, LocalClusterSettings, PlanCodec, Program};
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
    clusters: RwLock<BTreeMap<String, Arc<NamedCluster>>>,
}

/// A cluster with its controller.
#[derive(Debug)]
pub(super) struct NamedCluster {
    // The order of fields is that of their end: nobody starts executors of a cluster that is ending.
    pub controller: Controller,
    pub cluster: LocalCluster,
}

impl LocalClusters {
    /// No clusters yet. Executors are `program`, their files lie in `directory` (the system's place for temporary files by
    /// default), and of each cluster no more are started than `user` allows.
    pub fn new(program: Program, codec: PlanCodec, directory: Option<PathBuf>, user: Limits) -> Self {
        Self { program, codec, directory, user, clusters: RwLock::default() }
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
            shape: settings.shape,
            policy: Policy { idle_timeout: settings.idle_timeout, ..Policy::default() },
            cluster: Limits {
                min: 0,
                max: u32::MAX,
                cores_each: u32::try_from(settings.shape.cores).unwrap_or(u32::MAX),
                cores_total: None,
            },
            user: self.user,
        };
        let provider = Arc::clone(cluster.provider());
        let controller = Controller::start(Arc::clone(cluster.scheduler()), provider, asked);
        clusters.insert(name.to_string(), Arc::new(NamedCluster { controller, cluster }));
        Ok(true)
    }

    /// Asks for another number of executors. `false`: there is no such cluster.
    pub async fn scale(&self, name: &str, mode: ScalingMode) -> bool {
        let cluster = self.get(name).await;
        cluster.map(|cluster| cluster.controller.ask(mode)).is_some()
    }

    /// Where plans run on a cluster.
    pub async fn backend(&self, name: &str) -> Option<ClusterBackend> {
        self.get(name).await.map(|cluster| cluster.cluster.backend().named(name))
    }

    /// Lets the executors of a cluster leave. `false`: there is no such cluster.
    pub async fn remove(&self, name: &str) -> bool {
        let cluster = self.clusters.write().await.remove(name);
        let is_there = cluster.is_some();
        if let Some(cluster) = cluster {
            leave(cluster).await;
        }
        is_there
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

    pub(super) async fn list(&self) -> Vec<(String, Arc<NamedCluster>)> {
        self.clusters.read().await.iter().map(|(name, cluster)| (name.clone(), Arc::clone(cluster))).collect()
    }
}

async fn leave(cluster: Arc<NamedCluster>) {
    // Where somebody looks at it this very moment, it ends a moment later, when it is dropped.
    if let Some(NamedCluster { controller, cluster }) = Arc::into_inner(cluster) {
        drop(controller);
        cluster.shut_down().await;
    }
}
