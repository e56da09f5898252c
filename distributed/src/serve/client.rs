//! A session in a server, as its client has it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt};
use arrow_flight::{Action, FlightDescriptor, FlightInfo, HandshakeRequest, Ticket};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use prost::Message;
use prost::bytes::Bytes;
use quarray_engine::outcome::DatasetSummary;
use quarray_engine::progress::ProgressSnapshot;
use quarray_engine::session::{KnownNames, TableListing};
use quarray_engine::{Error, Outcome, Rows};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::flight::{OptionKind, OptionValue, SetSessionOptions, SetSessionOptionsResult, with_schema};
use super::message::{NamesMessage, OutcomeKind, OutcomeMessage, ProgressMessage, RowsMessage, SummaryMessage};
use super::outcome::{Incomplete, plot, summary};
use super::security::{ClientTls, Outgoing};
use super::sessions::authorization;
use super::{
    ACTION_CLOSE, ACTION_DESCRIBE, ACTION_NAMES, ACTION_OPTIONS, ACTION_PROGRESS, DIMENSIONS_KEY, failure, names,
};
use crate::cluster::local::Threads;

/// A server that cannot be reached for so long is not there.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);

/// A server is asked this often whether it is there, while it says nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// One that does not answer that for so long has gone: with the interval less than five seconds.
const KEEP_ALIVE_PATIENCE: Duration = Duration::from_secs(3);

/// A session that its client still wants is used at least this often.
const TOUCH: Duration = Duration::from_secs(60);

/// Completion and farewells wait no longer.
const SHORT: Duration = Duration::from_secs(1);

/// Bytes of headers: errors with diagnostics are some thousand.
const HEADER_BYTES_MAX: u32 = 64 << 10;

/// Where a server is, and who wants to use it.
#[derive(Debug, Clone, Default)]
pub struct ServerLogin {
    /// `HOST:PORT`
    pub address: String,
    /// Whom to trust, where the connection is to be encrypted.
    pub tls: Option<ClientTls>,
    /// Who it is, where the server asks.
    pub credentials: Option<LoginName>,
}

/// A name and a password, or a token in place of it.
#[derive(Clone)]
pub struct LoginName {
    /// The name.
    pub name: String,
    /// The password or the token.
    pub password: String,
}

impl std::fmt::Debug for LoginName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LoginName").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ServerLogin {
    /// A server that asks nobody who they are.
    pub fn at(address: &str) -> Self {
        Self { address: address.to_string(), ..Self::default() }
    }
}

/// A session in a server. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct RemoteSession {
    caller: Caller,
    shared: Arc<Shared>,
}

/// What it takes to call the server.
#[derive(Clone)]
struct Caller {
    address: Arc<str>,
    client: FlightServiceClient<Channel>,
    authorization: MetadataValue<Ascii>,
}

struct Shared {
    /// The way there, where it is encrypted.
    _way: Option<Outgoing>,
    /// What the server has told of the query that runs.
    progress: Arc<Mutex<ProgressMessage>>,
    is_asking: Arc<AtomicBool>,
    /// The connection is looked after here, whatever becomes of the threads of queries.
    threads: Threads,
}

impl std::fmt::Debug for RemoteSession {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RemoteSession").field("address", &self.caller.address).finish_non_exhaustive()
    }
}

impl RemoteSession {
    /// A new session in the server at an address: `HOST:PORT`.
    pub async fn connect(address: &str) -> Result<Self, Error> {
        Self::connect_as(ServerLogin::at(address)).await
    }

    /// A new session of someone in a server.
    pub async fn connect_as(login: ServerLogin) -> Result<Self, Error> {
        let threads = Threads::start().map_err(|error| Error::Execution(error.to_string()))?;
        let address: Arc<str> = Arc::from(login.address.as_str());
        let caller = Caller::shake_hands(Arc::clone(&address), login);
        let connected = async { Ok(tokio::time::timeout(CONNECT_PATIENCE, caller).await) };
        let connected = threads.run(connected).await.map_err(|error| Error::Execution(error.to_string()))?;
        let late = |_| unreachable(&address, &format!("it does not answer within {} s", CONNECT_PATIENCE.as_secs()));
        let (caller, way) = connected.map_err(late)??;
        let shared = Arc::new(Shared { _way: way, progress: Arc::default(), is_asking: Arc::default(), threads });
        let session = Self { caller, shared };
        session.stay_in_use();
        Ok(session)
    }

