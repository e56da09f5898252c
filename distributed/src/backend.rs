//! A cluster as the backend of sessions.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::streaming::StreamingTableExec;
use datafusion::prelude::SessionConfig;
use futures::future::BoxFuture;
use quarray_engine::backend::{Backend, Local};

use crate::cluster::Scheduler;
use crate::cluster::delivery::deliver;
use crate::cluster::job::{Order, Tries};
use crate::cluster::preparation::{plan_settings, prepared};
use crate::cluster::stages::{counted, stages_of};

/// Runs plans as jobs of a scheduler in this process.
#[derive(Debug, Clone)]
pub struct ClusterBackend {
    scheduler: Arc<Scheduler>,
    name: Option<String>,
    /// Held for as long as somebody uses the cluster: whoever counts its holders knows whether anybody does.
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

    /// Where it runs a plan and in what stages, for `EXPLAIN`, with the reason that it runs there.
    pub fn explain_because(&self, plan: &Arc<dyn ExecutionPlan>, config: &SessionConfig, why: &str) -> Result<String> {
        let stages = stages_of(Arc::clone(plan), config.target_partitions())?;
        let count = counted(stages.lines().count(), "stage");
        Ok(format!("{}, since {why}, in {count}\n{stages}", self.describe()))
    }

    fn order(&self, plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<Order> {
        let (scheduler, in_use) = (Arc::clone(&self.scheduler), self.in_use.clone());
        Ok(Order { scheduler, plan: prepared(plan)?, context, in_use })
    }
}

#[async_trait]
impl Backend for ClusterBackend {
    async fn execute(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        match is_for_this_process(plan.as_ref()) {
            true => Local.execute(plan, context).await,
            false => Ok(deliver(self.order(plan, context)?)),
        }
    }

    fn readied(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        if is_for_this_process(plan.as_ref()) { Local.readied(plan) } else { Ok(plan) }
    }

    fn place(&self, plan: &Arc<dyn ExecutionPlan>) -> String {
        match is_for_this_process(plan.as_ref()) {
            true => Local.place(plan),
            false => self.cluster().map_or_else(|| self.describe(), str::to_string),
        }
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
        match is_for_this_process(plan.as_ref()) {
            true => Ok(format!("{}, since it reads a catalog", Local.describe())),
            false => self.explain_because(plan, config, "the session uses it"),
        }
    }

    async fn analyze(&self, plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<Option<String>> {
        if is_for_this_process(plan.as_ref()) {
            return Ok(None);
        }
        // Boxed outside of the trait, where the compiler remembers that it may move between threads.
        let measured: BoxFuture<'static, Result<String>> =
            Box::pin(measured(self.order(plan, context)?, self.describe()));
        measured.await.map(Some)
    }

    fn cluster(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// Whether a plan reads what comes as a stream that this process alone can ask for: the items of a catalog, a page after the
/// other. The datasets that catalogs name travel like any other.
fn is_for_this_process(plan: &dyn ExecutionPlan) -> bool {
    plan.is::<StreamingTableExec>() || plan.children().into_iter().any(|child| is_for_this_process(child.as_ref()))
}

/// Runs an order, leaves its rows where they are, and tells what was measured there.
async fn measured(order: Order, place: String) -> Result<String> {
    let (start, mut tries) = (Instant::now(), Tries::default());
    let finished = order.compute(&mut tries).await?;
    let (seconds, summary) = (start.elapsed().as_secs_f64(), finished.summary());
    let (stages, tasks) = (counted(summary.stages.len(), "stage"), counted(summary.tasks_done(), "task"));
    let (rows, executors) = (finished.rows(), counted(summary.executors().len(), "executor"));
    let mut text = format!("{rows} rows in {seconds:.3} s on {place}: {stages}, {tasks} on {executors}\n");
    if tries.count() > 1 {
        let lost = counted(tries.count() - 1, "time");
        let _ = writeln!(text, "executors were lost: it ran {lost} in vain, of which nothing is told here");
    }
    for stage in &summary.stages {
        let _ = write!(text, "\n{stage}");
    }
    Ok(text)
}
