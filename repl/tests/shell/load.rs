//! A server under load: many clients, readers that stall, statements that are given up at any moment.
//!
//! `QUARRAY_LOAD_SECONDS` and `QUARRAY_CANCELS` make these tests longer.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use quarray_distributed::serve::RemoteSession;
use quarray_engine::{Error, Outcome};
use tokio::task::JoinSet;

use super::STORE;
use super::connect::Server;
use super::dashboard::get;

const CLIENTS: usize = 64;
const STALLED: usize = 16;

/// What a reader that stalls may cost.
const STALLED_BYTES_MAX: u64 = 16 << 20;

/// So often it is looked at what a statement holds.
const GLANCE: Duration = Duration::from_millis(50);

/// After this what was given up is gone.
const GONE: Duration = Duration::from_secs(1);

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn address(server: &Server) -> String {
    server.address.trim_start_matches("grpc://").to_string()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The bytes that the server has in memory.
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// The bytes that queries hold, as the server's metrics tell it.
fn reserved(link: &str) -> u64 {
    let said = get(link, "/metrics");
    let found = said.lines().find_map(|line| line.strip_prefix("quarray_memory_reserved_bytes "));
    found.unwrap_or_else(|| panic!("no memory is told: {said}")).parse().unwrap()
}

/// Where the metrics of a server are, which it tells on standard output.
fn metrics(server: &mut Server) -> String {
    let mut lines = BufReader::new(server.child.stdout.take().unwrap()).lines();
    let link = lines.find_map(|line| line.unwrap().strip_prefix("dashboard ").map(str::to_string));
    link.expect("an address")
}

/// The time that its threads have worked.
fn worked(server: &Server) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|&place| fields[place].parse::<u64>().unwrap()).sum();
    // SAFETY: asks for a number.
    let ticks_a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as u64;
    Duration::from_millis(ticks * 1000 / ticks_a_second)
}

/// The files below a folder.
fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    entries.iter().map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

/// Integers of the first column, and how many rows there are.
async fn sum(session: &RemoteSession, text: &str) -> Result<(i64, usize), Error> {
    let mut rows = session.query(text).await?.into_rows()?;
    let (mut sum, mut count) = (0, 0);
    while let Some(batch) = rows.next().await? {
        count += batch.num_rows();
        let column = batch.column(0);
        sum += column.as_primitive_opt::<Int64Type>().map_or(0, |numbers| numbers.iter().flatten().sum::<i64>());
        // Rows that come faster than they are added up would leave no moment to give them up in.
        tokio::task::yield_now().await;
    }
    Ok((sum, count))
}

/// Statements of all sizes, one after the other, each with the answer that it must have.
async fn client(session: RemoteSession, number: usize, until: Instant, done: Arc<AtomicU64>) -> Result<(), String> {
    let told = |error: Error| format!("client {number}: {error}");
    session.query(&format!("LET mine = SELECT {number} AS n")).await.map_err(told)?;
    let queries = [
        ("SELECT n FROM mine".to_string(), (number as i64, 1)),
        (format!("SELECT count(*) AS n FROM '{STORE}'"), (12 * 33 * 81, 1)),
        (format!("SELECT value FROM range({})", 1000 + number), sum_to(1000 + number)),
        ("SELECT value FROM range(100000)".to_string(), sum_to(100_000)),
        (format!("SELECT 1.5 FROM '{STORE}' WHERE latitude > 1000"), (0, 0)),
        ("SELECT value % 1000 AS k FROM range(200000) GROUP BY 1".to_string(), sum_to(1000)),
    ];
    let mut turn = number;
    while Instant::now() < until {
        let (text, expected) = &queries[turn % queries.len()];
        let found = sum(&session, text).await.map_err(told)?;
        if found != *expected {
            return Err(format!("client {number}: {text}: expected {expected:?}, found {found:?}"));
        }
        done.fetch_add(1, Ordering::Relaxed);
        turn += 1;
    }
    session.close().await;
    Ok(())
}

fn sum_to(count: usize) -> (i64, usize) {
    let last = count as i64;
    (last * (last - 1) / 2, count)
}

