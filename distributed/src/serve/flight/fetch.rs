//! Rows for a ticket: as they are made, as they were kept, or by running the query again.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
use arrow_flight::error::FlightError;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use quarray_engine::{Outcome, Rows};
use tonic::Status;

use super::blocks::Blocks;
use super::handshake::Permit;
use super::keep_alive::kept_alive;
use super::options::ResultForm;
use super::results::{Keeping, Redeemed, SessionResult};
use super::statement::Statement;
use crate::serve::failure;
use crate::serve::pump::pump;
use crate::serve::service::StatementService;
use crate::serve::sessions::SessionInUse;

impl StatementService {
    /// The rows of a result.
    pub(in crate::serve) async fn rows(
        &self,
        session: SessionInUse,
        result: Arc<SessionResult>,
    ) -> Result<BoxStream<'static, Result<FlightData, Status>>, Status> {
        let schema = SchemaRef::clone(&result.schema);
        let keep_alive = session.options.lock().keep_alive;
        // What is there costs nobody a turn. Whoever is refused one still has the ticket.
        let permit = if result.is_kept() { Permit::free() } else { self.permit(&session).await? };
        let rows = match result.redeem()? {
            Redeemed::Batches(batches) => {
                let count = batches.len();
                let batches = stream::iter((0..count).filter_map(move |at| batches.get(at).cloned()).map(Ok));
                return Ok(encoded(batches, schema));
            }
            Redeemed::Blocks(blocks) => return Ok(encoded_blocks(blocks)),
            Redeemed::Rows(rows) => *rows,
            Redeemed::Again(statement) if result.form == ResultForm::Blocks => {
                let blocks = self.blocks_again(&session, statement, &result, permit).await?;
                return Ok(encoded_blocks(blocks));
            }
            Redeemed::Again(statement) => self.rows_again(&session, statement, &result).await?,
        };
        let batches = pump(rows, SchemaRef::clone(&schema), Keeping::new(result), (session, permit), &self.threads);
        let has_dictionaries = schema.fields().iter().any(|field| has_dictionary(field.data_type()));
        let data = encoded(batches, SchemaRef::clone(&schema));
        match has_dictionaries {
            // An empty batch would have to be told its dictionaries too.
            true => Ok(data),
            false => kept_alive(data, &schema, keep_alive).map_err(|error| Status::internal(error.to_string())),
        }
    }

    async fn rows_again(
        &self,
        session: &SessionInUse,
        statement: Statement,
        result: &SessionResult,
    ) -> Result<Rows, Status> {
        let running = session.share();
        let rows = self.run(async move { run_again(&running, statement).await }).await??;
        let columns = |schema: &SchemaRef| -> Vec<(String, DataType)> {
            schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
        };
        let wire = session.options.lock().wire;
        match columns(&wire.schema(&rows.schema(), &rows.dimensions)) == columns(&result.schema) {
            true => Ok(rows),
            false => Err(Status::failed_precondition("the statement has other columns now than when it ran")),
        }
    }

    async fn blocks_again(
        &self,
        session: &SessionInUse,
        statement: Statement,
        result: &SessionResult,
        permit: Permit,
    ) -> Result<Blocks, Status> {
        let running = session.share();
        let blocks = self.run(async move {
            // The work itself holds it: what is told to end may take a moment.
            let _permit = permit;
            let rows = run_again(&running, statement).await?;
            Blocks::of(rows).await.map_err(|error| failure::status(&error))
        });
        let blocks = blocks.await??;
        // The schema tells the shape and the labels too.
        match blocks.schema == result.schema {
            true => Ok(blocks),
            false => Err(Status::failed_precondition("the statement has another array now than when it ran")),
        }
    }
}

/// The rows of a query that has run before.
async fn run_again(session: &SessionInUse, statement: Statement) -> Result<Rows, Status> {
    let carried = statement.carry_out(&session.session).await.map_err(|error| failure::status(&error))?;
    match carried.outcome {
        Outcome::Rows(rows) => Ok(rows),
        _ => Err(Status::failed_precondition("the statement has no rows any more")),
    }
}

/// Blocks on their way out, which count as their query's until they have been sent.
fn encoded_blocks(blocks: Blocks) -> BoxStream<'static, Result<FlightData, Status>> {
    let Blocks { schema, batch, memory } = blocks;
    let batches = stream::iter([Ok(batch)]).map(move |batch| {
        // The stream has it, and is dropped when all has been sent.
        let _held = &memory;
        batch
    });
    encoded(batches, schema)
}

fn encoded(
    batches: impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static,
    schema: SchemaRef,
) -> BoxStream<'static, Result<FlightData, Status>> {
    let encoder = FlightDataEncoderBuilder::new()
        .with_schema(schema)
        // Our own client is to have the same types as a session in its own process.
        .with_dictionary_handling(DictionaryHandling::Resend)
        .build(batches);
    encoder.map_err(Status::from).boxed()
}

fn has_dictionary(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, _) => true,
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => has_dictionary(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_dictionary(field.data_type())),
        DataType::RunEndEncoded(_, values) => has_dictionary(values.data_type()),
        DataType::Union(_, _) => true,
        _ => false,
    }
}
