//! What Ballista does wrong when executors are lost, played on its own graphs, and the guards against it.

mod given_up;
mod play;
mod random_losses;
mod slices;
mod submission;

use std::collections::HashMap;

use ballista_core::serde::protobuf::{ExecutorHeartbeat, ExecutorStatus, executor_status};
use ballista_core::serde::scheduler::ExecutorData;
use ballista_scheduler::cluster::memory::InMemoryClusterState;
use ballista_scheduler::cluster::{BoundTask, ClusterState};

use self::play::{Play, executor};
use super::drain::LEAVING;
use super::guarded_state::GuardedClusterState;
use super::outputs::last_locations;

type TestResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const GROUPS_SQL: &str = "SELECT k, sum(v) FROM cells GROUP BY k";
const NESTED_SQL: &str = "SELECT m, count(*) FROM (SELECT k, max(v) AS m FROM cells GROUP BY k) GROUP BY m";

/// The cores that the survivor gets to work with after the other executor was lost in the middle of the second stage.
async fn cores_after_loss<S: ClusterState>(state: S) -> TestResult<u32> {
    let play = Play::new(state, &[("a", 2), ("b", 2)], &[("job", GROUPS_SQL)]).await?;
    for _ in 0..2 {
        // Six partitions on four cores.
        let scan = play.bind().await?;
        play.complete(&scan).await?;
    }
    let merge = play.bind().await?;
    assert_eq!(merge.iter().map(|(_, task)| task.vcores_consumed).sum::<u32>(), 4);
    play.lose("a").await?;
    Ok(play.bind().await?.iter().map(|(_, task)| task.vcores_consumed).sum())
}

#[tokio::test]
async fn cores_of_a_stage_that_is_rolled_back_are_free_again() -> TestResult {
    assert_eq!(cores_after_loss(GuardedClusterState::default()).await?, 2);
    Ok(())
}

/// When this fails, Ballista has been mended, and the guard may go.
#[tokio::test]
async fn ballista_alone_loses_these_cores() -> TestResult {
    assert_eq!(cores_after_loss(InMemoryClusterState::default()).await?, 0);
    Ok(())
}

#[tokio::test]
async fn of_several_places_of_a_partition_the_last_is_read() -> TestResult {
    let state = GuardedClusterState::default();
    let play = Play::new(state, &[("a", 2), ("b", 2)], &[("job", GROUPS_SQL)]).await?;
    for _ in 0..2 {
        play.complete(&play.bind().await?).await?;
    }
    let merge = play.bind().await?;
    let by_a: Vec<BoundTask> = merge.into_iter().filter(|(executor, _)| executor == "a").collect();
    play.complete(&by_a).await?;
    play.lose("a").await?;
    play.run().await?;
    let told = play.result().await?;
    assert_eq!(told.len(), 6, "two partitions are told of twice");
    let read = last_locations(told);
    assert_eq!(read.len(), 4);
    let holders: Vec<_> =
        read.values().map(|place| place.executor_meta.as_ref().map(|meta| meta.id.as_str())).collect();
    assert_eq!(holders, [Some("b"); 4]);
    assert!(!play.is_tainted().await?, "a job of two stages is right all the same");
    Ok(())
}

#[tokio::test]
async fn a_stage_in_the_middle_that_ran_twice_taints_its_job() -> TestResult {
    for is_lost in [false, true] {
        let state = GuardedClusterState::default();
        let play = Play::new(state, &[("a", 2), ("b", 2)], &[("job", NESTED_SQL)]).await?;
        for _ in 0..2 {
            play.complete(&play.bind().await?).await?;
        }
        let middle = play.bind().await?;
        let by_a: Vec<BoundTask> = middle.iter().filter(|(executor, _)| executor == "a").cloned().collect();
        let by_b: Vec<BoundTask> = middle.into_iter().filter(|(executor, _)| executor == "b").collect();
        match is_lost {
            true => {
                // What b wrote before the stage was rolled back is told of once more afterwards.
                play.complete(&by_b).await?;
                play.lose("a").await?;
            }
            false => {
                play.complete(&by_a).await?;
                play.complete(&by_b).await?;
            }
        }
        play.run().await?;
        assert!(!play.result().await?.is_empty());
        assert_eq!(play.is_tainted().await?, is_lost);
    }
    Ok(())
}

