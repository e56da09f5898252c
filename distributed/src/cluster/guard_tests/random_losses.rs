//! Executors that are lost at random moments, played on Ballista's own graphs: what is read of an answer that is believed
//! was counted once, and jobs that stand still are known to.
//!
//! Nothing is computed: a file is known by what it was made of. Each of its ways is a partition of a leaf, and the outputs
//! of the shuffles that it went through. An answer is right if it was made by the ways of an answer without losses, each
//! as often as there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ballista_core::execution_plans::sort_shuffle::SortShuffleWriterExec;
use ballista_core::execution_plans::{ShuffleReaderExec, compute_global_output_partition_ids};
use ballista_core::serde::protobuf::job_status::Status as JobStatus;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_core::serde::protobuf::{
    FailedTask, FetchPartitionError, IoError, PartitionLocation, failed_task::FailedReason,
};
use ballista_core::serde::scheduler::PartitionLocation as ReadLocation;
use ballista_scheduler::cluster::BoundTask;
use ballista_scheduler::state::task_builder::restrict_plan_to_partitions;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::play::{Play, done, plan};
use super::{GROUPS_SQL, NESTED_SQL, TestResult};
use crate::cluster::guarded_state::GuardedClusterState;
use crate::cluster::outputs::last_locations;

/// Two stages, the second with one task.
const SUM_SQL: &str = "SELECT sum(v), count(*) FROM cells";
/// Two stages in the middle, and an order.
const DEEP_SQL: &str = "SELECT n, count(*) FROM (SELECT m, count(*) AS n FROM (SELECT k, max(v) AS m FROM cells GROUP BY k) \
                        GROUP BY m) GROUP BY n ORDER BY n";
/// Two leaves.
const JOIN_SQL: &str = "SELECT a.k, sum(b.v) FROM cells a JOIN (SELECT k, max(v) AS v FROM cells GROUP BY k) b ON a.k = b.k \
                        GROUP BY a.k";

const EXECUTORS: usize = 3;
const CORES: u32 = 2;

/// Executors that die while a job runs, at most.
const DEATHS_MAX: usize = 3;

/// Jobs of each query.
const ROUNDS: u64 = 200;

/// Jobs among which one stands still: about one in a hundred does. Not the same in every run, since Ballista keeps what it
/// has in hash maps.
const ROUNDS_UNTIL_STILL: u64 = 5000;

/// How a part of the input came somewhere: the stage of its leaf, its partition there, then an output of each shuffle.
type Way = Vec<usize>;

/// The ways that something was made by, and how often each of them was counted.
type Made = BTreeMap<Way, usize>;

/// Where a file lies: its executor, stage, partition and number.
type Place = (String, usize, usize, Option<u64>);

/// How a job has ended.
enum End {
    Answer(Answer),
    /// The holder of the result is dead, or the job has given up: such jobs are submitted again.
    InVain,
    /// Nothing runs, nothing can be bound, nobody is missed: it would stand like this for ever. Whether that shows.
    StandsStill {
        is_known: bool,
    },
}

struct Answer {
    made: Made,
    /// By all places that were told of, and not by the last of each partition.
    made_by_all: Made,
    is_tainted: bool,
}

/// Executors with their files, and the one job that they work for.
struct World {
    play: Play<GuardedClusterState>,
    random: u64,
    files: HashMap<Place, Made>,
    running: Vec<BoundTask>,
    alive: Vec<String>,
    /// The dead that the scheduler has yet to miss.
    dead: Vec<String>,
    came: usize,
    deaths_left: usize,
}

impl World {
    async fn new(plan: &Arc<dyn ExecutionPlan>, seed: u64, deaths: usize) -> TestResult<Self> {
        let play = Play::of_plans(GuardedClusterState::default(), &[], &[("job", Arc::clone(plan))]).await?;
        let (files, running) = (HashMap::new(), Vec::new());
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let (alive, dead) = (Vec::new(), Vec::new());
        let mut world = Self { play, random, files, running, alive, dead, came: 0, deaths_left: deaths };
        for _ in 0..EXECUTORS {
            world.come().await?;
        }
        Ok(world)
    }

