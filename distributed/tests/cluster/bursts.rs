//! A cluster that adapts: executors come for a burst of queries and go after it; statements speak of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::util::display::array_value_to_string;
use futures::TryStreamExt;
use quarray_distributed::cluster::Program;
use quarray_distributed::control::{ClusterSettings, LocalClusters};
use quarray_distributed::scaling::Limits;
use quarray_engine::backend::Backend;
use quarray_engine::{Outcome, Session};
use tempfile::TempDir;

use crate::TestResult;
use crate::plans::{self, BATCHES, PARTITIONS, SUM_SQL};
use crate::setting::{codec, files_below, shape};
use crate::slow::Pace;

/// Queries of a burst: 24 seconds of one core.
const QUERIES: usize = 5;
const PAUSE_MS: u32 = 200;

/// Executors are more within this time after the work has come.
const RISE: Duration = Duration::from_secs(3);
/// They are as few as before within this time after the last query.
const FALL: Duration = Duration::from_secs(20);

/// A query of a few seconds that has not ended after this never will.
const STALLED: Duration = Duration::from_secs(40);

/// A session that speaks of clusters, and where their files are.
struct Speaker {
    session: Session,
    clusters: Arc<LocalClusters>,
    runtime: tokio::runtime::Runtime,
    directory: TempDir,
}

impl Speaker {
    fn new() -> TestResult<Self> {
        let directory = TempDir::new()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (user, files) = (Limits { max: 8, ..Limits::NONE }, Some(directory.path().to_path_buf()));
        let clusters = Arc::new(LocalClusters::new(Program::current()?, codec(), files, user));
        let session = {
            let _guard = runtime.enter();
            Session::builder().clusters(Arc::clone(&clusters) as _).build()?
        };
        Ok(Self { session, clusters, runtime, directory })
    }

    /// Ends the clusters, which leave no file.
    fn finish(self) -> TestResult {
        let Self { session, clusters, runtime, directory } = self;
        drop(session);
        runtime.block_on(clusters.shut_down());
        drop(runtime);
        let files = files_below(directory.path());
        if files.is_empty() { Ok(()) } else { Err(format!("files are left: {files:?}").into()) }
    }
}

