//! `quarray serve` and `quarray --connect`: what a session in a server gives is what one in this process does.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::session::{PROMPT, ask, leave, start};
use super::{STORE, quarray};

/// What clients may read: where paths are relative to, and where the store is.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data");

/// Hours of work, that ends when it is told to.
const ENDLESS: &str = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.value * b.value = -1";

/// An error is told this soon.
const SOON: Duration = Duration::from_secs(5);

/// Whatever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server for a test, killed at its end.
pub(super) struct Server {
    pub(super) child: Child,
    pub(super) address: String,
    /// Open for as long as the server writes.
    _words: BufReader<ChildStderr>,
}

impl Server {
    pub(super) fn start(configure: impl FnOnce(&mut Command)) -> Self {
        let mut command = quarray();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--root", ROOT, "--root", DATA])
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        configure(&mut command);
        let mut child = command.spawn().unwrap();
        let mut words = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        words.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("flight ").unwrap_or_else(|| panic!("the server says {line:?}"));
        assert!(address.starts_with("grpc://127.0.0.1:"), "{address}");
        Self { child, address: address.to_string(), _words: words }
    }

    /// A client of it.
    pub(super) fn client(&self) -> Command {
        let mut command = quarray();
        command.args(["--connect", &self.address]).stdin(Stdio::null());
        command
    }

