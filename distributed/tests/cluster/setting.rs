//! A cluster for a test, which must leave nothing behind.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ballista_scheduler::state::execution_stage::ExecutionStage;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use quarray_distributed::cluster::{
    ExecutorProvider, ExecutorSettings, ExecutorShape, LocalCluster, LocalClusterSettings, PlanCodec, Program,
    run_executor,
};
use quarray_distributed::links::Secret;
use quarray_engine::backend::Backend;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::TestResult;
use crate::plans;
use crate::slow::SlowCodec;

pub const PATIENCE: Duration = Duration::from_secs(10);

/// A cluster, and where its files are.
pub struct Setting {
    pub cluster: LocalCluster,
    pub session: SessionContext,
    pub runtime: Runtime,
    pub directory: TempDir,
}

pub fn codec() -> PlanCodec {
    Arc::new(SlowCodec::default())
}

pub fn shape(cores: usize) -> ExecutorShape {
    ExecutorShape { cores, memory: 256 << 20 }
}

pub fn settings(executors: usize, cores: usize) -> TestResult<LocalClusterSettings> {
    let (shape, program, codec) = (shape(cores), Program::current()?, codec());
    Ok(LocalClusterSettings { executors, shape, program, codec, directory: None })
}

impl Setting {
    pub fn new(executors: usize, cores: usize) -> TestResult<Self> {
        let directory = TempDir::new()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let settings = settings(executors, cores)?.in_directory(directory.path());
        let cluster = runtime.block_on(LocalCluster::start(settings))?;
        Ok(Self { cluster, session: plans::session()?, runtime, directory })
    }

    pub fn run<T>(&self, test: impl Future<Output = TestResult<T>>) -> TestResult<T> {
        self.runtime.block_on(test)
    }

    /// All rows of a plan, computed by the cluster.
    pub async fn rows(&self, plan: Arc<dyn ExecutionPlan>) -> TestResult<Vec<Vec<i64>>> {
        let stream = self.cluster.backend().execute(plan, plans::task(&self.session)).await?;
        plans::rows(&stream.try_collect::<Vec<_>>().await?)
    }

    /// Names of executors, oldest first.
    pub fn executors(&self) -> Vec<String> {
        self.cluster.provider().list().into_iter().map(|executor| executor.id).collect()
    }

    pub fn process(&self, id: &str) -> TestResult<u32> {
        let found = self.cluster.provider().list().into_iter().find(|executor| executor.id == id);
        Ok(found.and_then(|executor| executor.process).ok_or("no such executor")?)
    }

    /// As `kill -9` does it: nobody here knows of it.
    pub fn kill(&self, id: &str) -> TestResult {
        kill(self.process(id)?, libc::SIGKILL)
    }

    /// Waits until a stage of the only job has begun and holds what is asked of it.
    pub async fn wait_for_stage(&self, is_met: impl Fn(&ExecutionStage) -> bool) -> TestResult {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            for job in self.cluster.scheduler().server().state.task_manager.get_running_job_cache().values() {
                if job.execution_graph.read().await.stages().values().any(&is_met) {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err("the stage has not come".into())
    }

    /// Waits until no core is held any more; how long that took.
    pub async fn wait_until_free(&self) -> TestResult<Duration> {
        let start = Instant::now();
        loop {
            let cores = self.cluster.scheduler().cores().await;
            if cores.iter().all(|cores| cores.free == cores.total) {
                return Ok(start.elapsed());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("cores are still held: {cores:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Files that executors hold: shuffled data and results.
    pub fn data_files(&self) -> Vec<String> {
        let files = files_below(self.directory.path());
        files.into_iter().filter(|file| file.ends_with(".arrow")).collect()
    }

    /// Waits until executors hold no data.
    pub async fn wait_until_clean(&self) -> TestResult {
        let start = Instant::now();
        while !self.data_files().is_empty() {
            if start.elapsed() > PATIENCE {
                return Err(format!("data is left: {:?}", self.data_files()).into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Ends the cluster. Cores must be free, and neither a process nor a file must be left.
    pub fn finish(self) -> TestResult {
        let Self { cluster, runtime, directory, .. } = self;
        let processes: Vec<u32> = cluster.provider().list().iter().filter_map(|executor| executor.process).collect();
        runtime.block_on(cluster.shut_down());
        drop(runtime);
        let left: Vec<&u32> = processes.iter().filter(|process| is_there(**process)).collect();
        if !left.is_empty() {
            return Err(format!("processes are left: {left:?}").into());
        }
        let files = files_below(directory.path());
        if files.is_empty() { Ok(()) } else { Err(format!("files are left: {files:?}").into()) }
    }
}

pub fn is_there(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

pub fn kill(process: u32, signal: i32) -> TestResult {
    let process = i32::try_from(process)?;
    // SAFETY: a system call with two numbers.
    match unsafe { libc::kill(process, signal) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error().into()),
    }
}

/// Files and directories.
pub fn files_below(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        found.extend(files_below(&path));
        found.push(path.display().to_string());
    }
    found
}

/// What the program does that a provider has started: the arguments are those of `quarray executor`.
pub fn be_executor(arguments: &[String]) -> TestResult {
    let value = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)).ok_or_else(|| format!("no {name}"))
    };
    let (host, port) = value("--scheduler")?.split_once(':').ok_or("no port")?;
    let mut settings = ExecutorSettings::new((host.to_string(), port.parse()?), codec());
    settings.id = Some(value("--id")?.clone());
    settings.cores = value("--cores")?.parse()?;
    settings.memory = value("--memory")?.parse()?;
    settings.work_dir = Some(value("--work-dir")?.into());
    settings.address = value("--address").map_or(Ok(settings.address), |address| address.parse())?;
    settings.secret = Secret::from_environment()?;
    settings.is_child = arguments.iter().any(|argument| argument == "--child");
    run_executor(settings)?;
    Ok(())
}