/// Many clients for a while; how many statements they ran.
async fn burst(address: &str, seconds: u64) -> u64 {
    let done = Arc::new(AtomicU64::new(0));
    let mut sessions = Vec::new();
    for _ in 0..CLIENTS {
        sessions.push(RemoteSession::connect(address).await.unwrap());
    }
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut clients = JoinSet::new();
    for (number, session) in sessions.into_iter().enumerate() {
        clients.spawn(client(session, number, until, Arc::clone(&done)));
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap().unwrap();
    }
    done.load(Ordering::Relaxed)
}

#[test]
fn many_clients_have_right_answers_while_readers_stall() {
    let server = Server::start(|_| ());
    let address = address(&server);
    let seconds = number("QUARRAY_LOAD_SECONDS", 4);
    runtime().block_on(async {
        burst(&address, seconds.div_ceil(2)).await;
        let warm = resident(&server);
        let mut stalled = Vec::new();
        for _ in 0..STALLED {
            let session = RemoteSession::connect(&address).await.unwrap();
            let text = "SELECT value, value * 2 AS twice, value * 1.5 AS more FROM range(1000000000000)";
            let Outcome::Rows(mut rows) = session.query(text).await.unwrap() else { panic!("no rows") };
            rows.next().await.unwrap().unwrap();
            stalled.push((session, rows));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let grown = resident(&server).saturating_sub(warm);
        assert!(grown <= STALLED as u64 * STALLED_BYTES_MAX, "{STALLED} stalled readers cost {grown} bytes");
        let since = worked(&server);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let busy = worked(&server) - since;
        assert!(busy < Duration::from_millis(300), "rows are made that nobody takes: {busy:?} of work");
        let ran = burst(&address, seconds).await;
        assert!(ran > CLIENTS as u64, "{ran} statements beside readers that stall");
        drop(stalled);
        let flat = warm + (STALLED as u64 * STALLED_BYTES_MAX) + (64 << 20);
        let last = resident(&server);
        assert!(last < flat, "memory grows: {warm} bytes, then {last}");
        eprintln!("{ran} statements in {seconds} s beside {STALLED} stalled readers, {grown} bytes for these");
        eprintln!("memory: {warm} bytes before, {last} bytes after");
    });
}

#[test]
fn what_is_given_up_is_gone_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(|command| {
        command.args(["--http", "127.0.0.1:0", "--memory-limit", "128MiB"]).env("TMPDIR", folder.path());
        command.stdout(Stdio::piped());
    });
    let (address, link) = (address(&server), metrics(&mut server));
    let statements = [
        "SELECT value, value % 977 AS k FROM range(1000000000) ORDER BY k, value DESC",
        "SELECT sum(value % 7) FROM range(1000000000000)",
        "SELECT value % 10000019 AS k, count(*) FROM range(1000000000) GROUP BY 1",
        "SELECT value FROM range(1000000000000)",
    ];
    let mut random = 88_172_645_463_325_252u64;
    runtime().block_on(async {
        let session = RemoteSession::connect(&address).await.unwrap();
        let (mut most, mut most_held) = (0, 0);
        for round in 0..number("QUARRAY_CANCELS", 10) as usize {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let text = statements[round % statements.len()];
            // A sort writes files once its memory is full.
            let longest = if text.contains("ORDER BY") { 3000 } else { 700 };
            let given_up_at = Instant::now() + Duration::from_millis(random % longest);
            let mut statement = Box::pin(sum(&session, text));
            loop {
                let ended = tokio::time::timeout(GLANCE.min(given_up_at - Instant::now()), &mut statement).await;
                assert!(ended.is_err(), "{text} has ended: {ended:?}");
                (most, most_held) = (most.max(files(folder.path())), most_held.max(reserved(&link)));
                if Instant::now() >= given_up_at {
                    break;
                }
            }
            drop(statement);
            let since = Instant::now();
            loop {
                let (left, held) = (files(folder.path()), reserved(&link));
                let before = worked(&server);
                tokio::time::sleep(Duration::from_millis(100)).await;
                let busy = worked(&server) - before;
                if busy <= Duration::from_millis(20) && left == 0 && held == 0 {
                    break;
                }
                let what = format!("{busy:?} of work, {left} files, {held} bytes");
                assert!(since.elapsed() < GONE, "round {round}, {text}: {what}");
            }
        }
        assert_eq!(sum(&session, "SELECT 1 AS n").await.unwrap(), (1, 1));
        eprintln!("while statements ran: up to {most} files and {most_held} bytes of memory");
        assert!(most > 0 && most_held > 0, "the statements had nothing to give back");
    });
}
