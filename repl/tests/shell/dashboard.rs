//! The dashboard: its addresses are told, and its pages work in a browser while queries run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::connect::Server;
use super::session::{PROMPT, leave, start};
use super::{STORE, program, quarray, replica};

/// What a server at an address of the dashboard (`http://HOST:PORT/`) says.
pub(super) fn get(link: &str, path: &str) -> String {
    get_as(link, path, "")
}

/// Likewise, asked with these headers, each with the end of its line.
pub(super) fn get_as(link: &str, path: &str, headers: &str) -> String {
    let host = link.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\n{headers}connection: close\r\n\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn a_server_tells_two_addresses() {
    let mut command = quarray();
    command.args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = |prefix: &str| {
        let line = lines.next().unwrap().unwrap();
        line.strip_prefix(prefix).unwrap_or_else(|| panic!("the server says {line:?}")).to_string()
    };
    assert!(line("flight-sql ").starts_with("grpc://127.0.0.1:"));
    let link = line("dashboard ");
    assert!(get(&link, "/healthz").ends_with("ok\n"));
    assert!(get(&link, "/").contains("<title>Quarray</title>"));
    // SAFETY: signals a child that is not waited for yet.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGTERM) }, 0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_session_tells_where_it_can_be_watched() {
    let mut child = quarray()
        .args(["--dashboard"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let link =
        line.trim().strip_prefix("dashboard ").unwrap_or_else(|| panic!("the session says {line:?}")).to_string();
    assert!(get(&link, "/api/overview").contains("\"running_count\":0"));
    child.stdin.take().unwrap().write_all(b"SELECT 1 AS one").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("one"));
}

/// The page about a query (`http://HOST:PORT/query/ID`) is there, and about this one.
fn check_page(page: &str, statement: &str) {
    let (link, id) = page.split_once("query/").unwrap_or_else(|| panic!("{page:?} is no page of a query"));
    assert!(get(link, &format!("/query/{id}")).contains("<title>Quarray</title>"), "{page}");
    let told = get(link, &format!("/api/queries/{id}"));
    assert!(told.starts_with("HTTP/1.1 200 ") && told.contains(statement), "{page}: {told}");
}

#[test]
fn what_was_measured_ends_with_the_page_of_the_query() {
    let measured = format!("EXPLAIN ANALYZE FROM '{STORE}' |> REDUCE avg(tas) ALONG time");
    let page = |mut command: Command, statements: &[&str]| {
        command.args(statements.iter().flat_map(|statement| ["-c", statement]));
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let words = String::from_utf8(output.stderr).unwrap();
        (said.trim_end().lines().last().unwrap().strip_prefix("page: ").map(str::to_string), words)
    };
    let server = Server::start(|_| ());
    let (there, _) = page(server.client(), &[&measured]);
    check_page(&there.unwrap(), "REDUCE avg(tas) ALONG time");
    // The plan of a query on a cluster is measured elsewhere.
    let create = "CREATE CLUSTER pc WITH (min = 1, max = 1)";
    let (on_cluster, _) = page(server.client(), &[create, "USE CLUSTER pc", &measured]);
    check_page(&on_cluster.unwrap(), "REDUCE avg(tas) ALONG time");
    let mut watched = quarray();
    watched.arg("--dashboard");
    let (here, words) = page(watched, &[&measured]);
    let link = words.lines().find_map(|line| line.strip_prefix("dashboard ")).unwrap();
    assert!(here.unwrap().starts_with(&format!("{link}query/")), "{words}");
    assert_eq!(page(quarray(), &[&measured]).0, None, "there are no pages");
    assert!(!words.contains("watch it"), "{words}: standard error is no terminal");
}

#[test]
fn progress_begins_with_the_page_of_the_query() {
    let slow = format!("SELECT count(*) FROM '{STORE}' a CROSS JOIN range(10000000) b WHERE a.tas * b.value = -1");
    let server = Server::start(|_| ());
    let mut watched = quarray();
    watched.arg("--dashboard");
    for command in [server.client(), watched] {
        let mut terminal = start(command);
        terminal.type_keys(&format!("{slow};\r"));
        terminal.expect("watch it at ");
        let page = terminal.expect("\r\n").trim().to_string();
        check_page(&page, "CROSS JOIN range(10000000)");
        terminal.type_keys("\x03");
        terminal.expect("cancelled");
        terminal.expect(PROMPT);
        leave(terminal);
    }
}

/// Pages in a browser, during a query and after it, dark and light: see `browser/dashboard.mjs`. Pictures of the pages stay
/// where QUARRAY_TEST_PICTURES says.
#[test]
fn pages_work_in_a_browser() {
    let (Some(browser), Some(modules)) =
        (std::env::var_os("QUARRAY_TEST_BROWSER"), std::env::var_os("QUARRAY_TEST_BROWSER_MODULES"))
    else {
        eprintln!("skipped: QUARRAY_TEST_BROWSER is not set (see .ci/browser)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let pictures =
        std::env::var_os("QUARRAY_TEST_PICTURES").map_or_else(|| folder.path().join("pictures"), PathBuf::from);
    std::fs::create_dir_all(&pictures).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shell/browser/dashboard.mjs");
    let mut command = Command::new("node");
    command.arg(script).arg(program()).arg(browser).arg(modules).arg(folder.path()).arg(pictures);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    eprintln!("{}", said(&output.stdout));
    assert_eq!(output.status.code(), Some(0), "{}\n{}", said(&output.stdout), said(&output.stderr));
}

/// Processor time of a session that reads a year of data a few times, watched by a page or by nobody.
fn processor_seconds(store: &str, is_watched: bool) -> f64 {
    let mut command = quarray();
    let query =
        format!("FROM '{store}' |> REDUCE avg(tmin) AS mean, stddev(tmin) AS spread, max(tmin) AS top ALONG y, x");
    command.args(["-f", "csv", "--threads", "2"]);
    for _ in 0..8 {
        command.args(["-c", &query]);
    }
    if is_watched {
        command.arg("--dashboard");
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut words = BufReader::new(child.stderr.take().unwrap());
    words.read_line(&mut line).unwrap();
    if let Some(link) = line.trim().strip_prefix("dashboard ") {
        // It reads the stream until the session ends.
        let link = link.to_string();
        std::thread::spawn(move || get(&link, "/api/live"));
    }
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: waits for a child that nobody else waits for, with places for both answers.
    let waited = unsafe { libc::wait4(child.id() as i32, &mut status, 0, usage.as_mut_ptr()) };
    assert_eq!((waited, status), (child.id() as i32, 0), "{line}");
    // It is gone already, which only the system knows.
    let _ = child.wait();
    // SAFETY: zeroes are a usage, and the call has filled it in.
    let usage = unsafe { usage.assume_init() };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Being watched costs a fiftieth of the processor time at most: the median of pairs of runs.
#[test]
fn watching_costs_little() {
    let runs = std::env::var("QUARRAY_WATCHED_RUNS").ok().and_then(|runs| runs.parse::<usize>().ok());
    let is_optimised = !cfg!(debug_assertions) || std::env::var_os("QUARRAY_TEST_PROGRAM").is_some();
    let (Some(runs), true) = (runs, is_optimised) else {
        eprintln!("skipped: an optimised build with QUARRAY_WATCHED_RUNS measures it (see .ci/nightly)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("replica.zarr");
    tokio::runtime::Runtime::new().unwrap().block_on(replica::write(&store));
    let store = store.display().to_string();
    processor_seconds(&store, false);
    // Of pairs, as a machine is faster at one time than at another.
    let pair = |_| (processor_seconds(&store, false), processor_seconds(&store, true));
    let pairs: Vec<(f64, f64)> = (0..runs.max(1)).map(pair).collect();
    let mut ratios: Vec<f64> = pairs.iter().map(|(alone, watched)| watched / alone).collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios[ratios.len() / 2];
    eprintln!("processor time of those watched: {:+.2} % ({pairs:.3?})", (ratio - 1.0) * 100.0);
    assert!(ratio <= 1.02, "{pairs:?}");
}
