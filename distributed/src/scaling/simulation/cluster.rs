//! A simulated cluster that works off a day.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use super::super::estimate::{StartUpEstimate, TaskEstimate, TaskRates};
use super::super::inputs::{Inputs, JobWork, Limits, ScalingMode};
use super::day::{Day, SimulatedJob};
use super::executors::{Phase, SimulatedExecutor};
use super::rule::{Actions, Rule};
use super::{Report, Settings};

const DAY_MS: u64 = 86_400_000;

/// Time after the end of a job in which its result is fetched.
const FETCH_MS: u64 = 300;

/// Rounds without any work or change after which the simulation passes over those that would change nothing either.
const ROUNDS_BEFORE_SLEEP: u32 = 30;

/// The cluster at a moment of the day.
pub struct Cluster<'a> {
    day: &'a Day,
    settings: Settings,
    now_ms: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    sequence: u64,
    jobs: Vec<JobProgress>,
    /// Jobs that came and are not done, the oldest first.
    active: Vec<usize>,
    executors: Vec<SimulatedExecutor>,
    /// Executors that have not ended.
    alive: Vec<usize>,
    estimate: TaskEstimate,
    start_up: StartUpEstimate,
    quiet_rounds: u32,
    is_asleep: bool,
    report: Report,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Submitted(usize),
    Arrived(usize),
    /// Executor, job, task, and how often the task had been started.
    Finished(usize, usize, usize, u32),
    Fetched(usize),
    Round,
}

struct JobProgress {
    waiting: VecDeque<usize>,
    running: Vec<(usize, u64)>,
    unfinished: usize,
    ready_ms: u64,
    is_done: Vec<bool>,
    starts: Vec<u32>,
    estimate: TaskEstimate,
    has_measured: bool,
    mean_seconds: f64,
}

impl<'a> Cluster<'a> {
    /// An empty cluster at midnight.
    pub fn new(day: &'a Day, settings: Settings) -> Self {
        let mut cluster = Self {
            day,
            settings,
            now_ms: 0,
            events: BinaryHeap::new(),
            sequence: 0,
            jobs: day.jobs.iter().map(JobProgress::new).collect(),
            active: Vec::new(),
            executors: Vec::new(),
            alive: Vec::new(),
            estimate: TaskEstimate::new(TaskRates::default()),
            start_up: StartUpEstimate::new(Duration::from_secs(5)),
            quiet_rounds: 0,
            is_asleep: false,
            report: Report::default(),
        };
        for (number, job) in day.jobs.iter().enumerate() {
            cluster.at(job.submitted_ms, Event::Submitted(number));
        }
        cluster.at(0, Event::Round);
        cluster
    }

    /// Works off the day under a rule.
    pub fn run(mut self, rule: &mut dyn Rule) -> Report {
        while let Some(Reverse((time, _, event))) = self.events.pop() {
            self.now_ms = time;
            match event {
                Event::Submitted(job) => self.submit(job),
                Event::Arrived(executor) => self.arrive(executor),
                Event::Finished(executor, job, task, start) => self.finish(executor, job, task, start),
                Event::Fetched(job) => self.release(job),
                Event::Round => self.round(rule),
            }
        }
        self.now_ms = self.now_ms.max(DAY_MS);
        self.report.executor_seconds = self.executors.iter().map(|executor| executor.seconds(self.now_ms)).sum();
        self.report.starting_seconds =
            self.executors.iter().map(|executor| executor.starting_seconds(self.now_ms)).sum();
        self.report.idle_seconds = self.executors.iter().map(|executor| executor.idle_seconds(self.now_ms)).sum();
        self.report.executors_started = self.executors.len();
        self.report.tasks_lost = self.day.tasks() - self.report.waits.len().min(self.day.tasks());
        self.report.finish();
        self.report
    }

