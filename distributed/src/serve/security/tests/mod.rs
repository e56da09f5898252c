//! A server with users, and everything that it must refuse: each refusal beside what is allowed in the same way, so that
//! nothing is refused for a wrong reason.

mod credentials;
mod encrypted;
mod limited;
mod touching;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt};
use arrow_flight::{Action, FlightDescriptor, FlightInfo, HandshakeRequest, Ticket};
use async_trait::async_trait;
use futures::stream;
use prost::Message;
use quarray_engine::access::{AccessPolicy, AccessRules};
use quarray_engine::{Clusters, Error, Outcome, Session};
use quarray_lang::cluster::ClusterStatement;
use tokio::runtime::Handle;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::passwords::hash_quickly;
use super::tokens::TokenHash;
use super::{Gatekeeper, Rights, ServerTls, Turnstiles, UserLimits, Users};
use crate::serve::{LoginName, RemoteSession, ServeSettings, ServerLogin, StatementServer};

type Ended = Result<(), Box<dyn std::error::Error>>;
type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Where there is a store to read.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data");

/// The token of the user `robot`.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A server with users and a directory that they may use.
struct Bench {
    server: StatementServer,
    directory: tempfile::TempDir,
}

/// What a server of a test is like.
struct Manners {
    limits: UserLimits,
    queries_max: Option<usize>,
    urls: Vec<String>,
    idle_max: Duration,
    tls: Option<ServerTls>,
}

impl Default for Manners {
    fn default() -> Self {
        let (limits, idle_max) = (UserLimits::default(), Duration::from_secs(60));
        Self { limits, queries_max: None, urls: Vec::new(), idle_max, tls: None }
    }
}

/// Clusters of which there are none: what is said of them is all that is wanted.
#[derive(Debug)]
struct NoClusters;

#[async_trait]
impl Clusters for NoClusters {
    async fn run(&self, statement: ClusterStatement, _session: &Session) -> Result<Outcome, Error> {
        Ok(Outcome::Done(format!("allowed: {}", statement.name().is_some())))
    }
}

impl Bench {
    async fn start(manners: Manners) -> Fallible<Self> {
        let directory = tempfile::tempdir()?;
        for folder in ["served", "secret"] {
            std::fs::create_dir(directory.path().join(folder))?;
            std::fs::write(directory.path().join(folder).join("table.csv"), "a\n1\n")?;
        }
        std::os::unix::fs::symlink(directory.path().join("secret"), directory.path().join("served/link"))?;
        let hash = |password| hash_quickly(password);
        let (ada, bob, eve, old) = (hash("ada's")?, hash("bob's")?, hash("eve's")?, hash("old's")?);
        let token = TokenHash::of(TOKEN);
        let users = format!(
            "ada {ada} role=admin\nbob {bob}\neve {eve} role=read\nold {old} until=2020-01-01\nrobot {token}\n"
        );
        let users = Arc::new(Users::parse(&users, "users")?);
        let roots = vec![directory.path().join("served"), PathBuf::from(DATA)];
        let rules = AccessRules { roots, urls: manners.urls, may_write: true, ..AccessRules::default() };
        let limits = Arc::new(Turnstiles::new(Arc::clone(&users), manners.limits, manners.queries_max));
        let rights = Rights::new(Arc::clone(&users), Arc::clone(&limits), AccessPolicy::confined(rules)?);
        let clusters: Arc<dyn Clusters> = Arc::new(NoClusters);
        let builder = Session::builder().threads(2).memory_limit(128 << 20);
        let settings = ServeSettings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            idle_max: manners.idle_max,
            sessions: Arc::new(move |user| rights.session(user, builder.clone(), &clusters)),
            authenticator: Arc::new(Gatekeeper::new(users)?),
            admission: limits,
            tls: manners.tls,
            is_exposed: false,
        };
        Ok(Self { server: StatementServer::start(settings, Handle::current()).await?, directory })
    }

    fn address(&self) -> String {
        self.server.address().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn login(&self, name: &str, password: &str) -> ServerLogin {
        let credentials = Some(LoginName { name: name.to_string(), password: password.to_string() });
        ServerLogin { address: self.address(), credentials, tls: None }
    }

    /// The session of a user, whose password is known by their name.
    async fn session(&self, name: &str) -> Fallible<RemoteSession> {
        Ok(RemoteSession::connect_as(self.login(name, &format!("{name}'s"))).await?)
    }

    async fn calls(&self) -> Fallible<Calls> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address()))?;
        Ok(Calls { client: FlightServiceClient::new(endpoint.connect().await?), header: None })
    }

    /// The calls of a user's session.
    async fn calls_of(&self, name: &str) -> Fallible<Calls> {
        let basic = basic(name, &format!("{name}'s"));
        let mut calls = self.calls().await?.with(&basic);
        let token = calls.handshake().await?;
        Ok(calls.with(&format!("Bearer {token}")))
    }
}

