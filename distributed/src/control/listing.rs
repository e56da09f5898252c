//! What `SHOW` tells of clusters.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use ballista_scheduler::state::execution_stage::ExecutionStage;
use quarray_engine::{Error, Session};

use super::clusters::NamedCluster;
use crate::cluster::Arrival;
use crate::scaling::{LogEntry, ScalingMode};

/// `SHOW CLUSTERS`
pub async fn clusters(
    clusters: &[(String, Arc<NamedCluster>)],
    dashboard: Option<&str>,
    session: &Session,
) -> Result<RecordBatch, Error> {
    let backend = session.backend();
    let mut rows = Vec::new();
    for (name, cluster) in clusters {
        let asked = cluster.controller.asked();
        let registered = cluster.cluster.scheduler().state().executors().await.len();
        let in_use = if backend.cluster() == Some(name) { "yes" } else { "no" };
        let address = cluster.cluster.scheduler().address().to_string();
        let provider = cluster.cluster.provider();
        let (wanted, shape) = (provider.wanted(), provider.shape().unwrap_or(asked.shape));
        let mode = if asked.keeps_all { "as many as come".to_string() } else { mode(asked.mode) };
        rows.push((name.clone(), in_use, mode, registered, shape, address, wanted));
    }
    table([
        ("name", texts(rows.iter().map(|row| row.0.as_str()))),
        ("in_use", texts(rows.iter().map(|row| row.1))),
        ("mode", texts(rows.iter().map(|row| row.2.as_str()))),
        ("executors", numbers(rows.iter().map(|row| row.3 as u64))),
        ("wanted", numbers(rows.iter().map(|row| row.6 as u64))),
        ("cores", numbers(rows.iter().map(|row| row.4.cores as u64))),
        ("memory_bytes", numbers(rows.iter().map(|row| row.4.memory))),
        ("scheduler", texts(rows.iter().map(|row| row.5.as_str()))),
        ("dashboard", Arc::new(StringArray::from_iter(rows.iter().map(|_| dashboard)))),
    ])
}

/// `SHOW EXECUTORS`
pub async fn executors(cluster: &NamedCluster) -> Result<RecordBatch, Error> {
    let scheduler = cluster.cluster.scheduler();
    let (cores, fenced) = (scheduler.cores().await, scheduler.state().fenced());
    let needed = scheduler.needed_executors().await;
    let provider = cluster.cluster.provider();
    let mut provided = provider.list();
    provided.retain(|executor| executor.arrival != Arrival::Awaited);
    let members = scheduler.state().members();
    let host = |id: &str| {
        let member = members.iter().find(|member| member.metadata.id == id);
        member.map(|member| member.metadata.host.clone()).unwrap_or_default()
    };
    let state = |id: &str| match cores.iter().find(|cores| cores.id == id) {
        None => "starting",
        Some(_) if fenced.contains(id) || scheduler.state().is_leaving(id) => "leaving",
        Some(cores) if cores.free < cores.total => "busy",
        Some(_) if needed.contains(id) => "holding data",
        Some(_) => "idle",
    };
    let free = |id: &str| cores.iter().find(|cores| cores.id == id).map_or(0, |cores| u64::from(cores.free));
    let process = |process: Option<u32>| process.map_or(0, u64::from);
    table([
        ("id", texts(provided.iter().map(|executor| executor.id.as_str()))),
        ("host", texts(provided.iter().map(|executor| host(&executor.id)))),
        ("state", texts(provided.iter().map(|executor| state(&executor.id)))),
        ("cores", numbers(provided.iter().map(|executor| executor.shape.cores as u64))),
        ("free_cores", numbers(provided.iter().map(|executor| free(&executor.id)))),
        ("memory_bytes", numbers(provided.iter().map(|executor| executor.shape.memory))),
        ("used_bytes", numbers(provided.iter().map(|executor| provider.used_bytes(executor).unwrap_or_default()))),
        ("process", numbers(provided.iter().map(|executor| process(executor.process)))),
        ("seconds", seconds(provided.iter().map(|executor| executor.started.elapsed()))),
    ])
}