    fn at(&mut self, time_ms: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((time_ms, self.sequence, event)));
    }

    fn submit(&mut self, job: usize) {
        self.jobs[job].submit(self.now_ms, self.estimate.rates());
        self.active.push(job);
        if self.is_asleep {
            self.is_asleep = false;
            self.at(self.now_ms.next_multiple_of(self.settings.interval_ms), Event::Round);
        }
        self.assign();
    }

    fn arrive(&mut self, executor: usize) {
        let arrived = &mut self.executors[executor];
        if arrived.phase == Phase::Starting {
            arrived.phase = Phase::Accepting;
            arrived.idle_since_ms = self.now_ms;
            arrived.arrived_ms = Some(self.now_ms);
            self.start_up.observe(Duration::from_millis(self.now_ms - arrived.started_ms));
            self.assign();
        }
    }

    fn finish(&mut self, executor: usize, job: usize, task: usize, start: u32) {
        // A task whose executor was ended under it was started again.
        if self.jobs[job].is_done[task] || self.jobs[job].starts[task] != start {
            return;
        }
        let ran_on = &mut self.executors[executor];
        ran_on.running.retain(|running| *running != (job, task));
        ran_on.rest(self.now_ms);
        ran_on.holds.insert(job);
        let told = self.day.jobs[job].tasks[task];
        let took = Duration::from_millis(told.duration_ms);
        self.estimate.observe(told.bytes, took);
        if self.jobs[job].finish(task, told.bytes, took, self.now_ms) {
            self.active.retain(|active| *active != job);
            self.at(self.now_ms + FETCH_MS, Event::Fetched(job));
        }
        self.assign();
    }

    fn release(&mut self, job: usize) {
        for executor in &self.alive {
            self.executors[*executor].holds.remove(&job);
        }
    }

    /// Gives waiting tasks to free cores: the oldest job and the oldest executor first.
    fn assign(&mut self) {
        let cores = self.settings.cores_each as usize;
        for job in self.active.clone() {
            while let Some(&task) = self.jobs[job].waiting.front() {
                let free = self.alive.iter().copied().find(|executor| {
                    let executor = &self.executors[*executor];
                    executor.phase == Phase::Accepting && executor.running.len() < cores
                });
                let Some(executor) = free else { return };
                let start = self.jobs[job].start(task, self.now_ms);
                self.executors[executor].run(job, task, self.now_ms);
                self.report.waits.push((self.now_ms - self.jobs[job].ready_ms) as f64 / 1000.0);
                self.at(
                    self.now_ms + self.day.jobs[job].tasks[task].duration_ms,
                    Event::Finished(executor, job, task, start),
                );
            }
        }
    }

    fn round(&mut self, rule: &mut dyn Rule) {
        let inputs = self.inputs();
        let job_seconds: Vec<f64> = self.active.iter().map(|job| self.jobs[*job].mean_seconds).collect();
        let actions = rule.round(&inputs, &job_seconds);
        let is_quiet = actions == Actions::default() && self.active.is_empty();
        self.quiet_rounds = if is_quiet { self.quiet_rounds + 1 } else { 0 };
        self.apply(&actions);
        if !actions.cordon.is_empty() {
            let actions = rule.after_cordon(&self.inputs());
            self.apply(&actions);
        }
        let is_at_rest = self.alive.len() <= self.settings.min as usize && self.quiet_rounds > ROUNDS_BEFORE_SLEEP;
        self.is_asleep = is_at_rest;
        if !is_at_rest && (self.now_ms < DAY_MS || !self.active.is_empty()) {
            self.at(self.now_ms + self.settings.interval_ms, Event::Round);
        }
    }

    fn inputs(&self) -> Inputs {
        let limits = Limits { min: self.settings.min, max: self.settings.max, ..Limits::NONE };
        let cores = self.settings.cores_each;
        Inputs {
            now: Duration::from_millis(self.now_ms),
            mode: ScalingMode::Between { min: self.settings.min, max: self.settings.max },
            jobs: self.active.iter().map(|job| self.jobs[*job].work(*job, &self.day.jobs[*job], self.now_ms)).collect(),
            executors: self.alive.iter().filter_map(|executor| self.executors[*executor].view(cores)).collect(),
            rates: self.estimate.rates(),
            start_up: self.start_up.duration(),
            memory_used: 0.0,
            cluster: Limits { cores_each: cores, ..limits },
            user: Limits::NONE,
        }
    }

    fn apply(&mut self, actions: &Actions) {
        let by_id: BTreeMap<String, usize> =
            self.alive.iter().map(|executor| (self.executors[*executor].id.clone(), *executor)).collect();
        let lists = [
            (&actions.resume, Phase::Accepting),
            (&actions.cordon, Phase::Cordoned),
            (&actions.drain, Phase::Draining),
            (&actions.stop, Phase::Ended),
        ];
        for (list, phase) in lists {
            for executor in list.iter().filter_map(|id| by_id.get(id)) {
                self.executors[*executor].phase = phase;
                if phase == Phase::Ended {
                    self.end(*executor);
                }
            }
        }
        for _ in 0..actions.start {
            let number = self.executors.len();
            self.executors.push(SimulatedExecutor::start(number, self.now_ms));
            self.alive.push(number);
            self.at(self.now_ms + self.settings.start_up_ms, Event::Arrived(number));
        }
        self.report.changed(actions, self.alive.len());
        self.assign();
    }

    /// Ends an executor. What it ran is to be started again; what it held is told in the report.
    fn end(&mut self, executor: usize) {
        let ended = &mut self.executors[executor];
        ended.close(self.now_ms);
        self.report.holders_stopped += usize::from(!ended.holds.is_empty());
        for (job, task) in std::mem::take(&mut ended.running) {
            self.jobs[job].restart(task);
            self.report.waits.pop();
            self.report.tasks_rerun += 1;
        }
        self.alive.retain(|alive| *alive != executor);
    }
}