    fn signal(&self, signal: i32) {
        // SAFETY: signals a child that is not waited for yet.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// Processes that the server has started.
    fn children(&self) -> Vec<String> {
        let folder = PathBuf::from(format!("/proc/{}/task", self.child.id()));
        let tasks = std::fs::read_dir(folder).unwrap().flatten();
        let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        lists.flat_map(|list| list.split_whitespace().map(str::to_string).collect::<Vec<_>>()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same statements here and in a server: the same bytes on both outputs, and the same status.
fn same(server: &Server, arguments: &[&str]) -> Output {
    let here = quarray().args(arguments).stdin(Stdio::null()).output().unwrap();
    let there = server.client().args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(text(&there.stderr), text(&here.stderr), "{arguments:?}");
    assert_eq!(there.status.code(), here.status.code(), "{arguments:?}: {}", text(&there.stderr));
    assert!(there.stdout == here.stdout, "{arguments:?}:\n{}\n{}", text(&there.stdout), text(&here.stdout));
    there
}

#[test]
fn rows_are_those_of_a_session_here() {
    let server = Server::start(|_| ());
    let attach = format!("ds={STORE}");
    let queries = [
        "FROM ds |> REDUCE avg(tas), max(pr) ALONG latitude, longitude",
        "FROM ds[time = '1999-01', latitude = 33:34] |> SELECT tas",
        "FROM ds |> LIMIT 1000",
        "FROM ds |> REDUCE count(*) AS n",
        "SELECT value, value * 2.5 AS twice, arrow_cast('a', 'Dictionary(Int8, Utf8)') AS word FROM range(20000) ORDER BY value",
        "SELECT 1 AS n WHERE 1 = 2",
        "LET warm = FROM ds |> REDUCE max(tas) AS top ALONG time; FROM warm |> REDUCE max(top) AS top",
        "EXPLAIN FROM ds |> REDUCE avg(tas) ALONG time",
        "SHOW TABLES",
        "FROM ds |> REDUCE avg(tas) ALONG latitude, longitude |> PLOT WITH (title = 'Mean')",
        "FROM ds[time[6]] |> SELECT latitude, longitude, tas |> PLOT",
        "FROM ds |> SELECT time, latitude, longitude, tas |> PLOT WITH (kind = 'histogram', bins = 4)",
    ];
    for query in queries {
        let formats: &[&str] =
            if query.contains("PLOT") || query.contains("EXPLAIN") { &["table"] } else { &["table", "csv", "arrow"] };
        for format in formats {
            let output = same(&server, &["--attach", &attach, "--format", format, "-c", query]);
            assert!(output.status.success() && !output.stdout.is_empty(), "{query}");
        }
    }
}

#[test]
fn errors_point_at_the_same_place() {
    let server = Server::start(|_| ());
    let attach = format!("ds={STORE}");
    let faults = [
        ("FROM ds |> REDUC avg(tas) ALONG time", "^^^^^"),
        ("SELECT 1;\nSELECT tass FROM ds", "did you mean `tas`"),
        ("FROM ds[latitude = 'north'] |> SELECT tas", "^"),
        ("FROM nothing", "nothing"),
        (concat!("FROM '", env!("CARGO_MANIFEST_DIR"), "/no-such.zarr' |> SELECT v"), "no-such.zarr"),
        ("SELECT 1 / (value - 10000) FROM range(20000)", "ivide by zero"),
        ("USE CLUSTER missing", "no cluster `missing`"),
        ("FROM ds |> SELECT time, latitude |> PLOT TO 'a.unknown'", "unknown"),
    ];
    for (query, fragment) in faults {
        let output = same(&server, &["--attach", &attach, "-f", "csv", "-c", query]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{query}: {stderr}");
        assert!(stderr.contains(fragment), "{query}: {fragment} is not in: {stderr}");
    }
    same(&server, &["--attach", concat!("a=", env!("CARGO_MANIFEST_DIR"), "/no-such.zarr"), "-c", "SELECT 1"]);
}

#[test]
fn connections_have_sessions_of_their_own() {
    let server = Server::start(|_| ());
    let mut one = start(server.client());
    let mut other = start(server.client());
    ask(&mut one, &format!("ATTACH '{STORE}' AS climate;"), &["attached climate"]);
    ask(&mut one, "LET warm = FROM climate |> REDUCE max(tas) AS top ALONG time;", &["created warm"]);
    ask(&mut other, "FROM warm;", &["error:", "warm"]);
    ask(&mut other, "\\d", &["nothing is attached"]);
    ask(&mut one, "\\d", &["climate", "dataset", "(time, latitude, longitude)", "warm", "view"]);
    ask(&mut one, "FROM climate;", &["Dimensions", "latitude"]);
    ask(&mut one, "\\d climate", &["Dimensions", "latitude"]);
    ask(&mut one, "\\d warm", &["warm (view)", "* latitude", "top"]);
    ask(&mut one, "FROM warm |> REDUCE count(*) AS n;", &["│ 2673 │", "1 row"]);
    // Names come from the server, functions of the language too.
    one.type_keys("FROM clim\t");
    one.expect("FROM climate");
    one.type_keys(" |> LIMIT 1;\r");
    one.expect("1 row");
    one.expect(PROMPT);
    leave(one);
    ask(&mut other, "SELECT 1 AS n;", &["1 row"]);
    leave(other);
}

#[test]
fn a_cluster_is_used_by_the_connection_that_says_so() {
    let server = Server::start(|_| ());
    let mut one = start(server.client());
    let mut other = start(server.client());
    ask(&mut one, "CREATE CLUSTER pc WITH (min = 1, max = 1);", &["created cluster pc"]);
    ask(&mut one, "USE CLUSTER pc;", &["queries run on cluster pc"]);
    let query = format!("FROM '{STORE}' |> REDUCE count(*) AS n;");
    ask(&mut one, &query, &["1 row"]);
    ask(&mut one, "SHOW CLUSTERS;", &["│ pc", "│ yes", "1 row"]);
    // The other one sees the cluster, and runs its queries elsewhere.
    ask(&mut other, &query, &["1 row"]);
    ask(&mut other, "SHOW CLUSTERS;", &["│ pc", "│ no", "1 row"]);
    leave(one);
    leave(other);
}

/// Waits for a client, whose words are read once it has ended.
fn outcome(mut client: Child, since: Instant) -> (Option<i32>, String, Duration) {
    loop {
        if let Some(status) = client.try_wait().unwrap() {
            let took = since.elapsed();
            let mut words = String::new();
            client.stderr.take().unwrap().read_to_string(&mut words).unwrap();
            return (status.code(), words, took);
        }
        assert!(since.elapsed() < PATIENCE, "a client without a server hangs");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn busy_client(server: &Server) -> Child {
    let client = server.client().args(["-c", ENDLESS]).stderr(Stdio::piped()).spawn().unwrap();
    // Long enough to connect; if not, the error is another one, and no less an error.
    std::thread::sleep(Duration::from_secs(2));
    client
}

#[test]
fn a_server_that_is_gone_is_an_error() {
    // One that is killed, and one that says nothing any more.
    for signal in [libc::SIGKILL, libc::SIGSTOP] {
        let server = Server::start(|_| ());
        let client = busy_client(&server);
        let since = Instant::now();
        server.signal(signal);
        let (status, words, took) = outcome(client, since);
        assert_eq!(status, Some(1), "{words}");
        assert!(words.starts_with("error: ") && words.contains("is gone"), "{words}");
        assert!(took < SOON, "signal {signal}: it took {took:?}: {words}");
        let since = Instant::now();
        let next = server.client().args(["-c", "SELECT 1"]).output().unwrap();
        assert_eq!(next.status.code(), Some(1));
        let words = String::from_utf8_lossy(&next.stderr);
        assert!(words.contains("cannot connect to 127.0.0.1:"), "{words}");
        assert!(since.elapsed() < SOON, "signal {signal}: it took {:?}: {words}", since.elapsed());
    }
}

#[test]
fn nothing_is_left_after_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(|command| {
        command.env("TMPDIR", folder.path());
    });
    let create = ["-c", "CREATE CLUSTER pc WITH (min = 2, max = 2)", "-c", "USE CLUSTER pc", "-c", "SELECT 1 AS n"];
    assert!(server.client().args(create).output().unwrap().status.success());
    let client = busy_client(&server);
    let executors = server.children();
    assert_eq!(executors.len(), 2, "{executors:?}");
    assert_ne!(entries(folder.path()), 0, "executors have no files");
    let since = Instant::now();
    server.signal(libc::SIGTERM);
    let (status, words, _) = outcome(client, since);
    assert_eq!(status, Some(1), "{words}");
    let ended = loop {
        if let Some(status) = server.child.try_wait().unwrap() {
            break status;
        }
        assert!(since.elapsed() < PATIENCE, "the server does not end");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(ended.code(), Some(0));
    let left: Vec<&String> = executors.iter().filter(|id| Path::new("/proc").join(id.as_str()).exists()).collect();
    assert!(left.is_empty(), "executors are left: {left:?}");
    assert_eq!(entries(folder.path()), 0, "files are left");
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_silent_session_ends() {
    let server = Server::start(|command| {
        command.args(["--idle-timeout", "1"]);
    });
    let mut terminal = start(server.client());
    ask(&mut terminal, "SELECT 1 AS n;", &["1 row"]);
    std::thread::sleep(Duration::from_millis(2500));
    ask(&mut terminal, "SELECT 1 AS n;", &["error:", "the session has ended", "connect to"]);
    leave(terminal);
}

#[test]
fn cancelling_frees_the_session() {
    let server = Server::start(|_| ());
    let mut terminal = start(server.client());
    // It looks up after every batch. A join that does not keeps its threads until it does, and others wait for them.
    terminal.type_keys("SELECT sum(value % 7) FROM range(1000000000000);\r");
    terminal.expect("000);");
    std::thread::sleep(Duration::from_secs(1));
    let since = Instant::now();
    terminal.type_keys("\x03");
    terminal.expect("cancelled");
    assert!(since.elapsed() < SOON, "it took {:?}", since.elapsed());
    terminal.expect("quarray> ");
    ask(&mut terminal, "SELECT 1 AS n;", &["1 row"]);
    assert!(since.elapsed() < SOON, "the next statement waited for {:?}", since.elapsed());
    leave(terminal);
}

#[test]
fn a_server_knows_what_ran_before_it_was_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("queries-000001.jsonl");
    let start = || {
        Server::start(|command| {
            command.arg("--query-log").arg(folder.path());
        })
    };
    let ask = |server: &Server, query: &str| {
        let output = server.client().args(["--format", "csv", "-c", query]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let server = start();
    ask(&server, "SELECT value FROM range(0, 3)");
    let ended = Instant::now();
    while std::fs::read_to_string(&log).is_ok_and(|text| text.is_empty()) {
        assert!(ended.elapsed() < SOON, "nothing is in the log");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(server);
    let server = start();
    let found = ask(&server, "SELECT text, place, state, rows FROM system.queries WHERE state = 'done'");
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines, ["text,place,state,rows", "\"SELECT value FROM range(0, 3)\",this process,done,3"]);
    let shown = ask(&server, "SHOW QUERIES");
    assert!(shown.lines().nth(1).is_some_and(|line| line.contains(",SHOW QUERIES,this process,planning,")), "{shown}");
}
