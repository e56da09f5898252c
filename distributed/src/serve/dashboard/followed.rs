//! A statement as the dashboard follows it, from its beginning until it is forgotten.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use ballista_scheduler::state::execution_graph::ExecutionGraph;
use quarray_engine::exec::ChunkMap;
use quarray_engine::queries::{QueryRecord, QueryState};
use serde_json::{Value, json};

use super::jobs::{JobCursor, JobProgress};
use super::local::LocalCursor;
use super::plan::{Clean, drawing_of_stages, total};
use super::tasks::TaskStream;

/// Maps of chunks that are told, at most.
const MAPS_MAX: usize = 12;

/// A statement and its tasks.
#[derive(Debug, Default)]
pub struct Followed {
    /// When it began, in milliseconds since 1970.
    pub began: u64,
    /// Its tasks.
    pub tasks: TaskStream,
    /// What its plan reads in this process.
    pub local: LocalCursor,
    /// The jobs that a cluster runs for it.
    jobs: Vec<(String, JobCursor, JobProgress)>,
    /// The drawing of the last of these.
    drawing: Option<Value>,
    /// Bytes that were read and decoded, as far as they have been added to the rates.
    pub counted: (u64, u64),
    /// Whether it has ended.
    pub is_over: bool,
}

impl Followed {
    /// Nothing of it is known yet.
    pub fn new(record: &QueryRecord) -> Self {
        let began = record.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Self { began: u64::try_from(began).unwrap_or_default(), ..Self::default() }
    }

    /// Reads what is new in the graph of a job of it.
    pub fn read_job(&mut self, id: &str, graph: &dyn ExecutionGraph, clean: Clean<'_>) {
        let place = self.jobs.iter().position(|(known, ..)| known == id);
        let place = place.unwrap_or_else(|| {
            self.jobs.push((id.to_string(), JobCursor::default(), JobProgress::default()));
            self.jobs.len() - 1
        });
        if let Some((_, cursor, progress)) = self.jobs.get_mut(place) {
            *progress = cursor.read(place as u32, graph, self.began, &mut self.tasks, clean);
        }
        self.drawing = Some(drawing_of_stages(graph.stages(), clean));
    }

    /// It has ended.
    pub fn finish(&mut self, record: &QueryRecord) {
        self.local.read(self.began, &mut self.tasks);
        self.tasks.finish((record.seconds * 1000.0) as u64);
        self.is_over = true;
    }

    /// What its operators have done on a cluster, as far as is known.
    pub fn drawing(&self) -> Option<&Value> {
        self.drawing.as_ref()
    }

    /// Bytes that were read and decoded: here, or by the tasks that have ended elsewhere.
    pub fn bytes(&self, record: &QueryRecord) -> (u64, u64) {
        let of = |name: &str| self.drawing.as_ref().map_or(0, |drawing| total(drawing, name));
        let progress = &record.progress;
        (progress.bytes_read.max(of("bytes_read")), progress.bytes_decoded.max(of("bytes_decoded")))
    }

    /// The part of the work that is done, from 0 to 1, if that is known.
    pub fn fraction(&self, record: &QueryRecord) -> Option<f64> {
        if record.state == QueryState::Done {
            return Some(1.0);
        }
        let last = self.jobs.last().map(|(.., progress)| (progress.done, progress.partitions));
        let (done, all) = last.unwrap_or((record.progress.work_done, record.progress.work_total));
        (all > 0).then(|| (done as f64 / all as f64).clamp(0.0, 1.0))
    }

    /// The chunks that it has read, a map for each array.
    pub fn chunks(&self) -> Value {
        let of_jobs: Vec<Arc<ChunkMap>> = self.jobs.last().map_or_else(Vec::new, |(_, job, _)| job.chunk_maps());
        let maps = if self.jobs.is_empty() { self.local.chunk_maps() } else { of_jobs };
        maps.iter().take(MAPS_MAX).map(|map| told(map)).collect()
    }
}

fn told(map: &ChunkMap) -> Value {
    let counts = map.counts();
    let sides: Vec<Value> = map
        .sides()
        .iter()
        .map(|side| json!({ "name": side.name, "chunks": side.chunks, "bins": side.bins, "ends": side.ends }))
        .collect();
    let others: Vec<Value> = map.others().map(|(name, chunks)| json!({ "name": name, "chunks": chunks })).collect();
    json!({
        "variable": map.variable(),
        "sides": sides,
        "others": others,
        "read": counts.read,
        "needed": counts.needed,
    })
}
