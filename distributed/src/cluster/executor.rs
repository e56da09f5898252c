//! The life of an executor: a process that runs tasks until it is told to stop, and leaves nothing behind.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::extension::SessionConfigExt;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::execution_engine::DefaultExecutionEngine;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionConfig;
use futures::FutureExt;
use quarray_engine::access::AccessPolicy;
use quarray_engine::progress::Progress;
use quarray_engine::state::{GridSettings, StateSettings, session_state};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::cancellation::CancellingEngine;
use super::connections::Connections;
use super::drain::leave_when_asked;
use super::error::ClusterError;
use super::outside::executor_name;
use super::parent::Parent;
use super::places::{ExecutorOpening, in_url};
use super::scheduler::HEARTBEAT;
use super::work_dir::{WorkDir, remove_directory};
use super::{MESSAGE_BYTES_MAX, PlanCodec};
use crate::links::Secret;
use crate::metrics::{Metrics, MetricsEndpoint, TasksSource, router};

/// Threads that speak with others; the work has threads of its own.
const SERVICE_THREADS: usize = 2;

/// How far the threads of tasks give way to others of the process, as `nice` counts it.
const WORK_NICENESS: libc::c_int = 10;

/// Planning deeply nested expressions recurses deeply.
const STACK_BYTES: usize = 8 << 20;

/// A leaving executor cancels its tasks after this: by then the scheduler has taken them back.
const LEAVING: Duration = Duration::from_millis(500);

/// How often it is looked whether the scheduler has let an executor in.
const POLL: Duration = Duration::from_millis(20);

/// The pause before the next try when the scheduler was lost twice in a row before it had let the executor in, and the
/// longest pause.
const LOSS_PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Exit status of an executor that was stopped in the middle of its work.
pub(super) const STOPPED: i32 = 143;

/// What an executor is started with.
#[derive(Clone)]
pub struct ExecutorSettings {
    /// Its name; one of its own by default.
    pub id: Option<String>,
    /// The scheduler's host and port.
    pub scheduler: (String, u16),
    /// The address that it listens on and tells others: one of this machine alone, unless there is a secret.
    pub address: IpAddr,
    /// The secret that all hosts of the cluster share.
    pub secret: Option<Secret>,
    /// Cores for tasks.
    pub cores: usize,
    /// Bytes that tasks may hold at once.
    pub memory: u64,
    /// Where it makes a directory of its own for shuffled data and what does not fit into memory; the system's place for
    /// temporary files by default.
    pub work_dir: Option<PathBuf>,
    /// Whether it is the child of a process that made the work directory for it: it ends as soon as its standard input
    /// does, and cannot outlive its parent.
    pub is_child: bool,
    /// The codec of plans.
    pub codec: PlanCodec,
    /// Where it tells its metrics, and whether it can do its work (see [`crate::metrics`]); nowhere by default.
    pub http: Option<Arc<TcpListener>>,
    /// How often in a row it has lost its scheduler before that had let it in.
    pub losses: u32,
    /// Hears what an operator may want to know.
    pub tell: fn(&str),
}

/// Why an executor has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecutorEnd {
    /// By a signal.
    Signal,
    /// The scheduler does not need it any more.
    NotNeeded,
    /// It has lost its scheduler: the process is to begin anew ([`run_executor`]).
    Lost {
        /// How that showed.
        reason: String,
        /// How often in a row that came before the scheduler had let it in.
        losses: u32,
    },
}

impl ExecutorSettings {
    /// An executor of one core for a scheduler on this machine.
    pub fn new(scheduler: (String, u16), codec: PlanCodec) -> Self {
        Self {
            id: None,
            scheduler,
            address: IpAddr::from(Ipv4Addr::LOCALHOST),
            secret: None,
            cores: 1,
            memory: 1 << 30,
            work_dir: None,
            is_child: false,
            codec,
            http: None,
            losses: 0,
            tell: |_| (),
        }
    }
}

/// Runs an executor until it is told to stop (SIGTERM, SIGINT, by the scheduler) or has lost its scheduler. Once in the
/// life of a process: Ballista keeps a part of its state for the whole process, and work for a scheduler that is gone may
/// not listen. Whoever wants to go on executes the program anew.
pub fn run_executor(settings: ExecutorSettings) -> Result<ExecutorEnd, ClusterError> {
    let place = settings.work_dir.clone().unwrap_or_else(std::env::temp_dir);
    let work = WorkDir::create(&place)?;
    let parent = match (settings.is_child, &settings.work_dir) {
        (true, Some(given)) => Some(Parent::watch(given.clone())?),
        _ => None,
    };
    let runtime = Builder::new_multi_thread().worker_threads(SERVICE_THREADS).enable_all().build();
    let runtime = runtime.map_err(ClusterError::system("start threads"))?;
    let workers = workers(settings.cores).map_err(ClusterError::system("start threads"))?;
    let ended = runtime.block_on(serve(&settings, work.path(), workers.handle()));
    workers.shutdown_background();
    runtime.shutdown_background();
    let removed = work.remove();
    if let Some(parent) = parent {
        parent.look_after(matches!(ended, Err(_) | Ok(ExecutorEnd::Lost { .. })));
    }
    match ended? {
        // Work that did not listen may still be writing there: the next life removes it.
        ExecutorEnd::Lost { reason, losses } => rest(pause(losses), ExecutorEnd::Lost { reason, losses }),
        ended => removed.map(|()| ended),
    }
}