    /// Runs one statement in the server.
    pub async fn query(&self, text: &str) -> Result<Outcome, Error> {
        *self.shared.progress.lock() = ProgressMessage::default();
        let info = self.caller.run(text).await?;
        let outcome = OutcomeMessage::decode(info.app_metadata.as_ref()).map_err(broken)?;
        Ok(match outcome.kind.ok_or(Incomplete("outcome")).map_err(broken)? {
            OutcomeKind::Done(message) => Outcome::Done(message),
            OutcomeKind::Explain(text) => Outcome::Explain(text),
            OutcomeKind::Plot(spec) => Outcome::Plot(plot(spec).map_err(broken)?),
            OutcomeKind::Rows(head) => Outcome::Rows(self.rows(info, head).await?),
        })
    }

    /// What a name, or the store at a path or URL, holds: as the server sees it.
    pub async fn describe(&self, name: &str) -> Result<DatasetSummary, Error> {
        let message: SummaryMessage = self.caller.ask(ACTION_DESCRIBE, name.to_string()).await?;
        Ok(summary(message))
    }

    /// The names that queries can use.
    pub async fn tables(&self) -> Result<Vec<TableListing>, Error> {
        Ok(names::tables(self.caller.ask(ACTION_NAMES, "").await?))
    }

    /// Names and functions, for someone who cannot wait: none when the server does not answer at once. Not for use on
    /// threads of a runtime.
    pub fn names_at_once(&self) -> KnownNames {
        let caller = self.caller.clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        self.shared.threads.spawn(async move {
            let names: Result<NamesMessage, Error> = caller.ask(ACTION_NAMES, "").await;
            // Nobody may wait any more.
            let _ = sender.send(names);
        });
        match receiver.recv_timeout(SHORT) {
            Ok(Ok(names)) => names::known_names(names),
            Ok(Err(_)) | Err(_) => KnownNames::default(),
        }
    }

    /// How far the query is, as far as the server has told; it is asked anew.
    pub fn progress(&self) -> ProgressSnapshot {
        if !self.shared.is_asking.swap(true, Ordering::AcqRel) {
            let (caller, shared) = (self.caller.clone(), &self.shared);
            let (progress, is_asking) = (Arc::clone(&shared.progress), Arc::clone(&shared.is_asking));
            shared.threads.spawn(async move {
                // The query itself tells what is wrong with the server.
                if let Ok(message) = caller.ask::<ProgressMessage>(ACTION_PROGRESS, "").await {
                    *progress.lock() = message;
                }
                is_asking.store(false, Ordering::Release);
            });
        }
        names::snapshot(&self.shared.progress.lock())
    }

    /// The address of the page about the query, where the server has told one.
    pub fn page(&self) -> Option<String> {
        self.shared.progress.lock().page.clone()
    }

    /// Ends the session.
    pub async fn close(self) {
        // A server that has gone, or has forgotten the session, wants no farewell.
        let _ = tokio::time::timeout(SHORT, self.caller.act(ACTION_CLOSE, "")).await;
    }

    async fn rows(&self, info: FlightInfo, head: RowsMessage) -> Result<Rows, Error> {
        let ticket = info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone());
        let ticket = ticket.ok_or(Incomplete("ticket")).map_err(broken)?;
        let (schema, dimensions) = without_dimensions(info.try_decode_schema().map_err(broken)?)?;
        let stream = self.caller.fetch(ticket, schema).await?;
        let mut rows = Rows::new(stream, dimensions, head.summary.map(summary));
        rows.cells = head.cells;
        Ok(rows)
    }

    /// Uses the session now and then, for as long as it is there: it may lie idle for a night.
    fn stay_in_use(&self) {
        let (caller, shared) = (self.caller.clone(), Arc::downgrade(&self.shared));
        self.shared.threads.spawn(async move {
            while shared.strong_count() > 0 {
                tokio::time::sleep(TOUCH).await;
                let _ = caller.ask::<ProgressMessage>(ACTION_PROGRESS, "").await;
            }
        });
    }
}

