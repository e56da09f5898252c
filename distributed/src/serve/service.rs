//! The calls of a server, by the methods of Arrow Flight: each is handed on to the file of its idea.

use std::sync::Arc;

use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{Any, Command};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket,
};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use quarray_engine::Error;
use tokio::runtime::Handle;
use tonic::{Request, Response, Status, Streaming};

use super::failure;
use super::flight::{Permit, Statement, catalog, no_transactions, running_handle, schema_bytes};
use super::sessions::{Caller, SessionInUse, Sessions, authorization};
use super::spawned::Spawned;

/// Statements of sessions.
#[derive(Clone)]
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
        let caller = Caller::of(&request)?;
        let sessions = Arc::clone(&self.sessions);
        let token = self.run(async move { sessions.open(&caller).await }).await??;
        let header = authorization(&token).parse();
        let answer = HandshakeResponse { protocol_version: 0, payload: token.into() };
        let mut response = Response::new(stream::iter([Ok(answer)]).boxed());
        let header = header.map_err(|_| Status::internal("a token is no header"))?;
        response.metadata_mut().insert("authorization", header);
        Ok(response)
    }

    /// Runs a statement, or tells where the answer to a question about the catalog is.
    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let session = self.session(Caller::of(&request)).await?;
        let descriptor = request.into_inner();
        let info = match self.asked(&session, &descriptor)? {
            Asked::Statement(statement) => self.statement_info(&session, statement).await?,
            Asked::Catalog(command) => catalog_info(&command, &descriptor)?,
        };
        Ok(Response::new(info.with_descriptor(descriptor)))
    }

    /// Starts a statement, or tells how far it is.
    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        let session = self.session(Caller::of(&request)).await?;
        let descriptor = request.into_inner();
        if running_handle(&descriptor).is_some() {
            return Ok(Response::new(self.poll_again(&session, &descriptor).await?));
        }
        let info = match self.asked(&session, &descriptor)? {
            Asked::Statement(statement) => self.start_poll(&session, statement, descriptor).await?,
            Asked::Catalog(command) => {
                let info = catalog_info(&command, &descriptor)?.with_descriptor(descriptor);
                PollInfo::new().with_info(info)
            }
        };
        Ok(Response::new(info))
    }

    /// The columns that a statement would have.
    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let session = self.session(Caller::of(&request)).await?;
        let schema = match self.asked(&session, request.get_ref())? {
            Asked::Statement(statement) => {
                let outlined = session.share();
                let schema = self.run(async move { statement.schema(&outlined).await }).await?;
                schema.map_err(|error| failure::status(&error))?
            }
            Asked::Catalog(command) => catalog::schema(&command).ok_or_else(|| unknown(&command))?,
        };
        Ok(Response::new(SchemaResult { schema: schema_bytes(&schema)? }))
    }

    /// The rows of a statement that has run, or the answer to a question about the catalog.
    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let session = self.session(Caller::of(&request)).await?;
        let ticket = request.into_inner();
        let any =
            Any::decode(ticket.ticket.as_ref()).map_err(|_| Status::invalid_argument("cannot read the ticket"))?;
        let command = Command::try_from(any).map_err(|_| Status::invalid_argument("cannot read the ticket"))?;
        if let Command::TicketStatementQuery(_) = &command {
            let result = self.result(&session, &ticket)?;
            return Ok(Response::new(self.rows(session, result).await?));
        }
        let type_url = command.type_url().to_string();
        let batch = self.run(async move { catalog::answer(&session.session, command).await }).await??;
        let batch = batch.ok_or_else(|| Status::invalid_argument(format!("expected a ticket, found {type_url}")))?;
        let encoder = FlightDataEncoderBuilder::new()
            .with_schema(batch.schema())
            .with_dictionary_handling(DictionaryHandling::Resend)
            .build(stream::iter([Ok(batch)]));
        Ok(Response::new(encoder.map_err(Status::from).boxed()))
    }

    /// Takes what a client sends.
    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        let session = self.session(Caller::of(&request)).await?;
        Ok(Response::new(self.put(session, request.into_inner()).await?))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        Ok(Response::new(self.act(request).await?))
    }

    async fn list_actions(&self, _request: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        let action = |(name, description): &(&str, &str)| {
            Ok(ActionType { r#type: name.to_string(), description: description.to_string() })
        };
        Ok(Response::new(stream::iter(super::actions::ACTIONS.iter().map(action)).boxed()))
    }

    async fn list_flights(&self, _request: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(Status::unimplemented("ListFlights is not there: statements make flights"))
    }

    async fn do_exchange(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(Status::unimplemented("DoExchange is not there"))
    }
}

/// What a descriptor asks for.
enum Asked {
    /// To run a statement.
    Statement(Statement),
    /// Something about the catalog.
    Catalog(Command),
}

impl StatementService {
    /// The session of a client.
    pub(super) async fn session(&self, caller: Result<Caller, Status>) -> Result<SessionInUse, Status> {
        self.sessions.of(&caller?).await
    }

    /// The right to run a statement now.
    pub(super) async fn permit(&self, session: &SessionInUse) -> Result<Permit, Status> {
        let permit = self.sessions.admission().admit(&session.user).await;
        permit.map_err(|error| failure::status(&error))
    }

    /// Does something on the threads of queries. A client that goes away ends it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Status> {
        let ended = Spawned::on(&self.threads, work).await;
        ended.map_err(|error| failure::status(&Error::Internal(error.to_string())))
    }

    fn asked(&self, session: &SessionInUse, descriptor: &FlightDescriptor) -> Result<Asked, Status> {
        let unreadable = || Status::invalid_argument("expected a statement, or a question about the catalog");
        let any = Any::decode(descriptor.cmd.as_ref()).map_err(|_| unreadable())?;
        match Command::try_from(any).map_err(|_| unreadable())? {
            Command::CommandStatementQuery(query) => match query.transaction_id {
                Some(id) if !id.is_empty() => Err(no_transactions()),
                _ => Ok(Asked::Statement(Statement::new(query.query))),
            },
            Command::CommandPreparedStatementQuery(query) => {
                let prepared = self.prepared(session, &query.prepared_statement_handle)?;
                Ok(Asked::Statement(prepared.statement()))
            }
            Command::Unknown(_) => Err(unreadable()),
            command => Ok(Asked::Catalog(command)),
        }
    }
}

/// Where the answer to a question about the catalog is: the question is the ticket.
fn catalog_info(command: &Command, descriptor: &FlightDescriptor) -> Result<FlightInfo, Status> {
    let schema = catalog::schema(command).ok_or_else(|| unknown(command))?;
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(descriptor.cmd.clone()));
    let info = FlightInfo::new().with_endpoint(endpoint).with_ordered(true);
    info.try_with_schema(&schema).map_err(|error| Status::internal(error.to_string()))
}

fn unknown(command: &Command) -> Status {
    Status::unimplemented(format!("{} is not there", command.type_url()))
}
