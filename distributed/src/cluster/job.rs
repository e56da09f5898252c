//! One physical plan as a job: submitted in this process, waited for, believed only if nothing was counted twice.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ballista_core::JobId;
use ballista_core::serde::protobuf::job_status::Status;
use ballista_core::serde::protobuf::{JobStatus, PartitionLocation, SuccessfulJob};
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::AsExecutionPlan;
use datafusion_proto::protobuf::PhysicalPlanNode;
use quarray_engine::queries::RunningQuery;
use tokio::sync::mpsc;

use super::MESSAGE_BYTES_MAX;
use super::error::ClusterError;
use super::leftovers::clear_away;
use super::measured::JobSummary;
use super::outputs::{holders, is_tainted, last_locations};
use super::recorded;
use super::scheduler::Scheduler;
use super::standstill::standstill;
use super::task_failure::heard;

/// A job runs at most so often.
const TRIES_MAX: usize = 5;

/// News of a job that may wait to be read; the scheduler throws away what is more.
const NEWS: usize = 1024;

/// A finished job's graph comes a moment after the news that it has finished; it is waited for so long.
const GRAPH_PATIENCE: Duration = Duration::from_secs(5);

/// What Ballista tells of a job that was cancelled.
const CANCELLED: &str = "Cancelled";

/// A message has this much room for what is not the plan.
const MESSAGE_ROOM: usize = 4 << 20;

/// Planning stages is a matter of milliseconds.
const PLANNING_PATIENCE: Duration = Duration::from_secs(60);

/// How often a job that is still being planned is looked at before it is cancelled.
const PLANNING_POLL: Duration = Duration::from_millis(5);

/// A plan on its way to executors.
#[derive(Debug, Clone)]
pub struct Order {
    /// The scheduler that it is given to.
    pub scheduler: Arc<Scheduler>,
    /// The plan.
    pub plan: Arc<dyn ExecutionPlan>,
    /// The session's settings, memory and name.
    pub context: Arc<TaskContext>,
    /// Counted as a use of the cluster for as long as somebody waits for the result or reads it.
    pub in_use: Option<Arc<()>>,
}

/// How often an order was tried, and what ended the last try.
#[derive(Debug, Default)]
pub struct Tries {
    count: usize,
    last: String,
}

impl Tries {
    /// How often it was tried.
    pub fn count(&self) -> usize {
        self.count
    }

    /// One more try is needed, for this reason.
    pub fn again(&mut self, reason: String) {
        self.last = reason;
    }

    fn begin(&mut self) -> Result<(), ClusterError> {
        if self.count == TRIES_MAX {
            return Err(ClusterError::Unreliable { tries: TRIES_MAX, last: self.last.clone() });
        }
        self.count += 1;
        Ok(())
    }
}

/// A job whose result waits to be fetched. What it holds on executors is removed when this is dropped.
pub struct FinishedJob {
    /// Where the result's partitions lie; those without rows may be missing.
    pub locations: BTreeMap<u32, PartitionLocation>,
    graph: ExecutionGraphBox,
    _job: Job,
}

impl FinishedJob {
    /// What it did.
    pub fn summary(&self) -> JobSummary {
        JobSummary::of(self.graph.as_ref())
    }

    /// The rows of its result.
    pub fn rows(&self) -> u64 {
        let statistics = self.locations.values().filter_map(|location| location.partition_stats.as_ref());
        statistics.filter_map(|statistics| u64::try_from(statistics.num_rows).ok()).sum()
    }
}

impl fmt::Debug for FinishedJob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FinishedJob").field("locations", &self.locations.len()).finish_non_exhaustive()
    }
}

/// Why a try ended.
enum Ending {
    /// By a loss that the next try may not meet.
    Lost(String),
    /// For good.
    Failed(ClusterError),
}