#[tokio::test]
async fn jobs_share_cores_and_the_oldest_comes_first() -> TestResult {
    let names: Vec<String> = (0..9).map(|number| format!("job-{number}")).collect();
    let jobs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), GROUPS_SQL)).collect();
    let job_of = |task: &BoundTask| task.1.key.job_id.to_string();
    let one = Play::new(GuardedClusterState::default(), &[("a", 1)], &jobs).await?;
    let mut order = Vec::new();
    for _ in 0..3 {
        let bound = one.bind().await?;
        order.extend(bound.iter().map(job_of));
        one.complete(&bound).await?;
    }
    assert_eq!(order, ["job-0"; 3], "with one core, the oldest job is done first");

    let four = Play::new(GuardedClusterState::default(), &[("a", 2), ("b", 2)], &jobs[..2]).await?;
    let bound = four.bind().await?;
    let mut cores: HashMap<String, u32> = HashMap::new();
    for task in &bound {
        *cores.entry(job_of(task)).or_default() += task.1.vcores_consumed;
    }
    assert_eq!(cores, HashMap::from([("job-0".to_string(), 2), ("job-1".to_string(), 2)]));
    Ok(())
}

#[tokio::test]
async fn executors_behind_a_fence_get_nothing() -> TestResult {
    let state = GuardedClusterState::default();
    state.fence("a");
    let play = Play::new(state, &[("a", 2), ("b", 1)], &[("job", GROUPS_SQL)]).await?;
    let bound = play.bind().await?;
    assert!(!bound.is_empty() && bound.iter().all(|(executor, _)| executor == "b"));
    play.state.unfence("a");
    let bound = play.bind().await?;
    assert!(!bound.is_empty() && bound.iter().all(|(executor, _)| executor == "a"));
    Ok(())
}

#[tokio::test]
async fn who_leaves_is_not_let_in_again() -> TestResult {
    let play = Play::new(GuardedClusterState::default(), &[("a", 2)], &[("job", GROUPS_SQL)]).await?;
    let leaves = executor_status::Status::Terminating(String::new());
    play.state.save_executor_heartbeat(heartbeat("a", leaves)).await?;
    assert!(play.bind().await?.is_empty());
    play.state.remove_executor("a").await?;
    let data = ExecutorData { executor_id: "a".to_string(), total_vcores: 2, available_vcores: 2 };
    assert!(play.state.register_executor(executor("a", 2), data).await.is_err());
    assert_eq!(play.state.departures(), 1);
    Ok(())
}

/// It finishes what it has, and others can still fetch from it.
#[tokio::test]
async fn who_is_about_to_leave_gets_nothing() -> TestResult {
    let play = Play::new(GuardedClusterState::default(), &[("a", 2), ("b", 1)], &[("job", GROUPS_SQL)]).await?;
    let about_to_leave = executor_status::Status::Active(LEAVING.to_string());
    play.state.save_executor_heartbeat(heartbeat("a", about_to_leave)).await?;
    let bound = play.bind().await?;
    assert!(!bound.is_empty() && bound.iter().all(|(executor, _)| executor == "b"));
    assert!(play.state.is_leaving("a") && play.state.executors().await.contains("a"));
    Ok(())
}

fn heartbeat(id: &str, status: executor_status::Status) -> ExecutorHeartbeat {
    let status = Some(ExecutorStatus { status: Some(status) });
    ExecutorHeartbeat { executor_id: id.to_string(), status, ..Default::default() }
}
