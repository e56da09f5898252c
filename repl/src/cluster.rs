//! Executors: this program as one of them, and a cluster of them for a session.

use std::convert::Infallible;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use quarray_distributed::autoscaler::DEFAULT_CLUSTER;
use quarray_distributed::backend::ClusterBackend;
use quarray_distributed::cluster::{
    ClusterError, ExecutorEnd, ExecutorSettings, ExecutorShape, PlanCodec, Program, Scheduler, SchedulerSettings,
    run_executor,
};
use quarray_distributed::codec::WireCodec;
use quarray_distributed::control::{ClusterSettings, LocalClusters, MEMORY_DEFAULT};
use quarray_distributed::links::Secret;
use quarray_distributed::metrics::{Metrics, MetricsEndpoint, SchedulerSource, router};
use quarray_distributed::scaling::Limits;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{parse_bytes, parse_threads};
use crate::failure::Failure;
use crate::security::print_user;
use crate::serve::serve;
use crate::terminal::tell;

/// The name of the cluster that a command line asks for.
const SESSION_CLUSTER: &str = "session";

/// The name, in metrics, of the cluster of a scheduler that executors come to.
const OUTSIDE_CLUSTER: &str = "scheduler";

/// Executors of a cluster of this machine, at most.
const EXECUTORS_MAX: u32 = 64;

/// How often in a row this executor has lost its scheduler before it was let in: told to the next life of the process.
const LOSSES_VARIABLE: &str = "QUARRAY_EXECUTOR_LOSSES";

/// Runs tasks of queries for a scheduler, until it is stopped (SIGTERM; a second one stops it at once) or not needed any
/// more. A scheduler that is not there is waited for, and so is the next one when it ends.
#[derive(Debug, Clone, Parser)]
#[command(name = "quarray executor", version)]
struct ExecutorArgs {
    /// The scheduler.
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_host)]
    scheduler: (String, u16),
    /// The address that others reach it at; one of this machine alone, unless there is a secret.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// A file with the secret that all hosts of the cluster share (or QUARRAY_CLUSTER_SECRET): 16 bytes, better 32 random
    /// ones.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Cores for tasks; those of the machine by default.
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    cores: Option<usize>,
    /// Memory that tasks may hold at once: 400MB, 2GiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    memory: Option<usize>,
    /// Where a directory for shuffled data is made, which is removed at the end.
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// Where `/metrics`, `/healthz` and `/readyz` answer, in plain HTTP.
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "child")]
    http: Option<SocketAddr>,
    /// Stays for so long when the scheduler does not need it any more, so that whoever started it can take it away.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    linger: u32,
    /// Its name.
    #[arg(long, hide = true)]
    id: Option<String>,
    /// Ends with its standard input; the work directory was made for it.
    #[arg(long, hide = true, requires = "work_dir")]
    child: bool,
}

/// Runs a scheduler that executors come to, until it is stopped.
#[derive(Debug, Clone, Parser)]
#[command(name = "quarray scheduler", version)]
struct SchedulerArgs {
    /// Where it listens: an address of this machine alone, unless there is a secret.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:50050")]
    listen: SocketAddr,
    /// Where `/metrics`, `/healthz` and `/readyz` answer, in plain HTTP.
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<SocketAddr>,
    /// A file with the secret that all hosts of the cluster share (or QUARRAY_CLUSTER_SECRET): 16 bytes, better 32 random
    /// ones.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// What a command line leaves to queries, where it says so.
#[derive(Debug, Clone, Copy)]
pub struct Resources {
    /// Threads.
    pub threads: Option<usize>,
    /// Bytes of memory.
    pub memory: Option<usize>,
}

/// How many executors a session has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutorCounts {
    /// At least, and at first.
    pub min: u32,
    /// At most.
    pub max: u32,
}

/// A cluster of executors that come by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutsideArgument {
    /// Its name.
    pub name: String,
    /// Where they come to.
    pub listen: SocketAddr,
}

/// Runs the part of a cluster that the arguments ask for, the program's name first; `None` when they ask for none.
pub fn run(arguments: &[OsString]) -> Option<Result<(), Failure>> {
    let rest = arguments.get(1..)?;
    match rest.first()?.to_str()? {
        "executor" => Some(run_as_executor(rest)),
        "scheduler" => Some(run_as_scheduler(rest)),
        "serve" => Some(serve(rest)),
        "hash-password" => Some(print_user(rest)),
        _ => None,
    }
}