/// Calls as any client may make them.
#[derive(Clone)]
struct Calls {
    client: FlightServiceClient<Channel>,
    header: Option<String>,
}

impl Calls {
    /// The same, with that header.
    fn with(&self, header: &str) -> Self {
        Self { client: self.client.clone(), header: Some(header.to_string()) }
    }

    fn request<T>(&self, message: T) -> Result<Request<T>, Status> {
        let mut request = Request::new(message);
        if let Some(header) = &self.header {
            let header = header.parse().map_err(|_| Status::internal("the test's header is none"))?;
            request.metadata_mut().insert("authorization", header);
        }
        Ok(request)
    }

    async fn handshake(&mut self) -> Result<String, Status> {
        let request = self.request(stream::iter([HandshakeRequest::default()]))?;
        let answer = self.client.handshake(request).await?.into_inner().message().await?;
        let token = answer.ok_or_else(|| Status::internal("no answer"))?.payload;
        String::from_utf8(token.to_vec()).map_err(|_| Status::internal("no text"))
    }

    async fn run(&mut self, text: &str) -> Result<FlightInfo, Status> {
        let query = CommandStatementQuery { query: text.to_string(), transaction_id: None };
        let request = self.request(FlightDescriptor::new_cmd(query.as_any().encode_to_vec()))?;
        Ok(self.client.get_flight_info(request).await?.into_inner())
    }

    /// The ticket of the rows of a statement.
    async fn ticket(&mut self, text: &str) -> Result<Ticket, Status> {
        let info = self.run(text).await?;
        let ticket = info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone());
        ticket.ok_or_else(|| Status::internal("no ticket"))
    }

    /// The number of messages that a ticket fetches.
    async fn fetch(&mut self, ticket: Ticket) -> Result<usize, Status> {
        let request = self.request(ticket)?;
        let mut data = self.client.do_get(request).await?.into_inner();
        let mut count = 0;
        while data.message().await?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    async fn act(&mut self, action: &str, body: &str) -> Result<(), Status> {
        let request = self.request(Action::new(action, body.to_string()))?;
        let mut answers = self.client.do_action(request).await?.into_inner();
        while answers.message().await?.is_some() {}
        Ok(())
    }
}

fn basic(name: &str, password: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{name}:{password}")))
}

/// Runs a statement to its last row.
async fn run(session: &RemoteSession, text: &str) -> Result<usize, Error> {
    match session.query(text).await? {
        Outcome::Rows(mut rows) => {
            let mut count = 0;
            while let Some(batch) = rows.next().await? {
                count += batch.num_rows();
            }
            Ok(count)
        }
        _ => Ok(0),
    }
}

/// Checks that a refusal has one of these codes, and that its words tell nothing of the inside.
fn check(case: &str, refused: Result<impl Sized, Status>, codes: &[Code]) -> Ended {
    let Err(status) = refused else { return Err(format!("{case}: it is allowed").into()) };
    if !codes.contains(&status.code()) {
        return Err(format!("{case}: expected {codes:?}, found {status:?}").into());
    }
    check_words(case, status.message())
}

fn check_words(case: &str, words: &str) -> Ended {
    let inside = ["os error", "panicked", "backtrace", ".rs:", "/src/", "secret/", "$argon2", "sha256:", "Status {"];
    match inside.iter().find(|mark| words.contains(**mark) && !case.contains(**mark)) {
        Some(mark) => Err(format!("{case}: `{mark}` in: {words}").into()),
        None => Ok(()),
    }
}
