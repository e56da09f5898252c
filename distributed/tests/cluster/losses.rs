//! Executors are killed at the worst of times: the answer is right all the same, and the cluster as good as before.

use std::time::Duration;

use ballista_scheduler::state::execution_stage::ExecutionStage;
use futures::StreamExt;
use quarray_distributed::cluster::ExecutorProvider;
use quarray_engine::backend::Backend;

use crate::TestResult;
use crate::plans::{self, GROUPS_SQL, JOIN_SQL, NESTED_SQL, ROWS_SQL, SUM_SQL};
use crate::setting::{Setting, shape};
use crate::slow::Pace;

/// Plans of one stage, of two and of more.
const PLANS: [&str; 5] = [ROWS_SQL, SUM_SQL, GROUPS_SQL, NESTED_SQL, JOIN_SQL];

pub fn lost_while_scanning() -> TestResult {
    each(&PLANS, Pace::pause(40), Pace::default(), |stage| match stage {
        ExecutionStage::Running(stage) => stage.inputs.is_empty() && stage.successful_tasks() > 1,
        _ => false,
    })
}

pub fn lost_after_the_shuffle_was_written() -> TestResult {
    each(&PLANS[1..], Pace::pause(2), Pace::pause(60), |stage| match stage {
        ExecutionStage::Running(stage) => !stage.inputs.is_empty(),
        _ => false,
    })
}

/// Runs every plan while the older of two executors is killed as soon as a stage is as told.
fn each(plans: &[&str], scan: Pace, merge: Pace, is_time: fn(&ExecutionStage) -> bool) -> TestResult {
    let setting = Setting::new(2, 1)?;
    setting.run(async {
        for sql in plans {
            let expected = plans::local(&setting.session, sql).await?;
            let plan = plans::plan(&setting.session, sql, scan.clone(), merge.clone()).await?;
            let kill = async {
                setting.wait_for_stage(is_time).await?;
                setting.kill(setting.executors().first().ok_or("no executor")?)
            };
            let (found, killed) = tokio::join!(setting.rows(plan), kill);
            killed.map_err(|error| format!("{sql}: {error}"))?;
            let found = found.map_err(|error| format!("{sql}: {error}"))?;
            if found != expected {
                return Err(format!("{sql}: expected {expected:?}, found {found:?}").into());
            }
            setting.wait_until_free().await?;
            setting.cluster.provider().start(shape(1)).await?;
            setting.cluster.wait(2).await?;
        }
        setting.wait_until_clean().await
    })?;
    setting.finish()
}

pub fn lost_while_the_result_is_fetched() -> TestResult {
    let setting = Setting::new(2, 1)?;
    setting.run(async {
        let expected = plans::local(&setting.session, ROWS_SQL).await?;
        let plan = plans::plan(&setting.session, ROWS_SQL, Pace::default(), Pace::default()).await?;
        let (executors, state) = (setting.executors(), setting.cluster.scheduler().state());
        let [victim, survivor] = executors.as_slice() else { return Err(format!("executors {executors:?}").into()) };
        // What is lost holds all of the result, of which only the first partitions are fetched ahead.
        state.fence(survivor);
        let mut stream = setting.cluster.backend().execute(plan, plans::task(&setting.session)).await?;
        let mut batches = vec![stream.next().await.ok_or("no rows")??];
        state.unfence(survivor);
        setting.kill(victim)?;
        while setting.executors().contains(victim) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while let Some(batch) = stream.next().await {
            batches.push(batch?);
        }
        let found = plans::rows(&batches)?;
        if found != expected {
            return Err(format!("expected {} rows, found {}", expected.len(), found.len()).into());
        }
        let jobs = setting.cluster.scheduler().job_counts();
        if jobs.begun() != 2 {
            return Err(format!("nothing was lost, or too often: {jobs:?}").into());
        }
        drop(stream);
        setting.wait_until_free().await?;
        setting.wait_until_clean().await
    })?;
    setting.finish()
}

/// The only executor is lost, and a new one comes: the job goes on.
pub fn all_lost() -> TestResult {
    let setting = Setting::new(1, 1)?;
    setting.run(async {
        let expected = plans::local(&setting.session, NESTED_SQL).await?;
        let plan = plans::plan(&setting.session, NESTED_SQL, Pace::pause(20), Pace::default()).await?;
        let replace = async {
            setting
                .wait_for_stage(|stage| matches!(stage, ExecutionStage::Running(stage) if stage.successful_tasks() > 3))
                .await?;
            setting.kill(setting.executors().first().ok_or("no executor")?)?;
            setting.cluster.provider().start(shape(1)).await?;
            TestResult::Ok(())
        };
        let (found, replaced) = tokio::join!(setting.rows(plan), replace);
        replaced?;
        if found? != expected {
            return Err("a wrong sum".into());
        }
        setting.wait_until_free().await?;
        Ok(())
    })?;
    setting.finish()
}
