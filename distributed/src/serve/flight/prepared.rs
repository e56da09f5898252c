//! Prepared statements, and the values that are bound to their parameters.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
    Any, ProstMessageExt,
};
use arrow_flight::{IpcMessage, SchemaAsIpc};
use datafusion::common::ScalarValue;
use datafusion::common::utils::memory::{RecordBatchMemoryCounter, get_record_batch_memory_size};
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use prost::Message;
use prost::bytes::Bytes;
use quarray_engine::session::StatementClass;
use quarray_engine::{Error, Outcome, Session};
use tonic::Status;

use super::cancel::unreadable;
use super::kept::{KeptBytes, Room};
use super::seal::SealedKind;
use super::statement::{Statement, plan_schema};
use crate::serve::failure;
use crate::serve::random::random_name;
use crate::serve::service::StatementService;
use crate::serve::sessions::SessionInUse;

/// Prepared statements of a session.
const PREPARED_MAX: usize = 1000;

/// A handle holds for so long; its statement ends with the session if nobody closes it.
const HANDLE_AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Bytes of the values that are bound at once, to all statements of a session.
const BOUND_BYTES_MAX: usize = 64 << 20;

/// Rows of values that are bound at once: a statement runs for each, and one without columns of bytes takes no memory.
const BOUND_ROWS_MAX: usize = 1_000_000;

/// The prepared statements of a session.
pub(in crate::serve) struct PreparedStatements {
    by_name: Mutex<HashMap<String, Arc<Prepared>>>,
    bound: Arc<KeptBytes>,
}

/// A prepared statement.
pub(in crate::serve) struct Prepared {
    text: Arc<str>,
    bound: Mutex<Option<(Arc<BoundValues>, Room)>>,
}

/// Values of parameters, a column each. They count as their session's for as long as someone has them.
#[derive(Debug)]
pub(in crate::serve) struct BoundValues {
    rows: RecordBatch,
    memory: MemoryReservation,
}

impl BoundValues {
    /// How often the statement runs.
    pub(super) fn count(&self) -> usize {
        self.rows.num_rows()
    }

    /// The values of one run.
    pub(super) fn row(&self, row: usize) -> Result<Vec<ScalarValue>, Error> {
        let values = self.rows.columns().iter().map(|column| ScalarValue::try_from_array(column, row));
        Ok(values.collect::<Result<_, _>>()?)
    }
}

impl Default for PreparedStatements {
    fn default() -> Self {
        Self { by_name: Mutex::default(), bound: Arc::new(KeptBytes::new(BOUND_BYTES_MAX)) }
    }
}

impl PreparedStatements {
    /// Binds values to a statement in place of those before, which make room for them.
    pub(super) fn bind(&self, prepared: &Prepared, values: Option<Arc<BoundValues>>) -> Result<(), Status> {
        let mut bound = prepared.bound.lock();
        *bound = None;
        if let Some(values) = values {
            let room = self.bound.room(values.memory.size()).ok_or_else(|| {
                let message = format!("the values of all prepared statements have more than {BOUND_BYTES_MAX} bytes");
                Status::resource_exhausted(format!("{message}: close some, or send fewer rows at once"))
            })?;
            *bound = Some((values, room));
        }
        Ok(())
    }
}

impl Prepared {
    /// The statement with the values that are bound to it.
    pub(in crate::serve) fn statement(&self) -> Statement {
        let parameters = self.bound.lock().as_ref().map(|(values, _)| Arc::clone(values));
        Statement { text: Arc::clone(&self.text), parameters }
    }

    /// The statement with these values, or without any.
    pub(super) fn with(&self, parameters: Option<Arc<BoundValues>>) -> Statement {
        Statement { text: Arc::clone(&self.text), parameters }
    }
}

impl StatementService {
    /// Prepares a statement: its handle, its columns and its parameters.
    pub(in crate::serve) async fn prepare(&self, session: &SessionInUse, body: &[u8]) -> Result<Vec<u8>, Status> {
        let request = Any::decode(body).ok().and_then(|any| any.unpack().ok().flatten());
        let request: ActionCreatePreparedStatementRequest = request.ok_or_else(|| unreadable("statement"))?;
        if request.transaction_id.is_some_and(|id| !id.is_empty()) {
            return Err(no_transactions());
        }
        let text: Arc<str> = Arc::from(request.query);
        let (preparing, of_statement) = (session.share(), Arc::clone(&text));
        let schemas = self.run(async move { schemas(&preparing, &of_statement).await }).await?;
        let (columns, parameters) = schemas.map_err(|error| failure::status(&error))?;
        let name = random_name().map_err(|error| Status::internal(format!("cannot name a statement: {error}")))?;
        let mut by_name = session.prepared.by_name.lock();
        if by_name.len() >= PREPARED_MAX {
            let message = format!("there are {PREPARED_MAX} prepared statements already: close some");
            return Err(Status::resource_exhausted(message));
        }
        by_name.insert(name.clone(), Arc::new(Prepared { text, bound: Mutex::default() }));
        drop(by_name);
        let result = ActionCreatePreparedStatementResult {
            prepared_statement_handle: self.handle(session, &name),
            dataset_schema: columns.map(|schema| schema_bytes(&schema)).transpose()?.unwrap_or_default(),
            parameter_schema: schema_bytes(&parameters)?,
        };
        Ok(result.as_any().encode_to_vec())
    }