fn run_as_scheduler(arguments: &[OsString]) -> Result<(), Failure> {
    let args = SchedulerArgs::try_parse_from(arguments).map_err(Failure::CommandLine)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::Start)?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Start)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Start)?;
        let mut settings = scheduler_settings(args.listen, args.secret_file.as_deref())?;
        settings.has_rest = true;
        let scheduler = Scheduler::start(settings).await?;
        tell(&format!("listening on {}", scheduler.address()));
        if scheduler.local_address() != scheduler.address() {
            tell(&format!("on this machine, rest http://{}", scheduler.local_address()));
        }
        let metrics = Metrics::new().with(SchedulerSource::new(OUTSIDE_CLUSTER, Arc::clone(&scheduler)));
        let routes = router(metrics, Arc::new(|| true));
        let listener = args.http.map(http_listener).transpose()?;
        let _endpoint = listener.map(|listener| MetricsEndpoint::start(listener, routes)).transpose()?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}

fn run_as_executor(arguments: &[OsString]) -> Result<(), Failure> {
    let args = ExecutorArgs::try_parse_from(arguments).map_err(Failure::CommandLine)?;
    let mut settings = ExecutorSettings::new(args.scheduler, codec());
    settings.address = args.address;
    settings.secret = secret(args.secret_file.as_deref())?;
    settings.id = args.id;
    settings.cores = args.cores.unwrap_or_else(machine_cores);
    settings.memory = args.memory.map_or(MEMORY_DEFAULT, |bytes| bytes as u64);
    settings.work_dir = args.work_dir;
    settings.is_child = args.child;
    settings.http = args.http.map(http_listener).transpose()?.map(Arc::new);
    if args.child {
        return Ok(run_executor(settings).map(drop)?);
    }
    settings.losses = std::env::var(LOSSES_VARIABLE).ok().and_then(|losses| losses.parse().ok()).unwrap_or(0);
    settings.tell = tell;
    match run_executor(settings)? {
        ExecutorEnd::Signal => Ok(()),
        ExecutorEnd::NotNeeded => {
            tell("the scheduler does not need this executor any more");
            linger(Duration::from_secs(u64::from(args.linger)))
        }
        ExecutorEnd::Lost { reason, losses } => {
            tell(&format!("the scheduler is gone: {reason}"));
            begin_anew(arguments, losses).map(|never| match never {})
        }
    }
}

/// Waits, or until a signal ends that.
fn linger(time: Duration) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Start)?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Start)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Start)?;
        let mut asked = signal(SignalKind::user_defined1()).map_err(Failure::Start)?;
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = asked.recv() => {}
        }
        Ok(())
    })
}

/// Executes this program anew, in the same process: whatever still ran for the old scheduler is gone, and its files are
/// removed.
fn begin_anew(arguments: &[OsString], losses: u32) -> Result<Infallible, Failure> {
    let program = Program::current()?;
    Err(Failure::Start(Command::new(program.path).args(arguments).env(LOSSES_VARIABLE, losses.to_string()).exec()))
}

/// A scheduler that listens there.
pub(crate) fn scheduler_settings(listen: SocketAddr, secret_file: Option<&Path>) -> Result<SchedulerSettings, Failure> {
    Ok(SchedulerSettings { listen, secret: secret(secret_file)?, ..SchedulerSettings::new(codec()) })
}

/// Where metrics are told, which is said on standard error.
fn http_listener(address: SocketAddr) -> Result<TcpListener, Failure> {
    let wrong = |error| ClusterError::Listen { address: address.to_string(), error };
    let listener = TcpListener::bind(address).map_err(wrong)?;
    tell(&format!("metrics http://{}/metrics", listener.local_addr().map_err(wrong)?));
    Ok(listener)
}

/// The secret of a cluster: in the file, or else in the environment.
pub(crate) fn secret(file: Option<&Path>) -> Result<Option<Secret>, Failure> {
    let found = match file {
        Some(file) => Secret::from_file(file).map(Some),
        None => Secret::from_environment(),
    };
    found.map_err(|error| Failure::Cluster(ClusterError::Link(error)))
}

