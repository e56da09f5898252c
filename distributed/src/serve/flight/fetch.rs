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

use super::keep_alive::kept_alive;
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
        let rows = match result.redeem()? {
            Redeemed::Batches(batches) => {
                let count = batches.len();
                let batches = stream::iter((0..count).filter_map(move |at| batches.get(at).cloned()).map(Ok));
                return Ok(encoded(batches, schema));
            }
            Redeemed::Rows(rows) => *rows,
            Redeemed::Again(statement) => self.rows_again(&session, statement, &result).await?,
        };
        let permit = self.permit(&session).await?;
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
        let carried = self.run(async move { statement.carry_out(&running.session).await }).await?;
        let carried = carried.map_err(|error| failure::status(&error))?;
        let Outcome::Rows(rows) = carried.outcome else {
            return Err(Status::failed_precondition("the statement has no rows any more"));
        };
        let columns = |schema: &SchemaRef| -> Vec<(String, DataType)> {
            schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
        };
        let wire = session.options.lock().wire;
        match columns(&wire.schema(&rows.schema(), &rows.dimensions)) == columns(&result.schema) {
            true => Ok(rows),
            false => Err(Status::failed_precondition("the statement has other columns now than when it ran")),
        }
    }
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
