//! Work that ends when nobody wants its rows any more, also in the middle of a join.
//!
//! A stream is dropped between two of its batches. A nested-loop join may look at billions of pairs before it has one,
//! and an aggregate above a join takes batch after batch without a pause: both would keep their threads until they are
//! done. Joins are given a flag that they look at as they go: in their condition, and with every batch they hand on.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execute_stream};
use futures::{Stream, StreamExt};

/// Batches that are made before they are asked for, where a plan runs on a task of its own.
const BATCHES_AHEAD: usize = 1;

/// Whether work was told to end. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Interruption(Arc<AtomicBool>);

impl Interruption {
    /// Tells it to end.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was told to end.
    pub fn is_interrupted(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// An error once it was told to end. It is one of input and output: a scheduler does not take it for the query's.
    fn check(&self) -> Result<()> {
        match self.is_interrupted() {
            false => Ok(()),
            true => Err(DataFusionError::IoError(std::io::Error::new(
                std::io::ErrorKind::Interrupted,
                "the work was told to end",
            ))),
        }
    }
}

/// The plan with joins that end when they are told to, and whether it has any.
pub fn interruptible(
    plan: Arc<dyn ExecutionPlan>,
    interruption: &Interruption,
) -> Result<(Arc<dyn ExecutionPlan>, bool)> {
    let with_flag = |node: Arc<dyn ExecutionPlan>| {
        let watched: Arc<dyn ExecutionPlan> = match node.downcast_ref::<NestedLoopJoinExec>() {
            Some(join) => Arc::new(with_watched_condition(join, interruption)?),
            None if is_join(node.as_ref()) => node,
            None => return Ok(Transformed::no(node)),
        };
        let interruption = interruption.clone();
        Ok(Transformed::yes(Arc::new(InterruptibleExec { input: watched, interruption }) as Arc<dyn ExecutionPlan>))
    };
    let plan = plan.transform_up(with_flag)?;
    Ok((plan.data, plan.transformed))
}

/// Whether it is a join that makes many rows of few, one batch after the other.
fn is_join(node: &dyn ExecutionPlan) -> bool {
    node.is::<CrossJoinExec>() || node.is::<HashJoinExec>() || node.is::<SortMergeJoinExec>()
}

/// Starts a plan in this process; dropping its rows ends the work within moments.
pub fn execute_interruptibly(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> Result<SendableRecordBatchStream> {
    let (plan, interruption) = match interruption_in(&plan) {
        Some(interruption) => (plan, Some(interruption)),
        None => {
            let interruption = Interruption::default();
            let (plan, has_joins) = interruptible(plan, &interruption)?;
            (plan, has_joins.then_some(interruption))
        }
    };
    let mut stream = execute_stream(Arc::clone(&plan), context)?;
    let Some(interruption) = interruption else {
        return Ok(stream);
    };
    // On a task of its own: whoever holds the rows can drop them while the task is in the middle of a batch.
    let schema = plan.schema();
    let mut rows = RecordBatchReceiverStreamBuilder::new(SchemaRef::clone(&schema), BATCHES_AHEAD);
    let sender = rows.tx();
    rows.spawn(async move {
        while let Some(batch) = stream.next().await {
            let is_last = batch.is_err();
            if sender.send(batch).await.is_err() || is_last {
                break;
            }
        }
        Ok(())
    });
    Ok(Box::pin(InterruptingStream { schema, rows: rows.build(), interruption }))
}

/// The flag that a plan's joins look at, if they have one already.
fn interruption_in(plan: &Arc<dyn ExecutionPlan>) -> Option<Interruption> {
    match plan.downcast_ref::<InterruptibleExec>() {
        Some(node) => Some(node.interruption.clone()),
        None => plan.children().into_iter().find_map(interruption_in),
    }
}

/// Rows of work that ends with them.
struct InterruptingStream {
    schema: SchemaRef,
    rows: SendableRecordBatchStream,
    interruption: Interruption,
}

impl Stream for InterruptingStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.rows.poll_next_unpin(context)
    }
}

impl RecordBatchStream for InterruptingStream {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }
}

impl Drop for InterruptingStream {
    fn drop(&mut self) {
        self.interruption.interrupt();
    }
}

