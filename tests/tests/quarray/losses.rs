//! Executors are killed (SIGKILL) while real plans run, at chosen moments: every query succeeds, its answer is that of one
//! process, cores are free again, and nothing is left behind. `QUARRAY_KILLS` rounds.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ballista_core::serde::protobuf::task_status::Status;
use ballista_scheduler::state::execution_stage::{ExecutionStage, RunningStage};
use quarray_distributed::cluster::{ExecutorProvider, LocalCluster};
use quarray_engine::Session;

use crate::answer::Answer;
use crate::executors::{cluster_in, send_to};
use crate::layouts::{same, write_chunks_of};
use crate::run::{Ending, Settings, attach, run, runtime};
use crate::slow_server::{SlowServer, consolidate};

/// Small chunks: a scan has many requests, and a chunk takes this long.
const CHUNK_SHAPE: [usize; 3] = [10, 40, 37];
const CHUNK_PAUSE: Duration = Duration::from_millis(25);

const ARRAYS: Settings = Settings { grid: true, threads: 3, block_bytes: 16 << 10 };
const ROWS: Settings = Settings { grid: false, threads: 6, block_bytes: 16 << 10 };

/// Plans of one, two and more exchanges, and the answers of sums of floats that may differ by where rows are added.
const PLANS: [(&str, Settings, f64); 6] = [
    // A grid reduction: one exchange.
    ("FROM ds |> REDUCE avg(a) AS m, stddev(b) AS s ALONG t", ARRAYS, 0.0),
    // A climatology.
    ("FROM ds |> AGGREGATE avg(a) AS v, sum(b) AS s GROUP BY y, x, t % 12 AS month", ARRAYS, 0.0),
    // Windows as rows.
    ("FROM ds[y[0:12]] |> EXTEND avg(a[t-6:t]) AS week |> SELECT t, y, x, week", ARRAYS, 0.0),
    // A join with a table, groups, an order.
    (
        "SELECT k.n AS n, sum(ds.a) AS s, count(*) AS c FROM ds JOIN (VALUES (3, 10), (50, 20), (77, 10), (129, 30)) AS \
         k(t, n) ON ds.t = k.t GROUP BY k.n ORDER BY n",
        ROWS,
        1e-12,
    ),
    (MIDDLE, ROWS, 0.0),
    // A reduction of rows with an order: two exchanges.
    ("SELECT t % 12 AS month, count(b) AS n, max(a) AS high FROM ds GROUP BY 1 ORDER BY 1", ROWS, 0.0),
];

/// Groups of groups of groups: stages in the middle with several tasks, whose outputs Ballista may tell of twice.
const MIDDLE: &str = "SELECT m, sum(c) AS c, count(*) AS g FROM (SELECT n % 5 AS m, k % 3 AS r, count(*) AS c FROM (SELECT \
                      cast(b AS INT) AS k, count(*) AS n FROM ds GROUP BY 1) GROUP BY 1, 2) GROUP BY m ORDER BY m";

/// When an executor is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Some partitions of a scan are done, others are not.
    Scanning,
    /// A scan is done, and what it wrote was not read.
    Written,
    /// The result is there, and is being fetched.
    Fetching,
    /// A stage that is neither the first nor the last has some of its outputs.
    Middle,
}

const MOMENTS: [Moment; 3] = [Moment::Scanning, Moment::Written, Moment::Fetching];

/// A cluster, its store, and where its files are.
struct Field {
    cluster: LocalCluster,
    server: SlowServer,
    store: PathBuf,
    folder: tempfile::TempDir,
    files: tempfile::TempDir,
}

