//! What an executor tells of itself while queries run on it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quarray_distributed::backend::ClusterBackend;
use quarray_distributed::cluster::{Scheduler, SchedulerSettings};
use quarray_distributed::codec::WireCodec;
use quarray_distributed::metrics::{Metrics, SchedulerSource};
use quarray_engine::Session;
use quarray_engine::queries::{PlanSummary, QueryRecord, QueryState};

use crate::executors::program;
use crate::layouts::{CHUNKINGS, QUERIES, write_chunks_of};
use crate::run::{Ending, Settings, attach, run, runtime};

const PATIENCE: Duration = Duration::from_secs(20);

/// An executor that nobody here has to stop.
struct Executor {
    process: Child,
    http: String,
}

impl Executor {
    fn start(scheduler: &Scheduler, work: &std::path::Path) -> Self {
        let mut command = Command::new(program().path);
        command.args(["executor", "--cores", "1", "--memory", "64MiB", "--http", "127.0.0.1:0", "--scheduler"]);
        command.arg(scheduler.address().to_string()).arg("--work-dir").arg(work);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        // Nobody reads what else it says, but somebody could.
        std::thread::spawn(move || lines.count());
        let http = line.strip_prefix("metrics http://").and_then(|rest| rest.strip_suffix("/metrics"));
        let http = http.unwrap_or_else(|| panic!("{line}")).to_string();
        Self { process, http }
    }

    /// The status and the body of what is there.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        if head.to_lowercase().contains("transfer-encoding: chunked") {
            panic!("{head}");
        }
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_string())
    }

    fn metric(&self, name: &str) -> f64 {
        value(&self.get("/metrics").1, name)
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn value(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("no {name} in\n{text}"))
}

fn until(what: &str, is_met: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_met() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The last record of a session, of a query whose rows were read.
fn ended(session: &Session) -> (Arc<QueryRecord>, Arc<PlanSummary>) {
    let record = session.queries().recent(1).pop().unwrap();
    assert_eq!(record.state, QueryState::Done, "{record:?}");
    let plan = record.plan.clone().unwrap();
    (record, plan)
}

#[test]
fn an_executor_tells_what_it_reads_while_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let store = write_chunks_of(folder.path(), CHUNKINGS[1]);
    let settings = SchedulerSettings::new(Arc::new(WireCodec::default()));
    let scheduler = runtime().block_on(Scheduler::start(settings)).unwrap();
    let executor = Executor::start(&scheduler, folder.path());
    assert_eq!(executor.get("/healthz"), (200, "ok\n".to_string()));
    until("it is never ready", || executor.get("/readyz").0 == 200);
    assert_eq!(executor.get("/nothing").0, 404);
    let metrics = Metrics::new().with(SchedulerSource::new("test", Arc::clone(&scheduler)));
    let told = runtime().block_on(metrics.render());
    assert_eq!(value(&told, "quarray_executors_live{cluster=\"test\"}"), 1.0);
    assert_eq!(value(&told, "quarray_cores_free{cluster=\"test\"}"), 1.0);
    assert_eq!(executor.metric("quarray_decoded_bytes_total"), 0.0);

    let settings = Settings { grid: true, threads: 3, block_bytes: 400 };
    let (alone, sent) = (settings.session(), settings.session());
    sent.set_backend(Arc::new(ClusterBackend::new(Arc::clone(&scheduler)).named("test")));
    [&alone, &sent].iter().for_each(|session| attach(session, "ds", &store).unwrap());
    let rows = |session: &Session| match run(session, QUERIES[0]) {
        Ending::Rows(_) => ended(session),
        other => panic!("{other:?}"),
    };
    let (local, plan) = rows(&alone);
    assert_eq!(local.progress.bytes_decoded, plan.total("bytes_decoded"));
    let (record, plan) = rows(&sent);
    assert_eq!((record.place.as_str(), record.jobs.len(), record.rows), ("test", 1, local.rows));
    assert_eq!(record.progress.bytes_decoded, local.progress.bytes_decoded);
    // What the executor tells is what the query was told.
    for (metric, counter) in [
        ("quarray_chunks_read_total", "chunks_read"),
        ("quarray_read_bytes_total", "bytes_read"),
        ("quarray_decoded_bytes_total", "bytes_decoded"),
    ] {
        assert!(plan.total(counter) > 0, "{counter}: {plan:?}");
        assert_eq!(executor.metric(metric), plan.total(counter) as f64, "{metric}");
    }
    let tasks = executor.metric("quarray_tasks_total{outcome=\"done\"}");
    let written = executor.metric("quarray_shuffle_written_rows_total");
    assert!(tasks >= 2.0 && written >= record.rows as f64, "{tasks} tasks, {written} rows");
    assert_eq!(executor.metric("quarray_tasks_running"), 0.0);

    // While queries run, what is told grows with them.
    let reader = std::thread::spawn(move || {
        (0..20).for_each(|_| drop(rows(&sent)));
        sent.queries().totals().done
    });
    until("no task was seen", || executor.metric("quarray_tasks_running") >= 1.0);
    let seen = executor.metric("quarray_decoded_bytes_total");
    until("it does not grow", || executor.metric("quarray_decoded_bytes_total") > seen);
    assert_eq!(reader.join().unwrap(), 21);
    assert_eq!(executor.metric("quarray_decoded_bytes_total"), 21.0 * local.progress.bytes_decoded as f64);
    // How many partitions a task has goes by how long they take: each of the two stages has one task at least, and the bytes
    // above tell that none ran twice.
    assert!(executor.metric("quarray_tasks_total{outcome=\"done\"}") >= 21.0 * 2.0);
    let text = executor.get("/metrics").1;
    assert_eq!(value(&text, "quarray_tasks_total{outcome=\"failed\"}"), 0.0);
    assert_eq!(value(&text, "quarray_memory_reserved_bytes"), 0.0);
    assert!(value(&text, "quarray_process_cpu_seconds_total") > 0.0);
    drop(executor);
}
