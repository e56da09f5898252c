//! Guards against what Ballista gets wrong, each at the very moment that it is there for.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use arrow::record_batch::RecordBatch;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_scheduler::state::execution_stage::{ExecutionStage, RunningStage};
use datafusion::datasource::MemTable;
use futures::{StreamExt, TryStreamExt};
use quarray_engine::backend::Backend;

use crate::TestResult;
use crate::plans::{self, GROUPS_SQL, NESTED_SQL, SUM_SQL};
use crate::setting::{PATIENCE, Setting};
use crate::slow::Pace;

/// Some time with which the slowest machine does what is done at once.
const AT_ONCE: Duration = Duration::from_secs(2);

/// After this, what would end has ended.
const LONG: Duration = Duration::from_secs(20);

const POLL: Duration = Duration::from_millis(2);

/// A part of the result is there when its stage begins anew: that part is told of twice, and read once. Nothing else was
/// counted twice, so that the job need not run again.
pub fn a_result_that_is_told_of_twice_is_read_once() -> TestResult {
    let setting = Setting::new(2, 1)?;
    setting.run(lost_with_a_part(&setting, GROUPS_SQL, |stage| stage.output_links.is_empty()))?;
    let jobs = setting.cluster.scheduler().job_counts();
    if (jobs.begun(), jobs.distrusted()) != (1, 0) {
        return Err(format!("it ran again: {jobs:?}").into());
    }
    setting.finish()
}

/// The same in a stage in the middle: what reads it counts that part twice. Its answer is thrown away, and the job runs
/// again.
pub fn an_answer_that_counts_twice_is_thrown_away() -> TestResult {
    let setting = Setting::new(2, 1)?;
    setting.run(lost_with_a_part(&setting, NESTED_SQL, |stage| !stage.output_links.is_empty()))?;
    let jobs = setting.cluster.scheduler().job_counts();
    if (jobs.begun(), jobs.distrusted()) != (2, 1) {
        return Err(format!("it was believed: {jobs:?}").into());
    }
    setting.finish()
}

/// Nothing of a job is at work and nothing can be given: what Ballista makes of losses at times. It is begun anew.
pub fn a_job_that_stands_still_is_begun_anew() -> TestResult {
    let setting = Setting::new(1, 1)?;
    setting.run(async {
        let state = setting.cluster.scheduler().state();
        let executors = setting.executors();
        executors.iter().for_each(|id| state.fence(id));
        let expected = plans::local(&setting.session, SUM_SQL).await?;
        let plan = plans::plan(&setting.session, SUM_SQL, Pace::default(), Pace::default()).await?;
        let lose_track = async {
            let start = Instant::now();
            while !forget_partitions(&setting).await {
                if start.elapsed() > PATIENCE {
                    return Err("no stage has begun".into());
                }
                tokio::time::sleep(POLL).await;
            }
            executors.iter().for_each(|id| state.unfence(id));
            TestResult::Ok(())
        };
        let (found, lost) = tokio::join!(tokio::time::timeout(LONG, setting.rows(plan)), lose_track);
        lost?;
        match found?? {
            found if found == expected => setting.wait_until_free().await.map(drop),
            found => Err(format!("expected {expected:?}, found {found:?}").into()),
        }
    })?;
    let jobs = setting.cluster.scheduler().job_counts();
    if jobs.begun() != 2 {
        return Err(format!("it did not run again: {jobs:?}").into());
    }
    setting.finish()
}

/// Takes the partitions that wait away from the job that runs, and gives them to nobody.
async fn forget_partitions(setting: &Setting) -> bool {
    let jobs = setting.cluster.scheduler().server().state.task_manager.get_running_job_cache();
    let Some(job) = jobs.values().next() else { return false };
    let mut graph = job.execution_graph.write().await;
    graph.revive();
    graph.fetch_running_stage(&[]).is_some_and(|stage| !stage.pending.next_slice(usize::MAX).is_empty())
}