impl Ending {
    /// The end of a job that has failed with this text, by whether executors were lost meanwhile and whether none is left.
    fn of(message: String, has_lost: bool, is_alone: bool) -> Self {
        let failure = heard(&message);
        // Rows break off when their sender is lost: that may be heard before the loss itself is.
        let has_lost = has_lost || matches!(failure, ClusterError::Broken(_));
        match (has_lost, is_alone) {
            // Whoever has cancelled it does not want it to run again, whatever else came to pass.
            _ if message == CANCELLED => Self::Failed(failure),
            (true, true) => Self::Failed(ClusterError::NoExecutors),
            // In the words of whoever failed: the text itself has the marks of its sender.
            (true, false) => Self::Lost(failure.to_string()),
            (false, _) => Self::Failed(failure),
        }
    }
}

impl From<ClusterError> for Ending {
    fn from(error: ClusterError) -> Self {
        Self::Failed(error)
    }
}

impl Order {
    /// Runs the plan until there is a result that can be believed.
    pub async fn compute(&self, tries: &mut Tries) -> Result<FinishedJob, ClusterError> {
        self.check_size()?;
        loop {
            tries.begin()?;
            match self.attempt().await {
                Ok(finished) => return Ok(finished),
                Err(Ending::Lost(reason)) => tries.again(reason),
                Err(Ending::Failed(error)) => return Err(error),
            }
        }
    }

    async fn attempt(&self) -> Result<FinishedJob, Ending> {
        let departures = self.scheduler.state().departures();
        let (sender, news) = mpsc::channel(NEWS);
        let mut job = self.submit(sender).await?;
        let ended = tokio::select! {
            ended = wait(news) => ended?,
            () = standstill(&self.scheduler, &job.id) => {
                return Err(Ending::Lost("its stages had lost track of each other".to_string()));
            }
        };
        job.standing = if ended.is_ok() { Standing::Done } else { Standing::GivenUp };
        match ended {
            Ok(success) => self.finish(job, success).await,
            Err(message) => {
                let has_lost = self.scheduler.state().departures() != departures;
                let is_alone = self.scheduler.state().executors().await.is_empty();
                Err(Ending::of(message, has_lost, is_alone))
            }
        }
    }

    async fn submit(&self, news: mpsc::Sender<JobStatus>) -> Result<Job, ClusterError> {
        let config = self.context.session_config().clone();
        let session = self.scheduler.session(config, &self.context.session_id());
        let plan = Arc::clone(&self.plan);
        let server = &self.scheduler.server;
        let id = server.submit_physical_plan("query", session, plan, Some(news)).await?;
        self.scheduler.job_counts().note_begun();
        if let Some(query) = self.query() {
            query.add_job(id.as_ref());
        }
        Ok(Job { scheduler: Arc::clone(&self.scheduler), id, standing: Standing::Runs })
    }

    async fn finish(&self, job: Job, success: SuccessfulJob) -> Result<FinishedJob, Ending> {
        let graph = self.scheduler.finished_graph(&job.id, GRAPH_PATIENCE).await;
        if let Some(graph) = &graph {
            self.scheduler.observer().tell(&job.id, graph.as_ref());
        }
        // A job that cannot be looked at cannot be believed.
        let Some(graph) = graph.filter(|graph| !is_tainted(graph.as_ref())) else {
            self.scheduler.job_counts().note_distrusted();
            return Err(Ending::Lost("a part of the query ran again and may have counted twice".to_string()));
        };
        if let Some(query) = self.query() {
            recorded::tell(&query, graph.as_ref());
        }
        let locations = last_locations(success.partition_location);
        self.scheduler.hold_result(&job.id, holders(locations.values()));
        Ok(FinishedJob { locations, graph, _job: job })
    }

    /// The query that the plan is run for, where it is one of a session.
    fn query(&self) -> Option<Arc<RunningQuery>> {
        self.context.session_config().get_extension::<RunningQuery>()
    }

