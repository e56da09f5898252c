//! The partitions of plans that run in this process, as tasks.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use datafusion::physical_plan::ExecutionPlan;
use quarray_engine::exec::{BlockReadExec, ChunkMap, PartitionTimes};

use super::tasks::{TaskEnd, TaskKey, TaskStream};

/// The executor that they are told to run on.
pub const THIS_PROCESS: &str = "this process";

/// Scans of a statement that are looked at, at most: the first ones.
const SCANS_MAX: usize = 64;

/// How far the plans of a statement have been read. Plans themselves are not held: they go with their statement.
#[derive(Debug, Default)]
pub struct LocalCursor {
    last: Option<Weak<dyn ExecutionPlan>>,
    scans: Vec<Scan>,
}

#[derive(Debug)]
struct Scan {
    times: PartitionTimes,
    maps: Vec<Arc<ChunkMap>>,
    partitions: usize,
    started: HashSet<usize>,
    ended: HashSet<usize>,
}

impl LocalCursor {
    /// The statement runs this plan: its scans are looked at from now on.
    pub fn runs(&mut self, plan: &Arc<dyn ExecutionPlan>) {
        let plan_address = |weak: &Weak<dyn ExecutionPlan>| weak.as_ptr().cast::<()>();
        let is_known = self.last.as_ref().is_some_and(|last| plan_address(last) == Arc::as_ptr(plan).cast::<()>());
        if is_known {
            return;
        }
        self.last = Some(Arc::downgrade(plan));
        add_scans(plan.as_ref(), &mut self.scans);
    }

    /// Reads what has changed since the last time, of a statement that began at `began` (milliseconds since 1970).
    pub fn read(&mut self, began: u64, tasks: &mut TaskStream) {
        for (number, scan) in self.scans.iter_mut().enumerate() {
            if scan.ended.len() == scan.partitions {
                continue;
            }
            let stage = number as u32 + 1;
            for span in scan.times.spans() {
                let key = TaskKey { job: 0, stage, attempt: 0, task: span.partition as u32 };
                let start = span.started.saturating_sub(began);
                match span.ended {
                    Some(end) if scan.ended.insert(span.partition) => {
                        scan.started.insert(span.partition);
                        tasks.end(key, THIS_PROCESS, start, end.saturating_sub(began), &TaskEnd::Done);
                    }
                    None if scan.started.insert(span.partition) => tasks.start(key, THIS_PROCESS, start),
                    _ => {}
                }
            }
            let waiting = scan.partitions.saturating_sub(scan.started.len());
            tasks.tell_stage(0, stage, scan.partitions as u64, waiting as u64);
        }
    }

    /// The chunks that are read.
    pub fn chunk_maps(&self) -> Vec<Arc<ChunkMap>> {
        self.scans.iter().flat_map(|scan| scan.maps.iter().cloned()).collect()
    }
}

fn add_scans(plan: &dyn ExecutionPlan, scans: &mut Vec<Scan>) {
    if let Some(read) = plan.downcast_ref::<BlockReadExec>()
        && scans.len() < SCANS_MAX
    {
        scans.push(Scan {
            times: read.partition_times().clone(),
            maps: read.chunk_maps().cloned().collect(),
            partitions: plan.properties().partitioning.partition_count(),
            started: HashSet::new(),
            ended: HashSet::new(),
        });
    }
    plan.children().iter().for_each(|child| add_scans(child.as_ref(), scans));
}
