//! Lanes: one for each task that an executor runs at once.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::segment::Segment;

/// Lanes of a query, at most. Tasks of further executors share the last one.
const LANES_MAX: usize = 256;

/// A task may be told to have started this long before the one ahead of it on the lane was told to have ended.
const SLACK_MS: u64 = 2;

/// The lanes of a query.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    /// The lanes of each executor.
    of_executor: HashMap<String, Vec<usize>>,
    segments: usize,
}

#[derive(Debug)]
struct Lane {
    executor: String,
    slot: usize,
    segments: Vec<Segment>,
    /// Nothing runs on it from then on; `None` while something does.
    free_from: Option<u64>,
}

impl Lanes {
    /// A lane of an executor for a task that starts then.
    pub(super) fn occupy(&mut self, executor: &str, at: u64) -> usize {
        let known = self.of_executor.get(executor).map_or(&[][..], Vec::as_slice);
        let is_free = |lane: &Lane| lane.free_from.is_some_and(|from| from <= at.saturating_add(SLACK_MS));
        let free = known.iter().copied().find(|&lane| self.lanes.get(lane).is_some_and(is_free));
        let lane = match free {
            Some(lane) => lane,
            None if self.lanes.len() < LANES_MAX => {
                let slot = known.len();
                self.lanes.push(Lane { executor: executor.to_string(), slot, segments: Vec::new(), free_from: None });
                self.of_executor.entry(executor.to_string()).or_default().push(self.lanes.len() - 1);
                self.lanes.len() - 1
            }
            None => known.last().copied().unwrap_or(LANES_MAX - 1),
        };
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.free_from = None;
        }
        lane
    }

    /// Puts a segment on the lane that was occupied for it.
    pub(super) fn add(&mut self, lane: usize, segment: Segment, grain: u64) {
        let Some(lane) = self.lanes.get_mut(lane) else { return };
        lane.free_from = Some(segment.end);
        match lane.segments.last_mut() {
            Some(last) if last.takes(&segment, grain) => last.take(&segment),
            _ => {
                lane.segments.push(segment);
                self.segments += 1;
            }
        }
    }

    /// How many segments there are.
    pub(super) fn segments(&self) -> usize {
        self.segments
    }

    /// Puts neighbours together that are shorter than the grain.
    pub(super) fn coarsen(&mut self, grain: u64) {
        for lane in &mut self.lanes {
            lane.segments.sort_by_key(|segment| segment.start);
            lane.segments.dedup_by(|next, last| {
                let takes = last.takes(next, grain);
                if takes {
                    last.take(next);
                }
                takes
            });
            lane.segments.shrink_to_fit();
        }
        self.segments = self.lanes.iter().map(|lane| lane.segments.len()).sum();
    }

    /// Executor and slot of each lane.
    pub(super) fn names(&self) -> Vec<Value> {
        self.lanes.iter().map(|lane| json!([lane.executor, lane.slot])).collect()
    }

    /// The segments that are newer than a revision.
    pub(super) fn since(&self, revision: u64) -> Vec<Value> {
        let lanes = self.lanes.iter().enumerate();
        let newer = lanes.flat_map(|(number, lane)| {
            let segments = lane.segments.iter().filter(|segment| segment.revision > revision);
            segments.map(move |segment| segment.told(number))
        });
        newer.collect()
    }
}