impl JobProgress {
    fn new(job: &SimulatedJob) -> Self {
        let count = job.tasks.len();
        let seconds: f64 = job.tasks.iter().map(|task| task.duration_ms as f64 / 1000.0).sum();
        Self {
            waiting: VecDeque::new(),
            running: Vec::new(),
            unfinished: count,
            ready_ms: job.submitted_ms,
            is_done: vec![false; count],
            starts: vec![0; count],
            estimate: TaskEstimate::new(TaskRates::default()),
            has_measured: false,
            mean_seconds: seconds / count.max(1) as f64,
        }
    }

    /// The last task waits for the others; a job of one task has no last one.
    fn submit(&mut self, now_ms: u64, rates: TaskRates) {
        self.ready_ms = now_ms;
        self.estimate = TaskEstimate::new(rates);
        self.waiting = (0..self.unfinished.saturating_sub(1).max(1)).collect();
    }

    fn start(&mut self, task: usize, now_ms: u64) -> u32 {
        self.waiting.pop_front();
        self.running.push((task, now_ms));
        self.starts[task] += 1;
        self.starts[task]
    }

    fn restart(&mut self, task: usize) {
        self.running.retain(|(running, _)| *running != task);
        self.waiting.push_front(task);
    }

    /// Ends a task, and says whether that was the last.
    fn finish(&mut self, task: usize, bytes: u64, took: Duration, now_ms: u64) -> bool {
        self.is_done[task] = true;
        self.running.retain(|(running, _)| *running != task);
        self.unfinished -= 1;
        self.estimate.observe(bytes, took);
        self.has_measured = true;
        if self.unfinished == 1 && self.running.is_empty() && self.waiting.is_empty() {
            self.waiting.push_back(self.is_done.len() - 1);
            self.ready_ms = now_ms;
        }
        self.unfinished == 0
    }

    fn work(&self, number: usize, job: &SimulatedJob, now_ms: u64) -> JobWork {
        let left = self.is_done.iter().zip(&job.tasks).filter(|(is_done, _)| !**is_done);
        let (partitions, bytes) = left.fold((0, 0), |(count, bytes), (_, task)| (count + 1, bytes + task.bytes));
        // The last task is a stage that has its inputs only once the others are done.
        let waits = u64::from(partitions > 1);
        JobWork {
            id: format!("j{number}"),
            remaining_partitions: partitions - waits,
            remaining_bytes: bytes,
            running_partitions: self.running.len() as u64,
            running_seconds: self.running.iter().map(|(_, began)| (now_ms - began) as f64 / 1000.0).sum(),
            rates: self.has_measured.then(|| self.estimate.rates()),
        }
    }
}
