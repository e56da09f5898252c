//! What schedulers tell: jobs, tasks that wait, executors that are there and that are wanted.

use std::sync::Arc;

use async_trait::async_trait;

use super::MetricSource;
use super::families::Families;
use crate::cluster::Scheduler;
use crate::control::{JobWatch, LocalClusters};

/// One scheduler, under a name.
#[derive(Debug)]
pub struct SchedulerSource {
    name: String,
    scheduler: Arc<Scheduler>,
}

impl SchedulerSource {
    /// This scheduler.
    pub fn new(name: &str, scheduler: Arc<Scheduler>) -> Self {
        Self { name: name.to_string(), scheduler }
    }
}

#[async_trait]
impl MetricSource for SchedulerSource {
    async fn read(&self, into: &mut Families) {
        tell(&self.name, &self.scheduler, into).await;
    }
}

/// All clusters of a process.
#[derive(Debug)]
pub struct ClustersSource {
    clusters: Arc<LocalClusters>,
}

impl ClustersSource {
    /// These clusters.
    pub fn new(clusters: Arc<LocalClusters>) -> Self {
        Self { clusters }
    }
}

#[async_trait]
impl MetricSource for ClustersSource {
    async fn read(&self, into: &mut Families) {
        for (name, cluster) in self.clusters.list().await {
            tell(&name, cluster.cluster.scheduler(), into).await;
            if let Some(desired) = cluster.controller.desired() {
                let help = "Executors that a cluster is to have, as its scaling has decided.";
                into.gauge("quarray_executors_desired", help, &[("cluster", &name)], f64::from(desired));
            }
        }
    }
}

async fn tell(name: &str, scheduler: &Scheduler, into: &mut Families) {
    let labels = [("cluster", name)];
    let jobs = JobWatch::default().look(scheduler).await;
    let waiting: u64 =
        jobs.work.iter().map(|job| job.remaining_partitions.saturating_sub(job.running_partitions)).sum();
    let running: u64 = jobs.tasks.values().map(|&tasks| u64::from(tasks)).sum();
    let cores = scheduler.cores().await;
    let gauges = [
        ("quarray_jobs_running", "Jobs of a cluster that are not over.", jobs.work.len() as u64),
        ("quarray_partitions_waiting", "Partitions of jobs that could run and wait for a core.", waiting),
        ("quarray_cluster_tasks_running", "Tasks that run on the executors of a cluster.", running),
        (
            "quarray_executors_live",
            "Executors that have registered with the scheduler of a cluster.",
            scheduler.state().executors().await.len() as u64,
        ),
        (
            "quarray_cores",
            "Cores of the executors of a cluster.",
            cores.iter().map(|cores| u64::from(cores.total)).sum(),
        ),
        (
            "quarray_cores_free",
            "Cores of the executors of a cluster that run nothing.",
            cores.iter().map(|cores| u64::from(cores.free)).sum(),
        ),
    ];
    for (name, help, value) in gauges {
        into.gauge(name, help, &labels, value as f64);
    }
}