/// Answers are right, nothing is read twice, executors rise and fall, and the log tells why.
pub fn executors_come_and_go_with_a_burst() -> TestResult {
    let trace = tempfile::NamedTempFile::new()?;
    let speaker = Speaker::new()?;
    let (clusters, session) = (&speaker.clusters, &speaker.session);
    speaker.runtime.block_on(async {
        let idle_timeout = Some(Duration::from_secs(1));
        let settings = ClusterSettings { min: 1, max: 4, shape: shape(1), idle_timeout };
        if !clusters.create("burst", settings).await? {
            return Err("there was a cluster before".into());
        }
        let backend = clusters.backend("burst").await.ok_or("no cluster")?;
        let context = plans::session()?;
        let expected = plans::local(&context, SUM_SQL).await?;
        let start = Instant::now();
        let scan = Pace { pause_ms: PAUSE_MS, trace: Some(trace.path().to_path_buf()), ..Pace::default() };
        let query = || async {
            let plan = plans::plan(&context, SUM_SQL, scan.clone(), Pace::default()).await?;
            let stream = backend.execute(plan, plans::task(&context)).await?;
            plans::rows(&stream.try_collect::<Vec<_>>().await?)
        };
        let queries = futures::future::join_all((0..QUERIES).map(|_| query()));
        let rise = async {
            while executors(session).await? < 2 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            TestResult::Ok(start.elapsed())
        };
        let (found, rose) = tokio::join!(queries, rise);
        let rose = rose?;
        if rose > RISE {
            return Err(format!("it took {rose:?} until there were more executors").into());
        }
        for found in found {
            if found? != expected {
                return Err("a wrong sum".into());
            }
        }
        let done = Instant::now();
        while executors(session).await? > 1 {
            if done.elapsed() > FALL {
                return Err(format!("after {FALL:?} there are {} executors", executors(session).await?).into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let read = trace.path().metadata()?.len();
        if read != (QUERIES * PARTITIONS * BATCHES) as u64 {
            return Err(format!("expected {} batches, found {read}", QUERIES * PARTITIONS * BATCHES).into());
        }
        let log = texts(session, "SHOW SCALING FROM burst", "reason").await?;
        if !log.iter().any(|reason| reason.contains("starts")) || !log.iter().any(|reason| reason.contains("cordons")) {
            return Err(format!("the log does not explain it: {log:#?}").into());
        }
        TestResult::Ok(())
    })?;
    speaker.finish()
}

/// What statements do, and what they refuse.
pub fn statements_about_clusters() -> TestResult {
    let speaker = Speaker::new()?;
    let session = &speaker.session;
    speaker.runtime.block_on(async {
        done(session, "CREATE CLUSTER pc WITH (min = 1, max = 2, cores = 1, memory = '256 MiB')").await?;
        refused(session, "CREATE CLUSTER PC", "there is a cluster `pc` already").await?;
        done(session, "CREATE CLUSTER IF NOT EXISTS pc").await?;
        refused(session, "USE CLUSTER cp", "no cluster `cp`").await?;
        done(session, "USE CLUSTER pc").await?;
        let sum =
            texts(session, "SELECT CAST(sum(v) AS VARCHAR) AS s FROM (VALUES (1), (2), (500)) AS t(v)", "s").await?;
        if sum != ["503"] {
            return Err(format!("a wrong sum: {sum:?}").into());
        }
        refused(session, "DROP CLUSTER pc", "in use by this session").await?;
        done(session, "ALTER CLUSTER pc SCALE TO 2").await?;
        let start = Instant::now();
        while texts(session, "SHOW EXECUTORS", "state").await?.iter().filter(|state| *state == "idle").count() < 2 {
            if start.elapsed() > Duration::from_secs(10) {
                return Err("no second executor has come".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if texts(session, "SHOW CLUSTERS", "mode").await? != ["scale to 2"] {
            return Err("the mode is not told".into());
        }
        if !texts(session, "SHOW JOBS", "id").await?.is_empty() {
            return Err("a job is left".into());
        }
        refused(session, "CANCEL JOB 'job-1'", "no job `job-1` runs").await?;
        done(session, "ALTER CLUSTER pc ADAPT BETWEEN 0 AND 3").await?;
        done(session, "USE LOCAL").await?;
        let other = Session::builder().clusters(Arc::clone(&speaker.clusters) as _).build()?;
        done(&other, "USE CLUSTER pc").await?;
        refused(session, "DROP CLUSTER pc", "in use by another session").await?;
        done(&other, "USE LOCAL").await?;
        done(session, "DROP CLUSTER pc").await?;
        refused(session, "SHOW EXECUTORS", "there is no cluster").await?;
        done(session, "DROP CLUSTER IF EXISTS pc").await
    })?;
    speaker.finish()
}

/// A job that runs is listed, and ends when it is told to; its cores are free within a second.
pub fn a_job_is_cancelled_by_its_id() -> TestResult {
    let speaker = Speaker::new()?;
    let (clusters, session) = (&speaker.clusters, &speaker.session);
    speaker.runtime.block_on(async {
        done(session, "CREATE CLUSTER pc WITH (min = 1, max = 1, memory = '256 MiB')").await?;
        let backend = clusters.backend("pc").await.ok_or("no cluster")?;
        let context = plans::session()?;
        let plan = plans::plan(&context, SUM_SQL, Pace::pause(500), Pace::default()).await?;
        let query = async {
            let stream = backend.execute(plan, plans::task(&context)).await?;
            TestResult::Ok(stream.try_collect::<Vec<_>>().await?)
        };
        let cancel = async {
            let start = Instant::now();
            let id = loop {
                match texts(session, "SHOW JOBS", "id").await?.pop() {
                    Some(id) => break id,
                    None if start.elapsed() > RISE => return Err("no job is listed".into()),
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            };
            done(session, &format!("CANCEL JOB '{id}'")).await?;
            let start = Instant::now();
            while texts(session, "SHOW EXECUTORS", "state").await? != ["idle"] {
                if start.elapsed() > Duration::from_secs(1) {
                    return Err("after a second the executor still works".into());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            TestResult::Ok(())
        };
        let (ended, cancelled) = tokio::join!(query, cancel);
        cancelled?;
        if ended.is_ok() { Err("the cancelled query has an answer".into()) } else { TestResult::Ok(()) }
    })?;
    speaker.finish()
}

/// An executor that holds shuffled data and waits to leave is taken back: the query goes on.
pub fn an_executor_that_is_taken_back_works_on() -> TestResult {
    let speaker = Speaker::new()?;
    let (clusters, session) = (&speaker.clusters, &speaker.session);
    speaker.runtime.block_on(async {
        done(session, "CREATE CLUSTER pc WITH (min = 1, max = 1, cores = 1, memory = '256 MiB')").await?;
        let backend = clusters.backend("pc").await.ok_or("no cluster")?;
        let context = plans::session()?;
        let expected = plans::local(&context, SUM_SQL).await?;
        let plan = plans::plan(&context, SUM_SQL, Pace::pause(100), Pace::default()).await?;
        let query = async {
            let stream = backend.execute(plan, plans::task(&context)).await?;
            plans::rows(&stream.try_collect::<Vec<_>>().await?)
        };
        let take_back = async {
            until(session, "SHOW JOBS", |job| job.get("partitions_done").is_some_and(|done| done != "0")).await?;
            done(session, "ALTER CLUSTER pc SCALE TO 0").await?;
            let is_waiting = |executor: &Row| executor.get("state").is_some_and(|state| state == "leaving");
            let is_free = |executor: &Row| executor.get("free_cores").is_some_and(|free| free == "1");
            until(session, "SHOW EXECUTORS", |executor| is_waiting(executor) && is_free(executor)).await?;
            let jobs = texts(session, "SHOW JOBS", "id").await?.len();
            done(session, "ALTER CLUSTER pc SCALE TO 1").await?;
            if jobs == 1 { TestResult::Ok(()) } else { Err("the query has ended before".into()) }
        };
        let both = async { tokio::join!(query, take_back) };
        let ended = tokio::time::timeout(STALLED, both).await;
        let (found, taken_back) = ended.map_err(|_| format!("nothing has come in {STALLED:?}"))?;
        taken_back?;
        if found? == expected { TestResult::Ok(()) } else { Err("a wrong sum".into()) }
    })?;
    speaker.finish()
}

/// A cluster stays for as long as somebody reads what it computes, whatever became of the session.
pub fn a_cluster_is_not_dropped_under_its_jobs() -> TestResult {
    let speaker = Speaker::new()?;
    let (clusters, session) = (&speaker.clusters, &speaker.session);
    speaker.runtime.block_on(async {
        done(session, "CREATE CLUSTER pc WITH (min = 1, max = 1, memory = '256 MiB')").await?;
        let backend = clusters.backend("pc").await.ok_or("no cluster")?;
        let context = plans::session()?;
        let expected = plans::local(&context, SUM_SQL).await?;
        let plan = plans::plan(&context, SUM_SQL, Pace::pause(20), Pace::default()).await?;
        let stream = backend.execute(plan, plans::task(&context)).await?;
        drop(backend);
        refused(session, "DROP CLUSTER pc", "in use by another session or query").await?;
        if plans::rows(&stream.try_collect::<Vec<_>>().await?)? != expected {
            return Err("a wrong sum".into());
        }
        done(session, "DROP CLUSTER pc").await
    })?;
    speaker.finish()
}

async fn executors(session: &Session) -> TestResult<usize> {
    let states = texts(session, "SHOW EXECUTORS FROM burst", "state").await?;
    Ok(states.iter().filter(|state| *state != "starting").count())
}

/// The columns of a row, as texts.
type Row = BTreeMap<String, String>;

/// Waits until an answer is one row, which is as it is told.
async fn until(session: &Session, query: &str, is_met: impl Fn(&Row) -> bool) -> TestResult {
    loop {
        let batches = session.query(query).await?.into_rows()?.collect().await?;
        if let [batch] = batches.as_slice()
            && batch.num_rows() == 1
        {
            let names = batch.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
            let texts = batch.columns().iter().map(|column| array_value_to_string(column, 0));
            if is_met(&names.into_iter().zip(texts.collect::<Result<Vec<_>, _>>()?).collect()) {
                return Ok(());
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A column of texts of an answer.
async fn texts(session: &Session, query: &str, column: &str) -> TestResult<Vec<String>> {
    let batches = session.query(query).await?.into_rows()?.collect().await?;
    let mut texts = Vec::new();
    for batch in batches {
        let column = batch.column_by_name(column).ok_or("no such column")?;
        let column = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8)?;
        let column = arrow::array::AsArray::as_string::<i32>(column.as_ref()).clone();
        texts.extend(column.iter().flatten().map(str::to_string));
    }
    Ok(texts)
}

async fn done(session: &Session, statement: &str) -> TestResult {
    match session.query(statement).await {
        Ok(Outcome::Done(_)) => Ok(()),
        other => Err(format!("{statement}: {other:?}").into()),
    }
}

async fn refused(session: &Session, statement: &str, expected: &str) -> TestResult {
    match session.query(statement).await {
        Err(error) if error.to_string().contains(expected) => Ok(()),
        other => Err(format!("{statement}: expected \"{expected}\", found {other:?}").into()),
    }
}
