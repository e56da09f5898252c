//! What a session on a cluster is told: where a query runs and why, what was measured, why a task could not begin; and that
//! a join ends when it is told to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quarray_distributed::choice::ChoosingBackend;
use quarray_distributed::cluster::measured::job_summary;
use quarray_distributed::cluster::{ExecutorProvider, LocalCluster};
use quarray_engine::{Outcome, Session};

use crate::executors::{cluster_in, send_to};
use crate::layouts::write_chunks_of;
use crate::losses::files_below;
use crate::run::{Ending, Settings, attach, run, runtime};
use crate::slow_server::{SlowServer, consolidate};

const ARRAYS: Settings = Settings { grid: true, threads: 2, block_bytes: 16 << 10 };
const ROWS: Settings = Settings { grid: false, ..ARRAYS };

/// 130 × 40 × 37 cells of four bytes.
const BYTES: u64 = 769_600;

fn explained(session: &Session, query: &str) -> String {
    match run(session, query) {
        Ending::Other(text) => text,
        other => panic!("{query}: {other:?}"),
    }
}

fn failed(session: &Session, query: &str) -> String {
    match run(session, query) {
        Ending::Error(error) => error.to_string(),
        other => panic!("{query}: expected an error, found {other:?}"),
    }
}

#[test]
fn large_queries_go_to_the_cluster_and_it_is_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let store = write_chunks_of(folder.path(), [10, 40, 37]);
    let cluster = cluster_in(1, None);
    let backend = cluster.backend().named("pc");
    let begun = |session: &Session, query: &str| {
        let before = cluster.scheduler().job_counts().begun();
        assert!(matches!(run(session, query), Ending::Rows(_)), "{query}");
        cluster.scheduler().job_counts().begun() - before
    };
    let mean = "FROM ds |> REDUCE avg(a) ALONG t";
    let first = "FROM ds[t[3:4]] |> REDUCE avg(a) ALONG y";
    for (settings, above, query, jobs, place) in [
        (ARRAYS, BYTES - 1, mean, 1, "the cluster `pc`, since 770 kB to decode: more than 770 kB, in 2 stages"),
        (ARRAYS, BYTES, mean, 0, "this process, since it has 770 kB to decode: not more than 770 kB"),
        // One chunk of thirteen.
        (ARRAYS, 60_000, first, 0, "this process, since it has 59 kB to decode: not more than 60 kB"),
        (ARRAYS, 59_000, first, 1, "the cluster `pc`, since 59 kB to decode: more than 59 kB, in"),
        (
            ROWS,
            8 * BYTES,
            mean,
            0,
            "770 kB to decode, 770 kB of them as rows, which count 8 times: not more than 6.2 MB",
        ),
        (ROWS, 8 * BYTES - 1, mean, 1, "770 kB of them as rows, which count 8 times: more than 6.2 MB, in"),
        (ARRAYS, 0, "SELECT 1 AS one", 0, "this process, since it has 0 B to decode: not more than 0 B"),
    ] {
        let session = settings.session();
        attach(&session, "ds", &store).unwrap();
        session.set_backend(Arc::new(ChoosingBackend::new(backend.clone(), above)));
        let text = explained(&session, &format!("EXPLAIN {query}"));
        assert!(text.contains(place), "expected \"{place}\", found\n{text}");
        assert_eq!(begun(&session, query), jobs, "{query} above {above}");
        let measured = explained(&session, &format!("EXPLAIN ANALYZE {query}"));
        assert_eq!(measured.contains("the cluster `pc`"), jobs == 1, "{measured}");
    }
    runtime().block_on(cluster.shut_down());
}