impl Field {
    fn new() -> Self {
        let (folder, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = write_chunks_of(folder.path(), CHUNK_SHAPE);
        consolidate(&store);
        let server = SlowServer::start(folder.path());
        let cluster = cluster_in(2, Some(files.path()));
        Self { cluster, server, store, folder, files }
    }

    /// A session that reads the store by the server and runs on the cluster.
    fn session(&self, settings: Settings) -> Session {
        let session = settings.session();
        send_to(&self.cluster.backend())(&session);
        let name = self.store.file_name().unwrap().to_str().unwrap();
        attach(&session, "ds", &self.server.uri(name)).unwrap();
        session
    }

    fn alone(&self, query: &str, settings: Settings) -> Answer {
        let session = settings.session();
        attach(&session, "ds", &self.store).unwrap();
        rows(run(&session, query), query)
    }

    /// Runs a query while an executor is killed; its answer, and whether the moment came.
    fn killed(&self, query: &str, settings: Settings, moment: Moment) -> (Answer, bool) {
        let session = self.session(settings);
        self.server.pause(CHUNK_PAUSE);
        std::thread::scope(|scope| {
            let killer = scope.spawn(|| runtime().block_on(self.kill_at(moment)));
            let ended = run(&session, query);
            let has_come = killer.join().unwrap();
            (rows(ended, &format!("{query}, killed when {moment:?}")), has_come)
        })
    }

    /// Waits for the moment, kills an executor then, and lets another one come.
    async fn kill_at(&self, moment: Moment) -> bool {
        let state = self.cluster.scheduler().state();
        let victim = match moment {
            Moment::Scanning => self.wait_for(|stage| is_scan(stage) && is_partly_done(stage)).await,
            Moment::Fetching => self.wait_for_result().await,
            Moment::Written | Moment::Middle => self.stop_at(moment).await,
        };
        let victims = self.cluster.provider().list();
        let chosen = victims.iter().find(|executor| victim.as_ref().is_none_or(|id| *id == executor.id)).unwrap();
        let process = i32::try_from(chosen.process.unwrap()).unwrap();
        // SAFETY: a system call with two numbers; the process is a child that nobody has waited for.
        assert_eq!(unsafe { libc::kill(process, libc::SIGKILL) }, 0);
        while self.cluster.provider().list().iter().any(|executor| executor.id == chosen.id) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.cluster.provider().start(self.cluster.shape()).await.expect("an executor");
        self.cluster.wait(2).await.expect("two executors");
        state.fenced().iter().for_each(|id| state.unfence(id));
        victim.is_some()
    }

    /// Lets a stage end its running tasks and no task begin: the executor of one of its outputs.
    async fn stop_at(&self, moment: Moment) -> Option<String> {
        let state = self.cluster.scheduler().state();
        let is_wanted = |stage: &RunningStage| match moment {
            Moment::Written => stage.inputs.is_empty() && stage.pending.remaining() == 0,
            _ => !stage.inputs.is_empty() && !stage.output_links.is_empty() && stage.partitions > 2,
        };
        let holder = self.wait_for(is_wanted).await;
        self.cluster.provider().list().iter().for_each(|executor| state.fence(&executor.id));
        holder.as_ref()?;
        // What runs comes to its end.
        let end = Instant::now() + Duration::from_secs(10);
        while self.is_running().await && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        match moment {
            Moment::Written => holder,
            // The executor whose partners have given outputs already: those are told of once more afterwards.
            _ => self.look(|stage| is_wanted(stage) && is_partly_done(stage)).await,
        }
    }

    /// Waits for a running stage of that kind; an executor that has given one of its outputs, or works on one.
    async fn wait_for(&self, is_met: impl Fn(&RunningStage) -> bool) -> Option<String> {
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if let Some(executor) = self.look(&is_met).await {
                return Some(executor);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        None
    }

    async fn look(&self, is_met: impl Fn(&RunningStage) -> bool) -> Option<String> {
        for job in self.cluster.scheduler().server().state.task_manager.get_running_job_cache().values() {
            let graph = job.execution_graph.read().await;
            for stage in graph.stages().values() {
                if let ExecutionStage::Running(running) = stage
                    && is_met(running)
                {
                    return executors_of(running).into_iter().next();
                }
            }
        }
        None
    }

    async fn is_running(&self) -> bool {
        let jobs = self.cluster.scheduler().server().state.task_manager.get_running_job_cache();
        for job in jobs.values() {
            if !job.execution_graph.read().await.running_tasks().is_empty() {
                return true;
            }
        }
        false
    }

    /// Waits until a job is done and somebody holds its result.
    async fn wait_for_result(&self) -> Option<String> {
        let scheduler = self.cluster.scheduler();
        let before = scheduler.job_counts().begun();
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            let is_over = scheduler.server().state.task_manager.get_running_job_cache().is_empty();
            let holders = scheduler.needed_executors().await;
            if is_over && scheduler.job_counts().begun() >= before && !holders.is_empty() {
                return holders.into_iter().next();
            }
            tokio::task::yield_now().await;
        }
        None
    }

    /// The cluster is as good as before, and holds nothing.
    fn is_well(&self) {
        runtime().block_on(async {
            let end = Instant::now() + Duration::from_secs(10);
            loop {
                let cores = self.cluster.scheduler().cores().await;
                let is_free = cores.len() == 2 && cores.iter().all(|cores| cores.free == cores.total);
                let data: Vec<_> = files_below(self.files.path()).into_iter().filter(|file| is_data(file)).collect();
                if is_free && data.is_empty() {
                    return;
                }
                assert!(Instant::now() < end, "{cores:?}, {data:?}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }

    /// Ends the cluster: neither a process nor a file is left.
    fn finish(self) {
        let Self { cluster, files, folder, .. } = self;
        let processes: Vec<_> = cluster.provider().list().iter().filter_map(|executor| executor.process).collect();
        runtime().block_on(cluster.shut_down());
        assert!(processes.iter().all(|process| !PathBuf::from(format!("/proc/{process}")).exists()), "{processes:?}");
        assert_eq!(files_below(files.path()), Vec::<PathBuf>::new());
        drop(folder);
    }
}

/// The long form has as many kills as it is told to; this one spreads a dozen over the moments.
fn kills() -> usize {
    std::env::var("QUARRAY_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

/// Every plan meets every moment in turn.
#[test]
fn answers_do_not_depend_on_lost_executors() {
    let field = Field::new();
    // How often each moment came to each plan, and how often an executor was killed for it.
    let mut come = [[(0usize, 0usize); 3]; 6];
    for round in 0..kills() {
        // Of three rounds each has another moment; the plans go round among them.
        let (moment, chosen) = (MOMENTS[round % 3], (round + round / 6) % 6);
        let (query, settings, tolerance) = PLANS[chosen];
        let expected = field.alone(query, settings);
        let (found, has_come) = field.killed(query, settings, moment);
        same(&expected, &found, tolerance, &format!("{query}, killed when {moment:?}"));
        let counts = &mut come[chosen][round % 3];
        *counts = (counts.0 + usize::from(has_come), counts.1 + 1);
        field.is_well();
    }
    for (moment, name) in MOMENTS.iter().enumerate() {
        let (times, rounds) = come.iter().fold((0, 0), |sum, plan| (sum.0 + plan[moment].0, sum.1 + plan[moment].1));
        assert!(times > 0, "{name:?} has not come in {rounds} rounds");
        let plans: Vec<String> = come.iter().map(|plan| format!("{} of {}", plan[moment].0, plan[moment].1)).collect();
        println!("{name:?} came in {times} of {rounds} rounds, by plans: {}", plans.join(", "));
    }
    let jobs = field.cluster.scheduler().job_counts();
    println!("{} kills, {} jobs, {} answers thrown away", kills(), jobs.begun(), jobs.distrusted());
    field.finish();
}

/// A stage in the middle is begun anew when some of its outputs are there already: what reads it counts them twice. Such an
/// answer is thrown away. Without that guard this test finds wrong sums.
#[test]
fn what_was_counted_twice_is_never_shown() {
    let field = Field::new();
    let expected = field.alone(MIDDLE, ROWS);
    let rounds = kills().div_ceil(6);
    for _ in 0..rounds {
        let (found, _) = field.killed(MIDDLE, ROWS, Moment::Middle);
        same(&expected, &found, 0.0, MIDDLE);
        field.is_well();
    }
    let distrusted = field.cluster.scheduler().job_counts().distrusted();
    assert!(distrusted > 0, "in {rounds} rounds no answer was thrown away: the guard had nothing to do");
    println!("answers thrown away: {distrusted} in {rounds} rounds");
    field.finish();
}

/// Executors that have given outputs of a stage, or else those that work on it; first those that others have outputs beside.
fn executors_of(stage: &RunningStage) -> Vec<String> {
    let mut done: Vec<String> = Vec::new();
    let mut running: Vec<String> = Vec::new();
    for task in &stage.task_infos {
        match &task.task_status {
            Status::Successful(status) => done.push(status.executor_id.clone()),
            Status::Running(status) => running.push(status.executor_id.clone()),
            Status::Failed(_) => {}
        }
    }
    if done.is_empty() { running } else { done }
}

fn is_scan(stage: &RunningStage) -> bool {
    stage.inputs.is_empty()
}

/// Whether two executors have given outputs, and some are still to come.
fn is_partly_done(stage: &RunningStage) -> bool {
    let by: HashSet<&String> = stage
        .task_infos
        .iter()
        .filter_map(|task| match &task.task_status {
            Status::Successful(status) => Some(&status.executor_id),
            _ => None,
        })
        .collect();
    by.len() > 1 && stage.successful_tasks() < stage.partitions
}

fn rows(ending: Ending, what: &str) -> Answer {
    match ending {
        Ending::Rows(answer) => answer,
        other => panic!("{what}: expected rows, found {other:?}"),
    }
}

fn is_data(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "arrow")
}

/// Files and directories.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        found.extend(files_below(&entry.path()));
        found.push(entry.path());
    }
    found
}
