//! The stage of a task, made once the datasets that it reads are open.
//!
//! Ballista reads a task's plan, and asks for its stage, where it must not wait. A plan that could not be read whole there
//! is completed by the task.

use std::fmt;
use std::sync::{Arc, OnceLock};

use ballista_executor::execution_engine::{DefaultExecutionEngine, ExecutionEngine, QueryStageExecutor};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::prelude::SessionConfig;
use quarray_engine::exec::GridReducePartialExec;
use quarray_engine::interruption::interruptible;
use tokio::runtime::Handle;

use super::cancellation::{CancellableExec, Cancellation, Slot};
use crate::codec::prepared;

/// A stage, and the plan that it executes.
pub(super) type MadeStage = (Arc<dyn QueryStageExecutor>, Arc<dyn ExecutionPlan>);

/// What a stage is made with, beside its plan.
pub(super) struct StageOrder {
    pub engine: Arc<DefaultExecutionEngine>,
    pub slot: Slot,
    pub partitions: Vec<usize>,
    pub work_dir: String,
    pub config: SessionConfig,
}

impl StageOrder {
    /// The stage, whose streams are cut when it is cancelled.
    pub fn make(&self, plan: Arc<dyn ExecutionPlan>, cancellation: &Arc<Cancellation>) -> Result<MadeStage> {
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        for input in plan.children() {
            let (input, _) = interruptible(Arc::clone(input), &cancellation.interruption)?;
            inputs.push(Arc::new(CancellableExec::new(input, cancellation)));
        }
        let plan = plan.replace_children(inputs, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))?;
        let (job, stage, task) = self.slot.clone();
        let (partitions, inputs) = (self.partitions.clone(), Arc::clone(&plan));
        let made =
            self.engine.create_query_stage_exec(job, stage, task, partitions, plan, &self.work_dir, &self.config)?;
        Ok((made, inputs))
    }
}

/// Lets as many partitions of reductions work at once as there are cores for them: a task may have fewer than its executor.
pub(super) fn narrow(plan: &dyn ExecutionPlan, cores: usize) {
    if let Some(reduction) = plan.downcast_ref::<GridReducePartialExec>() {
        reduction.narrow(cores);
    }
    plan.children().into_iter().for_each(|child| narrow(child.as_ref(), cores));
}

/// A stage that is made, or can be made later.
pub(super) struct StageInPreparation {
    made: OnceLock<MadeStage>,
    later: Option<(StageOrder, Arc<dyn ExecutionPlan>)>,
}

impl StageInPreparation {
    /// One that is made.
    pub fn made(stage: MadeStage) -> Self {
        Self { made: OnceLock::from(stage), later: None }
    }

    /// One whose plan is to be completed.
    pub fn of(order: StageOrder, plan: Arc<dyn ExecutionPlan>) -> Self {
        Self { made: OnceLock::new(), later: Some((order, plan)) }
    }

    /// The stage, if it is made.
    pub fn get(&self) -> Option<&Arc<dyn QueryStageExecutor>> {
        self.made.get().map(|(stage, _)| stage)
    }

    /// The stage, made if it is not; it is waited for on a thread beside `threads`.
    pub async fn prepared(
        &self,
        context: &Arc<TaskContext>,
        threads: &Handle,
        cancellation: &Arc<Cancellation>,
    ) -> Result<MadeStage> {
        if let Some(made) = self.made.get() {
            return Ok(made.clone());
        }
        let Some((order, plan)) = &self.later else {
            return Err(DataFusionError::Internal("expected a stage or its plan, found neither".to_string()));
        };
        let (plan, context) = (Arc::clone(plan), Arc::clone(context));
        let plan = threads.spawn_blocking(move || prepared(plan, &context)).await;
        let plan = plan.map_err(|error| DataFusionError::Internal(format!("a plan was not read: {error}")))??;
        let made = order.make(plan, cancellation)?;
        Ok(self.made.get_or_init(|| made).clone())
    }
}

impl fmt::Debug for StageInPreparation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StageInPreparation").field("is_made", &self.made.get().is_some()).finish()
    }
}