/// `SHOW JOBS`
pub async fn jobs(cluster: &NamedCluster) -> Result<RecordBatch, Error> {
    let jobs = cluster.cluster.scheduler().server().state.task_manager.get_running_job_cache();
    let mut rows = Vec::new();
    for (id, job) in jobs.iter() {
        let graph = job.execution_graph.read().await;
        let (mut done, mut all) = (0u64, 0u64);
        for stage in graph.stages().values() {
            let (finished, partitions) = match stage {
                ExecutionStage::UnResolved(_) | ExecutionStage::Failed(_) => (0, 0),
                ExecutionStage::Resolved(stage) => (0, stage.partitions),
                ExecutionStage::Running(stage) => {
                    let running: usize = stage.running_tasks().len();
                    (stage.partitions.saturating_sub(stage.pending.remaining() + running), stage.partitions)
                }
                ExecutionStage::Successful(stage) => (stage.partitions, stage.partitions),
            };
            (done, all) = (done + finished as u64, all + partitions as u64);
        }
        let running = graph.running_tasks().len() as u64;
        let started = Duration::from_millis(graph.start_time());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let stages = graph.stages().len() as u64;
        rows.push((id.to_string(), stages, done, all, running, now.saturating_sub(started)));
    }
    rows.sort();
    table([
        ("id", texts(rows.iter().map(|row| row.0.as_str()))),
        ("stages", numbers(rows.iter().map(|row| row.1))),
        ("partitions_done", numbers(rows.iter().map(|row| row.2))),
        ("partitions", numbers(rows.iter().map(|row| row.3))),
        ("tasks_running", numbers(rows.iter().map(|row| row.4))),
        ("seconds", seconds(rows.iter().map(|row| row.5))),
    ])
}

/// `SHOW SCALING`
pub fn scaling(cluster: &NamedCluster) -> Result<RecordBatch, Error> {
    let (entries, began) = cluster.controller.log();
    let count = |of: fn(&LogEntry) -> u64| numbers(entries.iter().map(of));
    table([
        ("time", times(entries.iter().map(|entry| entry.first), began)),
        ("rounds", count(|entry| entry.rounds)),
        ("executors", count(|entry| u64::from(entry.decision.census.present()))),
        ("desired", count(|entry| u64::from(entry.decision.desired))),
        ("start", count(|entry| u64::from(entry.decision.start))),
        ("cordon", count(|entry| entry.decision.cordon.len() as u64)),
        ("stop", count(|entry| entry.decision.stop.len() as u64)),
        ("jobs", count(|entry| entry.basis.jobs)),
        ("remaining_partitions", count(|entry| entry.basis.remaining_partitions)),
        ("remaining_bytes", count(|entry| entry.basis.remaining_bytes)),
        ("running_partitions", count(|entry| entry.basis.running_partitions)),
        ("work_seconds", floats(entries.iter().map(|entry| entry.decision.demand.work_seconds))),
        ("seconds_a_byte", floats(entries.iter().map(|entry| entry.basis.rates.seconds_a_byte))),
        ("start_up_seconds", seconds(entries.iter().map(|entry| entry.basis.start_up))),
        ("memory_used", floats(entries.iter().map(|entry| entry.basis.memory_used))),
        ("mode", texts(entries.iter().map(|entry| mode(entry.basis.mode)))),
        ("reason", texts(entries.iter().map(|entry| entry.decision.to_string()))),
    ])
}

fn mode(mode: ScalingMode) -> String {
    match mode {
        ScalingMode::Fixed(executors) => format!("scale to {executors}"),
        ScalingMode::Between { min, max } => format!("adapt between {min} and {max}"),
    }
}

fn table<const N: usize>(columns: [(&str, ArrayRef); N]) -> Result<RecordBatch, Error> {
    RecordBatch::try_from_iter(columns).map_err(|error| Error::Internal(error.to_string()))
}

fn texts(values: impl Iterator<Item = impl AsRef<str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn numbers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.map(|value| i64::try_from(value).unwrap_or(i64::MAX))))
}

fn floats(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

fn seconds(values: impl Iterator<Item = Duration>) -> ArrayRef {
    floats(values.map(|value| value.as_secs_f64()))
}

/// Moments that are counted from `began`, on the clock.
fn times(values: impl Iterator<Item = Duration>, began: Instant) -> ArrayRef {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let start = since_epoch.saturating_sub(began.elapsed());
    let micros = |value: Duration| i64::try_from((start + value).as_micros()).unwrap_or(i64::MAX);
    Arc::new(TimestampMicrosecondArray::from_iter_values(values.map(micros)))
}