#[test]
fn what_is_measured_is_what_executors_did() {
    let folder = tempfile::tempdir().unwrap();
    let store = write_chunks_of(folder.path(), [5, 40, 37]);
    let cluster = cluster_in(2, None);
    let session = ARRAYS.session();
    send_to(&cluster.backend().named("pc"))(&session);
    attach(&session, "ds", &store).unwrap();
    let text = explained(&session, "EXPLAIN ANALYZE FROM ds[t[0:100]] |> REDUCE avg(a) AS m ALONG y, x");
    let lines: Vec<&str> = text.lines().collect();
    let line =
        |what: &str| *lines.iter().find(|line| line.contains(what)).unwrap_or_else(|| panic!("no {what}: {text}"));
    assert!(line("100 rows in ").contains(" s on the cluster `pc`: 2 stages, "), "{text}");
    assert!(line("stage 1: ").contains(" on 2 executors, "), "{text}");
    // While there are many partitions, a task takes several.
    let counts: Vec<usize> = line("stage 1: ").split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(counts[0] >= 8 && counts[1] < counts[0], "{text}");
    assert!(line("stage 2: 1 partition in 1 task on 1 executor, ").contains(" of memory a task"), "{text}");
    // Twenty chunks of 26, and each of them once: there are enough for partitions that end where chunks do.
    let read = line("BlockReadExec: ");
    assert!(read.contains("chunks 20 of 26") && read.contains("chunks_read=20"), "{text}");
    // 100 × 40 × 37 cells of four bytes, stored as they are.
    assert!(read.contains("bytes_read=592.0 K") && read.contains("bytes_decoded=592.0 K"), "{text}");
    assert!(line("GridReduceFinalExec: ").contains("output_rows=100"), "{text}");
    assert!(!text.contains("ran again") && !text.contains("measured in this process"), "{text}");
    // Nothing is left of what was measured.
    let left = || runtime().block_on(cluster.scheduler().server().state.task_manager.get_all_jobs()).unwrap().len();
    let end = Instant::now() + Duration::from_secs(5);
    while left() > 0 {
        assert!(Instant::now() < end, "{} jobs are left", left());
        std::thread::sleep(Duration::from_millis(2));
    }
    runtime().block_on(cluster.shut_down());
}

/// A job is summed up while it runs.
#[test]
fn a_running_job_tells_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = write_chunks_of(folder.path(), [10, 40, 37]);
    consolidate(&store);
    let server = SlowServer::start(folder.path());
    let cluster = cluster_in(1, None);
    let session = ARRAYS.session();
    send_to(&cluster.backend())(&session);
    attach(&session, "ds", &server.uri("10x40x37")).unwrap();
    server.pause(Duration::from_millis(60));
    std::thread::scope(|scope| {
        let query = scope.spawn(|| run(&session, "FROM ds |> REDUCE avg(a) AS m, max(b) AS high ALONG t"));
        let end = Instant::now() + Duration::from_secs(10);
        let summary = loop {
            let jobs = cluster.scheduler().server().state.task_manager.get_running_job_cache();
            let summary =
                jobs.keys().next().and_then(|job| runtime().block_on(job_summary(cluster.scheduler(), job.as_str())));
            match summary.filter(|summary| summary.tasks_done() > 1) {
                Some(summary) => break summary,
                None => assert!(Instant::now() < end, "no task has ended"),
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        assert_eq!(summary.stages.len(), 2, "{summary:?}");
        let (scan, merge) = (&summary.stages[0], &summary.stages[1]);
        assert!(scan.partitions_done > 1 && scan.partitions_done < scan.partitions, "{scan:?}");
        assert_eq!((scan.executors.len(), merge.inputs.as_slice(), merge.tasks_done), (1, &[1][..], 0), "{summary:?}");
        assert!(summary.counter("chunks_read") > 0 && scan.peak_memory.is_some_and(|bytes| bytes > 0), "{summary:?}");
        assert!(matches!(query.join().unwrap(), Ending::Rows(_)));
    });
    runtime().block_on(cluster.shut_down());
}

/// The store is where the session is, and not where executors are.
#[test]
fn a_task_that_cannot_begin_tells_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let store = write_chunks_of(folder.path(), [10, 40, 37]);
    for (settings, query) in [
        (ARRAYS, "FROM ds |> REDUCE avg(a) AS m ALONG t"),
        (ROWS, "SELECT cast(b AS INT) AS k, count(*) AS n FROM ds GROUP BY 1 ORDER BY n LIMIT 3"),
        (
            ARRAYS,
            "SELECT s.n, avg(ds.a) AS m FROM (VALUES (3.2, 1), (7.7, 2)) AS s(p, n) JOIN ds ON ds.t = nearest(s.p) GROUP BY s.n",
        ),
    ] {
        // An executor opens a store once: each case has its own.
        let cluster = cluster_in(1, None);
        let session = settings.session();
        send_to(&cluster.backend())(&session);
        attach(&session, "ds", &store).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        std::fs::rename(&store, &elsewhere).unwrap();
        let error = failed(&session, query);
        std::fs::rename(&elsewhere, &store).unwrap();
        assert!(error.contains("an executor cannot prepare its task: "), "{query}: {error}");
        assert!(error.contains("10x40x37") && !error.contains("stage"), "{query}: {error}");
        assert!(matches!(run(&session, query), Ending::Rows(_)), "{query}: the store is back");
        runtime().block_on(cluster.shut_down());
    }
}

