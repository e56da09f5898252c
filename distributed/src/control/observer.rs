//! What a decision is made from, looked up.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::controller::Asked;
use super::jobs::JobWatch;
use crate::cluster::{Arrival, ExecutorProvider, ProvidedExecutor, Scheduler};
use crate::scaling::{Executor, ExecutorState, Inputs, StartUpEstimate};

/// A start takes this long, as long as none was seen.
const START_UP: Duration = Duration::from_secs(1);

/// Looks at a cluster, and remembers what one look cannot tell.
#[derive(Debug)]
pub struct Observer {
    scheduler: Arc<Scheduler>,
    provider: Arc<dyn ExecutorProvider>,
    /// The moment that times are counted from.
    began: Instant,
    jobs: JobWatch,
    start_up: StartUpEstimate,
    /// Since when executors that have registered run nothing.
    idle: HashMap<String, Duration>,
    /// Executors that have not registered yet.
    coming: HashSet<String>,
    /// Executors that are waited for, and those that were told to end.
    draining: HashSet<String>,
    stopping: HashSet<String>,
}

/// What was seen.
#[derive(Debug)]
pub struct Observation {
    /// What a decision is made from.
    pub inputs: Inputs,
    /// Executors that have ended before they had registered.
    pub failed_starts: u32,
    /// Whether an executor has registered.
    pub has_arrivals: bool,
}

impl Observer {
    /// Of the executors of this provider, for this scheduler. Executors of others are not looked at: nobody here could
    /// stop them.
    pub fn new(scheduler: Arc<Scheduler>, provider: Arc<dyn ExecutorProvider>) -> Self {
        Self {
            scheduler,
            provider,
            began: Instant::now(),
            jobs: JobWatch::default(),
            start_up: StartUpEstimate::new(START_UP),
            idle: HashMap::new(),
            coming: HashSet::new(),
            draining: HashSet::new(),
            stopping: HashSet::new(),
        }
    }

    /// The scheduler.
    pub fn scheduler(&self) -> &Arc<Scheduler> {
        &self.scheduler
    }

    /// Who starts and stops executors.
    pub fn provider(&self) -> &Arc<dyn ExecutorProvider> {
        &self.provider
    }

    /// This executor is waited for.
    pub fn drains(&mut self, id: &str) {
        self.draining.insert(id.to_string());
    }

    /// This executor is not waited for any more: it takes tasks again.
    pub fn resumes(&mut self, id: &str) {
        self.draining.remove(id);
    }

    /// This executor was told to end.
    pub fn stops(&mut self, id: &str) {
        self.stopping.insert(id.to_string());
    }

    /// Looks.
    pub async fn look(&mut self, asked: &Asked) -> Observation {
        let jobs = self.jobs.look(&self.scheduler).await;
        let registered = self.scheduler.state().executors().await;
        let needed = self.scheduler.needed_executors().await;
        let fenced = self.scheduler.state().fenced();
        let now = self.began.elapsed();
        let provided = self.provider.list();
        let (failed_starts, has_arrivals) = self.follow(&provided, &registered, now);
        let executors = provided.iter().map(|provided| {
            let tasks = jobs.tasks.get(&provided.id).copied().unwrap_or_default();
            let leaves = self.stopping.contains(&provided.id) || self.scheduler.state().is_leaving(&provided.id);
            let state = if leaves {
                ExecutorState::Stopping
            } else if !registered.contains(&provided.id) {
                ExecutorState::Starting { since: provided.started.saturating_duration_since(self.began) }
            } else if !fenced.contains(&provided.id) {
                self.working(&provided.id, tasks, now)
            } else if self.draining.contains(&provided.id) {
                ExecutorState::Draining { tasks }
            } else {
                ExecutorState::Cordoned { tasks }
            };
            let holds_data = needed.contains(&provided.id);
            let cores = u32::try_from(provided.shape.cores).unwrap_or(u32::MAX);
            Executor { id: provided.id.clone(), cores, state, holds_data }
        });
        let inputs = Inputs {
            now,
            mode: asked.mode,
            jobs: jobs.work,
            executors: executors.collect(),
            rates: self.jobs.rates(),
            start_up: self.start_up.duration(),
            memory_used: memory_used(self.provider.as_ref(), &provided),
            cluster: asked.cluster,
            user: asked.user,
        };
        for executor in &inputs.executors {
            if executor.tasks() > 0 {
                self.idle.insert(executor.id.clone(), now);
            }
        }
        Observation { inputs, failed_starts, has_arrivals }
    }

    fn working(&self, id: &str, tasks: u32, now: Duration) -> ExecutorState {
        match tasks {
            0 => ExecutorState::Idle { since: self.idle.get(id).copied().unwrap_or(now) },
            tasks => ExecutorState::Busy { tasks },
        }
    }

    /// Notes who has come and who is gone.
    fn follow(&mut self, provided: &[ProvidedExecutor], registered: &HashSet<String>, now: Duration) -> (u32, bool) {
        let is_there = |id: &String| provided.iter().any(|executor| executor.id == *id);
        let lost = |id: &&String| !is_there(id) && !self.stopping.contains(*id);
        let failed_starts = self.coming.iter().filter(lost).count() as u32;
        self.coming.retain(is_there);
        self.idle.retain(|id, _| is_there(id));
        self.draining.retain(is_there);
        self.stopping.retain(is_there);
        let mut has_arrivals = false;
        for executor in provided {
            if executor.arrival == Arrival::Awaited {
                // A wish does not fail; whoever fulfils it has a name of its own.
                continue;
            }
            if !registered.contains(&executor.id) {
                self.coming.insert(executor.id.clone());
            } else if !self.idle.contains_key(&executor.id) {
                self.coming.remove(&executor.id);
                self.idle.insert(executor.id.clone(), now);
                if executor.arrival != Arrival::Unasked {
                    self.start_up.observe(executor.started.elapsed());
                }
                has_arrivals = true;
            }
        }
        (failed_starts, has_arrivals)
    }
}

/// The share of their memory that executors have in use, as far as it is known.
fn memory_used(provider: &dyn ExecutorProvider, executors: &[ProvidedExecutor]) -> f64 {
    let (mut used, mut all) = (0u64, 0u64);
    for executor in executors.iter().filter(|executor| executor.shape.memory > 0) {
        if let Some(bytes) = provider.used_bytes(executor) {
            used = used.saturating_add(bytes);
            all = all.saturating_add(executor.shape.memory);
        }
    }
    if all == 0 { 0.0 } else { used as f64 / all as f64 }
}
