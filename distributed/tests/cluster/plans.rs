//! Plans over a small table with more partitions than there are cores.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use ballista_core::extension::SessionConfigExt;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::MemTable;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::TestResult;
use crate::slow::{Pace, SlowExec};

pub const PARTITIONS: usize = 12;
pub const BATCHES: usize = 2;
const ROWS: i64 = 100;

/// One stage: rows of twelve partitions.
pub const ROWS_SQL: &str = "SELECT k, v FROM cells WHERE v % 7 = 3";
/// Two stages, the second with one task.
pub const SUM_SQL: &str = "SELECT sum(v) AS s, count(*) AS n, max(v) AS m FROM cells";
/// Two stages, the second with several tasks.
pub const GROUPS_SQL: &str = "SELECT k, sum(v) AS s, count(*) AS n FROM cells GROUP BY k";
/// Three stages.
pub const NESTED_SQL: &str = "SELECT sum(s) AS s, count(*) AS n FROM (SELECT k, sum(v) AS s FROM cells GROUP BY k)";
/// A join, and an order.
pub const JOIN_SQL: &str = "SELECT a.k, sum(a.v) AS s FROM cells a JOIN (SELECT k, max(v) AS m FROM cells GROUP BY k) b \
                            ON a.k = b.k WHERE a.v < b.m GROUP BY a.k ORDER BY s DESC LIMIT 5";

pub const ALL_SQL: [&str; 5] = [ROWS_SQL, SUM_SQL, GROUPS_SQL, NESTED_SQL, JOIN_SQL];

/// A session with the table `cells`.
pub fn session() -> TestResult<SessionContext> {
    let config = SessionConfig::new_with_ballista().with_target_partitions(4);
    let context = SessionContext::new_with_config(config);
    let mut partitions = Vec::new();
    for partition in 0..PARTITIONS {
        let batches = (0..BATCHES).map(|batch| cells(partition * BATCHES + batch));
        partitions.push(batches.collect::<TestResult<Vec<_>>>()?);
    }
    let schema = partitions.first().and_then(|batches| batches.first()).map(RecordBatch::schema).ok_or("no rows")?;
    context.register_table("cells", Arc::new(MemTable::try_new(schema, partitions)?))?;
    Ok(context)
}

fn cells(number: usize) -> TestResult<RecordBatch> {
    let start = i64::try_from(number)? * ROWS;
    let values: Vec<i64> = (start..start + ROWS).collect();
    let keys: Vec<i64> = values.iter().map(|value| value * 31 % 17).collect();
    let column = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    Ok(RecordBatch::try_from_iter([("k", column(keys)), ("v", column(values))])?)
}

/// The plan of a query, which takes its time over what it scans and over what it merges.
pub async fn plan(context: &SessionContext, sql: &str, scan: Pace, merge: Pace) -> TestResult<Arc<dyn ExecutionPlan>> {
    let plan = context.sql(sql).await?.create_physical_plan().await?;
    let slowed = plan.transform_up(|node| {
        let aggregate = node.downcast_ref::<AggregateExec>().map(AggregateExec::mode);
        let is_merge = matches!(aggregate, Some(AggregateMode::Final | AggregateMode::FinalPartitioned));
        let pace = match () {
            () if node.downcast_ref::<DataSourceExec>().is_some() => &scan,
            () if is_merge => &merge,
            () => return Ok(Transformed::no(node)),
        };
        match *pace == Pace::default() {
            true => Ok(Transformed::no(node)),
            false => Ok(Transformed::yes(Arc::new(SlowExec { input: node, pace: pace.clone() }) as _)),
        }
    });
    Ok(slowed.data()?)
}

/// The rows of a query, computed in this process.
pub async fn local(context: &SessionContext, sql: &str) -> TestResult<Vec<Vec<i64>>> {
    let plan = plan(context, sql, Pace::default(), Pace::default()).await?;
    rows(&collect(plan, context.task_ctx()).await?)
}

/// All rows, in an order of their own.
pub fn rows(batches: &[RecordBatch]) -> TestResult<Vec<Vec<i64>>> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Option<Vec<_>> =
            batch.columns().iter().map(|column| column.as_primitive_opt::<Int64Type>()).collect();
        let columns = columns.ok_or("a column is not of integers")?;
        rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|column| column.value(row)).collect()));
    }
    rows.sort();
    Ok(rows)
}

/// What plans of a session run with.
pub fn task(context: &SessionContext) -> Arc<TaskContext> {
    context.task_ctx()
}
