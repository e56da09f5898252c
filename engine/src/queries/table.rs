//! `system.queries`: the records as a table.

use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::record::QueryRecord;
use super::registry::QueryRegistry;

/// The schema that tables about the process itself are in.
pub(crate) const SYSTEM_SCHEMA: &str = "system";

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let number = |name: &str| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(vec![
        text("id"),
        text("user"),
        text("text"),
        text("place"),
        text("state"),
        Field::new("started", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("seconds", DataType::Float64, false),
        number("rows"),
        number("bytes"),
        number("bytes_read"),
        number("bytes_decoded"),
        number("cells_total"),
        number("cells_read"),
        Field::new("error", DataType::Utf8, true),
        text("session"),
    ]))
});

/// The columns of the table: it has the plans too, which are too long to be listed.
static TABLE_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let listed = SCHEMA.fields().iter().cloned();
    Arc::new(Schema::new(listed.chain([Arc::new(Field::new("plan", DataType::Utf8, true))]).collect::<Vec<_>>()))
});

/// The columns that are listed.
pub(crate) fn queries_schema() -> SchemaRef {
    SchemaRef::clone(&SCHEMA)
}

/// The schema `system`, with the statements of a registry: of this user, or of all.
pub(crate) fn system_schema(queries: Arc<QueryRegistry>, of: Option<String>) -> Result<Arc<dyn SchemaProvider>> {
    let schema = MemorySchemaProvider::new();
    schema.register_table("queries".to_string(), Arc::new(QueriesTable { queries, of }))?;
    Ok(Arc::new(schema))
}

/// Every statement that is known, of this user or of all: those that run, the oldest first, then those that have ended, the
/// latest first.
pub(crate) fn batch_of(queries: &QueryRegistry, of: Option<&str>) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new(queries_schema(), columns_of(&records_of(queries, of)))
}

fn records_of(queries: &QueryRegistry, of: Option<&str>) -> Vec<Arc<QueryRecord>> {
    let running = queries.running().into_iter().map(Arc::new);
    let mut records: Vec<Arc<QueryRecord>> = running.collect();
    // One that has ended since is there twice.
    let ended = queries.recent(usize::MAX);
    records.retain(|record| ended.iter().all(|ended| ended.id != record.id));
    records.extend(ended);
    records.retain(|record| of.is_none_or(|user| record.user == user));
    records
}

fn columns_of(records: &[Arc<QueryRecord>]) -> Vec<ArrayRef> {
    let texts = |of: fn(&QueryRecord) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(records.iter().map(|record| of(record))))
    };
    let numbers = |of: fn(&QueryRecord) -> u64| -> ArrayRef {
        let number = |record: &Arc<QueryRecord>| i64::try_from(of(record)).unwrap_or(i64::MAX);
        Arc::new(Int64Array::from_iter_values(records.iter().map(number)))
    };
    let started = records.iter().map(|record| micros(record.started));
    vec![
        texts(|record| &record.id),
        texts(|record| &record.user),
        texts(|record| &record.text),
        texts(|record| &record.place),
        texts(|record| record.state.name()),
        Arc::new(TimestampMicrosecondArray::from_iter_values(started).with_timezone("UTC")),
        Arc::new(Float64Array::from_iter_values(records.iter().map(|record| record.seconds))),
        numbers(|record| record.rows),
        numbers(|record| record.bytes),
        numbers(|record| record.progress.bytes_read),
        numbers(|record| record.progress.bytes_decoded),
        numbers(|record| record.progress.work_total),
        numbers(|record| record.progress.work_done),
        Arc::new(StringArray::from_iter(records.iter().map(|record| record.error.as_deref()))),
        texts(|record| &record.session),
    ]
}

/// The plans that are known: those of statements that have ended.
fn plans_of(records: &[Arc<QueryRecord>]) -> ArrayRef {
    let plans = records.iter().map(|record| record.plan.as_ref().map(|plan| plan.to_string()));
    Arc::new(StringArray::from_iter(plans))
}

/// Microseconds since 1970.
pub(super) fn micros(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The records, as they are when they are asked for.
#[derive(Debug)]
struct QueriesTable {
    queries: Arc<QueryRegistry>,
    /// The user whose they are; all where there is none.
    of: Option<String>,
}

#[async_trait]
impl TableProvider for QueriesTable {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&TABLE_SCHEMA)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let records = records_of(&self.queries, self.of.as_deref());
        let mut columns = columns_of(&records);
        // Plans are long: they are written out only where somebody reads them.
        let has_plans = projection.is_none_or(|wanted| wanted.contains(&columns.len()));
        columns.push(if has_plans { plans_of(&records) } else { new_null_array(&DataType::Utf8, records.len()) });
        let batch = RecordBatch::try_new(self.schema(), columns)?;
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], self.schema(), projection.cloned())?)
    }
}
