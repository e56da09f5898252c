//! Tables in memory, which count as their session's: no row is held that its memory has no room for.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayData;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::utils::memory::RecordBatchMemoryCounter;
use datafusion::common::{Constraints, plan_datafusion_err};
use datafusion::datasource::sink::{DataSink, DataSinkExec};
use datafusion::datasource::{MemTable, TableType};
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan};
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex as ShortMutex;
use tokio::sync::{Mutex, RwLock};

/// Rows in memory, which count as a session's for as long as they are there.
#[derive(Debug)]
pub struct HeldRows {
    batches: Vec<RecordBatch>,
    counted: Arc<CountedOnce>,
}

/// Memory that is counted once, however many batches share it.
#[derive(Debug)]
struct CountedOnce {
    counter: ShortMutex<RecordBatchMemoryCounter>,
    memory: MemoryReservation,
}

impl HeldRows {
    /// No rows yet. Memory for them comes from the pool.
    pub fn new(pool: &Arc<dyn MemoryPool>, holder: &str) -> Self {
        Self::counted_by(MemoryConsumer::new(holder).register(pool))
    }

    fn counted_by(memory: MemoryReservation) -> Self {
        let counted = CountedOnce { counter: ShortMutex::default(), memory };
        Self { batches: Vec::new(), counted: Arc::new(counted) }
    }

