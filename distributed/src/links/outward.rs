//! The ways out of a process: a Unix socket for each service of another host.
//!
//! Ballista makes its own connections, from addresses that begin with `http://`; what can be exchanged is the address.
//! Unix sockets in a directory of its own are the one kind of address on this host that other users cannot connect to.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ballista_core::config::BallistaConfig;
use ballista_core::extension::{BallistaConfigGrpcEndpoint, EndpointOverrideFn};
use ballista_core::utils::{GrpcClientConfig, create_grpc_client_endpoint};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};
use tonic::transport::Endpoint;

use super::dial::{Connection, dial};
use super::error::LinkError;
use super::gate::BUFFER_BYTES;
use super::identity::Identity;
use super::proof::Service;

/// The path of a directory may have so many bytes: that of a socket in a directory below has 107 at most.
const DIRECTORY_BYTES_MAX: usize = 86;

/// A way out that nobody has used for so long is closed; who wants it again gets a new one.
const IDLE_MAX: Duration = Duration::from_secs(3600);

/// Accepting fails when there are too many files; this is how long it waits for better times.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The pause before a host that could not be reached is tried again.
const CALL_PAUSE: Duration = Duration::from_millis(200);

/// Ways to the services of other hosts. They end when this is dropped.
#[derive(Debug)]
pub struct Links {
    identity: Identity,
    threads: Handle,
    /// Where the sockets are, until the ways are closed.
    directory: Mutex<Option<TempDir>>,
    root: PathBuf,
    last: AtomicU64,
    ways: Arc<Mutex<HashMap<Target, Way>>>,
}

/// A service of a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) service: Service,
}

#[derive(Debug)]
struct Way {
    socket: PathBuf,
    task: AbortHandle,
    /// What went wrong when it was used last.
    failure: Arc<Mutex<Option<String>>>,
}

impl Links {
    /// No ways yet. Their sockets will be in a directory of their own below `preferred`, or where the system has its
    /// temporary files if that path is too long for sockets; bytes are carried by the runtime that this is called on.
    pub fn new(identity: &Identity, preferred: &Path) -> Result<Arc<Self>, LinkError> {
        let is_short = preferred.as_os_str().len() <= DIRECTORY_BYTES_MAX;
        let parent = if is_short { preferred.to_path_buf() } else { std::env::temp_dir() };
        let mut builder = tempfile::Builder::new();
        builder
            .prefix(if parent == std::env::temp_dir() { "quarray-links-" } else { "links-" })
            .permissions(std::fs::Permissions::from_mode(0o700));
        let directory = builder.tempdir_in(&parent);
        let directory = directory.map_err(|error| LinkError::Socket { path: parent.display().to_string(), error })?;
        Ok(Arc::new(Self {
            identity: identity.clone(),
            threads: Handle::current(),
            root: directory.path().to_path_buf(),
            directory: Mutex::new(Some(directory)),
            last: AtomicU64::new(0),
            ways: Arc::default(),
        }))
    }