impl Caller {
    async fn shake_hands(address: Arc<str>, login: ServerLogin) -> Result<(Self, Option<Outgoing>), Error> {
        let way = match &login.tls {
            Some(tls) => {
                Some(Outgoing::to(&address, tls).await.map_err(|error| unreachable(&address, &deepest(&error)))?)
            }
            None => None,
        };
        let place = way.as_ref().map_or_else(|| format!("http://{address}"), |way| way.address().to_string());
        let endpoint = Endpoint::from_shared(place);
        let endpoint = endpoint.map_err(|error| unreachable(&address, &deepest(&error)))?;
        let endpoint = endpoint
            .connect_timeout(CONNECT_PATIENCE)
            .tcp_nodelay(true)
            .http2_max_header_list_size(HEADER_BYTES_MAX)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_PATIENCE)
            .keep_alive_while_idle(true);
        let channel = endpoint.connect().await.map_err(|error| unreachable(&address, &deepest(&error)))?;
        let mut client = FlightServiceClient::new(channel).max_decoding_message_size(usize::MAX);
        let mut hello = Request::new(stream::iter([HandshakeRequest::default()]));
        if let Some(LoginName { name, password }) = &login.credentials {
            let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")));
            let mut header: MetadataValue<Ascii> = basic.parse().map_err(broken)?;
            header.set_sensitive(true);
            hello.metadata_mut().insert("authorization", header);
        }
        let answers = client.handshake(hello).await.map_err(|status| told(&address, &status))?;
        let answer = answers.into_inner().message().await.map_err(|status| told(&address, &status))?;
        let token = answer.ok_or(Incomplete("token")).map_err(broken)?.payload;
        let token = String::from_utf8(token.to_vec()).map_err(broken)?;
        let authorization = authorization(&token).parse().map_err(broken)?;
        let caller = Self { address, client, authorization };
        caller.set("wire_types", "exact").await?;
        Ok((caller, way))
    }

    /// Sets an option of the session.
    async fn set(&self, name: &str, value: &str) -> Result<(), Error> {
        let value = OptionValue { kind: Some(OptionKind::Text(value.to_string())) };
        let request = SetSessionOptions { options: HashMap::from([(name.to_string(), value)]) };
        let result: SetSessionOptionsResult = self.ask(ACTION_OPTIONS, request.encode_to_vec()).await?;
        match result.errors.is_empty() {
            true => Ok(()),
            false => Err(broken(format!("it has no option {name}"))),
        }
    }

    /// Has the server run a statement.
    async fn run(&self, text: &str) -> Result<FlightInfo, Error> {
        let query = CommandStatementQuery { query: text.to_string(), transaction_id: None };
        let request = self.request(FlightDescriptor::new_cmd(query.as_any().encode_to_vec()));
        let info = self.client.clone().get_flight_info(request).await;
        Ok(info.map_err(|status| told(&self.address, &status))?.into_inner())
    }

    /// Fetches rows. They come as they are read; dropping the stream ends the work in the server.
    async fn fetch(&self, ticket: Ticket, schema: SchemaRef) -> Result<SendableRecordBatchStream, Error> {
        let data = self.client.clone().do_get(self.request(ticket)).await;
        let data = data.map_err(|status| told(&self.address, &status))?.into_inner();
        let (address, of_batches) = (Arc::clone(&self.address), SchemaRef::clone(&schema));
        let batches = FlightRecordBatchStream::new_from_flight_data(data.map_err(FlightError::from));
        let batches = batches.map(move |batch| match batch {
            Ok(batch) => Ok(with_schema(&batch, SchemaRef::clone(&of_batches))?),
            Err(FlightError::Tonic(status)) => Err(failure::of_stream(told(&address, &status))),
            Err(other) => Err(DataFusionError::External(Box::new(other))),
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    async fn ask<T: Message + Default>(&self, action: &str, body: impl Into<Bytes>) -> Result<T, Error> {
        T::decode(self.act(action, body).await?).map_err(broken)
    }

    async fn act(&self, action: &str, body: impl Into<Bytes>) -> Result<Bytes, Error> {
        let request = self.request(Action::new(action, body));
        let answers = self.client.clone().do_action(request).await.map_err(|status| told(&self.address, &status))?;
        let answer = answers.into_inner().message().await.map_err(|status| told(&self.address, &status))?;
        Ok(answer.ok_or(Incomplete("body")).map_err(broken)?.body)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }
}

/// The schema as a session in this process would have it, and the dimensions.
fn without_dimensions(schema: Schema) -> Result<(SchemaRef, Vec<String>), Error> {
    let mut metadata = schema.metadata().clone();
    let dimensions = match metadata.remove(DIMENSIONS_KEY) {
        Some(names) => serde_json::from_str(&names).map_err(broken)?,
        None => Vec::new(),
    };
    Ok((SchemaRef::new(schema.with_metadata(metadata)), dimensions))
}

/// What a status tells.
fn told(address: &str, status: &Status) -> Error {
    if let Some(error) = failure::error(status) {
        return error;
    }
    let is_gone = std::error::Error::source(status).is_some();
    match status.code() {
        _ if is_gone => Error::Execution(format!("the server at {address} is gone: {}", deepest(status))),
        Code::Unavailable | Code::Cancelled | Code::Unknown => {
            Error::Execution(format!("the server at {address} is gone: {}", status.message()))
        }
        Code::Unauthenticated => Error::Execution(format!("{}; connect to {address} again", status.message())),
        Code::ResourceExhausted => Error::Resources(status.message().to_string()),
        _ => Error::Execution(format!("the server at {address} refuses: {}", status.message())),
    }
}

fn unreachable(address: &str, reason: &str) -> Error {
    Error::Execution(format!("cannot connect to {address}: {reason}"))
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::Execution(format!("cannot read the server's answer: {error}"))
}

/// The words of whatever is at the bottom of an error.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
