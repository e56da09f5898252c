//! This program as a server: sessions for clients, and the clusters that they make.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use quarray_distributed::autoscaler::ScalerServer;
use quarray_distributed::cluster::ClusterError;
use quarray_distributed::control::LocalClusters;
use quarray_distributed::serve::{ServeSettings, SessionFactory, StatementServer};
use quarray_engine::backend::Backend;
use quarray_engine::session::Session;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{parse_bytes, parse_threads};
use crate::cluster::{self, ExecutorCounts, OutsideArgument, Resources, parse_executors, parse_outside};
use crate::failure::Failure;
use crate::runner::workers;
use crate::terminal::tell;

/// Runs statements for `quarray --connect`, until it is stopped (SIGTERM; a second one stops it at once).
#[derive(Debug, Clone, Parser)]
#[command(name = "quarray serve", version)]
struct ServeArgs {
    /// Where it listens: an address of this machine, since nobody is asked for a password.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
    /// Sessions begin on so many executors: 4, or 2..10. They are of this machine, unless they come to --scheduler.
    #[arg(long, value_name = "N|MIN..MAX", value_parser = parse_executors)]
    executors: Option<ExecutorCounts>,
    /// Takes executors that come by themselves (`quarray executor --scheduler`) here; sessions begin on them. Nobody is
    /// asked for a password there: other machines belong to a private network. They are the cluster `outside`, or NAME;
    /// given more than once, there are several clusters, and sessions begin on the first.
    #[arg(long, value_name = "[NAME=]ADDRESS:PORT", value_parser = parse_outside)]
    scheduler: Vec<OutsideArgument>,
    /// Tells how many executors are wanted here, to KEDA (as its external scaler).
    #[arg(long, value_name = "ADDRESS:PORT")]
    scaler: Option<SocketAddr>,
    /// Memory that queries of a session may hold at once: 400MB, 2GiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    memory_limit: Option<usize>,
    /// Threads that work on queries; the cores of the machine by default.
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<usize>,
    /// Seconds after which a session ends that no client uses.
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    idle_timeout: u32,
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
        if let Some((server, scaler)) = served {
            tell(&format!("flight grpc://{}", server.address()));
            for (name, address) in outside(&args, &clusters).await {
                tell(&format!("scheduler of {name} {address}"));
            }
            if let Some(scaler) = &scaler {
                tell(&format!("scaler grpc://{}", scaler.address()));
            }
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tokio::select! {
                () = async { server.shut_down().await; clusters.shut_down().await } => {}
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
) -> Result<(StatementServer, Option<ScalerServer>), Failure> {
    let first = open_outside(args, clusters).await?;
    let backend: Option<Arc<dyn Backend>> = match args.executors {
        _ if first.is_some() => first,
        Some(counts) => {
            let resources = Resources { threads: args.threads, memory: args.memory_limit };
            Some(Arc::new(cluster::of_session(clusters, resources, counts).await?))
        }
        None => None,
    };
    let settings = ServeSettings {
        listen: args.listen,
        idle_max: Duration::from_secs(u64::from(args.idle_timeout)),
        sessions: sessions(args, clusters, backend),
    };
    let scaler = match args.scaler {
        Some(listen) => Some(ScalerServer::start(listen, Arc::clone(clusters)).await?),
        None => None,
    };
    Ok((StatementServer::start(settings, workers).await?, scaler))
}

/// Listens for executors that come by themselves; where sessions begin, if there are any.
async fn open_outside(args: &ServeArgs, clusters: &LocalClusters) -> Result<Option<Arc<dyn Backend>>, Failure> {
    let counts = args.executors.map(|counts| (counts.min, counts.max));
    for OutsideArgument { name, listen } in &args.scheduler {
        if !clusters.open(name, cluster::scheduler_settings(*listen), counts).await? {
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

/// Sessions have the server's settings and clusters; names are their own.
fn sessions(args: &ServeArgs, clusters: &Arc<LocalClusters>, backend: Option<Arc<dyn Backend>>) -> SessionFactory {
    let mut settings = Session::builder().clusters(Arc::clone(clusters) as _);
    if let Some(threads) = args.threads {
        settings = settings.threads(threads);
    }
    if let Some(bytes) = args.memory_limit {
        settings = settings.memory_limit(bytes);
    }
    if let Some(backend) = backend {
        settings = settings.backend(backend);
    }
    Arc::new(move || settings.clone().build())
}
