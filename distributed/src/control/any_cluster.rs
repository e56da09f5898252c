//! A cluster, whoever starts its executors.

use std::sync::Arc;

use crate::backend::ClusterBackend;
use crate::cluster::{ExecutorProvider, LocalCluster, OutsideCluster, Scheduler};

/// A cluster of either kind.
#[derive(Debug)]
pub enum AnyCluster {
    /// Its executors are processes that are started here.
    Local(LocalCluster),
    /// Its executors come by themselves.
    Outside(OutsideCluster),
}

impl AnyCluster {
    /// The scheduler.
    pub fn scheduler(&self) -> &Arc<Scheduler> {
        match self {
            Self::Local(cluster) => cluster.scheduler(),
            Self::Outside(cluster) => cluster.scheduler(),
        }
    }

    /// Who starts and stops its executors, or wishes for them.
    pub fn provider(&self) -> Arc<dyn ExecutorProvider> {
        match self {
            Self::Local(cluster) => Arc::clone(cluster.provider()) as _,
            Self::Outside(cluster) => Arc::clone(cluster.provider()) as _,
        }
    }

    /// Where plans of a session run.
    pub fn backend(&self) -> ClusterBackend {
        match self {
            Self::Local(cluster) => cluster.backend(),
            Self::Outside(cluster) => cluster.backend(),
        }
    }

    /// Lets executors that were started here leave. Those that came by themselves wait for the next scheduler.
    pub async fn shut_down(self) {
        match self {
            Self::Local(cluster) => cluster.shut_down().await,
            Self::Outside(cluster) => drop(cluster),
        }
    }
}
