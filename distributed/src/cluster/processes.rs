//! Executors that are processes of this machine, children of this one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::sync::watch;

use super::error::ClusterError;
use super::parent::log_of;
use super::provider::{Arrival, ExecutorProvider, ExecutorShape, ProvidedExecutor, Stop};
use super::scheduler::Scheduler;
use super::work_dir::remove_directory;
use crate::links::SECRET_VARIABLE;

/// Bytes of an executor's last words that are told.
const WORDS_BYTES_MAX: usize = 2 << 10;

/// The program that is an executor when its first argument is `executor`.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// What stands before `executor`.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// This very program.
    pub fn current() -> Result<Self, ClusterError> {
        let path = std::env::current_exe().map_err(ClusterError::system("find this program's file"))?;
        Ok(Self { path, arguments: Vec::new() })
    }
}

/// Starts executors as children of this process. They end with it, however it ends: their standard input is a pipe from
/// here, and they stop when it does.
pub struct LocalProcesses {
    program: Program,
    scheduler: Arc<Scheduler>,
    /// A directory of each executor.
    root: TempDir,
    last: AtomicU64,
    children: Arc<Mutex<BTreeMap<String, Arc<Running>>>>,
    last_end: Arc<watch::Sender<Option<End>>>,
}

/// The end of a child: its name, and how it came.
type End = (String, String);

/// A child that has not ended.
struct Running {
    provided: ProvidedExecutor,
    child: Mutex<Child>,
    directory: PathBuf,
    log: PathBuf,
    has_ended: watch::Sender<bool>,
}

impl std::fmt::Debug for LocalProcesses {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let children: Vec<String> = self.children.lock().keys().cloned().collect();
        formatter.debug_struct("LocalProcesses").field("children", &children).finish_non_exhaustive()
    }
}

impl LocalProcesses {
    /// Executors of this program, for this scheduler, with their files in this directory or in the system's place for
    /// temporary files.
    pub fn new(program: Program, scheduler: Arc<Scheduler>, directory: Option<PathBuf>) -> Result<Self, ClusterError> {
        let directory = directory.unwrap_or_else(std::env::temp_dir);
        let root = tempfile::Builder::new().prefix("quarray-cluster-").tempdir_in(directory);
        let root = root.map_err(ClusterError::system("create a directory for executors"))?;
        let last_end = Arc::new(watch::Sender::new(None));
        Ok(Self { program, scheduler, root, last: AtomicU64::new(0), children: Arc::default(), last_end })
    }

    /// Waits until there are fewer executors than so many, and tells how the last of them ended.
    pub async fn fewer_than(&self, executors: usize) -> ClusterError {
        let mut ends = self.last_end.subscribe();
        // The sender lives as long as `self`.
        let _ = ends.wait_for(|_| self.children.lock().len() < executors).await;
        let (id, reason) = ends.borrow().clone().unwrap_or_default();
        ClusterError::Ended { id, reason }
    }

    /// What the system is asked to do with an executor.
    fn command(&self, id: &str, shape: ExecutorShape, directory: &PathBuf) -> Result<Command, ClusterError> {
        let mut command = Command::new(&self.program.path);
        command.args(&self.program.arguments).arg("executor");
        command.arg("--scheduler").arg(self.scheduler.address().to_string());
        command.arg("--cores").arg(shape.cores.to_string());
        command.arg("--memory").arg(shape.memory.to_string());
        command.arg("--work-dir").arg(directory);
        command.arg("--id").arg(id).arg("--child");
        // In a group of its own: Ctrl-C at the terminal is for a query, not for the executors.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null());
        // Whatever this process itself was given: a child belongs to the cluster of its scheduler.
        command.env_remove(SECRET_VARIABLE);
        if let Some(links) = self.scheduler.links() {
            let address = self.scheduler.address().ip();
            if address.is_unspecified() {
                let wrong = format!("others do not reach it at {address}; the scheduler has to listen on one address");
                return Err(ClusterError::Start(wrong));
            }
            // Not by an argument: those are for everyone to see.
            command.arg("--address").arg(address.to_string());
            command.env(SECRET_VARIABLE, links.identity().secret().variable());
        }
        Ok(command)
    }

    fn running(&self, id: &str) -> Result<Arc<Running>, ClusterError> {
        self.children.lock().get(id).cloned().ok_or_else(|| ClusterError::Unknown(id.to_string()))
    }
}