    /// Closes a prepared statement.
    pub(in crate::serve) fn close_prepared(&self, session: &SessionInUse, body: &[u8]) -> Result<(), Status> {
        let request = Any::decode(body).ok().and_then(|any| any.unpack().ok().flatten());
        let request: ActionClosePreparedStatementRequest = request.ok_or_else(|| unreadable("handle"))?;
        let seals = self.sessions.seals();
        let name = seals.open(SealedKind::Prepared, &request.prepared_statement_handle, session)?;
        session.prepared.by_name.lock().remove(&name);
        Ok(())
    }

    /// The prepared statement of a handle.
    pub(in crate::serve) fn prepared(&self, session: &SessionInUse, handle: &[u8]) -> Result<Arc<Prepared>, Status> {
        let name = self.sessions.seals().open(SealedKind::Prepared, handle, session)?;
        let prepared = session.prepared.by_name.lock().get(&name).cloned();
        prepared.ok_or_else(|| Status::not_found("no such prepared statement: it was closed"))
    }

    fn handle(&self, session: &SessionInUse, name: &str) -> Bytes {
        self.sessions.seals().seal(SealedKind::Prepared, name, HANDLE_AGE_MAX, session)
    }
}

/// The columns of a statement's rows and those of its parameters. What has no rows has no columns; where they depend on
/// the values there is nothing to tell yet.
async fn schemas(session: &SessionInUse, text: &str) -> Result<(Option<SchemaRef>, SchemaRef), Error> {
    let outline = session.session.outline(text).await?;
    let options = *session.options.lock();
    let columns = match outline.class {
        StatementClass::Query => outline.schema.map(|schema| options.wire.schema(&schema, &outline.dimensions)),
        StatementClass::Change => Some(SchemaRef::new(Schema::empty())),
        // What measures a plan runs it: the columns are known without.
        StatementClass::Report if outline.is_explain => Some(plan_schema()),
        StatementClass::Report if outline.schema.is_some() => {
            outline.schema.map(|schema| options.wire.schema(&schema, &[]))
        }
        StatementClass::Report => match session.session.query(text).await? {
            Outcome::Rows(rows) => Some(options.wire.schema(&rows.schema(), &rows.dimensions)),
            Outcome::Explain(_) => Some(plan_schema()),
            _ => Some(SchemaRef::new(Schema::empty())),
        },
    };
    let field = |(index, data_type): (usize, Option<DataType>)| {
        // A text is read as a value of any type where a value of another is wanted.
        Field::new(format!("${}", index + 1), data_type.unwrap_or(DataType::Utf8), true)
    };
    let parameters: Vec<Field> = outline.parameters.into_iter().enumerate().map(field).collect();
    let options = super::wire::WireTypes::Plain;
    Ok((columns, options.schema(&Schema::new(parameters), &[])))
}

/// Values that a client sends for the parameters of a statement, all rows as one batch; none where there are no columns.
pub(super) async fn bound_values(
    session: &Session,
    mut batches: impl Stream<Item = Result<RecordBatch, Status>> + Unpin,
) -> Result<Option<Arc<BoundValues>>, Status> {
    let memory = MemoryConsumer::new("values of parameters").register(&session.context().runtime_env().memory_pool);
    let no_room = |error: DataFusionError| failure::status(&Error::from(error));
    let mut parts: Vec<RecordBatch> = Vec::new();
    let mut counter = RecordBatchMemoryCounter::new();
    let mut rows = 0usize;
    while let Some(batch) = batches.next().await.transpose()? {
        rows = rows.saturating_add(batch.num_rows());
        memory.try_grow(counter.count_batch(&batch)).map_err(no_room)?;
        let most = match rows > BOUND_ROWS_MAX {
            true => format!("at most {BOUND_ROWS_MAX} rows of values, found {rows}"),
            false if counter.memory_usage() > BOUND_BYTES_MAX => {
                format!("at most {BOUND_BYTES_MAX} bytes of values, found {}", counter.memory_usage())
            }
            false => {
                parts.push(batch);
                continue;
            }
        };
        return Err(Status::resource_exhausted(format!("expected {most}: send fewer rows at once")));
    }
    let Some(first) = parts.first().filter(|first| first.num_columns() > 0) else { return Ok(None) };
    if parts.len() == 1 {
        return Ok(parts.pop().map(|rows| Arc::new(BoundValues { rows, memory })));
    }
    // They are there twice while they are put together.
    memory.try_grow(counter.memory_usage()).map_err(no_room)?;
    let values = concat_batches(&first.schema(), &parts);
    let rows = values.map_err(|error| Status::invalid_argument(format!("the values are not of one kind: {error}")))?;
    drop(parts);
    memory.try_resize(get_record_batch_memory_size(&rows)).map_err(no_room)?;
    Ok(Some(Arc::new(BoundValues { rows, memory })))
}

/// A schema as an encapsulated message.
pub(in crate::serve) fn schema_bytes(schema: &Schema) -> Result<Bytes, Status> {
    let message: Result<IpcMessage, _> = SchemaAsIpc::new(schema, &Default::default()).try_into();
    message.map(|message| message.0).map_err(|error| Status::internal(error.to_string()))
}

/// What someone is told who wants a transaction.
pub(in crate::serve) fn no_transactions() -> Status {
    Status::unimplemented("there are no transactions: every statement stands for itself")
}