/// The threads of tasks, which give way to those that speak with others.
fn workers(cores: usize) -> std::io::Result<Runtime> {
    let give_way = || {
        // SAFETY: a system call with three numbers, about the thread that it is made on: PRIO_PROCESS is 0, whatever its type.
        // Where it is refused, tasks have the priority of everything else.
        unsafe { libc::setpriority(0, 0, WORK_NICENESS) };
    };
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(cores.max(1)).thread_stack_size(STACK_BYTES).on_thread_start(give_way);
    builder.enable_all().build()
}

async fn serve(settings: &ExecutorSettings, work_dir: &Path, workers: &Handle) -> Result<ExecutorEnd, ClusterError> {
    let (mut terminate, mut interrupt) = signals()?;
    let mut asked = signal(SignalKind::user_defined1()).map_err(ClusterError::system("listen for signals"))?;
    let opening = ExecutorOpening::make(settings, work_dir).await?;
    let (host, port) = &settings.scheduler;
    let waits = |reason: &str| (settings.tell)(&format!("waiting for the scheduler at {host}:{port}: {reason}"));
    let connection = tokio::select! {
        connection = opening.reach_scheduler(&settings.scheduler, waits) => connection?,
        _ = terminate.recv() => return Ok(ExecutorEnd::Signal),
        _ = interrupt.recv() => return Ok(ExecutorEnd::Signal),
        _ = asked.recv() => return Ok(ExecutorEnd::Signal),
    };
    let connections = Arc::new(Connections::through(opening.links.clone()));
    let engine = DefaultExecutionEngine::with_client_pool(connections);
    let core_memory = usize::try_from(settings.memory).unwrap_or(usize::MAX) / settings.cores.max(1);
    let engine = Arc::new(CancellingEngine::new(engine, workers.clone(), core_memory));
    let config = Arc::new(process_config(settings, &opening, work_dir, &engine)?);
    let (id, health) = (config.executor_id.clone(), config.health.clone());
    let _endpoint = tell_metrics(settings, &config)?;
    tokio::spawn(leave_on_signals(Arc::clone(&engine), work_dir.to_path_buf()));
    tokio::spawn(leave_when_asked(Arc::clone(&config), Arc::clone(&engine), work_dir.to_path_buf()));
    (settings.tell)(&format!("{id} works for {host}:{port}"));
    let is_let_in = Cell::new(false);
    let ended = tokio::select! {
        ended = start_executor_process(config) => match ended {
            Ok(()) if health.is_ready() => Ok(ExecutorEnd::NotNeeded),
            Ok(()) => Err("it does not answer".to_string()),
            Err(error) if settings.is_child => return Err(error.into()),
            Err(error) => Err(error.to_string()),
        },
        reason = connection.ended() => Err(reason),
        never = note_when(&is_let_in, || health.is_ready()) => match never {},
    };
    engine.cancel_all();
    if terminate.recv().now_or_never().is_some() || interrupt.recv().now_or_never().is_some() {
        return Ok(ExecutorEnd::Signal);
    }
    let losses = if is_let_in.get() { 0 } else { settings.losses.saturating_add(1) };
    ended.or_else(|reason| Ok(ExecutorEnd::Lost { reason, losses }))
}

/// Answers for metrics, where there is a place for it.
fn tell_metrics(
    settings: &ExecutorSettings,
    config: &ExecutorProcessConfig,
) -> Result<Option<MetricsEndpoint>, ClusterError> {
    let Some(listener) = &settings.http else {
        return Ok(None);
    };
    let health = config.health.clone();
    let routes = router(Metrics::new().with(TasksSource), Arc::new(move || health.is_ready()));
    let listener = listener.try_clone().map_err(ClusterError::system("listen"))?;
    MetricsEndpoint::start(listener, routes).map(Some)
}

/// Notes it when something has become so, and never ends.
async fn note_when(noted: &Cell<bool>, is_so: impl Fn() -> bool) -> Infallible {
    while !is_so() {
        tokio::time::sleep(POLL).await;
    }
    noted.set(true);
    std::future::pending().await
}

