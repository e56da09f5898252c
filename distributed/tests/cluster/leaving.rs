//! Work and processes that end before their time leave nothing behind.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ballista_scheduler::state::execution_stage::ExecutionStage;
use futures::StreamExt;
use quarray_distributed::cluster::{ExecutorProvider, LocalCluster, Program, Stop};
use quarray_engine::backend::Backend;
use tempfile::TempDir;

use crate::TestResult;
use crate::plans::{self, GROUPS_SQL, NESTED_SQL, SUM_SQL};
use crate::setting::{PATIENCE, Setting, files_below, is_there, kill, settings};
use crate::slow::Pace;

fn is_scanning(stage: &ExecutionStage) -> bool {
    matches!(stage, ExecutionStage::Running(stage) if stage.inputs.is_empty() && stage.successful_tasks() > 0)
}

/// Cores are free within a second, and executors do not go on working.
pub fn cancelled() -> TestResult {
    let setting = Setting::new(2, 2)?;
    for is_busy in [false, true] {
        let trace = tempfile::NamedTempFile::new()?;
        setting.run(async {
            let scan = Pace { pause_ms: 100, is_busy, trace: Some(trace.path().to_path_buf()), reading_ms: 0 };
            let plan = plans::plan(&setting.session, GROUPS_SQL, scan, Pace::default()).await?;
            let mut stream = setting.cluster.backend().execute(plan, plans::task(&setting.session)).await?;
            tokio::select! {
                begun = setting.wait_for_stage(is_scanning) => begun?,
                _ = stream.next() => return Err("it was faster than it can be".into()),
            }
            drop(stream);
            let took = setting.wait_until_free().await?;
            if took > Duration::from_secs(1) {
                return Err(format!("cores were held for {took:?}").into());
            }
            tokio::time::sleep(Duration::from_secs(1).saturating_sub(took)).await;
            let read = trace.path().metadata()?.len();
            tokio::time::sleep(Duration::from_millis(300)).await;
            let later = trace.path().metadata()?.len();
            if later != read {
                return Err(format!("after a second, work went on: {read} batches became {later}").into());
            }
            setting.wait_until_clean().await
        })?;
        // The cluster is as good as before.
        setting.run(async {
            let expected = plans::local(&setting.session, SUM_SQL).await?;
            let plan = plans::plan(&setting.session, SUM_SQL, Pace::default(), Pace::default()).await?;
            if setting.rows(plan).await? == expected { Ok(()) } else { Err("a wrong sum".into()) }
        })?;
    }
    setting.finish()
}

