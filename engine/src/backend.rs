//! Where plans run: in this process, or somewhere else.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use quarray_lang::cluster::ClusterStatement;

use crate::error::Error;
use crate::interruption::{Interruption, execute_interruptibly, interruptible};
use crate::outcome::Outcome;
use crate::session::Session;

/// Runs physical plans. A session has one at a time; whichever it is, a plan gives the same rows.
#[async_trait]
pub trait Backend: Debug + Send + Sync {
    /// Starts a plan; its rows, all partitions as one stream. Dropping the stream ends the work.
    async fn execute(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream>;

    /// The plan as it will run: what is counted while it runs is found in this one.
    fn readied(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(plan)
    }

    /// The settings that plans for this backend are made with.
    fn configure(&self, config: SessionConfig) -> SessionConfig {
        config
    }

    /// Where plans run, in a few words: `this process`, `the cluster pc`.
    fn describe(&self) -> String;

    /// Where it runs a plan: the name of a cluster, or in a few words.
    fn place(&self, _plan: &Arc<dyn ExecutionPlan>) -> String {
        self.cluster().map_or_else(|| self.describe(), str::to_string)
    }

    /// Where and how it would run a plan, for `EXPLAIN`: a line, and more where there is more to tell.
    fn explain(&self, _plan: &Arc<dyn ExecutionPlan>, _config: &SessionConfig) -> Result<String> {
        Ok(self.describe())
    }

    /// Runs a plan and throws its rows away, for `EXPLAIN ANALYZE`: the text of what was measured. `None`: the plan is for
    /// this process, where it can be measured by whoever has it.
    async fn analyze(&self, _plan: Arc<dyn ExecutionPlan>, _context: Arc<TaskContext>) -> Result<Option<String>> {
        Ok(None)
    }

    /// The name of the cluster that it is, if it is one.
    fn cluster(&self) -> Option<&str> {
        None
    }
}

/// The clusters that a session's statements speak of.
#[async_trait]
pub trait Clusters: Debug + Send + Sync {
    /// Carries out a statement of a session.
    async fn run(&self, statement: ClusterStatement, session: &Session) -> Result<Outcome, Error>;

    /// The names of the clusters, as far as they are known at once.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// This process.
#[derive(Debug, Default, Clone, Copy)]
pub struct Local;

#[async_trait]
impl Backend for Local {
    async fn execute(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        execute_interruptibly(plan, context)
    }

    fn readied(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(interruptible(plan, &Interruption::default())?.0)
    }

    fn describe(&self) -> String {
        "this process".to_string()
    }
}