/// Waits before the process begins anew, on threads of its own: whatever belonged to its last life has ended.
fn rest(pause: Duration, end: ExecutorEnd) -> Result<ExecutorEnd, ClusterError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ClusterError::system("start threads"))?;
    let end = runtime.block_on(async {
        let (mut terminate, mut interrupt) = signals()?;
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(end),
            _ = terminate.recv() => Ok(ExecutorEnd::Signal),
            _ = interrupt.recv() => Ok(ExecutorEnd::Signal),
        }
    });
    stop_hearing_signals();
    end
}

/// What is waited after so many losses in a row that came too soon: nothing after the first.
fn pause(losses: u32) -> Duration {
    let (first, longest) = LOSS_PAUSES;
    match losses {
        0 | 1 => Duration::ZERO,
        more => first.saturating_mul(1 << (more - 2).min(10)).min(longest),
    }
}

fn signals() -> Result<(Signal, Signal), ClusterError> {
    let listen = |kind| signal(kind).map_err(ClusterError::system("listen for signals"));
    Ok((listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?))
}

/// Signals end the process at once: nobody would hear them any more.
fn stop_hearing_signals() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: a system call with two numbers, which replaces a handler by what the system does without one.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// The first signal is heard by Ballista too, which takes leave of the scheduler; the second ends the process.
async fn leave_on_signals(engine: Arc<CancellingEngine>, work_dir: PathBuf) {
    let Ok((mut terminate, mut interrupt)) = signals() else {
        return;
    };
    let cancel = async {
        tokio::time::sleep(LEAVING).await;
        // Whatever the tasks would give now, nobody would read it.
        engine.cancel_all();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = cancel => {}
    }
    stop_now(&work_dir);
}

fn stop_now(work_dir: &Path) -> ! {
    // There is nobody to tell that it cannot be removed.
    let _ = remove_directory(work_dir);
    std::process::exit(STOPPED)
}

fn process_config(
    settings: &ExecutorSettings,
    opening: &ExecutorOpening,
    work_dir: &Path,
    engine: &Arc<CancellingEngine>,
) -> Result<ExecutorProcessConfig, ClusterError> {
    let id = match &settings.id {
        Some(id) => id.clone(),
        None => executor_name(settings.memory).map_err(ClusterError::system("name an executor"))?,
    };
    let places = opening.places;
    let state = executor_state(settings)?;
    let runtime = RuntimeEnvBuilder::from_runtime_env(state.runtime_env())
        .with_temp_file_path(work_dir.join("spill"))
        .build_arc()?;
    let session = state.config().clone().upgrade_for_ballista();
    let session = session.with_ballista_grpc_client_max_message_size(MESSAGE_BYTES_MAX as usize);
    Ok(ExecutorProcessConfig {
        executor_id: id,
        bind_host: in_url(places.bind),
        external_host: Some(in_url(places.told)),
        port: places.data_port,
        grpc_port: places.task_port,
        scheduler_host: settings.scheduler.0.clone(),
        scheduler_port: settings.scheduler.1,
        scheduler_connect_timeout_seconds: 10,
        vcores: settings.cores.max(1),
        task_scheduling_policy: TaskSchedulingPolicy::PushStaged,
        work_dir: Some(work_dir.display().to_string()),
        executor_heartbeat_interval_seconds: HEARTBEAT.as_secs(),
        grpc_max_decoding_message_size: MESSAGE_BYTES_MAX,
        grpc_max_encoding_message_size: MESSAGE_BYTES_MAX,
        memory_pool_size: Some(settings.memory),
        override_execution_engine: Some(Arc::clone(engine) as _),
        override_function_registry: Some(Arc::new(BallistaFunctionRegistry::from(&state))),
        override_runtime_producer: Some(Arc::new(move |_: &SessionConfig| Ok(Arc::clone(&runtime)))),
        override_config_producer: Some(Arc::new(move || session.clone())),
        override_physical_codec: Some(Arc::clone(&settings.codec)),
        override_create_grpc_client_endpoint: opening.to_scheduler(&settings.scheduler),
        ..Default::default()
    })
}

/// The engine's own state: its functions, and what its operators look for in a session.
fn executor_state(settings: &ExecutorSettings) -> Result<SessionState, ClusterError> {
    let memory_limit = usize::try_from(settings.memory).unwrap_or(usize::MAX);
    let state = StateSettings {
        memory_limit,
        threads: settings.cores.max(1),
        grid: GridSettings::default(),
        access: AccessPolicy::everything(),
        memory_pool: None,
    };
    Ok(session_state(&state, &Arc::new(Progress::default()))?)
}
