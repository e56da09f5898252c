//! Days of work: when jobs come, and how long their tasks take.

use super::random::Random;

const DAY_SECONDS: f64 = 86_400.0;
const HOUR: f64 = 3_600.0;
const MIB: f64 = 1_048_576.0;

/// How the work of a day is spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayShape {
    /// People who work in bouts over the office hours: a query, a look at its answer, the next query.
    Bursts,
    /// Most of the day's jobs in half an hour of the morning, the rest scattered.
    MorningBurst,
    /// Jobs some of whose tasks take many times longer than the others.
    LongTail,
    /// Queries of few short tasks, one after the other.
    ManyTiny,
    /// One job that is most of the day's work, with scattered ones beside it.
    GiantJob,
    /// Single jobs at any time of the day, far from each other.
    Scattered,
}

/// A day of jobs, in the order in which they come.
#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    /// The jobs.
    pub jobs: Vec<SimulatedJob>,
}

/// A job: tasks that may all begin at once, and a last one that needs all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedJob {
    /// When it comes, in milliseconds of the day.
    pub submitted_ms: u64,
    /// Its tasks, the last one among them.
    pub tasks: Vec<SimulatedTask>,
}

/// A task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimulatedTask {
    /// Bytes that it reads, as the plan knows.
    pub bytes: u64,
    /// Its time on one core, which nobody knows before it ended.
    pub duration_ms: u64,
}

/// What a job is made of.
struct Recipe {
    tasks: f64,
    /// Bytes of a task, in MiB.
    mebibytes: f64,
    /// Seconds for a MiB.
    pace: f64,
    /// Spread of the tasks of the job: sigma of a lognormal.
    spread: f64,
}

impl DayShape {
    /// All shapes.
    pub const ALL: [Self; 6] =
        [Self::Bursts, Self::MorningBurst, Self::LongTail, Self::ManyTiny, Self::GiantJob, Self::Scattered];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bursts => "bursts",
            Self::MorningBurst => "morning burst",
            Self::LongTail => "long tail",
            Self::ManyTiny => "many tiny",
            Self::GiantJob => "giant job",
            Self::Scattered => "scattered",
        }
    }
}

impl Day {
    /// A day of so many tasks. Equal seeds give equal days.
    pub fn new(shape: DayShape, tasks: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut jobs = Vec::new();
        let mut missing = tasks;
        if shape == DayShape::GiantJob {
            let recipe = Recipe { tasks: tasks as f64 * 0.8, mebibytes: 300.0, pace: 0.025, spread: 0.2 };
            add(&mut jobs, &mut missing, 10.0 * HOUR, recipe.job(&mut random));
        }
        while missing > 0 {
            match shape {
                DayShape::Bursts => bout(&mut jobs, &mut missing, &mut random),
                DayShape::MorningBurst => {
                    let is_morning = random.uniform() < 0.8;
                    let at =
                        if is_morning { 9.0 * HOUR + random.uniform() * HOUR / 2.0 } else { any_time(&mut random) };
                    add(&mut jobs, &mut missing, at, query(&mut random, 0.3));
                }
                DayShape::LongTail => {
                    let at = office_time(&mut random);
                    add(&mut jobs, &mut missing, at, query(&mut random, 1.2));
                }
                DayShape::ManyTiny => {
                    let recipe =
                        Recipe { tasks: 1.0 + random.uniform() * 4.0, mebibytes: 4.0, pace: 0.03, spread: 0.4 };
                    let at = office_time(&mut random);
                    add(&mut jobs, &mut missing, at, recipe.job(&mut random));
                }
                DayShape::GiantJob | DayShape::Scattered => {
                    let at = any_time(&mut random);
                    add(&mut jobs, &mut missing, at, query(&mut random, 0.3));
                }
            }
        }
        jobs.sort_by_key(|job| job.submitted_ms);
        Self { jobs }
    }

    /// Tasks of all jobs.
    pub fn tasks(&self) -> usize {
        self.jobs.iter().map(|job| job.tasks.len()).sum()
    }

    /// Seconds of one core that all tasks take.
    pub fn work_seconds(&self) -> f64 {
        self.jobs.iter().flat_map(|job| &job.tasks).map(|task| task.duration_ms as f64 / 1000.0).sum()
    }
}

impl Recipe {
    /// The tasks of a job of this kind, the last one short.
    fn job(&self, random: &mut Random) -> Vec<SimulatedTask> {
        let count = (self.tasks.round() as usize).max(1);
        let mut tasks: Vec<SimulatedTask> = (0..count)
            .map(|_| {
                let seconds = (0.02 + self.mebibytes * self.pace) * random.lognormal(self.spread);
                SimulatedTask { bytes: (self.mebibytes * MIB) as u64, duration_ms: milliseconds(seconds) }
            })
            .collect();
        tasks.push(SimulatedTask { bytes: 0, duration_ms: milliseconds(0.05 * random.lognormal(0.3)) });
        tasks
    }
}

/// A query of some 40 tasks of some 4 s; its pace and its chunks are its own.
fn query(random: &mut Random, spread: f64) -> Vec<SimulatedTask> {
    let tasks = (30.0 * random.lognormal(0.7)).clamp(1.0, 400.0);
    let mebibytes = (200.0 * random.lognormal(0.5)).clamp(10.0, 2000.0);
    let pace = 0.02 * random.lognormal(0.5);
    Recipe { tasks, mebibytes, pace, spread }.job(random)
}

/// Queries one after the other, with time to think between them.
fn bout(jobs: &mut Vec<SimulatedJob>, missing: &mut usize, random: &mut Random) {
    let mut at = office_time(random);
    let queries = 3 + (random.uniform() * 12.0) as usize;
    for _ in 0..queries {
        add(jobs, missing, at, query(random, 0.3));
        at += 10.0 + random.exponential(60.0);
    }
}

/// Adds a job, cut off where the day has its tasks.
fn add(jobs: &mut Vec<SimulatedJob>, missing: &mut usize, at: f64, mut tasks: Vec<SimulatedTask>) {
    tasks.truncate(*missing);
    *missing -= tasks.len();
    if !tasks.is_empty() {
        jobs.push(SimulatedJob { submitted_ms: milliseconds(at), tasks });
    }
}

fn office_time(random: &mut Random) -> f64 {
    8.0 * HOUR + random.uniform() * 10.0 * HOUR
}

fn any_time(random: &mut Random) -> f64 {
    random.uniform() * (DAY_SECONDS - HOUR)
}

fn milliseconds(seconds: f64) -> u64 {
    ((seconds * 1000.0) as u64).max(1)
}
