//! The life of an executor: a process that runs tasks until it is told to stop, and leaves nothing behind.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
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
use quarray_engine::progress::Progress;
use quarray_engine::state::{GridSettings, StateSettings, session_state};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use super::cancellation::CancellingEngine;
use super::connections::Connections;
use super::error::ClusterError;
use super::ports::free_pair;
use super::scheduler::HEARTBEAT;
use super::{MESSAGE_BYTES_MAX, PlanCodec};

/// Threads that speak with others; the work has threads of its own.
const SERVICE_THREADS: usize = 2;

/// How far the threads of tasks give way to others of the process, as `nice` counts it.
const WORK_NICENESS: libc::c_int = 10;

/// A leaving executor cancels its tasks after this: by then the scheduler has taken them back.
const LEAVING: Duration = Duration::from_millis(500);

/// A directory is removed in so many tries.
const REMOVAL_TRIES: usize = 20;

/// The pause between two of them.
const REMOVAL_PAUSE: Duration = Duration::from_millis(10);

/// Exit status of an executor that was stopped in the middle of its work.
const STOPPED: i32 = 143;

/// What an executor is started with.
#[derive(Clone)]
pub struct ExecutorSettings {
    /// Its name; one of its own by default.
    pub id: Option<String>,
    /// The scheduler's host and port.
    pub scheduler: (String, u16),
    /// The address that it listens on and tells others.
    pub address: IpAddr,
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
}

impl ExecutorSettings {
    /// An executor of one core for a scheduler on this machine.
    pub fn new(scheduler: (String, u16), codec: PlanCodec) -> Self {
        Self {
            id: None,
            scheduler,
            address: IpAddr::from(Ipv4Addr::LOCALHOST),
            cores: 1,
            memory: 1 << 30,
            work_dir: None,
            is_child: false,
            codec,
        }
    }
}

/// Runs an executor until it is told to stop (SIGTERM, SIGINT, by the scheduler) or has lost its scheduler. At most one in
/// a process: Ballista keeps a part of its state for the whole process.
pub fn run_executor(settings: ExecutorSettings) -> Result<(), ClusterError> {
    let parent = settings.work_dir.clone().unwrap_or_else(std::env::temp_dir);
    std::fs::create_dir_all(&parent).map_err(ClusterError::system("create the work directory"))?;
    let work = tempfile::Builder::new().prefix("quarray-executor-").tempdir_in(parent);
    let work = work.map_err(ClusterError::system("create the work directory"))?;
    if let (true, Some(given)) = (settings.is_child, &settings.work_dir) {
        end_with_input(given.clone())?;
    }
    let runtime = Builder::new_multi_thread().worker_threads(SERVICE_THREADS).enable_all().build();
    let runtime = runtime.map_err(ClusterError::system("start threads"))?;
    let workers = workers(settings.cores).map_err(ClusterError::system("start threads"))?;
    let ended = runtime.block_on(serve(&settings, work.path(), workers.handle()));
    workers.shutdown_background();
    runtime.shutdown_background();
    remove_directory(work.path()).map_err(ClusterError::system("remove the work directory"))?;
    ended
}

/// Removes a directory in which a thread may still be making files.
pub(super) fn remove_directory(path: &Path) -> std::io::Result<()> {
    let mut tries = 0;
    loop {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(_) if tries < REMOVAL_TRIES => std::thread::sleep(REMOVAL_PAUSE),
            ended => return ended,
        }
        tries += 1;
    }
}

/// The threads of tasks, which give way to those that speak with others.
fn workers(cores: usize) -> std::io::Result<Runtime> {
    let give_way = || {
        // SAFETY: a system call with three numbers, about the thread that it is made on: PRIO_PROCESS is 0, whatever its type.
        // Where it is refused, tasks have the priority of everything else.
        unsafe { libc::setpriority(0, 0, WORK_NICENESS) };
    };
    Builder::new_multi_thread().worker_threads(cores.max(1)).on_thread_start(give_way).enable_all().build()
}

async fn serve(settings: &ExecutorSettings, work_dir: &Path, workers: &Handle) -> Result<(), ClusterError> {
    let connections = Arc::new(Connections::default());
    let engine = DefaultExecutionEngine::with_client_pool(connections);
    let engine = Arc::new(CancellingEngine::new(engine, workers.clone()));
    let config = Arc::new(process_config(settings, work_dir, &engine)?);
    tokio::spawn(leave_on_signals(engine, work_dir.to_path_buf()));
    start_executor_process(config).await?;
    Ok(())
}

/// The first signal is heard by Ballista too, which takes leave of the scheduler; the second ends the process.
async fn leave_on_signals(engine: Arc<CancellingEngine>, work_dir: PathBuf) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
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

/// Ends the process when standard input ends, and removes what its parent has left. A thread of its own hears that even
/// when all others are busy.
fn end_with_input(given: PathBuf) -> Result<(), ClusterError> {
    let wait = move || {
        let mut input = std::io::stdin().lock();
        let mut buffer = [0; 64];
        while input.read(&mut buffer).is_ok_and(|bytes| bytes > 0) {}
        // There is nobody to tell what cannot be removed. The last of several children finds their common place empty.
        let _ = std::fs::remove_file(log_of(&given));
        let _ = remove_directory(&given);
        let _ = given.parent().map(std::fs::remove_dir);
        std::process::exit(STOPPED)
    };
    std::thread::Builder::new()
        .name("parent".to_string())
        .spawn(wait)
        .map_err(ClusterError::system("start a thread"))?;
    Ok(())
}

/// What a child with this work directory writes to standard error goes there.
pub(super) fn log_of(work_dir: &Path) -> PathBuf {
    work_dir.with_extension("log")
}

fn stop_now(work_dir: &Path) -> ! {
    // There is nobody to tell that it cannot be removed.
    let _ = remove_directory(work_dir);
    std::process::exit(STOPPED)
}

fn process_config(
    settings: &ExecutorSettings,
    work_dir: &Path,
    engine: &Arc<CancellingEngine>,
) -> Result<ExecutorProcessConfig, ClusterError> {
    let process = std::process::id();
    let id = settings.id.clone().unwrap_or_else(|| format!("executor-{process}"));
    let ports = free_pair(settings.address, process);
    let (port, grpc_port) = ports.ok_or_else(|| ClusterError::Start("no port is free".to_string()))?;
    let state = executor_state(settings)?;
    let runtime = RuntimeEnvBuilder::from_runtime_env(state.runtime_env())
        .with_temp_file_path(work_dir.join("spill"))
        .build_arc()?;
    let session = state.config().clone().upgrade_for_ballista();
    let session = session.with_ballista_grpc_client_max_message_size(MESSAGE_BYTES_MAX as usize);
    let address = settings.address.to_string();
    Ok(ExecutorProcessConfig {
        executor_id: id,
        bind_host: address.clone(),
        external_host: Some(address),
        port,
        grpc_port,
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
        ..Default::default()
    })
}

/// The engine's own state: its functions, and what its operators look for in a session.
fn executor_state(settings: &ExecutorSettings) -> Result<SessionState, ClusterError> {
    let memory_limit = usize::try_from(settings.memory).unwrap_or(usize::MAX);
    let state = StateSettings { memory_limit, threads: settings.cores.max(1), grid: GridSettings::default() };
    Ok(session_state(&state, &Arc::new(Progress::default()))?)
}