    /// A number below a limit.
    fn below(&mut self, limit: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 33) as usize % limit.max(1)
    }

    async fn come(&mut self) -> TestResult {
        self.came += 1;
        let id = format!("e{}", self.came);
        self.play.join(&id, CORES).await?;
        self.alive.push(id);
        Ok(())
    }

    async fn play_to_the_end(mut self) -> TestResult<End> {
        loop {
            self.running.extend(self.play.bind().await?);
            if let Some(end) = self.end().await? {
                return Ok(end);
            }
            let can_work = self.running.iter().any(|(executor, _)| self.alive.contains(executor));
            match self.below(8) {
                0 if self.deaths_left > 0 => {
                    self.deaths_left -= 1;
                    let victim = self.below(self.alive.len());
                    self.dead.push(self.alive.swap_remove(victim));
                }
                1 if !self.dead.is_empty() => self.miss().await?,
                _ if can_work => self.work().await?,
                _ if !self.dead.is_empty() => self.miss().await?,
                _ => return Ok(End::StandsStill { is_known: self.play.stands_still().await? }),
            }
            if self.alive.is_empty() {
                self.come().await?;
            }
        }
    }

    /// The scheduler notices that an executor is dead, and another one comes.
    async fn miss(&mut self) -> TestResult {
        let missed = self.dead.remove(0);
        self.running.retain(|(executor, _)| *executor != missed);
        self.play.lose(&missed).await?;
        self.come().await
    }

    /// Some task comes to its end.
    async fn work(&mut self) -> TestResult {
        let able: Vec<usize> =
            (0..self.running.len()).filter(|&number| self.alive.contains(&self.running[number].0)).collect();
        let chosen = able[self.below(able.len())];
        let bound = self.running.swap_remove(chosen);
        let status = match self.below(16) {
            0 => Status::Failed(failure(true, FailedReason::IoError(IoError {}))),
            _ => match self.outputs(&bound)? {
                Ok(outputs) => {
                    self.files.extend(outputs);
                    Status::Successful(done(&bound.0, &bound.1))
                }
                Err(lost) => Status::Failed(failure(false, FailedReason::FetchPartitionError(lost))),
            },
        };
        match self.play.tell(&bound, status).await {
            // Where one misses what a former attempt has written, the scheduler writes this into its log, and goes on.
            Err(error) if error.to_string().contains("Invalid task_id") => Ok(()),
            told => told,
        }
    }

    /// The files that a task writes, unless it misses one.
    fn outputs(&self, (executor, task): &BoundTask) -> TestResult<Result<Vec<(Place, Made)>, FetchPartitionError>> {
        let inputs = &task.global_input_partition_ids;
        let plan = restrict_plan_to_partitions(Arc::clone(&task.plan), inputs)?;
        let top = *plan.children().first().ok_or("a stage without a plan")?;
        let parts = match self.parts(top, task.key.stage_id, inputs) {
            Ok(parts) => parts,
            Err(lost) => return Ok(Err(lost)),
        };
        let ids = compute_global_output_partition_ids(&task.plan, inputs);
        let is_hashed = plan.is::<SortShuffleWriterExec>();
        let file = |(place, id): (usize, usize)| {
            let made = match is_hashed {
                true => spread(&together(&parts), id),
                false if ids.len() == parts.len() => parts[place].clone(),
                false => together(&parts),
            };
            ((executor.clone(), task.key.stage_id, id, Some(task.key.task_id as u64)), made)
        };
        Ok(Ok(ids.iter().copied().enumerate().map(file).collect()))
    }

    /// What the partitions of a plan are made of.
    fn parts(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        stage: usize,
        inputs: &[usize],
    ) -> Result<Vec<Made>, FetchPartitionError> {
        if let Some(reader) = plan.downcast_ref::<ShuffleReaderExec>() {
            return reader.partition.iter().map(|places| self.read(places)).collect();
        }
        let children = plan.children().into_iter().map(|child| self.parts(child, stage, inputs));
        let mut children = children.collect::<Result<Vec<_>, _>>()?;
        let Some(first) = children.pop() else {
            // A leaf that is read as a whole has more partitions than the task.
            let count = plan.output_partitioning().partition_count();
            let numbers: Vec<usize> = if count == inputs.len() { inputs.to_vec() } else { (0..count).collect() };
            return Ok(numbers.into_iter().map(|number| Made::from([(vec![stage, number], 1)])).collect());
        };
        if plan.is::<CoalescePartitionsExec>() || plan.is::<SortPreservingMergeExec>() {
            return Ok(vec![together(&first)]);
        }
        if plan.is::<RepartitionExec>() {
            let all = together(&first);
            return Ok((0..plan.output_partitioning().partition_count()).map(|output| spread(&all, output)).collect());
        }
        // The side of a join that is held has one partition, for all of the other.
        Ok(children.into_iter().fold(first, |joined, other| {
            let (long, short) = if joined.len() >= other.len() { (joined, other) } else { (other, joined) };
            let parts = long.into_iter().enumerate();
            parts.map(|(place, made)| together(&[made, short[place % short.len()].clone()])).collect()
        }))
    }

    fn read(&self, places: &[ReadLocation]) -> Result<Made, FetchPartitionError> {
        let files = places.iter().map(|place| {
            let id = &place.partition_id;
            let file = (place.executor_meta.id.clone(), id.stage_id, id.partition_id, place.file_id);
            self.file(&file).cloned().ok_or_else(|| FetchPartitionError {
                executor_id: place.executor_meta.id.clone(),
                map_stage_id: id.stage_id as u32,
                map_partition_id: id.partition_id as u32,
            })
        });
        Ok(together(&files.collect::<Result<Vec<_>, _>>()?))
    }

    fn file(&self, place: &Place) -> Option<&Made> {
        self.files.get(place).filter(|_| self.alive.contains(&place.0))
    }

    /// The end of the job, if it has come.
    async fn end(&self) -> TestResult<Option<End>> {
        let told = match self.play.status().await? {
            Some(JobStatus::Successful(success)) => success.partition_location,
            Some(JobStatus::Failed(_)) => return Ok(Some(End::InVain)),
            _ => return Ok(None),
        };
        let fetched = |places: Vec<PartitionLocation>| -> Option<Made> {
            let files = places.into_iter().map(|place| {
                let (id, executor) = (place.partition_id?, place.executor_meta?.id);
                self.file(&(executor, id.stage_id as usize, id.partition_id as usize, place.file_id)).cloned()
            });
            Some(together(&files.collect::<Option<Vec<_>>>()?))
        };
        let Some(made) = fetched(last_locations(told.clone()).into_values().collect()) else {
            return Ok(Some(End::InVain));
        };
        let made_by_all = fetched(told).unwrap_or_default();
        Ok(Some(End::Answer(Answer { made, made_by_all, is_tainted: self.play.is_tainted().await? })))
    }
}