    /// Refuses a plan that no message could carry. The scheduler would take the failure for one of its executors'.
    fn check_size(&self) -> Result<(), ClusterError> {
        let plan = PhysicalPlanNode::try_from_physical_plan(Arc::clone(&self.plan), self.scheduler.codec.as_ref())?;
        let mut encoded = Vec::new();
        plan.try_encode(&mut encoded)?;
        let limit = MESSAGE_BYTES_MAX as usize - MESSAGE_ROOM;
        match encoded.len() {
            found if found > limit => Err(ClusterError::PlanTooLarge { found, limit }),
            _ => Ok(()),
        }
    }
}

/// Waits for the end of a job: its result, or what is told of its failure.
async fn wait(mut news: mpsc::Receiver<JobStatus>) -> Result<Result<SuccessfulJob, String>, ClusterError> {
    while let Some(status) = news.recv().await {
        match status.status {
            Some(Status::Successful(success)) => return Ok(Ok(success)),
            Some(Status::Failed(failed)) => return Ok(Err(failed.error)),
            Some(Status::Queued(_) | Status::Running(_)) | None => {}
        }
    }
    Err(ClusterError::Closed)
}

/// A job that was submitted. Dropping it cancels it, if it runs, and removes what it has left.
#[derive(Debug)]
struct Job {
    scheduler: Arc<Scheduler>,
    id: JobId,
    standing: Standing,
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Runs,
    /// It has failed or was cancelled; some of its tasks may still be at work.
    GivenUp,
    Done,
}

impl Drop for Job {
    fn drop(&mut self) {
        let (scheduler, id) = (Arc::clone(&self.scheduler), self.id.clone());
        match self.standing {
            Standing::Done => self.scheduler.forget(&self.id),
            Standing::GivenUp => drop(self.scheduler.threads.spawn(clear_away(Arc::downgrade(&scheduler), id))),
            Standing::Runs => drop(self.scheduler.threads.spawn(async move {
                cancel(&scheduler, &id).await;
                let weak = Arc::downgrade(&scheduler);
                // Nothing that is still to be cleared away keeps the scheduler.
                drop(scheduler);
                clear_away(weak, id).await;
            })),
        }
    }
}

/// Cancels a job, which cannot be done before it is planned.
async fn cancel(scheduler: &Scheduler, id: &JobId) {
    let is_planned = async {
        while scheduler.is_unplanned(id).await {
            tokio::time::sleep(PLANNING_POLL).await;
        }
    };
    // Whether it was planned in this time or not, cancelling is all that can be done.
    let _ = tokio::time::timeout(PLANNING_PATIENCE, is_planned).await;
    // It fails only when the scheduler has ended, and its jobs with it.
    let _ = scheduler.server.cancel_job(id.clone()).await;
}

#[cfg(test)]
mod tests {
    use arrow::error::ArrowError;
    use ballista_core::error::BallistaError;
    use ballista_core::serde::protobuf::FailedTask;
    use datafusion::error::DataFusionError;

    use super::super::task_failure::told;
    use super::*;

    #[test]
    fn a_failure_is_tried_again_where_something_was_lost() {
        let text = "no such column".to_string();
        assert!(matches!(Ending::of(text.clone(), false, false), Ending::Failed(ClusterError::Failed(_))));
        assert!(matches!(Ending::of(text.clone(), true, false), Ending::Lost(_)));
        assert!(matches!(Ending::of(text, true, true), Ending::Failed(ClusterError::NoExecutors)));
        assert!(matches!(Ending::of(CANCELLED.to_string(), true, false), Ending::Failed(_)));
    }

    /// The sender of rows is killed: what reads them fails before anybody has counted the loss.
    #[test]
    fn rows_that_broke_off_tell_of_a_loss_that_is_not_yet_counted() {
        let broken = ArrowError::IpcError("stream closed because of a broken pipe".to_string());
        let told = told(DataFusionError::ArrowError(Box::new(broken), None));
        let failed = FailedTask::from(BallistaError::DataFusionError(Box::new(told)));
        let ending = Ending::of(failed.error, false, false);
        let has_words = |reason: &str| reason.ends_with("a broken pipe") && !reason.contains(char::is_control);
        assert!(matches!(ending, Ending::Lost(reason) if has_words(&reason)));
    }
}