/// No clusters yet: executors will be this very program.
pub fn clusters() -> Result<LocalClusters, Failure> {
    let user = Limits { max: EXECUTORS_MAX, ..Limits::NONE };
    Ok(LocalClusters::new(Program::current()?, codec(), None, user))
}

/// Starts the cluster that a command line asks for, and gives the place where plans run on it: the machine's cores and the
/// memory are shared out among executors.
pub async fn of_session(
    clusters: &LocalClusters,
    resources: Resources,
    counts: ExecutorCounts,
) -> Result<ClusterBackend, Failure> {
    let share = counts.max.max(1) as usize;
    let cores = resources.threads.unwrap_or_else(machine_cores);
    let memory = resources.memory.map_or(MEMORY_DEFAULT, |bytes| (bytes / share) as u64);
    let shape = ExecutorShape { cores: (cores / share).max(1), memory };
    let settings = ClusterSettings { min: counts.min, max: counts.max, shape, idle_timeout: None };
    clusters.create(SESSION_CLUSTER, settings).await?;
    clusters.backend(SESSION_CLUSTER).await.ok_or(Failure::Cluster(ClusterError::Closed))
}

/// `4` or `2..10`.
pub fn parse_executors(text: &str) -> Result<ExecutorCounts, String> {
    let number = |text: &str| text.trim().parse::<u32>().ok().filter(|number| (1..=EXECUTORS_MAX).contains(number));
    let counts = match text.split_once("..") {
        Some((min, max)) => number(min).zip(number(max)),
        None => number(text).map(|both| (both, both)),
    };
    match counts {
        Some((min, max)) if min <= max => Ok(ExecutorCounts { min, max }),
        _ => Err(format!("`{text}` is no number of executors; write 4 or 2..10")),
    }
}

/// `127.0.0.1:50050`, or `name=127.0.0.1:50050` for a cluster of another name.
pub(crate) fn parse_outside(text: &str) -> Result<OutsideArgument, String> {
    let (name, address) = text.split_once('=').unwrap_or((DEFAULT_CLUSTER, text));
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let listen = address.parse().map_err(|_| format!("`{address}` is no ADDRESS:PORT"))?;
    match name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_name) {
        true => Ok(OutsideArgument { name: name.to_string(), listen }),
        false => Err(format!("`{name}` is no name of a cluster; write it in small letters, digits and _")),
    }
}

/// `127.0.0.1:50051`, `server:50051`, `[::1]:50051`.
pub(crate) fn parse_host(text: &str) -> Result<(String, u16), String> {
    let wrong = || format!("`{text}` is no HOST:PORT");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().map_err(|_| wrong())?;
    if host.is_empty() { Err(wrong()) } else { Ok((host.to_string(), port)) }
}

/// The codec of plans that go to executors.
fn codec() -> PlanCodec {
    Arc::new(WireCodec::default())
}

fn machine_cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executors_are_a_number_or_a_range() {
        assert_eq!(parse_executors("4"), Ok(ExecutorCounts { min: 4, max: 4 }));
        assert_eq!(parse_executors("2..10"), Ok(ExecutorCounts { min: 2, max: 10 }));
        for wrong in ["", "0", "3..2", "..4", "many", "-1", "2..99999"] {
            assert!(parse_executors(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cluster_outside_has_a_name() {
        let parsed = |text: &str| parse_outside(text).map(|argument| (argument.name, argument.listen.to_string()));
        assert_eq!(parsed("127.0.0.1:50050"), Ok(("outside".to_string(), "127.0.0.1:50050".to_string())));
        assert_eq!(parsed("big_1=[::1]:0"), Ok(("big_1".to_string(), "[::1]:0".to_string())));
        for wrong in ["", "50050", "=127.0.0.1:1", "Big=127.0.0.1:1", "a b=127.0.0.1:1", "big=host:1"] {
            assert!(parse_outside(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_host_has_a_port() {
        assert_eq!(parse_host("127.0.0.1:50050"), Ok(("127.0.0.1".to_string(), 50050)));
        assert_eq!(parse_host("scheduler:1"), Ok(("scheduler".to_string(), 1)));
        for wrong in ["", "scheduler", ":1", "scheduler:", "scheduler:70000"] {
            assert!(parse_host(wrong).is_err(), "{wrong}");
        }
    }
}