    /// What this process proves itself with.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Calls a service once, to know whether it can be reached. What may get better in a moment is waited for.
    pub async fn call(&self, (host, port): (&str, u16), service: Service, patience: Duration) -> Result<(), LinkError> {
        let end = tokio::time::Instant::now() + patience;
        loop {
            match self.connect((host, port), service).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_passing() && tokio::time::Instant::now() < end => {
                    tokio::time::sleep(CALL_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Connects to a service, only to know for how long it is there.
    pub async fn connect(&self, (host, port): (&str, u16), service: Service) -> Result<Connection, LinkError> {
        dial(&self.identity, (host, port), service).await.map(Connection)
    }

    /// For Ballista's connections of an executor to its scheduler, whatever name that has for itself.
    pub fn to_scheduler(self: &Arc<Self>, host: String, port: u16) -> EndpointOverrideFn {
        let links = Arc::clone(self);
        Arc::new(move |endpoint| links.exchanged(&endpoint, &host, port, Service::Scheduler))
    }

    /// For Ballista's connections of a scheduler to executors.
    pub fn to_tasks(self: &Arc<Self>) -> EndpointOverrideFn {
        self.to_address_with(Service::Tasks)
    }

    /// For connections to executors that have data.
    pub fn to_data(self: &Arc<Self>) -> Arc<BallistaConfigGrpcEndpoint> {
        Arc::new(BallistaConfigGrpcEndpoint::new(self.to_address_with(Service::Data)))
    }

    /// Ends all ways and removes their sockets, although others may still hold this: Ballista's servers do not let go of
    /// what they were given.
    pub fn close(&self) {
        self.ways.lock().drain().for_each(|(_, way)| way.task.abort());
        drop(self.directory.lock().take());
    }

    /// What went wrong when data of this host was asked for last.
    pub fn failure(&self, host: &str, port: u16) -> Option<String> {
        let target = Target { host: bare(host).to_string(), port, service: Service::Data };
        self.ways.lock().get(&target).and_then(|way| way.failure.lock().clone())
    }

    fn to_address_with(self: &Arc<Self>, service: Service) -> EndpointOverrideFn {
        let links = Arc::clone(self);
        Arc::new(move |endpoint| {
            let (host, port) = (endpoint.uri().host(), endpoint.uri().port_u16());
            let (host, port) = host.zip(port).ok_or_else(|| format!("{} has no host and port", endpoint.uri()))?;
            links.exchanged(&endpoint, bare(host), port, service)
        })
    }

    /// An endpoint at a socket. Its patience is Ballista's own where that had any: it cannot be taken from the other.
    fn exchanged(
        &self,
        endpoint: &Endpoint,
        host: &str,
        port: u16,
        service: Service,
    ) -> Result<Endpoint, Box<dyn std::error::Error + Send + Sync>> {
        let socket = self.socket(Target { host: host.to_string(), port, service })?;
        let address = format!("unix:{}", socket.display());
        let patience = GrpcClientConfig::from(&BallistaConfig::default());
        let patience = endpoint.get_connect_timeout().is_some().then_some(&patience);
        Ok(create_grpc_client_endpoint(address, patience)?)
    }

    pub(super) fn socket(&self, target: Target) -> Result<PathBuf, LinkError> {
        let mut ways = self.ways.lock();
        if let Some(way) = ways.get(&target) {
            return Ok(way.socket.clone());
        }
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let socket = self.root.join(number.to_string());
        let wrong = |error| LinkError::Socket { path: socket.display().to_string(), error };
        let listener = std::os::unix::net::UnixListener::bind(&socket).map_err(wrong)?;
        listener.set_nonblocking(true).map_err(wrong)?;
        let listener = {
            let _inside = self.threads.enter();
            UnixListener::from_std(listener).map_err(wrong)?
        };
        let failure = Arc::default();
        let carry = carry(listener, self.identity.clone(), target.clone(), Arc::clone(&failure));
        let (all, closed) = (Arc::clone(&self.ways), target.clone());
        let task = self.threads.spawn(async move {
            carry.await;
            // Under the lock: whoever looks for it either finds it open or makes another.
            let mut all = all.lock();
            let _ = all.remove(&closed).map(|way| std::fs::remove_file(way.socket));
        });
        ways.insert(target, Way { socket: socket.clone(), task: task.abort_handle(), failure });
        Ok(socket)
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.close();
    }
}

/// Carries connections of a socket to a service, until nobody has come for long.
async fn carry(listener: UnixListener, identity: Identity, target: Target, failure: Arc<Mutex<Option<String>>>) {
    let (identity, target) = (Arc::new(identity), Arc::new(target));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (identity, target, failure) = (Arc::clone(&identity), Arc::clone(&target), Arc::clone(&failure));
                    connections.spawn(async move { lead(stream, &identity, &target, &failure).await });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
            () = tokio::time::sleep(IDLE_MAX), if connections.is_empty() => return,
        }
    }
}

async fn lead(mut here: UnixStream, identity: &Identity, target: &Target, failure: &Mutex<Option<String>>) {
    match dial(identity, (&target.host, target.port), target.service).await {
        Ok(mut there) => {
            *failure.lock() = None;
            // Either side ends it, or the network: both have protocols of their own for that.
            let _ = copy_bidirectional_with_sizes(&mut here, &mut there, BUFFER_BYTES, BUFFER_BYTES).await;
        }
        // The connection ends without a word; the reason is told to who asks for it.
        Err(error) => *failure.lock() = Some(error.to_string()),
    }
}

/// An address without the brackets that it has in a URL.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}
