//! Whatever runs on executors gives the answer that it gives here.

use std::time::{Duration, Instant};

use quarray_distributed::cluster::ExecutorProvider;

use crate::TestResult;
use crate::plans::{self, ALL_SQL, BATCHES, GROUPS_SQL, PARTITIONS, SUM_SQL};
use crate::setting::{Setting, shape};
use crate::slow::Pace;

pub fn answers_are_those_of_this_process() -> TestResult {
    for (executors, cores) in [(1, 1), (2, 1), (1, 3)] {
        let setting = Setting::new(executors, cores)?;
        setting.run(async {
            for sql in ALL_SQL {
                let expected = plans::local(&setting.session, sql).await?;
                let plan = plans::plan(&setting.session, sql, Pace::default(), Pace::default()).await?;
                let found = setting.rows(plan).await?;
                if found != expected || found.is_empty() {
                    return Err(format!("{executors} × {cores}: {sql}: expected {expected:?}, found {found:?}").into());
                }
            }
            setting.wait_until_free().await?;
            setting.wait_until_clean().await
        })?;
        setting.finish()?;
    }
    Ok(())
}

pub fn every_batch_is_read_once() -> TestResult {
    for (executors, cores) in [(2, 1), (1, 5)] {
        let setting = Setting::new(executors, cores)?;
        let trace = tempfile::NamedTempFile::new()?;
        setting.run(async {
            let scan = Pace { trace: Some(trace.path().to_path_buf()), ..Pace::default() };
            setting.rows(plans::plan(&setting.session, SUM_SQL, scan, Pace::default()).await?).await
        })?;
        let read = trace.path().metadata()?.len();
        if read != (PARTITIONS * BATCHES) as u64 {
            return Err(
                format!("{executors} × {cores}: expected {} batches, found {read}", PARTITIONS * BATCHES).into()
            );
        }
        setting.finish()?;
    }
    Ok(())
}

pub fn a_failure_is_told() -> TestResult {
    let setting = Setting::new(1, 2)?;
    setting.run(async {
        let sql = "SELECT sum(v / (v - 5)) AS s FROM cells";
        let plan = plans::plan(&setting.session, sql, Pace::default(), Pace::default()).await?;
        let start = Instant::now();
        let error = setting.rows(plan).await.err().ok_or("a division by zero has an answer")?.to_string();
        if !error.ends_with("Divide by zero error") || error.contains("stage 1") {
            return Err(format!("expected a division by zero, found: {error}").into());
        }
        if start.elapsed() > Duration::from_secs(5) {
            return Err(format!("it took {:?} to fail", start.elapsed()).into());
        }
        setting.wait_until_free().await?;
        setting.wait_until_clean().await
    })?;
    setting.finish()
}

/// Two cores; a long job has them, then a short one comes. It is done long before the long one.
pub fn a_young_job_gets_its_share() -> TestResult {
    let setting = Setting::new(2, 1)?;
    setting.run(async {
        let long = plans::plan(&setting.session, SUM_SQL, Pace::pause(250), Pace::default()).await?;
        let short = plans::plan(&setting.session, GROUPS_SQL, Pace::pause(10), Pace::default()).await?;
        let start = Instant::now();
        let timed = |rows| async move { TestResult::Ok((rows, start.elapsed())) };
        let (long, short) = tokio::join!(async { timed(setting.rows(long).await?).await }, async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            timed(setting.rows(short).await?).await
        });
        let ((_, long), (_, short)) = (long?, short?);
        match short < long * 3 / 4 {
            true => Ok(()),
            false => Err(format!("the long job took {long:?}, the short one {short:?}").into()),
        }
    })?;
    setting.finish()
}

pub fn a_cold_cluster_waits_for_its_first_executor() -> TestResult {
    let setting = Setting::new(0, 1)?;
    setting.run(async {
        let expected = plans::local(&setting.session, SUM_SQL).await?;
        let plan = plans::plan(&setting.session, SUM_SQL, Pace::default(), Pace::default()).await?;
        let start = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            setting.cluster.provider().start(shape(1)).await
        };
        let (found, started) = tokio::join!(setting.rows(plan), start);
        started?;
        if found? == expected { Ok(()) } else { Err("a wrong sum".into()) }
    })?;
    setting.finish()
}
