//! How many partitions a task works through.
//!
//! A task costs some milliseconds whatever it does: its plan is sent and read, files are made, what became of it is told
//! and entered. Ballista gives a task as many partitions as it has cores. The partitions of a reduction over arrays take
//! turns inside of a task (`quarray_engine::exec`), the next one fetching while this one works, and need no core each: a
//! task gets more of them while there are many, and fewer towards the end, so that all cores end at about the same time
//! (Hummel, Schonberg, Flynn: Factoring, a method for scheduling parallel loops, 1992).

use std::sync::Arc;
use std::time::Duration;

use ballista_core::serde::protobuf::task_status::Status;
use ballista_scheduler::state::execution_graph::ExecutionGraph;
use ballista_scheduler::state::execution_stage::{ExecutionStage, TaskInfo};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use quarray_engine::exec::{BlockReadExec, GridReducePartialExec};

use super::measured::time_of;

/// Bytes of arrays, decoded, that a core gets at once, at most: about a quarter of a second of a fast reduction. More would
/// save next to nothing, and be lost with an executor.
const BYTES_A_CORE: u64 = 1 << 30;

/// What a core gets at once takes no longer than this, as far as former tasks tell: a job that waits for a slow store shows
/// how far it is, and others that come need not wait for long.
const TIME_A_CORE: Duration = Duration::from_secs(1);

/// The share of what is left that all cores together get at once: one part of so many.
const PARTS: u64 = 2;

/// What the stages of a job have to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Partitions that no task has taken.
    pub partitions: u64,
    /// Those that a core gets at once, at most.
    pub partitions_a_core: u64,
    /// A task of a stage that is done, the last one.
    pub done: Option<DoneTask>,
}

/// A task that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoneTask {
    /// Where it ran.
    pub executor: String,
    /// Its partitions.
    pub partitions: u64,
    /// How long it took.
    pub took: Duration,
}

impl Waiting {
    /// What is left of the stages that can run.
    pub fn of(graph: &dyn ExecutionGraph) -> Self {
        let mut waiting = Self { partitions: 0, partitions_a_core: u64::MAX, done: None };
        for stage in graph.stages().values() {
            let ExecutionStage::Running(stage) = stage else { continue };
            let pending = stage.pending.remaining() as u64;
            if pending > 0 {
                waiting.partitions += pending;
                waiting.partitions_a_core = waiting.partitions_a_core.min(partitions_a_core(stage.plan.as_ref()));
                waiting.done = waiting.done.or(stage.task_infos.iter().rev().find_map(DoneTask::of));
            }
        }
        waiting
    }

    /// How many partitions each of so many cores gets now, where no other job wants them; `cores_of` tells the cores of an
    /// executor.
    pub fn slice(&self, cores: u32, cores_of: impl Fn(&str) -> Option<u32>) -> u32 {
        let share = self.partitions.div_ceil(PARTS * u64::from(cores.max(1)));
        let in_time = self.done.as_ref().map_or(u64::MAX, |task| task.in_time(cores_of(&task.executor).unwrap_or(1)));
        u32::try_from(share.min(self.partitions_a_core).min(in_time)).unwrap_or(u32::MAX).max(1)
    }
}

impl DoneTask {
    fn of(task: &TaskInfo) -> Option<Self> {
        let Status::Successful(done) = &task.task_status else { return None };
        let partitions = task.global_input_partition_ids.len() as u64;
        Some(Self { executor: done.executor_id.clone(), partitions, took: time_of(task) })
    }

    /// How many of its partitions a core would have done in the time that it gets, where the task had so many cores.
    fn in_time(&self, cores: u32) -> u64 {
        let beside_each_other = u128::from(cores).min(u128::from(self.partitions)).max(1);
        let core_time = self.took.as_nanos().saturating_mul(beside_each_other).max(1);
        let count = TIME_A_CORE.as_nanos().saturating_mul(u128::from(self.partitions)) / core_time;
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

/// Partitions of a stage that a core gets at once, at most.
fn partitions_a_core(plan: &dyn ExecutionPlan) -> u64 {
    match takes_turns(plan) {
        true => BYTES_A_CORE / bytes_a_partition(plan).max(1),
        false => 1,
    }
}

/// Whether the partitions of a plan take turns.
fn takes_turns(plan: &dyn ExecutionPlan) -> bool {
    match plan.children().as_slice() {
        [input] => plan.downcast_ref::<GridReducePartialExec>().is_some() || takes_turns(input.as_ref()),
        _ => false,
    }
}

/// Decoded bytes of arrays that a partition of a stage reads, on average.
pub fn bytes_a_partition(plan: &dyn ExecutionPlan) -> u64 {
    let partitions = plan.output_partitioning().partition_count().max(1) as u64;
    bytes_read(plan) / partitions
}

fn bytes_read(plan: &dyn ExecutionPlan) -> u64 {
    if let Some(read) = plan.downcast_ref::<BlockReadExec>() {
        return read.bytes();
    }
    let children = plan.children().into_iter().map(|child: &Arc<dyn ExecutionPlan>| bytes_read(child.as_ref()));
    children.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slices of one stage on so many cores, each of which asks as soon as it is done.
    fn slices(partitions: u64, partitions_a_core: u64, cores: u32) -> Vec<u32> {
        let mut waiting = Waiting { partitions, partitions_a_core, done: None };
        let mut slices = Vec::new();
        while waiting.partitions > 0 {
            let slice = waiting.slice(cores, |_| None);
            waiting.partitions -= u64::from(slice).min(waiting.partitions);
            slices.push(slice);
        }
        slices
    }

    #[test]
    fn slices_are_large_first_and_single_partitions_last() {
        assert_eq!(slices(41, 4, 2), [4, 4, 4, 4, 4, 4, 4, 4, 3, 2, 1, 1, 1, 1]);
        assert_eq!(slices(16, u64::MAX, 2), [4, 3, 3, 2, 1, 1, 1, 1]);
        assert_eq!(slices(8, 1, 2), [1; 8]);
        assert_eq!(slices(8, u64::MAX, 8), [1; 8]);
    }

    #[test]
    fn a_slice_is_never_empty() {
        let slice = |partitions, partitions_a_core, cores| {
            Waiting { partitions, partitions_a_core, done: None }.slice(cores, |_| None)
        };
        assert_eq!(slice(0, 0, 0), 1);
        assert_eq!(slice(u64::MAX, u64::MAX, 1), u32::MAX);
    }

    #[test]
    fn slow_partitions_come_in_small_slices() {
        let slice = |partitions, milliseconds, cores| {
            let took = Duration::from_millis(milliseconds);
            let done = Some(DoneTask { executor: "a".to_string(), partitions, took });
            let waiting = Waiting { partitions: 1000, partitions_a_core: 100, done };
            waiting.slice(2, |id| (id == "a").then_some(cores))
        };
        assert_eq!(slice(4, 400, 1), 10);
        assert_eq!(slice(8, 400, 4), 5);
        // One partition has one core, however many there are.
        assert_eq!(slice(1, 400, 4), 2);
        assert_eq!((slice(1, 3000, 1), slice(4, 0, 1), slice(0, 0, 0)), (1, 100, 1));
    }
}
