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
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use prost::Message;
use prost::bytes::Bytes;
use quarray_engine::session::StatementClass;
use quarray_engine::{Error, Outcome};
use tonic::Status;

use super::cancel::unreadable;
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

/// Bytes of the values that are bound at once.
const BOUND_BYTES_MAX: usize = 64 << 20;

/// The prepared statements of a session.
#[derive(Default)]
pub(in crate::serve) struct PreparedStatements {
    by_name: Mutex<HashMap<String, Arc<Prepared>>>,
}

/// A prepared statement.
pub(in crate::serve) struct Prepared {
    text: Arc<str>,
    bound: Mutex<Option<RecordBatch>>,
}

impl Prepared {
    /// The statement with the values that are bound to it.
    pub(in crate::serve) fn statement(&self) -> Statement {
        Statement { text: Arc::clone(&self.text), parameters: self.bound.lock().clone() }
    }

    /// The statement with these values, or without any.
    pub(super) fn with(&self, parameters: Option<RecordBatch>) -> Statement {
        Statement { text: Arc::clone(&self.text), parameters }
    }

    /// Binds values in place of those before.
    pub(super) fn bind(&self, values: Option<RecordBatch>) {
        *self.bound.lock() = values;
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
        StatementClass::Report if is_explain(text) => Some(plan_schema()),
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

fn is_explain(text: &str) -> bool {
    text.trim_start().get(..7).is_some_and(|word| word.eq_ignore_ascii_case("explain"))
}

/// Values that a client sends for the parameters of a statement, all rows as one batch; none where there are no columns.
pub(super) async fn bound_values(
    mut batches: impl Stream<Item = Result<RecordBatch, Status>> + Unpin,
) -> Result<Option<RecordBatch>, Status> {
    let mut parts: Vec<RecordBatch> = Vec::new();
    let mut bytes = 0usize;
    while let Some(batch) = batches.next().await.transpose()? {
        bytes = bytes.saturating_add(batch.get_array_memory_size());
        if bytes > BOUND_BYTES_MAX {
            let message = format!("the values have more than {BOUND_BYTES_MAX} bytes: send fewer rows at once");
            return Err(Status::resource_exhausted(message));
        }
        parts.push(batch);
    }
    let Some(first) = parts.first().filter(|first| first.num_columns() > 0) else { return Ok(None) };
    let values = concat_batches(&first.schema(), &parts);
    values.map(Some).map_err(|error| Status::invalid_argument(format!("the values are not of one kind: {error}")))
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
