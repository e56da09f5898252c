//! A scheduler and executors on hosts of their own, joined by links.
//!
//! Executors are the command itself, which is built beside this program; the session with the scheduler is this program
//! once more, on the first host.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use quarray_distributed::backend::ClusterBackend;
use quarray_distributed::cluster::{ExecutorProvider, LocalProcesses, Program, Scheduler, SchedulerSettings};
use quarray_distributed::codec::WireCodec;
use quarray_distributed::links::{SECRET_VARIABLE, Secret};
use quarray_engine::Session;
use quarray_engine::backend::Backend;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::TestResult;
use crate::namespaces::Network;
use crate::plans::{self, NESTED_SQL, SUM_SQL};
use crate::setting::{PATIENCE, codec, files_below, kill, shape};
use crate::slow::Pace;

/// A year of monthly temperature.
const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/rnz-bcsd.zarr");

/// The main job, and one whose every executor reads from every other.
const QUERIES: [(bool, &str); 2] = [
    (true, "FROM climate |> REDUCE avg(tas) ALONG latitude, longitude"),
    (
        false,
        "SELECT latitude, longitude, count(tas) AS n, max(tas) AS high FROM climate GROUP BY latitude, longitude ORDER BY latitude, longitude",
    ),
];

/// A refusal comes this soon.
const SOON: Duration = Duration::from_secs(5);

/// Where processes run, and which secrets they know.
struct Hosts {
    addresses: Vec<IpAddr>,
    network: Option<Network>,
    directory: TempDir,
}

/// Hosts that are addresses of this machine.
pub fn hosts_that_are_addresses() -> TestResult {
    let addresses = [1, 2, 3].map(|last| IpAddr::from([127, 0, 0, last])).to_vec();
    check(&Hosts { addresses, network: None, directory: TempDir::new()? })
}

/// Hosts that are network namespaces.
pub fn hosts_that_are_namespaces() -> TestResult {
    let network = match Network::new(4) {
        Ok(network) => network,
        Err(reason) => {
            println!("skipped: this machine has no network namespaces for tests: {reason}");
            return Ok(());
        }
    };
    let addresses = (0..3).map(|host| IpAddr::V4(Network::address(host))).collect();
    check(&Hosts { addresses, network: Some(network), directory: TempDir::new()? })
}

/// Without a secret, other hosts are refused.
pub fn hosts_without_a_secret() -> TestResult {
    let alone = Hosts { addresses: Vec::new(), network: None, directory: TempDir::new()? };
    for arguments in [
        ["scheduler", "--listen", "0.0.0.0:0"].as_slice(),
        &["executor", "--scheduler", "192.0.2.1:50050"],
        &["executor", "--scheduler", "127.0.0.1:50050", "--address", "192.0.2.2"],
    ] {
        let words = alone.refused(&mut alone.command(0, program()?, arguments))?;
        if !words.contains("without a shared secret: expected an address of this machine") {
            return Err(format!("{arguments:?}: {words}").into());
        }
    }
    let short = alone.secret("short", "0123456789")?;
    let arguments = ["scheduler", "--listen", "0.0.0.0:0", "--secret-file", &short];
    let words = alone.refused(&mut alone.command(0, program()?, &arguments))?;
    if words == "error: the secret of the cluster has 10 bytes, expected at least 16" {
        Ok(())
    } else {
        Err(words.into())
    }
}

/// Executors that a scheduler with a secret starts itself know it, and nobody reads it from the list of processes.
pub fn children_of_a_guarded_scheduler() -> TestResult {
    let (directory, session) = (TempDir::new()?, plans::session()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut settings = SchedulerSettings::new(codec());
        settings.secret = Some(Secret::new(b"the secret of a parent")?);
        let scheduler = Scheduler::start(settings).await?;
        let below = Some(directory.path().to_path_buf());
        let provider = LocalProcesses::new(Program::current()?, Arc::clone(&scheduler), below)?;
        for _ in 0..2 {
            provider.start(shape(1)).await?;
        }
        scheduler.wait_for_executors(2, PATIENCE).await?;
        for process in provider.list().into_iter().filter_map(|executor| executor.process) {
            let arguments = std::fs::read(format!("/proc/{process}/cmdline"))?;
            if String::from_utf8_lossy(&arguments).contains("secret of a parent") {
                return Err("its arguments tell the secret".into());
            }
        }
        for sql in [SUM_SQL, NESTED_SQL] {
            let expected = plans::local(&session, sql).await?;
            let plan = plans::plan(&session, sql, Pace::default(), Pace::default()).await?;
            let backend = ClusterBackend::new(Arc::clone(&scheduler));
            let stream = backend.execute(plan, plans::task(&session)).await?;
            if plans::rows(&stream.try_collect::<Vec<_>>().await?)? != expected {
                return Err(format!("{sql}: other rows").into());
            }
        }
        let counts = scheduler.gate_counts().ok_or("no gate")?;
        // One call and one connection of each, at least.
        if counts.carried < 4 { Err(format!("they have not come through the gate: {counts:?}").into()) } else { Ok(()) }
    })
}

fn check(hosts: &Hosts) -> TestResult {
    let right = hosts.secret("right", "the right secret of this test\n")?;
    let wrong = hosts.secret("wrong", "another secret, of another cluster")?;
    let (scheduler, mut session) = hosts.start_session(&right)?;
    let words = hosts.refused(&mut hosts.executor(1, scheduler, &wrong)?)?;
    let expected = format!("error: {scheduler} has refused the secret of the cluster");
    if !words.starts_with(&expected) || words.contains("another secret") {
        return Err(format!("with a wrong secret: {words}").into());
    }
    let start = |host| -> TestResult<Running> { Running::start(&mut hosts.executor(host, scheduler, &right)?) };
    let executors = [start(1)?, start(2)?];
    for (_, query) in QUERIES {
        let line = session.line()?;
        if line != "the same by 2 executors" {
            return Err(format!("{query}: {line:?}, {}", session.words()).into());
        }
    }
    for executor in executors {
        executor.stop()?;
    }
    session.stop()?;
    let mut left = files_below(hosts.directory.path());
    // The folders that they were given stay.
    left.retain(|file| file.contains("quarray-"));
    if left.is_empty() { Ok(()) } else { Err(format!("files are left: {left:?}").into()) }
}

