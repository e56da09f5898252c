//! Where the result of a job lies, and whether it can be believed.
//!
//! When executors are lost, Ballista runs stages again and keeps the places of what they had written before. In the result
//! itself that is mended by reading the last place of every partition alone. In a stage between two others it is not: its
//! reader has read some partitions twice. Such answers are recognised and never shown.

use std::collections::{BTreeMap, HashMap, HashSet};

use ballista_core::serde::protobuf::PartitionLocation;
use ballista_scheduler::state::execution_graph::ExecutionGraph;
use ballista_scheduler::state::execution_stage::ExecutionStage;

/// Stages of jobs whose answers are right whatever is run again: one that reads, and one that makes the result of it.
const STAGES_SAFE: usize = 2;

/// The place of every partition of a result, by number: of several places of one partition, the last.
pub fn last_locations(locations: Vec<PartitionLocation>) -> BTreeMap<u32, PartitionLocation> {
    let numbered = locations.into_iter().filter_map(|location| {
        let number = location.partition_id.as_ref()?.partition_id;
        Some((number, location))
    });
    numbered.collect()
}

/// The executors that hold these partitions.
pub fn holders<'a>(locations: impl IntoIterator<Item = &'a PartitionLocation>) -> HashSet<String> {
    locations.into_iter().filter_map(|location| Some(location.executor_meta.as_ref()?.id.clone())).collect()
}

/// Whether a finished job may have read something twice.
pub fn is_tainted(graph: &dyn ExecutionGraph) -> bool {
    may_count_twice(graph.stages())
}

fn may_count_twice(stages: &HashMap<usize, ExecutionStage>) -> bool {
    let was_clean = |stage: &ExecutionStage| match stage {
        // A stage without inputs is never run again as a whole.
        ExecutionStage::Successful(stage) => stage.inputs.is_empty() || stage.stage_attempt_num == 0,
        _ => false,
    };
    stages.len() > STAGES_SAFE && !stages.values().all(was_clean)
}