fn together(parts: &[Made]) -> Made {
    let mut all = Made::new();
    for (way, count) in parts.iter().flatten() {
        *all.entry(way.clone()).or_default() += count;
    }
    all
}

/// What goes to one output of a shuffle.
fn spread(made: &Made, output: usize) -> Made {
    made.iter().map(|(way, count)| (way.iter().copied().chain([output]).collect(), *count)).collect()
}

fn failure(is_counted: bool, reason: FailedReason) -> FailedTask {
    let error = "as the test wants it".to_string();
    FailedTask { error, retryable: true, count_to_failures: is_counted, failed_reason: Some(reason) }
}

/// What was seen in many rounds.
#[derive(Debug, Default)]
struct Seen {
    believed: usize,
    /// Answers that would have been wrong without each of the guards.
    doubled_by_places: usize,
    doubled_in_the_middle: usize,
    in_vain: usize,
    stood_still: usize,
}

async fn rounds(sql: &str) -> TestResult<Seen> {
    let plan = plan(sql).await?;
    let End::Answer(Answer { made: expected, .. }) = World::new(&plan, 1, 0).await?.play_to_the_end().await? else {
        return Err(format!("{sql}: no answer without losses").into());
    };
    assert!(expected.len() > 5 && expected.values().all(|count| *count > 0), "{sql}: {expected:?}");
    let mut seen = Seen::default();
    for seed in 1..=ROUNDS {
        match World::new(&plan, seed, DEATHS_MAX).await?.play_to_the_end().await? {
            End::Answer(answer) if answer.is_tainted => {
                seen.doubled_in_the_middle += usize::from(answer.made != expected);
            }
            End::Answer(answer) => {
                assert_eq!(answer.made, expected, "{sql}, seed {seed}");
                seen.believed += 1;
                seen.doubled_by_places += usize::from(answer.made_by_all != expected);
            }
            End::InVain => seen.in_vain += 1,
            End::StandsStill { is_known } => {
                assert!(is_known, "{sql}, seed {seed}: nobody would see that it stands still");
                seen.stood_still += 1;
            }
        }
    }
    Ok(seen)
}

#[tokio::test]
async fn answers_that_are_believed_were_counted_once() -> TestResult {
    let (mut by_places, mut in_the_middle) = (0, 0);
    for sql in [SUM_SQL, GROUPS_SQL, NESTED_SQL, DEEP_SQL, JOIN_SQL] {
        let seen = rounds(sql).await?;
        println!("{sql}: {seen:?}");
        assert!(seen.believed > 0, "{sql}: {seen:?}");
        by_places += seen.doubled_by_places;
        in_the_middle += seen.doubled_in_the_middle;
    }
    // Otherwise the guards would have had nothing to do.
    assert!(by_places > 0 && in_the_middle > 0, "{by_places} and {in_the_middle}");
    Ok(())
}

/// When this fails, Ballista has been mended, and the guard may go.
#[tokio::test]
async fn ballista_alone_lets_jobs_stand_still() -> TestResult {
    let plan = plan(DEEP_SQL).await?;
    for seed in 1..=ROUNDS_UNTIL_STILL {
        if let End::StandsStill { is_known } = World::new(&plan, seed, DEATHS_MAX).await?.play_to_the_end().await? {
            assert!(is_known, "seed {seed}: nobody would see that it stands still");
            return Ok(());
        }
    }
    Err(format!("none of {ROUNDS_UNTIL_STILL} jobs stood still").into())
}