    /// No rows yet, of another partition of the same rows: what both have is counted once.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { batches: Vec::new(), counted: Arc::clone(&self.counted) }
    }

    /// Takes rows in, if there is room for them.
    pub fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let bytes = self.counted.counter.lock().count_batch(&batch);
        self.counted.memory.try_grow(bytes + own_bytes(&batch))?;
        self.batches.push(batch);
        Ok(())
    }

    /// Takes all rows of a stream in.
    pub async fn receive(mut self, mut batches: SendableRecordBatchStream) -> Result<Self> {
        while let Some(batch) = batches.try_next().await? {
            self.push(batch)?;
        }
        Ok(self)
    }

    /// The rows in their order, which count until all have been taken.
    pub fn into_stream(self, schema: SchemaRef) -> SendableRecordBatchStream {
        let Self { batches, counted } = self;
        let batches = stream::iter(batches).map(move |batch| {
            let _held = &counted;
            Ok(batch)
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// What a batch takes beside its buffers: a table may have very many that are small.
fn own_bytes(batch: &RecordBatch) -> usize {
    size_of::<RecordBatch>() + batch.num_columns() * size_of::<ArrayData>()
}

/// A table in memory, which counts as its session's for as long as it is there.
#[derive(Debug)]
pub struct HeldTable {
    rows: MemTable,
    held: Arc<Held>,
}

/// The memory of a table.
#[derive(Debug)]
struct Held {
    memory: MemoryReservation,
    /// Whoever changes the rows, and counts them.
    changing: Mutex<()>,
}

impl HeldTable {
    /// A table of these partitions, of which there is at least one.
    pub fn try_new(schema: SchemaRef, partitions: Vec<HeldRows>) -> Result<Self> {
        let first = partitions.first().map(|rows| rows.counted.memory.new_empty());
        let memory = first.ok_or_else(|| plan_datafusion_err!("expected the partitions of a table, found none"))?;
        let mut batches = Vec::with_capacity(partitions.len());
        for rows in partitions {
            memory.grow(rows.counted.memory.free());
            batches.push(rows.batches);
        }
        let rows = MemTable::try_new(schema, batches)?;
        Ok(Self { rows, held: Arc::new(Held { memory, changing: Mutex::default() }) })
    }

    /// The table with the constraints and the defaults of its columns.
    #[must_use]
    pub fn with_rules(mut self, constraints: Constraints, defaults: HashMap<String, Expr>) -> Self {
        self.rows = self.rows.with_constraints(constraints).with_column_defaults(defaults);
        self
    }

    /// Counts the rows that are left after a change.
    async fn count(&self) {
        let mut counter = RecordBatchMemoryCounter::new();
        let mut bytes = 0;
        for partition in &self.rows.batches {
            for batch in partition.read().await.iter() {
                bytes += counter.count_batch(batch) + own_bytes(batch);
            }
        }
        self.held.memory.resize(bytes);
    }

    /// Room for the rows once more, while they are written anew.
    fn room_to_change(&self) -> Result<MemoryReservation> {
        let room = self.held.memory.new_empty();
        room.try_grow(self.held.memory.size())?;
        Ok(room)
    }
}

#[async_trait]
impl TableProvider for HeldTable {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    fn constraints(&self) -> Option<&Constraints> {
        self.rows.constraints()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn get_column_default(&self, column: &str) -> Option<&Expr> {
        self.rows.get_column_default(column)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.rows.scan(state, projection, filters, limit).await
    }

    async fn insert_into(
        &self,
        state: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        insert: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // It knows what may be inserted; its own sink counts nothing.
        self.rows.insert_into(state, Arc::clone(&input), insert).await?;
        let (partitions, held) = (self.rows.batches.clone(), Arc::clone(&self.held));
        let sink = HeldSink { schema: self.rows.schema(), partitions, held };
        Ok(Arc::new(DataSinkExec::new(input, Arc::new(sink), None)))
    }

    async fn delete_from(&self, state: &dyn Session, filters: Vec<Expr>) -> Result<Arc<dyn ExecutionPlan>> {
        let _changing = self.held.changing.lock().await;
        // Nothing is written anew where all rows go.
        let _room = if filters.is_empty() { None } else { Some(self.room_to_change()?) };
        let deleted = self.rows.delete_from(state, filters).await;
        self.count().await;
        deleted
    }

    async fn update(
        &self,
        state: &dyn Session,
        assignments: Vec<(String, Expr)>,
        filters: Vec<Expr>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let _changing = self.held.changing.lock().await;
        let _room = self.room_to_change()?;
        let updated = self.rows.update(state, assignments, filters).await;
        self.count().await;
        updated
    }
}

/// Where inserted rows go.
#[derive(Debug)]
struct HeldSink {
    schema: SchemaRef,
    partitions: Vec<Arc<RwLock<Vec<RecordBatch>>>>,
    held: Arc<Held>,
}

impl DisplayAs for HeldSink {
    fn fmt_as(&self, _form: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MemoryTable (partitions={})", self.partitions.len())
    }
}

#[async_trait]
impl DataSink for HeldSink {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    async fn write_all(&self, data: SendableRecordBatchStream, _context: &Arc<TaskContext>) -> Result<u64> {
        let rows = HeldRows::counted_by(self.held.memory.new_empty()).receive(data).await?;
        let count = rows.count();
        let places = self.partitions.len().max(1);
        let mut parts = vec![Vec::new(); places];
        for (number, batch) in rows.batches.into_iter().enumerate() {
            parts[number % places].push(batch);
        }
        let _changing = self.held.changing.lock().await;
        self.held.memory.grow(rows.counted.memory.free());
        for (partition, mut part) in self.partitions.iter().zip(parts) {
            partition.write().await.append(&mut part);
        }
        Ok(count as u64)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;
    use crate::{Error, Session};

    type Ended<T = ()> = Result<T, Box<dyn std::error::Error>>;

    const LIMIT: usize = 8 << 20;

    /// The bytes of the column of numbers that most statements below make.
    const COLUMN: usize = 100_000 * size_of::<i64>();

    fn session() -> Ended<(Session, Arc<dyn MemoryPool>)> {
        let session = Session::builder().threads(2).memory_limit(LIMIT).build()?;
        let pool = Arc::clone(&session.context().runtime_env().memory_pool);
        Ok((session, pool))
    }

    async fn done(session: &Session, text: &str) -> Ended {
        if let crate::Outcome::Rows(rows) = session.query(text).await? {
            rows.collect().await?;
        }
        Ok(())
    }

    async fn is_refused(session: &Session, text: &str) -> Ended {
        let error = done(session, text).await.err().ok_or_else(|| format!("there was room: {text}"))?;
        match error.downcast_ref::<Error>() {
            Some(Error::Resources(_)) => Ok(()),
            other => Err(format!("expected no room, found {other:?}: {text}").into()),
        }
    }

    async fn number(session: &Session, text: &str) -> Ended<i64> {
        let batches = session.query(text).await?.into_rows()?.collect().await?;
        let column = batches.iter().find(|batch| batch.num_rows() == 1).map(|batch| batch.column(0));
        Ok(column.and_then(|column| column.as_primitive_opt::<Int64Type>()).ok_or("no number")?.value(0))
    }

    #[tokio::test]
    async fn a_table_is_no_larger_than_its_memory() -> Ended {
        let (session, pool) = session()?;
        is_refused(&session, "CREATE TABLE t AS SELECT value FROM range(4000000)").await?;
        assert_eq!(pool.reserved(), 0, "what was refused is given back");
        assert!(session.query("SELECT * FROM t").await.is_err(), "there is no table");
        done(&session, "CREATE TABLE t AS SELECT value FROM range(100000)").await?;
        let made = pool.reserved();
        assert!((COLUMN..2 * COLUMN).contains(&made), "{made} bytes");
        done(&session, "INSERT INTO t SELECT value FROM range(100000)").await?;
        let grown = pool.reserved();
        assert!((2 * COLUMN..3 * COLUMN).contains(&grown), "{grown} bytes");
        is_refused(&session, "INSERT INTO t SELECT value FROM range(4000000)").await?;
        assert_eq!(pool.reserved(), grown, "no row of what does not fit");
        assert_eq!(number(&session, "SELECT count(*) FROM t").await?, 200_000);
        done(&session, "DROP TABLE t").await?;
        assert_eq!(pool.reserved(), 0);
        Ok(())
    }

    #[tokio::test]
    async fn a_table_counts_what_is_left_of_it() -> Ended {
        let (session, pool) = session()?;
        done(&session, "CREATE TABLE t AS SELECT value FROM range(100000)").await?;
        done(&session, "UPDATE t SET value = value + 1").await?;
        assert_eq!(number(&session, "SELECT sum(value) FROM t").await?, 100_000 * 100_001 / 2);
        assert!((COLUMN..2 * COLUMN).contains(&pool.reserved()), "{} bytes", pool.reserved());
        done(&session, "DELETE FROM t WHERE value > 10").await?;
        assert_eq!(number(&session, "SELECT count(*) FROM t").await?, 10);
        assert!(pool.reserved() < COLUMN / 2, "{} bytes", pool.reserved());
        done(&session, "CREATE OR REPLACE TABLE t AS SELECT value AS v FROM range(10)").await?;
        done(&session, "CREATE TABLE IF NOT EXISTS t AS SELECT value AS v FROM range(20)").await?;
        assert_eq!(number(&session, "SELECT count(v) FROM t").await?, 10);
        let error = done(&session, "CREATE TABLE t AS SELECT 1 AS v").await.err().ok_or("a second table")?;
        assert!(error.to_string().contains("exists already"), "{error}");
        let twice = done(&session, "CREATE TABLE u AS SELECT a.value, b.value FROM range(2) a, range(2) b").await;
        assert!(twice.is_err(), "two columns of one name");
        drop(session);
        assert_eq!(pool.reserved(), 0);
        Ok(())
    }

    #[test]
    fn what_batches_share_is_counted_once() -> Ended {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(LIMIT));
        let numbers = Int64Array::from_iter_values(0..100_000);
        let batch = RecordBatch::try_from_iter([("n", Arc::new(numbers) as _)])?;
        let mut first = HeldRows::new(&pool, "rows");
        let mut second = first.beside();
        for start in 0..100 {
            let rows = if start % 2 == 0 { &mut first } else { &mut second };
            rows.push(batch.slice(start * 1000, 1000))?;
        }
        assert!((COLUMN..COLUMN + 100_000).contains(&pool.reserved()), "{} bytes", pool.reserved());
        let table = HeldTable::try_new(batch.schema(), vec![first, second])?;
        assert!((COLUMN..COLUMN + 100_000).contains(&pool.reserved()), "{} bytes", pool.reserved());
        drop(table);
        assert_eq!(pool.reserved(), 0);
        Ok(())
    }
}