/// A task is not found by who cancels it while its plan is read. It ends all the same, and leaves no file: the executor,
/// which waits for both before it leaves, does so.
pub fn cancelled_while_a_plan_is_read() -> TestResult {
    let setting = Setting::new(1, 1)?;
    let trace = tempfile::NamedTempFile::new()?;
    setting.run(async {
        let trace = trace.path().to_path_buf();
        let scan = Pace { pause_ms: 60_000, is_busy: false, trace: Some(trace.clone()), reading_ms: 3_000 };
        let plan = plans::plan(&setting.session, SUM_SQL, scan, Pace::default()).await?;
        let mut stream = setting.cluster.backend().execute(plan, plans::task(&setting.session)).await?;
        // A job that is cancelled before its task was sent has no task that could begin: it is the plan that is waited for.
        tokio::select! {
            begun = has_grown_to(&trace, 1) => begun.map_err(|_| "its plan is not read")?,
            _ = stream.next() => return Err("it was faster than it can be".into()),
        }
        drop(stream);
        if trace.metadata()?.len() > 1 {
            return Err("its plan was read too soon".into());
        }
        has_grown_to(&trace, 2).await.map_err(|_| "it has not begun")?;
        let start = Instant::now();
        let process = setting.process(setting.executors().first().ok_or("no executor")?)?;
        kill(process, libc::SIGUSR1)?;
        while is_there(process) {
            if start.elapsed() > 3 * PATIENCE {
                return Err("a cancelled task works on".into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    })?;
    setting.finish()
}

async fn has_grown_to(file: &Path, bytes: u64) -> TestResult {
    let start = Instant::now();
    while file.metadata()?.len() < bytes {
        if start.elapsed() > PATIENCE {
            return Err("it does not grow".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// An executor is told to leave while it works: another one takes over.
pub fn told_to_stop() -> TestResult {
    let setting = Setting::new(2, 1)?;
    setting.run(async {
        let expected = plans::local(&setting.session, NESTED_SQL).await?;
        let plan = plans::plan(&setting.session, NESTED_SQL, Pace::pause(40), Pace::default()).await?;
        let leaver = setting.executors().first().cloned().ok_or("no executor")?;
        let process = setting.process(&leaver)?;
        let stop = async {
            setting.wait_for_stage(is_scanning).await?;
            let start = Instant::now();
            setting.cluster.provider().stop(&leaver, Stop::Gracefully, PATIENCE).await?;
            TestResult::Ok(start.elapsed())
        };
        let (found, stopped) = tokio::join!(setting.rows(plan), stop);
        let took = stopped?;
        if took > Duration::from_secs(3) {
            return Err(format!("it took {took:?} to leave").into());
        }
        if is_there(process) {
            return Err("it is still there".into());
        }
        if files_below(setting.directory.path()).iter().any(|file| file.contains(&leaver)) {
            return Err("its files are still there".into());
        }
        if found? == expected { Ok(()) } else { Err("a wrong sum".into()) }
    })?;
    setting.finish()
}

/// A task that does not listen holds an executor that was told to stop; telling it again ends it.
pub fn told_to_stop_twice() -> TestResult {
    let setting = Setting::new(1, 1)?;
    setting.run(async {
        let deaf = Pace { pause_ms: 60_000, is_busy: true, ..Pace::default() };
        let plan = plans::plan(&setting.session, SUM_SQL, deaf, Pace::default()).await?;
        let mut stream = setting.cluster.backend().execute(plan, plans::task(&setting.session)).await?;
        tokio::select! {
            begun = setting.wait_for_stage(|stage| matches!(stage, ExecutionStage::Running(_))) => begun?,
            _ = stream.next() => return Err("it was faster than it can be".into()),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let id = setting.executors().first().cloned().ok_or("no executor")?;
        let process = setting.process(&id)?;
        kill(process, libc::SIGTERM)?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if !is_there(process) {
            return Err("it left in the middle of its work".into());
        }
        kill(process, libc::SIGTERM)?;
        let start = Instant::now();
        while is_there(process) || files_below(setting.directory.path()).iter().any(|file| file.contains(&id)) {
            if start.elapsed() > Duration::from_secs(2) {
                return Err("it does not stop".into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    })?;
    setting.finish()
}

/// The process that started executors is killed: they end, and remove what is theirs.
pub fn their_parent_is_killed() -> TestResult {
    let directory = TempDir::new()?;
    let mut parent = Command::new(std::env::current_exe()?)
        .arg("parent")
        .env("QUARRAY_TEST_DIRECTORY", directory.path())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(parent.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let processes = line.split_whitespace().map(str::parse).collect::<Result<Vec<u32>, _>>()?;
    if processes.len() != 2 || !processes.iter().all(|process| is_there(*process)) {
        return Err(format!("expected two executors, found {line:?}").into());
    }
    parent.kill()?;
    parent.wait()?;
    let start = Instant::now();
    while processes.iter().any(|process| is_running(*process)) || !files_below(directory.path()).is_empty() {
        if start.elapsed() > Duration::from_secs(3) {
            return Err(format!("left: {line}, {:?}", files_below(directory.path())).into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Whether a process runs: nobody may take note of the end of one whose parent is gone.
fn is_running(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    state.is_some_and(|state| state != 'Z')
}

/// What [`their_parent_is_killed`] kills.
pub fn be_parent() -> TestResult {
    let directory = std::env::var_os("QUARRAY_TEST_DIRECTORY").ok_or("no directory")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let cluster = runtime.block_on(LocalCluster::start(settings(2, 1)?.in_directory(directory.as_ref())))?;
    let processes = cluster.provider().list().into_iter().filter_map(|executor| executor.process);
    println!("{}", processes.map(|process| process.to_string()).collect::<Vec<_>>().join(" "));
    std::io::stdout().flush()?;
    std::thread::sleep(Duration::from_secs(60));
    Ok(())
}

/// A program that ends at once is noticed at once, and its last words are told.
pub fn dead_at_birth() -> TestResult {
    let directory = TempDir::new()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut settings = settings(1, 1)?.in_directory(directory.path());
    let arguments = ["-c", "echo no such luck >&2; exit 3"].map(Into::into).to_vec();
    settings.program = Program { path: "/bin/sh".into(), arguments };
    let start = Instant::now();
    let error = runtime.block_on(LocalCluster::start(settings)).err().ok_or("it lives")?.to_string();
    if !error.contains("no such luck") || start.elapsed() > Duration::from_secs(5) {
        return Err(format!("after {:?}: {error}", start.elapsed()).into());
    }
    let files = files_below(directory.path());
    if files.is_empty() { Ok(()) } else { Err(format!("files are left: {files:?}").into()) }
}
