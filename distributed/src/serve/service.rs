//! The calls of a server, by the methods of Arrow Flight.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket,
};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use quarray_engine::{Error, Outcome, Rows};
use tokio::runtime::Handle;
use tonic::{Request, Response, Status, Streaming};

use super::flight::Permit;
use super::message::{AnyMessage, OutcomeKind, OutcomeMessage, RowsMessage, STATEMENT_QUERY, StatementQuery};
use super::outcome::{plot_message, summary_message};
use super::pump::pump;
use super::sessions::{AdmittedRows, Caller, SessionInUse, Sessions, authorization};
use super::spawned::Spawned;
use super::{ACTION_CLOSE, ACTION_DESCRIBE, ACTION_NAMES, ACTION_PROGRESS, DIMENSIONS_KEY, failure, names};

/// Statements of sessions.
pub(super) struct StatementService {
    pub(super) sessions: Arc<Sessions>,
    /// Where statements run.
    pub(super) threads: Handle,
}

#[tonic::async_trait]
impl FlightService for StatementService {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoActionStream = BoxStream<'static, Result<ActionResult, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;

    /// A new session: its token is the answer, and the header to send with every call.
    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let (sessions, caller) = (Arc::clone(&self.sessions), Caller::of(&request)?);
        let token = self.run(async move { sessions.open(&caller).await }).await??;
        let header = authorization(&token).parse();
        let answer = HandshakeResponse { protocol_version: 0, payload: token.into() };
        let mut response = Response::new(stream::iter([Ok(answer)]).boxed());
        let header = header.map_err(|_| Status::internal("a token is no header"))?;
        response.metadata_mut().insert("authorization", header);
        Ok(response)
    }

    /// Runs a statement.
    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let session = self.sessions.of(&request)?;
        let descriptor = request.into_inner();
        let text = statement_text(&descriptor)?;
        let permit = self.sessions.admit(&session).await?;
        let running = session.session().clone();
        let outcome = self.run(async move { running.query(&text).await }).await?;
        let info = info(outcome.map_err(|error| failure::status(&error))?, &session, permit)?;
        Ok(Response::new(info.with_descriptor(descriptor)))
    }

    /// The rows of a statement that has run.
    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let session = self.sessions.of(&request)?;
        let rows = session.take(&request.get_ref().ticket)?;
        let schema = schema_of(&rows.rows);
        let batches = pump(rows, SchemaRef::clone(&schema), session, &self.threads);
        let encoder = FlightDataEncoderBuilder::new()
            .with_schema(schema)
            // The client is to have the same types as a session in its own process.
            .with_dictionary_handling(DictionaryHandling::Resend)
            .build(batches);
        Ok(Response::new(encoder.map_err(|error: FlightError| Status::from(error)).boxed()))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        if request.get_ref().r#type == ACTION_CLOSE {
            self.sessions.close(&request)?;
            return Ok(Response::new(stream::iter([Ok(ActionResult::default())]).boxed()));
        }
        let session = self.sessions.of(&request)?;
        let action = request.into_inner();
        let body = match action.r#type.as_str() {
            ACTION_NAMES => names::names(session.session()).encode_to_vec(),
            ACTION_PROGRESS => names::progress(session.session()).encode_to_vec(),
            ACTION_DESCRIBE => self.describe(&session, &action.body).await?,
            other => return Err(Status::unimplemented(format!("no action `{other}`"))),
        };
        Ok(Response::new(stream::iter([Ok(ActionResult { body: body.into() })]).boxed()))
    }

    async fn list_actions(&self, _request: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        let actions = [
            (ACTION_NAMES, "the names that queries of the session can use"),
            (ACTION_DESCRIBE, "what a name, path or address holds"),
            (ACTION_PROGRESS, "how far the query of the session is"),
            (ACTION_CLOSE, "ends the session"),
        ];
        let action = |(name, description): (&str, &str)| {
            Ok(ActionType { r#type: name.to_string(), description: description.to_string() })
        };
        Ok(Response::new(stream::iter(actions.map(action)).boxed()))
    }

    async fn list_flights(&self, _request: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(unknown("ListFlights"))
    }

    async fn poll_flight_info(&self, _request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        Err(unknown("PollFlightInfo"))
    }

    async fn get_schema(&self, _request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        Err(unknown("GetSchema"))
    }

    async fn do_put(&self, _request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        Err(unknown("DoPut"))
    }

    async fn do_exchange(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(unknown("DoExchange"))
    }
}

impl StatementService {
    /// Does something on the threads of queries. A client that goes away ends it.
    async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, Status> {
        let ended = Spawned::on(&self.threads, work).await;
        ended.map_err(|error| failure::status(&Error::Internal(error.to_string())))
    }

    async fn describe(&self, session: &SessionInUse, name: &[u8]) -> Result<Vec<u8>, Status> {
        let name = String::from_utf8(name.to_vec()).map_err(|_| Status::invalid_argument("the name is no text"))?;
        let _permit = self.sessions.admit(session).await?;
        let running = session.session().clone();
        let summary = self.run(async move { running.describe(&name).await }).await?;
        let summary = summary.map_err(|error| failure::status(&error))?;
        Ok(summary_message(summary).encode_to_vec())
    }
}

/// What the client is told of an outcome. Rows wait in the session.
fn info(outcome: Outcome, session: &SessionInUse, permit: Permit) -> Result<FlightInfo, Status> {
    let mut info = FlightInfo::new();
    let mut schema = SchemaRef::new(Schema::empty());
    let kind = match outcome {
        Outcome::Done(message) => OutcomeKind::Done(message),
        Outcome::Explain(text) => OutcomeKind::Explain(text),
        Outcome::Plot(spec) => OutcomeKind::Plot(plot_message(spec)),
        Outcome::Rows(mut rows) => {
            schema = schema_of(&rows);
            let summary = rows.summary.take().map(summary_message);
            let cells = rows.cells;
            info.total_records = cells.and_then(|cells| i64::try_from(cells).ok()).unwrap_or(-1);
            info = info.with_endpoint(
                FlightEndpoint::new().with_ticket(Ticket::new(session.keep(AdmittedRows { rows, permit })?)),
            );
            info.ordered = true;
            OutcomeKind::Rows(RowsMessage { cells, summary })
        }
    };
    info.app_metadata = OutcomeMessage { kind: Some(kind) }.encode_to_vec().into();
    info.try_with_schema(&schema).map_err(|error| failure::status(&Error::Internal(error.to_string())))
}

/// The schema of rows, which tells their dimensions too.
fn schema_of(rows: &Rows) -> SchemaRef {
    let schema = rows.schema();
    if rows.dimensions.is_empty() {
        return schema;
    }
    let mut metadata = schema.metadata().clone();
    metadata.insert(DIMENSIONS_KEY.to_string(), serde_json::Value::from(rows.dimensions.clone()).to_string());
    SchemaRef::new(schema.as_ref().clone().with_metadata(metadata))
}

fn statement_text(descriptor: &FlightDescriptor) -> Result<String, Status> {
    let any = AnyMessage::decode(descriptor.cmd.as_ref()).ok().filter(|any| any.type_url == STATEMENT_QUERY);
    let query = any.and_then(|any| StatementQuery::decode(any.value.as_slice()).ok());
    query.map(|query| query.query).ok_or_else(|| Status::invalid_argument("expected a statement"))
}

fn unknown(method: &str) -> Status {
    Status::unimplemented(format!("{method} is not there"))
}