/// Kills an executor when the other one has given an output of a stage with inputs, and compares the answer.
async fn lost_with_a_part(setting: &Setting, sql: &str, is_meant: fn(&RunningStage) -> bool) -> TestResult {
    let expected = plans::local(&setting.session, sql).await?;
    let plan = plans::plan(&setting.session, sql, Pace::default(), Pace::pause(200)).await?;
    let kill = async {
        let is_it = |stage: &RunningStage| !stage.inputs.is_empty() && is_meant(stage);
        let mut givers = HashSet::new();
        let start = Instant::now();
        while givers.is_empty() {
            if start.elapsed() > PATIENCE {
                return Err("no output has come".into());
            }
            tokio::time::sleep(POLL).await;
            givers = givers_of(setting, is_it).await;
        }
        let executors = setting.executors();
        // If both have given some already, either will do.
        let victim = executors.iter().find(|id| !givers.contains(*id)).or(executors.first());
        setting.kill(victim.ok_or("no executor")?)
    };
    let (found, killed) = tokio::join!(setting.rows(plan), kill);
    killed?;
    match found? {
        found if found == expected => setting.wait_until_free().await.map(drop),
        found => Err(format!("{sql}: expected {expected:?}, found {found:?}").into()),
    }
}

/// The executors that have given outputs of a running stage of that kind.
async fn givers_of(setting: &Setting, is_it: impl Fn(&RunningStage) -> bool) -> HashSet<String> {
    let mut givers = HashSet::new();
    for job in setting.cluster.scheduler().server().state.task_manager.get_running_job_cache().values() {
        for stage in job.execution_graph.read().await.stages().values() {
            let ExecutionStage::Running(stage) = stage else { continue };
            let done = stage.task_infos.iter().filter(|_| is_it(stage)).filter_map(|task| match &task.task_status {
                Status::Successful(done) => Some(done.executor_id.clone()),
                _ => None,
            });
            givers.extend(done);
        }
    }
    givers
}

/// The other way to fetch rows makes lists of large lists, and takes no row that is larger than a message.
pub fn large_lists_and_large_rows_come_as_they_are() -> TestResult {
    let setting = Setting::new(1, 1)?;
    setting.run(async {
        let sql = "SELECT v, arrow_cast(range(0, v * 1000000), 'LargeList(Int64)') AS l FROM cells WHERE v IN (0, 9)";
        let plan = plans::plan(&setting.session, sql, Pace::default(), Pace::default()).await?;
        let stream = setting.cluster.backend().execute(plan, plans::task(&setting.session)).await?;
        let mut lengths = Vec::new();
        for batch in stream.try_collect::<Vec<_>>().await? {
            let lists = batch.column_by_name("l").ok_or("no lists")?;
            if !matches!(lists.data_type(), DataType::LargeList(_)) {
                return Err(format!("they are {}", lists.data_type()).into());
            }
            for list in lists.as_list::<i64>().iter().flatten() {
                let values = list.as_primitive::<Int64Type>().values();
                if !values.iter().copied().eq(0..values.len() as i64) {
                    return Err("other values have come than were made".into());
                }
                lengths.push(values.len());
            }
        }
        lengths.sort_unstable();
        if lengths == [0, 9_000_000] { Ok(()) } else { Err(format!("lists of {lengths:?}").into()) }
    })?;
    setting.finish()
}

/// A plan that is larger than a message is refused before the scheduler takes it for a fault of executors.
pub fn a_plan_that_no_message_carries_costs_no_executor() -> TestResult {
    let setting = Setting::new(1, 1)?;
    setting.run(async {
        let registered = setting.cluster.scheduler().state().executors().await;
        // Tables in memory travel with the plans that read them.
        let many = Arc::new(Int64Array::from_iter_values(0..9_000_000)) as ArrayRef;
        let many = RecordBatch::try_from_iter([("v", many)])?;
        let table = MemTable::try_new(many.schema(), vec![vec![many]])?;
        setting.session.register_table("many", Arc::new(table))?;
        let plan =
            plans::plan(&setting.session, "SELECT v FROM many WHERE v % 3 = 1", Pace::default(), Pace::default())
                .await?;
        let stream = setting.cluster.backend().execute(plan, plans::task(&setting.session)).await?;
        let ended = tokio::time::timeout(LONG, stream.try_collect::<Vec<_>>()).await?;
        let error = ended.err().ok_or("it has an answer")?.to_string();
        if !error.contains("bytes, at most ") || !error.contains(" can be sent to executors") {
            return Err(error.into());
        }
        let expected = plans::local(&setting.session, SUM_SQL).await?;
        let plan = plans::plan(&setting.session, SUM_SQL, Pace::default(), Pace::default()).await?;
        if setting.rows(plan).await? != expected {
            return Err("a wrong sum".into());
        }
        let left = setting.cluster.scheduler().state().departures();
        match setting.cluster.scheduler().state().executors().await {
            now if now == registered && left == 0 => Ok(()),
            now => Err(format!("{registered:?} became {now:?}").into()),
        }
    })?;
    setting.finish()
}

