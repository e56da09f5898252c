//! This program as a server: sessions for clients, and the clusters that they make.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use quarray_distributed::autoscaler::ScalerServer;
use quarray_distributed::cluster::ClusterError;
use quarray_distributed::control::LocalClusters;
use quarray_distributed::serve::http::HttpServer;
use quarray_distributed::serve::security::Rights;
use quarray_distributed::serve::{ServeSettings, SessionFactory, StatementServer};
use quarray_engine::backend::{Backend, Clusters};
use quarray_engine::queries::{QueryLogSettings, QueryRegistry};
use quarray_engine::session::Session;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{parse_bytes, parse_threads};
use crate::cluster::{self, ExecutorCounts, OutsideArgument, Resources, parse_executors, parse_outside};
use crate::dashboard;
use crate::failure::Failure;
use crate::runner::workers;
use crate::security::{SecurityArgs, ServerRules};
use crate::terminal::{print_text, tell};

/// Runs statements for `quarray --connect`, until it is stopped (SIGTERM; a second one stops it at once).
#[derive(Debug, Clone, Parser)]
#[command(name = "quarray serve", version)]
struct ServeArgs {
    /// Where it listens. Other machines reach it with --users, --tls-cert and --tls-key only (or --insecure).
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
    /// Where the dashboard listens for browsers: an address of this machine. By default on any port that is free. With
    /// --users it asks for a name and a password, and shows each user their own statements.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    http: SocketAddr,
    /// A name of this host that browsers may use for the dashboard; may be given more than once.
    #[arg(long, value_name = "NAME")]
    http_name: Vec<String>,
    /// Sessions begin on so many executors: 4, or 2..10. They are of this machine, unless they come to --scheduler.
    #[arg(long, value_name = "N|MIN..MAX", value_parser = parse_executors)]
    executors: Option<ExecutorCounts>,
    /// Takes executors that come by themselves (`quarray executor --scheduler`) here; sessions begin on them. Those of
    /// other machines need a secret. They are the cluster `outside`, or NAME; given more than once, there are several
    /// clusters, and sessions begin on the first.
    #[arg(long, value_name = "[NAME=]ADDRESS:PORT", value_parser = parse_outside)]
    scheduler: Vec<OutsideArgument>,
    /// A file with the secret that all hosts of a cluster share (or QUARRAY_CLUSTER_SECRET).
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Tells how many executors are wanted here, to KEDA (as its external scaler).
    #[arg(long, value_name = "ADDRESS:PORT")]
    scaler: Option<SocketAddr>,
    /// Memory that queries of a session may hold at once: 400MB, 2GiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    memory_limit: Option<usize>,
    /// Threads that work on queries; the cores of the machine by default.
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<usize>,
    /// Where a log of all statements is kept, for `system.queries` after a restart; nowhere by default.
    #[arg(long, value_name = "DIR")]
    query_log: Option<PathBuf>,
    /// Seconds after which a session ends that no client uses.
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    idle_timeout: u32,
    #[command(flatten)]
    security: SecurityArgs,
}

/// Serves as the arguments say, the name of the subcommand first.
pub fn serve(arguments: &[OsString]) -> Result<(), Failure> {
    let args = ServeArgs::try_parse_from(arguments).map_err(Failure::CommandLine)?;
    // Signals and executors are heard even while queries keep all workers busy.
    let desk = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Start)?;
    let workers = workers(args.threads)?;
    let clusters = Arc::new(cluster::clusters()?);
    let ended = desk.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Start)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Start)?;
        let served = tokio::select! {
            started = start(&args, &clusters, workers.handle().clone()) => Some(started?),
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
        };
        if let Some(served) = served {
            tell_addresses(&args, &clusters, &served).await;
            let Served { server, http, scaler: _scaler } = served;
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tokio::select! {
                () = async { http.shut_down().await; server.shut_down().await; clusters.shut_down().await } => {}
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        Ok(())
    });
    workers.shutdown_background();
    ended
}

