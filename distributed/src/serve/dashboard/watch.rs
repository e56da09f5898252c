//! The loop that looks at what runs.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ballista_core::JobId;
use ballista_scheduler::state::execution_graph::ExecutionGraph;
use quarray_engine::queries::{QueryRecord, QueryState};

use super::clusters::{ClusterFacts, facts, schedulers};
use super::followed::Followed;
use super::host::own_usage;
use super::jobs::now;
use super::series::Sample;
use super::{Dashboard, State};
use crate::cluster::job_observer::JobObserver;

/// Time between two looks at what runs.
const LOOK: Duration = Duration::from_millis(200);

/// Looks between two samples of the figures over time.
const LOOKS_A_SAMPLE: u64 = 5;

/// Looks between two tellings.
const LOOKS_A_TELLING: u64 = 2;

/// Statements that are followed after their end, the last ones.
const FOLLOWED_MAX: usize = 40;

/// Statements that have ended between two looks, of which the bytes are counted.
const RECENT: usize = 200;

/// What one look remembers for the next.
#[derive(Debug, Default)]
pub(super) struct Watch {
    sampled: Option<Instant>,
    /// Processor seconds at the last sample, by process; 0 is this one.
    cpu: HashMap<u32, f64>,
    /// Bytes read and decoded since the last sample.
    bytes: (u64, u64),
    /// The name of the last statement that has ended, as far as was looked.
    last_ended: String,
}

impl Dashboard {
    /// Looks until nobody wants it any more.
    pub(super) async fn watch(dashboard: Weak<Self>) {
        let mut watch = Watch::default();
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for look in 0u64.. {
            ticks.tick().await;
            let Some(dashboard) = dashboard.upgrade() else { return };
            if dashboard.is_closed() {
                return;
            }
            dashboard.follow(&mut watch).await;
            if look.is_multiple_of(LOOKS_A_SAMPLE) {
                dashboard.sample(&mut watch).await;
            }
            if look.is_multiple_of(LOOKS_A_TELLING) {
                dashboard.ticks.send_modify(|tick| *tick += 1);
            }
        }
    }

    /// Looks at the statements that run, and at those that have just ended.
    async fn follow(self: &Arc<Self>, watch: &mut Watch) {
        let running = self.watched.queries.running();
        for record in &running {
            let plan = if record.jobs.is_empty() { self.watched.queries.plan(&record.id) } else { None };
            let mut state = self.state.lock();
            let followed = state.follow(record);
            if let Some(plan) = plan {
                followed.local.runs(&plan);
            }
            if record.jobs.is_empty() && record.place == super::local::THIS_PROCESS {
                let began = followed.began;
                followed.local.read(began, &mut followed.tasks);
            }
        }
        if running.iter().any(|record| !record.jobs.is_empty()) {
            self.follow_jobs(&running).await;
        }
        let mut state = self.state.lock();
        for record in &running {
            state.count(record, watch);
        }
        let ended = self.watched.queries.recent(RECENT);
        let news: Vec<_> = ended.iter().take_while(|record| record.id != watch.last_ended).collect();
        for record in news.iter().rev() {
            state.count(record, watch);
            if let Some(followed) = state.followed.get_mut(&record.id) {
                followed.finish(record);
            }
        }
        if let Some(last) = ended.first() {
            watch.last_ended = last.id.clone();
        }
        let are_running: HashSet<&str> = running.iter().map(|record| record.id.as_str()).collect();
        state.forget_old(&are_running);
    }

    async fn follow_jobs(self: &Arc<Self>, running: &[QueryRecord]) {
        for scheduler in schedulers(&self.watched.clusters).await {
            let jobs = scheduler.server().state.task_manager.get_running_job_cache();
            for (id, job) in jobs.iter() {
                let id = id.to_string();
                let Some(record) = running.iter().find(|record| record.jobs.contains(&id)) else { continue };
                let graph = job.execution_graph.read().await;
                self.read_job(record, &id, graph.as_ref());
            }
        }
    }

    fn read_job(&self, record: &QueryRecord, job: &str, graph: &dyn ExecutionGraph) {
        if let Some(query) = self.watched.queries.query(&record.id) {
            self.state.lock().follow(record).read_job(job, graph, &|text| query.clean(text));
        }
    }

