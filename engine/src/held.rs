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
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan};
use futures::TryStreamExt;
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
