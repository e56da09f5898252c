//! Tasks with more partitions than cores: what they hold, and what is left beside them.

use ballista_core::JobId;
use ballista_scheduler::cluster::BoundTask;
use ballista_scheduler::config::TaskDistributionPolicy;

use super::play::Play;
use super::{GROUPS_SQL, TestResult};
use crate::cluster::budgets::Allowance;
use crate::cluster::guarded_state::{ExecutorCores, GuardedClusterState};

/// Six partitions, of which each core gets so many.
async fn bind(play: &Play<GuardedClusterState>, allowance: Allowance) -> TestResult<Vec<BoundTask>> {
    let mut budgets = play.state.budgets(&play.jobs, None).await;
    let policy = TaskDistributionPolicy::RoundRobin;
    let bound = budgets.bind(&policy, &play.jobs, &JobId::from("job"), allowance).await?;
    play.state.remember(&bound, &play.jobs);
    Ok(bound)
}

async fn free(play: &Play<GuardedClusterState>) -> Vec<(u32, u32)> {
    let cores = play.state.cores(&play.jobs).await;
    cores.into_iter().map(|ExecutorCores { free, total, .. }| (free, total)).collect()
}

/// The memory of a task is that of its cores: a task that told as many cores as partitions would get as much more of it.
#[tokio::test]
async fn a_task_holds_the_cores_that_its_slices_have() -> TestResult {
    for (cores, slice, partitions, held) in
        [(1, 4, 4, 1), (1, 6, 6, 1), (2, 3, 6, 2), (2, 2, 4, 2), (4, 4, 6, 2), (2, 1, 2, 2)]
    {
        let play = Play::new(GuardedClusterState::default(), &[("a", cores)], &[("job", GROUPS_SQL)]).await?;
        let bound = bind(&play, Allowance { cores: u32::MAX, slice }).await?;
        let found: Vec<(usize, u32)> =
            bound.iter().map(|(_, task)| (task.global_input_partition_ids.len(), task.vcores_consumed)).collect();
        let case = format!("{slice} for each of {cores} cores");
        assert_eq!(found, [(partitions, held)], "{case}");
        assert_eq!(free(&play).await, [(cores - held, cores)], "{case}");
        play.complete(&bound).await?;
        assert_eq!(free(&play).await, [(cores, cores)], "{case}");
    }
    Ok(())
}

/// A stage that runs again has tasks of the same names, with other cores.
#[tokio::test]
async fn what_a_task_held_is_not_remembered_of_its_successor() -> TestResult {
    let play = Play::new(GuardedClusterState::default(), &[("a", 2), ("b", 2)], &[("job", GROUPS_SQL)]).await?;
    for _ in 0..2 {
        // Six partitions on four cores.
        play.complete(&play.bind().await?).await?;
    }
    let before = bind(&play, Allowance { cores: 1, slice: 4 }).await?;
    assert_eq!(free(&play).await, [(1, 2), (2, 2)]);
    play.lose("b").await?;
    assert_eq!(free(&play).await, [(2, 2)]);
    loop {
        let bound = play.bind().await?;
        if bound.iter().any(|(_, task)| before.iter().any(|(_, before)| before.key == task.key)) {
            assert_eq!(free(&play).await, [(0, 2)]);
            return play.complete(&bound).await;
        }
        assert!(!bound.is_empty(), "the task has not come again");
        play.complete(&bound).await?;
    }
}