async fn start(
    args: &ServeArgs,
    clusters: &Arc<LocalClusters>,
    workers: tokio::runtime::Handle,
) -> Result<Served, Failure> {
    let queries = queries(args)?;
    let first = open_outside(args, clusters).await?;
    let backend: Option<Arc<dyn Backend>> = match args.executors {
        _ if first.is_some() => first,
        Some(counts) => {
            let resources = Resources { threads: args.threads, memory: args.memory_limit };
            Some(Arc::new(cluster::of_session(clusters, resources, counts).await?))
        }
        None => None,
    };
    let ServerRules { rights, authenticator, viewers, admission, tls } = args.security.rules(args.listen)?;
    let settings = ServeSettings {
        listen: args.listen,
        idle_max: Duration::from_secs(u64::from(args.idle_timeout)),
        sessions: sessions(args, clusters, backend, rights, Arc::clone(&queries)),
        authenticator,
        admission,
        tls,
        // The rules were made for that address.
        is_exposed: true,
    };
    let scaler = match args.scaler {
        Some(listen) => Some(ScalerServer::start(listen, Arc::clone(clusters)).await?),
        None => None,
    };
    let server = StatementServer::start(settings, workers).await?;
    let http = dashboard::start(args.http, args.http_name.clone(), viewers, &queries, clusters).await?;
    Ok(Served { server, http, scaler })
}

/// What serves, for as long as it is held.
struct Served {
    server: StatementServer,
    http: HttpServer,
    scaler: Option<ScalerServer>,
}

/// Tells where everything is; programs read the two lines on standard output.
async fn tell_addresses(args: &ServeArgs, clusters: &LocalClusters, served: &Served) {
    let Served { server, http, scaler } = served;
    let scheme = if args.security.is_encrypted() { "grpcs" } else { "grpc" };
    tell(&format!("flight {scheme}://{}", server.address()));
    for (name, address) in outside(args, clusters).await {
        tell(&format!("scheduler of {name} {address}"));
    }
    if let Some(scaler) = scaler {
        tell(&format!("scaler grpc://{}", scaler.address()));
    }
    print_text(&format!("flight-sql {scheme}://{}\ndashboard {}\n", server.address(), http.link()));
}

/// Listens for executors that come by themselves; where sessions begin, if there are any.
async fn open_outside(args: &ServeArgs, clusters: &LocalClusters) -> Result<Option<Arc<dyn Backend>>, Failure> {
    let counts = args.executors.map(|counts| (counts.min, counts.max));
    for OutsideArgument { name, listen } in &args.scheduler {
        let settings = cluster::scheduler_settings(*listen, args.secret_file.as_deref())?;
        if !clusters.open(name, settings, counts).await? {
            return Err(Failure::Cluster(ClusterError::SameName(name.clone())));
        }
    }
    let backend = match args.scheduler.first() {
        Some(first) => clusters.backend(&first.name).await,
        None => None,
    };
    Ok(backend.map(|backend| Arc::new(backend) as _))
}

/// The clusters of executors that come by themselves, with the addresses where they come to.
async fn outside(args: &ServeArgs, clusters: &LocalClusters) -> Vec<(String, SocketAddr)> {
    let mut addresses = clusters.addresses().await;
    addresses.retain(|(name, _)| args.scheduler.iter().any(|outside| outside.name == *name));
    addresses
}

/// The statements of all sessions.
fn queries(args: &ServeArgs) -> Result<Arc<QueryRegistry>, Failure> {
    match &args.query_log {
        Some(directory) => Ok(QueryRegistry::logged(&QueryLogSettings::new(directory))?),
        None => Ok(QueryRegistry::new()),
    }
}

/// Sessions have the server's settings, clusters and records; names are their own.
fn sessions(
    args: &ServeArgs,
    clusters: &Arc<LocalClusters>,
    backend: Option<Arc<dyn Backend>>,
    rights: Arc<Rights>,
    queries: Arc<QueryRegistry>,
) -> SessionFactory {
    let clusters: Arc<dyn Clusters> = Arc::clone(clusters) as _;
    let mut settings = Session::builder().queries(queries);
    if let Some(threads) = args.threads {
        settings = settings.threads(threads);
    }
    if let Some(bytes) = args.memory_limit {
        settings = settings.memory_limit(bytes);
    }
    if let Some(backend) = backend {
        settings = settings.backend(backend);
    }
    Arc::new(move |user| rights.session(user, settings.clone().user(&user.name), &clusters))
}