/// The join with a condition that looks at the flag.
fn with_watched_condition(join: &NestedLoopJoinExec, interruption: &Interruption) -> Result<NestedLoopJoinExec> {
    let watched = join.filter().map(|filter| {
        let condition = Arc::clone(filter.expression());
        let condition = Arc::new(InterruptibleExpr { condition, interruption: interruption.clone() });
        JoinFilter::new(condition, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
    });
    NestedLoopJoinExecBuilder::from(join).with_filter(watched).build()
}

/// A condition that fails once the work was told to end.
#[derive(Debug)]
struct InterruptibleExpr {
    condition: Arc<dyn PhysicalExpr>,
    interruption: Interruption,
}

impl PartialEq for InterruptibleExpr {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition)
    }
}

impl Eq for InterruptibleExpr {}

impl Hash for InterruptibleExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}

impl fmt::Display for InterruptibleExpr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.condition)
    }
}

impl PhysicalExpr for InterruptibleExpr {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.condition.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.condition.nullable(schema)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.condition.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.interruption.check()?;
        self.condition.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match <[_; 1]>::try_from(children) {
            Ok([condition]) => Ok(Arc::new(Self { condition, interruption: self.interruption.clone() })),
            Err(found) => Err(one_expected(found.len())),
        }
    }

    fn fmt_sql(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(formatter)
    }
}

/// Hands batches on until the work was told to end.
#[derive(Debug)]
struct InterruptibleExec {
    input: Arc<dyn ExecutionPlan>,
    interruption: Interruption,
}

impl DisplayAs for InterruptibleExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InterruptibleExec")
    }
}

impl ExecutionPlan for InterruptibleExec {
    fn name(&self) -> &str {
        "InterruptibleExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match <[_; 1]>::try_from(children) {
            Ok([input]) => Ok(Arc::new(Self { input, interruption: self.interruption.clone() })),
            Err(found) => Err(one_expected(found.len())),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (batches, interruption) = (self.input.execute(partition, context)?, self.interruption.clone());
        let checked = batches.map(move |batch| interruption.check().and(batch));
        let schema = self.input.schema();
        Ok(Box::pin(datafusion::physical_plan::stream::RecordBatchStreamAdapter::new(schema, checked)))
    }
}

fn one_expected(found: usize) -> DataFusionError {
    DataFusionError::Internal(format!("expected one input, found {found}"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use datafusion::prelude::{SessionConfig, SessionContext};
    use futures::FutureExt;

    use super::*;

    type TestResult = std::result::Result<(), Box<dyn std::error::Error>>;

    /// Pairs that none of is wanted, all of, and an aggregate over a product without a condition.
    const ENDLESS: [&str; 3] = [
        "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.value * b.value = -1",
        "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.value * b.value > -1",
        "SELECT sum(a.value + b.value) FROM range(1000000) a, range(1000000) b",
    ];

    /// The one thread is free for others as soon as the rows are dropped.
    #[test]
    fn joins_end_with_their_rows() -> TestResult {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        for sql in ENDLESS {
            let plan = runtime.block_on(async { context.sql(sql).await?.create_physical_plan().await })?;
            let task = context.task_ctx();
            let mut rows = {
                let _guard = runtime.enter();
                execute_interruptibly(plan, task)?
            };
            // Not by the runtime's clock, which its only thread has no time for.
            std::thread::sleep(Duration::from_millis(300));
            let first = rows.next().now_or_never();
            assert!(first.is_none(), "{sql}: it was faster than it can be: {first:?}");
            let dropped = Instant::now();
            drop(rows);
            runtime.block_on(async { tokio::spawn(async {}).await })?;
            assert!(dropped.elapsed() < Duration::from_secs(1), "{sql}: it took {:?}", dropped.elapsed());
        }
        Ok(())
    }

    #[tokio::test]
    async fn joins_give_what_they_gave_before() -> TestResult {
        let context = SessionContext::new();
        for (sql, expected) in [
            ("SELECT count(*) AS n FROM range(100) a, range(50) b WHERE a.value < b.value", 1225),
            ("SELECT count(*) AS n FROM range(100) a LEFT JOIN range(50) b ON a.value < b.value", 1276),
            ("SELECT count(*) AS n FROM range(100) a FULL JOIN range(50) b ON a.value * b.value = 6", 146),
            ("SELECT count(*) AS n FROM range(100) a JOIN range(50) b ON a.value = b.value", 50),
        ] {
            let plan = context.sql(sql).await?.create_physical_plan().await?;
            let mut rows = execute_interruptibly(plan, context.task_ctx())?;
            let mut found = Vec::new();
            while let Some(batch) = rows.next().await {
                let batch = batch?;
                found.extend(
                    arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(batch.column(0))
                        .values()
                        .to_vec(),
                );
            }
            assert_eq!(found, [expected], "{sql}");
        }
        Ok(())
    }
}
