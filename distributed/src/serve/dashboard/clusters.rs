//! The clusters of the process at one moment.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::host::{Usage, usage};
use crate::control::{LocalClusters, NamedCluster};
use crate::scaling::{LogEntry, ScalingMode};

/// Decisions that are told of each cluster.
const DECISIONS: usize = 100;

/// A cluster.
#[derive(Debug, Clone, Default)]
pub struct ClusterFacts {
    /// Its name.
    pub name: String,
    /// What was asked of it: `adapt between 1 and 4`.
    pub mode: String,
    /// Executors that there should be, that take tasks, start and leave.
    pub desired: u32,
    /// Those that take tasks.
    pub live: u32,
    /// Those that were started and have not come yet.
    pub starting: u32,
    /// Those on their way out.
    pub leaving: u32,
    /// Unfinished jobs, and their partitions that nobody works on yet.
    pub jobs: u64,
    /// Partitions that wait.
    pub waiting: u64,
    /// Its executors.
    pub executors: Vec<ExecutorFacts>,
}

/// An executor.
#[derive(Debug, Clone, Default)]
pub struct ExecutorFacts {
    /// Its name.
    pub id: String,
    /// `busy`, `idle`, `starting`, `leaving`, `holding data`
    pub state: &'static str,
    /// Cores for tasks, and those that are free.
    pub cores: u32,
    /// Cores that no task holds.
    pub free: u32,
    /// Bytes that its tasks may hold, where this process has started it.
    pub memory_limit: Option<u64>,
    /// The number of its process, where it is one of this machine.
    pub process: Option<u32>,
    /// How long it has been there, where that is known.
    pub age: Option<Duration>,
    /// What its process has used.
    pub usage: Option<Usage>,
}

/// All clusters now.
pub async fn facts(clusters: &LocalClusters) -> Vec<ClusterFacts> {
    let mut found = Vec::new();
    for (name, cluster) in clusters.list().await {
        found.push(facts_of(name, &cluster).await);
    }
    found
}

/// What was decided lately about the executors of all clusters, the latest first.
pub async fn decisions(clusters: &LocalClusters) -> Vec<Value> {
    let mut found: Vec<(u64, Value)> = Vec::new();
    for (name, cluster) in clusters.list().await {
        let (entries, began) = cluster.controller.latest(DECISIONS);
        let start = on_the_clock(began);
        found.extend(entries.iter().map(|entry| decision(&name, entry, start)));
    }
    found.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    found.into_iter().take(DECISIONS).map(|(_, decision)| decision).collect()
}

impl ClusterFacts {
    /// Cores of all executors, and those that tasks hold.
    pub fn cores(&self) -> (u32, u32) {
        let all = self.executors.iter().map(|executor| executor.cores).sum();
        let busy = self.executors.iter().map(|executor| executor.cores.saturating_sub(executor.free)).sum();
        (all, busy)
    }

    /// As an object, without its executors.
    pub fn told(&self) -> Value {
        let (cores, busy) = self.cores();
        json!({
            "name": self.name,
            "mode": self.mode,
            "desired": self.desired,
            "live": self.live,
            "starting": self.starting,
            "leaving": self.leaving,
            "cores": cores,
            "cores_busy": busy,
            "jobs": self.jobs,
            "waiting": self.waiting,
        })
    }
}

async fn facts_of(name: String, cluster: &NamedCluster) -> ClusterFacts {
    let mut facts = ClusterFacts { name, mode: mode(cluster.controller.asked().mode), ..ClusterFacts::default() };
    if let Some(entry) = cluster.controller.latest(1).0.first() {
        let census = &entry.decision.census;
        facts.desired = entry.decision.desired;
        (facts.live, facts.starting) = (census.accepting, census.starting);
        facts.leaving = census.leaving + census.stopping;
        facts.jobs = entry.basis.jobs;
        facts.waiting = entry.basis.remaining_partitions.saturating_sub(entry.basis.running_partitions);
    }
    facts.executors = executors(cluster).await;
    facts
}

/// Those that this process has started, and those that have come by themselves.
async fn executors(cluster: &NamedCluster) -> Vec<ExecutorFacts> {
    let scheduler = cluster.cluster.scheduler();
    let (cores, fenced) = (scheduler.cores().await, scheduler.state().fenced());
    let needed = scheduler.needed_executors().await;
    let provided = cluster.cluster.provider().list();
    let state = |id: &str| match cores.iter().find(|cores| cores.id == id) {
        None => "starting",
        Some(_) if fenced.contains(id) => "leaving",
        Some(cores) if cores.free < cores.total => "busy",
        Some(_) if needed.contains(id) => "holding data",
        Some(_) => "idle",
    };
    let mut found: Vec<ExecutorFacts> = provided
        .iter()
        .map(|executor| {
            let registered = cores.iter().find(|cores| cores.id == executor.id);
            let shape = u32::try_from(executor.shape.cores).unwrap_or(u32::MAX);
            ExecutorFacts {
                id: executor.id.clone(),
                state: state(&executor.id),
                cores: registered.map_or(shape, |cores| cores.total),
                free: registered.map_or(shape, |cores| cores.free),
                memory_limit: Some(executor.shape.memory),
                process: executor.process,
                age: Some(executor.started.elapsed()),
                usage: executor.process.and_then(usage),
            }
        })
        .collect();
    let others = cores.iter().filter(|cores| provided.iter().all(|executor| executor.id != cores.id));
    found.extend(others.map(|cores| ExecutorFacts {
        id: cores.id.clone(),
        state: state(&cores.id),
        cores: cores.total,
        free: cores.free,
        ..ExecutorFacts::default()
    }));
    found
}

fn decision(cluster: &str, entry: &LogEntry, start: u64) -> (u64, Value) {
    let moment = |after: Duration| start.saturating_add(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
    let decision = &entry.decision;
    let at = moment(entry.first);
    let told = json!({
        "cluster": cluster,
        "at": at,
        "until": moment(entry.last),
        "rounds": entry.rounds,
        "desired": decision.desired,
        "live": decision.census.accepting,
        "starting": decision.census.starting,
        "start": decision.start,
        "resume": decision.resume.len(),
        "cordon": decision.cordon.len(),
        "stop": decision.stop.len(),
        "waiting": entry.basis.remaining_partitions.saturating_sub(entry.basis.running_partitions),
        "reason": decision.to_string(),
    });
    (at, told)
}

fn mode(mode: ScalingMode) -> String {
    match mode {
        ScalingMode::Fixed(executors) => format!("scale to {executors}"),
        ScalingMode::Between { min, max } if min == max => format!("{min} executors"),
        ScalingMode::Between { min, max } => format!("adapt between {min} and {max}"),
    }
}

fn on_the_clock(moment: Instant) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.saturating_sub(moment.elapsed()).as_millis()).unwrap_or(u64::MAX)
}

/// The schedulers of all clusters.
pub async fn schedulers(clusters: &LocalClusters) -> Vec<Arc<crate::cluster::Scheduler>> {
    clusters.list().await.into_iter().map(|(_, cluster)| Arc::clone(cluster.cluster.scheduler())).collect()
}