/// News of a job that nobody has time to read wait until somebody has: Ballista throws away what finds no place.
pub fn a_reader_that_looks_away_misses_nothing() -> TestResult {
    let setting = Setting::new(1, 2)?;
    setting.run(async {
        let expected = plans::local(&setting.session, NESTED_SQL).await?;
        let plan = plans::plan(&setting.session, NESTED_SQL, Pace::pause(5), Pace::default()).await?;
        let mut stream = setting.cluster.backend().execute(plan, plans::task(&setting.session)).await?;
        tokio::select! {
            begun = setting.wait_for_stage(|_| true) => begun?,
            _ = stream.next() => return Err("it was faster than it can be".into()),
        }
        let (scheduler, start) = (setting.cluster.scheduler(), Instant::now());
        while !scheduler.server().state.task_manager.get_running_job_cache().is_empty() {
            if start.elapsed() > PATIENCE {
                return Err("the job does not end".into());
            }
            tokio::time::sleep(POLL).await;
        }
        let rows = tokio::time::timeout(LONG, stream.try_collect::<Vec<_>>()).await??;
        if plans::rows(&rows)? != expected || scheduler.job_counts().begun() != 1 {
            return Err(format!("a wrong sum, or too many jobs: {:?}", scheduler.job_counts()).into());
        }
        Ok(())
    })?;
    setting.finish()
}

/// The scheduler is told when a child ends, and does not wait until it has missed some of its beats.
pub fn a_loss_is_noticed_at_once() -> TestResult {
    let setting = Setting::new(2, 1)?;
    setting.run(async {
        let victim = setting.executors().first().cloned().ok_or("no executor")?;
        setting.kill(&victim)?;
        let start = Instant::now();
        while setting.cluster.scheduler().state().executors().await.contains(&victim) {
            if start.elapsed() > AT_ONCE {
                return Err(format!("after {AT_ONCE:?} it is still believed to be there").into());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    })?;
    setting.finish()
}

/// An executor is needed as long as it holds what is still to be read, of a stage or of a result, though it does nothing;
/// and when a result is read nothing is left of its job.
pub fn who_holds_data_is_needed() -> TestResult {
    let setting = Setting::new(2, 1)?;
    setting.run(async {
        let scheduler = setting.cluster.scheduler();
        let plan = plans::plan(&setting.session, GROUPS_SQL, Pace::pause(20), Pace::pause(150)).await?;
        let mut stream = setting.cluster.backend().execute(plan, plans::task(&setting.session)).await?;
        let executors = setting.executors();
        let (idle, busy) = (executors.first().ok_or("no executor")?, executors.get(1).ok_or("one executor")?);
        let works = async {
            while givers_of(&setting, |_| true).await.len() < 2 {
                tokio::time::sleep(POLL).await;
            }
            // It has written something, and will do nothing more.
            scheduler.state().fence(idle);
            while !is_free(&setting, idle).await || is_free(&setting, busy).await {
                tokio::time::sleep(POLL).await;
            }
            scheduler.needed_executors().await
        };
        let needed = tokio::select! {
            needed = tokio::time::timeout(PATIENCE, works) => needed?,
            _ = stream.next() => return Err("it was faster than it can be".into()),
        };
        if !needed.contains(idle) {
            return Err(format!("{idle} has written what is still to be read, needed are {needed:?}").into());
        }
        stream.next().await.ok_or("no rows")??;
        let needed = scheduler.needed_executors().await;
        if needed != HashSet::from([busy.clone()]) {
            return Err(format!("{busy} holds the result, needed are {needed:?}").into());
        }
        drop(stream);
        let start = Instant::now();
        let jobs = || async { scheduler.server().state.task_manager.get_all_jobs().await };
        while !scheduler.needed_executors().await.is_empty() || !jobs().await?.is_empty() {
            if start.elapsed() > PATIENCE {
                return Err(format!("something is left of the job: {:?}", jobs().await?.len()).into());
            }
            tokio::time::sleep(POLL).await;
        }
        setting.wait_until_clean().await
    })?;
    setting.finish()
}

async fn is_free(setting: &Setting, id: &str) -> bool {
    let cores = setting.cluster.scheduler().cores().await;
    cores.iter().any(|cores| cores.id == id && cores.free == cores.total)
}
