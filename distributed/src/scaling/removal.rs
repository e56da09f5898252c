//! Which executors are removed first.

use std::time::Duration;

use super::inputs::{Executor, ExecutorState};

/// Idle executors of a surplus that have been idle for long enough, the longest idle first.
///
/// How long that is depends on how many are spare: the last goes after `timeout`, the second to last after a third of it,
/// the next after a sixth. The n-th executor saves `1 / n - 1 / (n + 1)` of the waiting, and costs as much as the first: a
/// few are kept for long rather than many for a while.
pub fn idle_too_long(executors: &[Executor], now: Duration, timeout: Duration, surplus: u32) -> Vec<&Executor> {
    let mut idle: Vec<(Duration, &Executor)> = executors
        .iter()
        .filter(|executor| executor.is_free())
        .filter_map(|executor| match executor.state {
            ExecutorState::Idle { since } => Some((since, executor)),
            _ => None,
        })
        .collect();
    idle.sort_by_key(|(since, _)| *since);
    let spare = (1..=surplus).rev();
    idle.into_iter()
        .zip(spare)
        .take_while(|((since, _), spare)| now.saturating_sub(*since) >= kept_for(timeout, *spare))
        .map(|((_, executor), _)| executor)
        .collect()
}

/// How long the last of so many spare executors is kept.
fn kept_for(timeout: Duration, spare: u32) -> Duration {
    timeout.saturating_mul(2) / spare.saturating_mul(spare.saturating_add(1)).max(1)
}

/// All executors that are there or coming: first those that have not begun, the newest of them first; then those that are
/// idle and hold nothing, those that are idle and hold data, and those with the fewest tasks.
pub fn cheapest_first(executors: &[Executor]) -> Vec<&Executor> {
    let mut present: Vec<&Executor> =
        executors.iter().filter(|executor| executor.is_accepting() || executor.is_starting()).collect();
    present.sort_by_key(|executor| match executor.state {
        ExecutorState::Starting { since } => (0, Duration::MAX - since, 0),
        ExecutorState::Idle { since } => (1 + u32::from(executor.holds_data), since, 0),
        _ => (3, Duration::ZERO, executor.tasks()),
    });
    present
}