    /// Takes a sample of the figures over time.
    async fn sample(self: &Arc<Self>, watch: &mut Watch) {
        let clusters = facts(&self.watched.clusters).await;
        for scheduler in schedulers(&self.watched.clusters).await {
            let observer: Weak<Self> = Arc::downgrade(self);
            scheduler.observer().set(observer);
        }
        let running = self.watched.queries.running();
        let planning = running.iter().filter(|record| record.state == QueryState::Planning).count();
        let seconds = watch.sampled.replace(Instant::now()).map_or(1.0, |last| last.elapsed().as_secs_f64()).max(0.1);
        let (cpu, memory) = watch.usage(&clusters, seconds);
        let (read, decoded) = std::mem::take(&mut watch.bytes);
        let sum = |of: &dyn Fn(&ClusterFacts) -> f64| clusters.iter().map(of).sum::<f64>();
        let values = [
            cpu.values().sum(),
            memory as f64,
            read as f64 / seconds,
            decoded as f64 / seconds,
            (running.len() - planning) as f64,
            planning as f64,
            sum(&|cluster| f64::from(cluster.desired)),
            sum(&|cluster| f64::from(cluster.live)),
            sum(&|cluster| f64::from(cluster.cores().1)),
            sum(&|cluster| f64::from(cluster.cores().0)),
            sum(&|cluster| cluster.waiting as f64),
        ];
        let mut state = self.state.lock();
        state.series.push(Sample { at: now(), values });
        (state.clusters, state.cpu) = (clusters, cpu);
    }
}

impl JobObserver for Dashboard {
    fn finished(&self, job: &JobId, graph: &dyn ExecutionGraph) {
        let job = job.to_string();
        let running = self.watched.queries.running();
        if let Some(record) = running.iter().find(|record| record.jobs.contains(&job)) {
            self.read_job(record, &job, graph);
        }
    }
}

impl State {
    /// The statement as it is followed, from now on if it was not before.
    fn follow(&mut self, record: &QueryRecord) -> &mut Followed {
        self.followed.entry(record.id.clone()).or_insert_with(|| Followed::new(record))
    }

    /// Adds to the rates what a statement has read since the last look.
    fn count(&mut self, record: &QueryRecord, watch: &mut Watch) {
        let (read, decoded, counted) = match self.followed.get_mut(&record.id) {
            Some(followed) => {
                let (read, decoded) = followed.bytes(record);
                (read, decoded, std::mem::replace(&mut followed.counted, (read, decoded)))
            }
            None => (record.progress.bytes_read, record.progress.bytes_decoded, (0, 0)),
        };
        watch.bytes.0 += read.saturating_sub(counted.0);
        watch.bytes.1 += decoded.saturating_sub(counted.1);
    }

    /// Forgets the statements that ended first. Later ones have greater names.
    fn forget_old(&mut self, running: &HashSet<&str>) {
        if self.followed.len() <= FOLLOWED_MAX {
            return;
        }
        let mut ended: Vec<String> =
            self.followed.keys().filter(|id| !running.contains(id.as_str())).cloned().collect();
        ended.sort_unstable();
        let excess = ended.len().saturating_sub(FOLLOWED_MAX);
        for id in ended.into_iter().take(excess) {
            self.followed.remove(&id);
        }
    }
}

impl Watch {
    /// Cores at work by process since the last sample, and the memory of all processes.
    fn usage(&mut self, clusters: &[ClusterFacts], seconds: f64) -> (HashMap<u32, f64>, u64) {
        let executors = clusters.iter().flat_map(|cluster| &cluster.executors);
        let others = executors.filter_map(|executor| Some((executor.process?, executor.usage?)));
        let usages: Vec<_> = own_usage().map(|usage| (0, usage)).into_iter().chain(others).collect();
        let mut cores = HashMap::new();
        for (process, usage) in &usages {
            if let Some(before) = self.cpu.get(process) {
                cores.insert(*process, ((usage.cpu_seconds - before) / seconds).max(0.0));
            }
        }
        self.cpu = usages.iter().map(|(process, usage)| (*process, usage.cpu_seconds)).collect();
        (cores, usages.iter().map(|(_, usage)| usage.memory).sum())
    }
}
