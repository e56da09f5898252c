//! A cluster as the backend of sessions.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use quarray_engine::backend::Backend;

use crate::cluster::Scheduler;
use crate::cluster::delivery::deliver;
use crate::cluster::job::Order;
use crate::cluster::preparation::{plan_settings, prepared};
use crate::cluster::stages::{counted, stages_of};

/// Runs plans as jobs of a scheduler in this process.
#[derive(Debug, Clone)]
pub struct ClusterBackend {
    scheduler: Arc<Scheduler>,
    name: Option<String>,
    /// Held for as long as somebody uses the cluster: whoever counts its holders knows whether anybody does.
    #[allow(dead_code, reason = "held to be counted")]
    in_use: Option<Arc<()>>,
}

impl ClusterBackend {
    /// The jobs of this scheduler.
    pub fn new(scheduler: Arc<Scheduler>) -> Self {
        Self { scheduler, name: None, in_use: None }
    }

    /// The same, by the name of the cluster.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_string());
        self
    }

    /// The same, which is counted as a use of the cluster for as long as it is there.
    #[must_use]
    pub fn counted(mut self, uses: &Arc<()>) -> Self {
        self.in_use = Some(Arc::clone(uses));
        self
    }
}

#[async_trait]
impl Backend for ClusterBackend {
    async fn execute(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        Ok(deliver(Order { scheduler: Arc::clone(&self.scheduler), plan: prepared(plan)?, context }))
    }

    fn configure(&self, config: SessionConfig) -> SessionConfig {
        plan_settings(config)
    }

    fn describe(&self) -> String {
        match &self.name {
            Some(name) => format!("the cluster `{name}`"),
            None => format!("the cluster at {}", self.scheduler.address()),
        }
    }

    fn explain(&self, plan: &Arc<dyn ExecutionPlan>, config: &SessionConfig) -> Result<String> {
        let stages = stages_of(Arc::clone(plan), config.target_partitions())?;
        let count = counted(stages.lines().count(), "stage");
        Ok(format!("{}, since the session uses it, in {count}\n{stages}", self.describe()))
    }

    fn cluster(&self) -> Option<&str> {
        self.name.as_deref()
    }
}
