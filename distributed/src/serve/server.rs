//! The server of sessions.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use futures::{Stream, TryStreamExt};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Server;

use super::flight::{Admission, Authenticator, Connection};
use super::security::{Incoming, ServerTls, incoming};
use super::service::StatementService;
use super::sessions::{SessionFactory, SessionRules, Sessions};
use crate::cluster::local::Threads;
use crate::cluster::places::listen;
use crate::cluster::{ClusterError, MESSAGE_BYTES_MAX};

/// Statements that run when a server ends have so long to end by themselves.
const GRACE: Duration = Duration::from_secs(3);

/// Clients that have gone without a word are noticed after twice this, and what they ran is ended.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// What a server is started with.
#[derive(Clone)]
pub struct ServeSettings {
    /// Where it listens; port 0 is any that is free.
    pub listen: SocketAddr,
    /// A session that nobody has used for so long ends.
    pub idle_max: Duration,
    /// Makes the session of a new client.
    pub sessions: SessionFactory,
    /// Decides who a client is.
    pub authenticator: Arc<dyn Authenticator>,
    /// Decides whether a statement may begin.
    pub admission: Arc<dyn Admission>,
    /// What connections are encrypted with, if they are.
    pub tls: Option<ServerTls>,
    /// Whether other machines may reach it: see [`expect_safe`](super::security::expect_safe).
    pub is_exposed: bool,
}

/// A server that runs. It ends when it is dropped.
pub struct StatementServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    service: JoinHandle<()>,
    _threads: Threads,
}

impl StatementServer {
    /// Starts a server for clients of this machine (or of others, if it is to be exposed), whose statements run on `workers`.
    pub async fn start(settings: ServeSettings, workers: Handle) -> Result<Self, ClusterError> {
        if !settings.listen.ip().is_loopback() && !settings.is_exposed {
            return Err(ClusterError::NotLocal { address: settings.listen.to_string() });
        }
        let threads = Threads::start()?;
        let (stop, stopped) = oneshot::channel();
        let start = async move {
            let listener = listen(settings.listen).await?;
            let address = listener.local_addr().map_err(ClusterError::system("listen"))?;
            let ServeSettings { idle_max, sessions: make, authenticator, admission, tls, .. } = settings;
            let sessions = Sessions::new(SessionRules { make, authenticator, admission, idle_max })
                .map_err(ClusterError::system("make keys of sessions"))?;
            let sessions = Arc::new(sessions);
            let service = tokio::spawn(serve(incoming(listener, tls.as_ref()), sessions, workers, stopped));
            Ok((address, service))
        };
        let (address, service) = threads.run(start).await?;
        Ok(Self { address, stop, service, _threads: threads })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new statements, gives those that run a moment to end, and ends.
    pub async fn shut_down(self) {
        let Self { stop, service, .. } = self;
        // Whoever does not listen any more has ended.
        let _ = stop.send(());
        let _ = tokio::time::timeout(GRACE, service).await;
    }
}

async fn serve(
    incoming: impl Stream<Item = io::Result<Incoming>> + Send + 'static,
    sessions: Arc<Sessions>,
    workers: Handle,
    stopped: oneshot::Receiver<()>,
) {
    let service = StatementService { sessions: Arc::clone(&sessions), threads: workers };
    let service = FlightServiceServer::new(service)
        .max_decoding_message_size(MESSAGE_BYTES_MAX as usize)
        .max_encoding_message_size(usize::MAX);
    let of_connections = Arc::clone(&sessions);
    let incoming = incoming.map_ok(move |stream| {
        let peer = stream.peer();
        Connection::new(stream, peer, Arc::clone(&of_connections))
    });
    let stopped = async move {
        // A server that is dropped stops as well.
        let _ = stopped.await;
    };
    let served = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, stopped);
    let sweep = async {
        let mut ticks = tokio::time::interval(sessions.sweep_interval());
        loop {
            ticks.tick().await;
            sessions.drop_idle();
        }
    };
    tokio::select! {
        // Its clients notice as well as anyone could tell them.
        _ = served => {}
        () = sweep => {}
    }
}