impl Hosts {
    fn secret(&self, name: &str, text: &str) -> TestResult<String> {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// A program on a host.
    fn command(&self, host: u8, program: PathBuf, arguments: &[&str]) -> Command {
        let mut words = self.network.as_ref().map(|network| network.prefix(host)).unwrap_or_default().into_iter();
        let mut command = match words.next() {
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(arguments).env_remove(SECRET_VARIABLE);
        command
    }

    fn executor(&self, host: u8, scheduler: SocketAddr, secret: &str) -> TestResult<Command> {
        let address = self.addresses.get(usize::from(host)).ok_or("no such host")?.to_string();
        let work = self.directory.path().join("work").join(host.to_string());
        let (scheduler, work) = (scheduler.to_string(), work.display().to_string());
        let arguments = ["executor", "--scheduler", &scheduler, "--address", &address, "--secret-file", secret];
        let mut command = self.command(host, program()?, &arguments);
        command.args(["--cores", "1", "--memory", "256MB", "--work-dir", &work]);
        Ok(command)
    }

    /// The session on the first host, and where its scheduler listens.
    fn start_session(&self, secret: &str) -> TestResult<(SocketAddr, Running)> {
        let address = SocketAddr::new(*self.addresses.first().ok_or("no hosts")?, 0).to_string();
        let mut command = self.command(0, std::env::current_exe()?, &["session", &address]);
        let temporary = self.directory.path().join("tmp");
        std::fs::create_dir(&temporary)?;
        command.env(SECRET_VARIABLE, std::fs::read_to_string(secret)?).env("TMPDIR", temporary);
        let mut session = Running::start(&mut command)?;
        let line = session.line()?;
        let address = line.parse().map_err(|_| format!("{line:?}, {}", session.words()))?;
        Ok((address, session))
    }

    /// The last words of a program that must fail, and soon.
    fn refused(&self, command: &mut Command) -> TestResult<String> {
        let start = Instant::now();
        let mut running = Running::start(command)?;
        while running.child.try_wait()?.is_none() {
            if start.elapsed() > SOON {
                return Err(format!("{command:?} has not failed").into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if running.child.wait()?.success() {
            return Err(format!("{command:?} has succeeded").into());
        }
        Ok(running.words())
    }
}

/// A process of a test. It does not outlive it.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> TestResult<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("no output")?);
        Ok(Self { child, lines })
    }

    fn line(&mut self) -> TestResult<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        Ok(line.trim().to_string())
    }

    /// What it has said to standard error, at its end.
    fn words(&mut self) -> String {
        let mut words = String::new();
        let _ = self.child.kill();
        let _ = self.child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut words));
        words.trim().to_string()
    }

    /// Tells it to stop, which it does.
    fn stop(mut self) -> TestResult {
        drop(self.child.stdin.take());
        kill(self.child.id(), libc::SIGTERM)?;
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > PATIENCE {
                return Err(format!("it does not stop: {}", self.words()).into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command.
fn program() -> TestResult<PathBuf> {
    let tests = std::env::current_exe()?;
    let folder = tests.parent().and_then(Path::parent).ok_or("no folder of programs")?;
    let path = folder.join("quarray");
    if path.exists() {
        Ok(path)
    } else {
        Err(format!("{} is not there: build the whole workspace", path.display()).into())
    }
}

/// The session on the first host: a scheduler for two executors, and every query here and there.
pub fn be_session(listen: &str) -> TestResult {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut settings = SchedulerSettings::new(Arc::new(WireCodec::default()));
        settings.listen = listen.parse()?;
        settings.secret = Secret::from_environment()?;
        let scheduler = Scheduler::start(settings).await?;
        println!("{}", scheduler.address());
        scheduler.wait_for_executors(2, PATIENCE * 3).await?;
        for (is_grid, query) in QUERIES {
            let expected = answer(is_grid, query, None).await?;
            let workers = Arc::new(parking_lot::Mutex::new(std::collections::HashSet::new()));
            let (watched, seen) = (Arc::clone(&scheduler), Arc::clone(&workers));
            let watch = tokio::spawn(async move {
                loop {
                    let needed = watched.needed_executors().await;
                    seen.lock().extend(needed);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
            let found = answer(is_grid, query, Some(&scheduler)).await?;
            watch.abort();
            let same = if found == expected && found.num_rows() > 0 { "the same" } else { "something else" };
            println!("{same} by {} executors", workers.lock().len());
        }
        let counts = scheduler.gate_counts().ok_or("no gate")?;
        eprintln!("{counts:?}");
        terminate.recv().await;
        Ok(())
    })
}

async fn answer(is_grid: bool, query: &str, scheduler: Option<&Arc<Scheduler>>) -> TestResult<RecordBatch> {
    let session = Session::builder().grid(is_grid).threads(2).block_bytes(4 << 10).build()?;
    if let Some(scheduler) = scheduler {
        session.set_backend(Arc::new(ClusterBackend::new(Arc::clone(scheduler))));
    }
    session.attach("climate", STORE, &Default::default()).await?;
    let rows = session.query(query).await?.into_rows()?;
    let schema = rows.schema();
    Ok(concat_batches(&schema, &rows.collect().await?)?)
}
