//! How many partitions a task works through.
//!
//! A task costs some milliseconds whatever it does: its plan is sent and read, files are made, what became of it is told
//! and entered. Ballista gives a task as many partitions as it has cores. The partitions of a reduction over arrays take
//! turns inside of a task (`quarray_engine::exec`), the next one fetching while this one works, and need no core each: a
//! task gets more of them while there are many, and fewer towards the end, so that all cores end at about the same time
//! (Hummel, Schonberg, Flynn: Factoring, a method for scheduling parallel loops, 1992).

use std::sync::Arc;

use ballista_scheduler::state::execution_graph::ExecutionGraph;
use ballista_scheduler::state::execution_stage::ExecutionStage;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use quarray_engine::exec::{BlockReadExec, GridReducePartialExec};

/// Bytes of arrays, decoded, that a core gets at once, at most: about a quarter of a second of a fast reduction. More would
/// save next to nothing, and be lost with an executor.
const BYTES_A_CORE: u64 = 1 << 30;

/// The share of what is left that all cores together get at once: one part of so many.
const PARTS: u64 = 2;

/// What the stages of a job have to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Partitions that no task has taken.
    pub partitions: u64,
    /// Those that a core gets at once, at most.
    pub partitions_a_core: u64,
}

impl Waiting {
    /// What is left of the stages that can run.
    pub fn of(graph: &dyn ExecutionGraph) -> Self {
        let mut waiting = Self { partitions: 0, partitions_a_core: u64::MAX };
        for stage in graph.stages().values() {
            let ExecutionStage::Running(stage) = stage else { continue };
            let pending = stage.pending.remaining() as u64;
            if pending > 0 {
                waiting.partitions += pending;
                waiting.partitions_a_core = waiting.partitions_a_core.min(partitions_a_core(stage.plan.as_ref()));
            }
        }
        waiting
    }

    /// How many partitions each of so many cores gets now, where no other job wants them.
    pub fn slice(&self, cores: u32) -> u32 {
        let share = self.partitions / (PARTS * u64::from(cores.max(1)));
        u32::try_from(share.min(self.partitions_a_core)).unwrap_or(u32::MAX).max(1)
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
        let mut waiting = Waiting { partitions, partitions_a_core };
        let mut slices = Vec::new();
        while waiting.partitions > 0 {
            let slice = waiting.slice(cores);
            waiting.partitions -= u64::from(slice).min(waiting.partitions);
            slices.push(slice);
        }
        slices
    }

    #[test]
    fn slices_are_large_first_and_single_partitions_last() {
        assert_eq!(slices(41, 4, 2), [4, 4, 4, 4, 4, 4, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1]);
        assert_eq!(slices(16, u64::MAX, 2), [4, 3, 2, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(slices(8, 1, 2), [1; 8]);
        assert_eq!(slices(8, u64::MAX, 8), [1; 8]);
    }

    #[test]
    fn a_slice_is_never_empty() {
        assert_eq!(Waiting { partitions: 0, partitions_a_core: 0 }.slice(0), 1);
        assert_eq!(Waiting { partitions: u64::MAX, partitions_a_core: u64::MAX }.slice(1), u32::MAX);
    }
}
