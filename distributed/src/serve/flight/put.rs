//! What clients send: statements that change something, values of parameters, whole tables.

use std::pin::Pin;

use arrow::record_batch::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{Any, Command, DoPutPreparedStatementResult, DoPutUpdateResult};
use arrow_flight::{FlightData, PutResult};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, future, stream};
use prost::Message;
use tonic::{Status, Streaming};

use super::cancel::unreadable;
use super::ingest::ingest;
use super::prepared::{bound_values, no_transactions};
use super::received::Received;
use super::statement::Statement;
use crate::serve::failure;
use crate::serve::service::StatementService;
use crate::serve::sessions::SessionInUse;

/// Rows that were changed, where nobody counts them.
const UNKNOWN: i64 = -1;

impl StatementService {
    /// Takes what a client sends, and answers in one message.
    pub(in crate::serve) async fn put(
        &self,
        session: SessionInUse,
        mut data: Streaming<FlightData>,
    ) -> Result<BoxStream<'static, Result<PutResult, Status>>, Status> {
        let first = data.message().await?.ok_or_else(|| Status::invalid_argument("expected a command, found none"))?;
        let descriptor = first.flight_descriptor.as_ref().ok_or_else(|| unreadable("command"))?;
        let any = Any::decode(descriptor.cmd.as_ref()).map_err(|_| unreadable("command"))?;
        let command = Command::try_from(any).map_err(|_| unreadable("command"))?;
        let batches = batches(first, data);
        let app_metadata = match command {
            Command::CommandStatementUpdate(update) => {
                check_transaction(update.transaction_id.as_deref())?;
                updated(self.update(&session, Statement::new(update.query)).await?)
            }
            Command::CommandPreparedStatementUpdate(update) => {
                let prepared = self.prepared(&session, &update.prepared_statement_handle)?;
                let values = bound_values(&session.session, batches).await?;
                let statement = if values.is_some() { prepared.with(values) } else { prepared.statement() };
                updated(self.update(&session, statement).await?)
            }
            Command::CommandPreparedStatementQuery(query) => {
                let prepared = self.prepared(&session, &query.prepared_statement_handle)?;
                session.prepared.bind(&prepared, bound_values(&session.session, batches).await?)?;
                let handle = Some(query.prepared_statement_handle);
                DoPutPreparedStatementResult { prepared_statement_handle: handle }.encode_to_vec()
            }
            Command::CommandStatementIngest(command) => {
                check_transaction(command.transaction_id.as_deref())?;
                let permit = self.permit(&session).await?;
                let running = session.share();
                let ingest = async move {
                    let _permit = permit;
                    ingest(&running.session, command, batches).await
                };
                updated(self.run(ingest).await??)
            }
            other => return Err(Status::unimplemented(format!("DoPut of {} is not there", other.type_url()))),
        };
        Ok(stream::iter([Ok(PutResult { app_metadata: app_metadata.into() })]).boxed())
    }

    /// Runs a statement that changes something; the rows that it changed.
    async fn update(&self, session: &SessionInUse, statement: Statement) -> Result<i64, Status> {
        let permit = self.permit(session).await?;
        let running = session.share();
        let carry_out = async move {
            // The work itself holds it: what is told to end may take a moment.
            let _permit = permit;
            statement.carry_out(&running.session).await
        };
        let carried = self.run(carry_out).await?;
        let carried = carried.map_err(|error| failure::status(&error))?;
        Ok(carried.changed.unwrap_or(UNKNOWN))
    }
}

fn updated(record_count: i64) -> Vec<u8> {
    DoPutUpdateResult { record_count }.encode_to_vec()
}

fn check_transaction(id: Option<&[u8]>) -> Result<(), Status> {
    match id {
        Some(id) if !id.is_empty() => Err(no_transactions()),
        _ => Ok(()),
    }
}

/// The batches that a client sends, of messages that are what they say. Those without a header tell nothing but the
/// command.
fn batches(
    first: FlightData,
    rest: Streaming<FlightData>,
) -> Pin<Box<dyn Stream<Item = Result<RecordBatch, Status>> + Send>> {
    let data = stream::iter([Ok(first)]).chain(rest);
    let data = data.try_filter(|data| future::ready(!data.data_header.is_empty()));
    let mut received = Received::default();
    let data = data.map(move |data| data.and_then(|data| received.check(&data).map(|()| data)));
    let data = data.map_err(FlightError::from);
    let batches = FlightRecordBatchStream::new_from_flight_data(data);
    Box::pin(batches.map_err(|error| match error {
        FlightError::Tonic(status) => *status,
        other => Status::invalid_argument(format!("cannot read the rows: {other}")),
    }))
}