#[async_trait]
impl ExecutorProvider for LocalProcesses {
    async fn start(&self, shape: ExecutorShape) -> Result<String, ClusterError> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("executor-{}-{number}", std::process::id());
        let directory = self.root.path().join(&id);
        let log = log_of(&directory);
        std::fs::create_dir(&directory).map_err(ClusterError::system("create a directory for an executor"))?;
        let words = File::create(&log).map_err(ClusterError::system("create a log for an executor"))?;
        let child = self.command(&id, shape, &directory)?.stderr(words).spawn();
        let child = child.map_err(|error| ClusterError::Start(format!("{}: {error}", self.program.path.display())))?;
        let process = Some(child.id());
        let (started, arrival) = (Instant::now(), Arrival::Started);
        let provided = ProvidedExecutor { id: id.clone(), process, shape, started, arrival };
        let (child, has_ended) = (Mutex::new(child), watch::Sender::new(false));
        let running = Arc::new(Running { provided, child, directory, log, has_ended });
        self.children.lock().insert(id.clone(), Arc::clone(&running));
        let (scheduler, children) = (Arc::clone(&self.scheduler), Arc::clone(&self.children));
        let last_end = Arc::clone(&self.last_end);
        let watch = move || {
            let end = bury(&running, &children, &scheduler);
            last_end.send_replace(Some(end));
        };
        let thread = std::thread::Builder::new().name(id.clone()).spawn(watch);
        thread.map_err(ClusterError::system("watch an executor"))?;
        Ok(id)
    }

    async fn stop(&self, id: &str, how: Stop, patience: Duration) -> Result<(), ClusterError> {
        let running = self.running(id)?;
        self.scheduler.state().dismiss(id);
        let mut has_ended = running.has_ended.subscribe();
        if how == Stop::Gracefully {
            running.signal(libc::SIGTERM);
            if tokio::time::timeout(patience, has_ended.wait_for(|ended| *ended)).await.is_ok() {
                return Ok(());
            }
        }
        running.signal(libc::SIGKILL);
        // The sender lives as long as `running`.
        let _ = has_ended.wait_for(|ended| *ended).await;
        Ok(())
    }

    fn list(&self) -> Vec<ProvidedExecutor> {
        self.children.lock().values().map(|running| running.provided.clone()).collect()
    }
}

impl Running {
    /// Sends a signal, if the child is still there.
    fn signal(&self, signal: i32) {
        let mut child = self.child.lock();
        // Nobody takes note of its end but under this lock: until then its number is not given to another process.
        if let (Ok(None), Ok(process)) = (child.try_wait(), i32::try_from(child.id())) {
            // SAFETY: a system call with two numbers; the process is a child of ours that nobody has waited for.
            unsafe { libc::kill(process, signal) };
        }
    }

    /// Waits for the child's end, and leaves taking note of it to others.
    fn wait(&self, process: u32) -> ExitStatus {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        loop {
            // SAFETY: `info` has room for what the system writes, and is not read.
            let ended = unsafe { libc::waitid(libc::P_PID, process, info.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT) };
            let was_interrupted = || std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted;
            if ended == 0 || !was_interrupted() {
                return self.child.lock().wait().unwrap_or_default();
            }
        }
    }

    /// The end of what it wrote to standard error.
    fn last_words(&self) -> String {
        let words = std::fs::read(&self.log).unwrap_or_default();
        let start = words.len().saturating_sub(WORDS_BYTES_MAX);
        String::from_utf8_lossy(words.get(start..).unwrap_or_default()).trim().to_string()
    }
}

/// Waits for the end of a child, then tells the scheduler and removes what is left.
fn bury(running: &Running, children: &Mutex<BTreeMap<String, Arc<Running>>>, scheduler: &Arc<Scheduler>) -> End {
    let id = running.provided.id.clone();
    let status = running.wait(running.provided.process.unwrap_or_default());
    let words = running.last_words();
    let reason = if words.is_empty() { status.to_string() } else { format!("{status}: {words}") };
    // At once: until it is done, tasks may be given to the dead.
    scheduler.state().dismiss(&id);
    let (informed, name, why) = (Arc::clone(scheduler), id.clone(), reason.clone());
    scheduler.threads.spawn(async move {
        // It cannot be told when it has ended itself.
        let _ = informed.executor_ended(&name, &why).await;
    });
    // What cannot be removed now is removed with the root.
    let _ = remove_directory(&running.directory);
    let _ = std::fs::remove_file(&running.log);
    children.lock().remove(&id);
    running.has_ended.send_replace(true);
    (id, reason)
}

impl Drop for LocalProcesses {
    fn drop(&mut self) {
        let running: Vec<Arc<Running>> = self.children.lock().values().cloned().collect();
        for running in &running {
            running.signal(libc::SIGKILL);
        }
        for running in &running {
            // Its directory is removed with the root.
            let _ = running.child.lock().wait();
        }
    }
}
