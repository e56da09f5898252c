//! Free cores while tasks are bound, and what the bound tasks hold of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ballista_core::JobId;
use ballista_core::error::Result;
use ballista_core::serde::scheduler::{ExecutorData, ExecutorMetadata};
use ballista_scheduler::cluster::memory::InMemoryClusterState;
use ballista_scheduler::cluster::{BoundTask, ClusterState};
use ballista_scheduler::config::TaskDistributionPolicy;

use super::guarded_state::RunningJobs;

/// What a job may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub cores: u32,
    /// Partitions for each of them.
    pub slice: u32,
}

/// Executors and their free cores, while tasks are bound.
#[derive(Default)]
pub(super) struct Budgets {
    pub total: u32,
    pub free: BTreeMap<String, (ExecutorMetadata, u32)>,
}

impl Budgets {
    /// All cores of an executor.
    pub fn cores_of(&self, id: &str) -> Option<u32> {
        self.free.get(id).map(|(executor, _)| executor.specification.vcores)
    }

    /// The cores that each of so many jobs can claim, if there are jobs and free cores.
    pub fn share(&self, jobs: usize) -> Option<u32> {
        let jobs = u32::try_from(jobs).unwrap_or(u32::MAX);
        let has_free = self.free.values().any(|(_, free)| *free > 0);
        (jobs > 0 && has_free).then(|| self.total.div_ceil(jobs).max(1))
    }

    /// Binds tasks of one job. A task takes the cores that its partitions need where each core gets a slice of them: by
    /// these an executor measures the memory of a task, and Ballista would count its partitions.
    pub async fn bind(
        &mut self,
        distribution: &TaskDistributionPolicy,
        jobs: &RunningJobs,
        id: &JobId,
        allowance: Allowance,
    ) -> Result<Vec<BoundTask>> {
        let offered = self.offer(allowance.cores);
        let Some(job) = jobs.get(id).filter(|_| !offered.is_empty()) else {
            return Ok(Vec::new());
        };
        // What binds tasks in Ballista cannot be called but through a state that has just these executors.
        let scratch = InMemoryClusterState::default();
        for (executor_id, cores) in offered {
            if let Some((metadata, _)) = self.free.get(&executor_id) {
                let partitions = cores.saturating_mul(allowance.slice);
                let data = ExecutorData { executor_id, total_vcores: partitions, available_vcores: partitions };
                scratch.register_executor(metadata.clone(), data).await?;
            }
        }
        let only = Arc::new(HashMap::from([(id.clone(), job.clone())]));
        let mut bound = scratch.bind_schedulable_tasks(distribution.clone(), only, None).await?;
        for (executor, task) in &mut bound {
            if let Some((_, free)) = self.free.get_mut(executor) {
                // Tasks of several stages may begin a slice each where there is room for one.
                task.vcores_consumed = task.vcores_consumed.div_ceil(allowance.slice.max(1)).min(*free).max(1);
                *free = free.saturating_sub(task.vcores_consumed);
            }
        }
        Ok(bound)
    }

    /// So many of the free cores, spread over the executors with most of them.
    fn offer(&self, allowance: u32) -> BTreeMap<String, u32> {
        let free = self.free.iter().filter(|(_, (_, free))| *free > 0);
        let mut left: BTreeMap<&String, u32> = free.map(|(id, (_, free))| (id, *free)).collect();
        if u64::from(allowance) >= left.values().map(|free| u64::from(*free)).sum() {
            return left.into_iter().map(|(id, free)| (id.clone(), free)).collect();
        }
        let mut offered = BTreeMap::new();
        for _ in 0..allowance {
            let most = left.iter_mut().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(a.0)));
            if let Some((id, free)) = most.filter(|(_, free)| **free > 0) {
                *free -= 1;
                *offered.entry((*id).clone()).or_default() += 1;
            }
        }
        offered
    }
}