/// A server that refuses for a moment is asked again; one that goes on refusing is told of.
#[test]
fn a_store_that_fails_while_it_is_opened_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = write_chunks_of(folder.path(), [10, 40, 37]);
    consolidate(&store);
    let server = SlowServer::start(folder.path());
    let query = "FROM ds |> REDUCE avg(a) AS m ALONG y, x";
    let session = ARRAYS.session();
    for (refusals, is_told) in [(1, false), (1_000_000, true)] {
        // An executor opens a store once: each case has its own.
        let cluster = cluster_in(1, None);
        server.refuse(0);
        send_to(&cluster.backend())(&session);
        attach(&session, "ds", &server.uri("10x40x37")).unwrap();
        server.refuse(refusals);
        match (run(&session, query), is_told) {
            (Ending::Rows(answer), false) => assert_eq!(answer.rows(), 130),
            (Ending::Error(error), true) => {
                let error = error.to_string();
                assert!(error.contains("an executor cannot prepare its task: http://"), "{error}");
                assert!(error.contains("400 Bad Request"), "{error}");
            }
            (other, _) => panic!("{refusals} refusals: {other:?}"),
        }
        runtime().block_on(cluster.shut_down());
    }
}

/// Twelve billion pairs of rows, none of which is wanted: the executor is free within a second after the rows are dropped.
#[test]
fn a_join_on_a_cluster_ends_when_it_is_cancelled() {
    let (folder, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = write_chunks_of(folder.path(), [10, 40, 37]);
    let cluster = cluster_in(1, Some(files.path()));
    let session = ROWS.session();
    send_to(&cluster.backend())(&session);
    attach(&session, "ds", &store).unwrap();
    for by_id in [false, true] {
        let query = "SELECT count(*) AS n FROM ds p, ds q WHERE p.a * q.b = -1e30";
        let query = session.query(query);
        let mut rows = match runtime().block_on(query).unwrap() {
            Outcome::Rows(rows) => rows,
            other => panic!("{other:?}"),
        };
        runtime().block_on(async {
            tokio::select! {
                early = rows.next() => panic!("it was faster than it can be: {early:?}"),
                () = is_joining(&cluster) => {}
            }
            if by_id {
                let jobs = cluster.scheduler().server().state.task_manager.get_running_job_cache();
                for job in jobs.keys() {
                    cluster.scheduler().server().cancel_job(job.clone()).await.unwrap();
                }
            }
        });
        drop(rows);
        let dropped = Instant::now();
        // The only core is there for others.
        assert!(matches!(run(&session, "SELECT count(*) AS n FROM ds WHERE t = 5"), Ending::Rows(_)));
        let took = dropped.elapsed();
        // A second, and the time of a query on a machine that has much to do. Without the flag it takes minutes.
        assert!(took < Duration::from_secs(3), "by its id: {by_id}: the next query took {took:?}");
        let end = Instant::now() + Duration::from_secs(8);
        while files_below(files.path()).iter().any(|file| file.extension().is_some_and(|end| end == "arrow")) {
            assert!(Instant::now() < end, "files are left: {:?}", files_below(files.path()));
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let processes: Vec<_> = cluster.provider().list().iter().filter_map(|executor| executor.process).collect();
    assert_eq!(processes.len(), 1);
    runtime().block_on(cluster.shut_down());
}

/// Waits until a stage with inputs has run for a moment.
async fn is_joining(cluster: &LocalCluster) {
    use ballista_scheduler::state::execution_stage::ExecutionStage;
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        for job in cluster.scheduler().server().state.task_manager.get_running_job_cache().values() {
            let graph = job.execution_graph.read().await;
            let is_join = |stage: &ExecutionStage| match stage {
                ExecutionStage::Running(stage) => !stage.inputs.is_empty() && !stage.running_tasks().is_empty(),
                _ => false,
            };
            if graph.stages().values().any(is_join) {
                drop(graph);
                tokio::time::sleep(Duration::from_millis(700)).await;
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the join has not begun");
}
