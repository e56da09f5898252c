//! A server that takes executors, executors, and clients.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A year of monthly temperature and rain.
pub const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/rnz-bcsd.zarr");

/// Whatever takes longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often waiting looks again.
const POLL: Duration = Duration::from_millis(20);

/// The command.
pub fn quarray() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quarray"));
    command.env("QUARRAY_HISTORY", "").env_remove("QUARRAY_EXECUTOR_LOSSES").stdin(Stdio::null());
    command
}

/// Statements that are not over before somebody ends them.
pub fn long_query() -> [&'static str; 2] {
    const ATTACH: &str = concat!("ATTACH '", env!("CARGO_MANIFEST_DIR"), "/../tests/data/rnz-bcsd.zarr' AS ds");
    const COUNT: &str = "SELECT count(*) AS n FROM (FROM ds |> SELECT tas) a, (FROM ds |> SELECT tas AS t) b, \
                         (FROM ds |> SELECT tas AS u) c WHERE a.tas * b.t * c.u = -1";
    [ATTACH, COUNT]
}

/// A server with a cluster `outside`, killed at the end of its test.
pub struct Server {
    child: Child,
    /// Where clients connect to.
    pub flight: String,
    /// Where executors come to.
    pub scheduler: String,
    /// Where KEDA asks, if it may.
    pub scaler: Option<String>,
    /// Open for as long as the server writes.
    _words: BufReader<ChildStderr>,
}

impl Server {
    /// Starts a server on ports that are free.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", "127.0.0.1:0", arguments)
    }

    /// Starts a server on these ports.
    pub fn start_at(flight: &str, scheduler: &str, arguments: &[&str]) -> Self {
        let mut command = quarray();
        command.args(["serve", "--listen", flight, "--scheduler", scheduler]).args(arguments);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut words = BufReader::new(child.stderr.take().unwrap());
        let mut told = |what: &str| {
            let mut line = String::new();
            while !line.starts_with(what) {
                line.clear();
                assert_ne!(words.read_line(&mut line).unwrap(), 0, "the server has not said {what:?}");
            }
            line.trim_start_matches(what).trim().to_string()
        };
        let flight = told("flight grpc://");
        let scheduler = told("scheduler of outside ");
        let scaler = arguments.contains(&"--scaler").then(|| told("scaler grpc://"));
        Self { child, flight, scheduler, scaler, _words: words }
    }

    /// As `kill -9` does it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A client that runs statements.
    pub fn client(&self, statements: &[&str]) -> Command {
        let mut command = quarray();
        command.args(["--connect", &self.flight, "-f", "csv"]);
        for statement in statements {
            command.args(["-c", statement]);
        }
        command
    }

    /// What statements print.
    pub fn ask(&self, statements: &[&str]) -> String {
        answer(self.client(statements).output().unwrap())
    }

    /// The values of a column of what a statement prints.
    pub fn column(&self, statement: &str, name: &str) -> Vec<String> {
        let text = self.ask(&[statement]);
        let mut lines = text.lines();
        let names = lines.next().unwrap_or_default();
        let place = names.split(',').position(|other| other == name).unwrap_or_else(|| panic!("no {name} in {names}"));
        lines.map(|line| line.split(',').nth(place).unwrap_or_default().to_string()).collect()
    }

    /// The states of executors.
    pub fn states(&self) -> Vec<String> {
        self.column("SHOW EXECUTORS", "state")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command has printed that has succeeded.
pub fn answer(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An executor, killed at the end of its test.
pub struct Executor(Child);

impl Executor {
    /// Starts an executor of one core, with its files there.
    pub fn start(scheduler: &str, files: &Path) -> Self {
        Self::start_with(scheduler, files, &[])
    }

    /// The same, with other arguments too.
    pub fn start_with(scheduler: &str, files: &Path, arguments: &[&str]) -> Self {
        let mut command = quarray();
        command.args(["executor", "--scheduler", scheduler, "--cores", "1", "--memory", "256MiB", "--work-dir"]);
        Self(command.arg(files).args(arguments).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Its exit status, once it has ended.
    pub fn ended(&mut self) -> Option<Option<i32>> {
        self.0.try_wait().unwrap().map(|status| status.code())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: signals a child that is not waited for yet.
        assert_eq!(unsafe { libc::kill(self.0.id() as i32, signal) }, 0);
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is so; how long that took.
pub fn wait(what: &str, patience: Duration, mut is_so: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < patience, "after {patience:?}: not {what}");
        std::thread::sleep(POLL);
    }
    start.elapsed()
}
