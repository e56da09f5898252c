//! Where plans run: in this process, or somewhere else.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionConfig;
use futures::{TryStreamExt, stream};
use quarray_lang::cluster::ClusterStatement;

use crate::error::Error;
use crate::interruption::{Interruption, execute_interruptibly, interruptible};
use crate::outcome::Outcome;
use crate::session::Session;

/// Runs physical plans. A session has one at a time; whichever it is, a plan gives the same rows.
#[async_trait]
pub trait Backend: Debug + Send + Sync {
    /// The rows of a plan, all partitions as one stream. The work begins when the first of them is asked for, and ends when
    /// the stream is dropped: rows that wait for a reader take no threads.
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
        let schema = plan.schema();
        let batches = stream::once(async move { execute_interruptibly(plan, context) }).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn readied(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(interruptible(plan, &Interruption::default())?.0)
    }

    fn describe(&self) -> String {
        "this process".to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use arrow::array::{ArrayRef, Int64Array};
    use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
    use arrow::record_batch::RecordBatch;
    use datafusion::catalog::streaming::StreamingTable;
    use datafusion::physical_plan::streaming::PartitionStream;

    use super::*;

    type Ended = std::result::Result<(), Box<dyn std::error::Error>>;

    /// A partition of one row that counts how often it has begun.
    #[derive(Debug)]
    struct Counted {
        row: RecordBatch,
        begun: Arc<AtomicUsize>,
    }

    impl PartitionStream for Counted {
        fn schema(&self) -> &SchemaRef {
            self.row.schema_ref()
        }

        fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
            self.begun.fetch_add(1, Ordering::SeqCst);
            let rows = stream::iter([Ok(self.row.clone())]);
            Box::pin(RecordBatchStreamAdapter::new(self.row.schema(), rows))
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn work_begins_when_the_first_row_is_asked_for() -> Ended {
        let session = Session::builder().threads(2).build()?;
        let begun = Arc::new(AtomicUsize::new(0));
        let column: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        let schema = SchemaRef::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let row = RecordBatch::try_new(Arc::clone(&schema), vec![column])?;
        let partition =
            || Arc::new(Counted { row: row.clone(), begun: Arc::clone(&begun) }) as Arc<dyn PartitionStream>;
        let table = StreamingTable::try_new(schema, vec![partition(), partition()])?;
        session.context().register_table("counted", Arc::new(table))?;
        // Partitions put together, and partitions merged in order: both begin tasks of their own.
        for (text, expected) in [("SELECT a FROM counted", 2), ("SELECT a FROM counted ORDER BY a", 4)] {
            let before = begun.load(Ordering::SeqCst);
            let rows = session.query(text).await?.into_rows()?;
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert_eq!(begun.load(Ordering::SeqCst), before, "{text}: work begins that nobody has asked for");
            assert_eq!(rows.collect().await?.iter().map(RecordBatch::num_rows).sum::<usize>(), 2, "{text}");
            assert_eq!(begun.load(Ordering::SeqCst), expected, "{text}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn errors_of_planning_come_before_the_rows() -> Ended {
        let session = Session::builder().threads(2).build()?;
        for text in ["SELECT nothing FROM range(3)", "SELECT sum('a') FROM nowhere", "FROM 'nowhere.zarr'"] {
            assert!(session.query(text).await.is_err(), "{text}");
        }
        Ok(())
    }
}
