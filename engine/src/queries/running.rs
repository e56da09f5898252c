//! A statement that runs: what it counts, how it is cancelled, and what becomes of it in the end.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Weak};
use std::time::{Instant, SystemTime};

use datafusion::physical_plan::ExecutionPlan;
use futures::future::{AbortHandle, Abortable};
use parking_lot::Mutex;

use super::names::next_name;
use super::plan_summary::{PlanSummary, cut};
use super::record::{QueryRecord, QueryState};
use super::recorded_stream::GivenRows;
use super::redaction::{Redacted, redact};
use super::registry::QueryRegistry;
use crate::error::Error;
use crate::progress::Progress;

/// Bytes of a text that are kept.
const TEXT_BYTES_MAX: usize = 8 << 10;

/// Bytes of an error that are kept.
const ERROR_BYTES_MAX: usize = 2 << 10;

/// Plans of one statement that are kept, and jobs: the latest.
const PLANS_MAX: usize = 32;
const JOBS_MAX: usize = 32;

/// What is known of a statement before it begins.
#[derive(Debug, Clone, Copy)]
pub struct QueryStart<'a> {
    /// What it says, secrets and all.
    pub text: &'a str,
    /// Whose it is.
    pub user: &'a str,
    /// The session that it belongs to.
    pub session: &'a str,
    /// Where its plan will run.
    pub place: &'a str,
}

/// A statement that was cancelled, as an error of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the query was cancelled")]
pub struct QueryCancelled;

/// A statement that has begun. Operators find it in the settings of their task (an extension of its configuration), as they
/// do its [`Progress`]: those who run a plan elsewhere tell there what they know of it.
pub struct RunningQuery {
    id: String,
    text: Redacted,
    user: String,
    session: String,
    started: SystemTime,
    began: Instant,
    progress: Arc<Progress>,
    has_plan: AtomicBool,
    rows: AtomicU64,
    bytes: AtomicU64,
    cancel: AbortHandle,
    is_over: AtomicBool,
    registry: Weak<QueryRegistry>,
    details: Mutex<Details>,
}

/// What changes seldom.
#[derive(Default)]
struct Details {
    place: String,
    plans: Vec<Arc<dyn ExecutionPlan>>,
    /// What was told of a plan that runs elsewhere.
    told: Option<PlanSummary>,
    jobs: Vec<String>,
    /// The rows that wait to be read.
    given: Weak<GivenRows>,
}

impl RunningQuery {
    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose it is; empty where nobody was asked.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The session that it belongs to.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The address of the page about it, where there is one.
    pub fn page(&self) -> Option<String> {
        self.registry.upgrade()?.page_of(&self.id)
    }

    /// Its counters.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Its plan runs from now on, after those that were told before.
    pub fn runs(&self, plan: &Arc<dyn ExecutionPlan>, place: &str) {
        let mut details = self.details.lock();
        if details.plans.len() == PLANS_MAX {
            details.plans.remove(0);
        }
        details.plans.push(Arc::clone(plan));
        if details.place != place {
            details.place = place.to_string();
        }
        self.has_plan.store(true, Ordering::Release);
    }

    /// A cluster runs this job for it.
    pub fn add_job(&self, job: &str) {
        let jobs = &mut self.details.lock().jobs;
        if jobs.len() == JOBS_MAX {
            jobs.remove(0);
        }
        jobs.push(job.to_string());
    }

    /// What the operators of its plan did elsewhere: in place of what they tell themselves, who have not run here.
    pub fn tell_plan(&self, summary: PlanSummary) {
        self.details.lock().told = Some(summary);
    }

    /// A text about it, without the secrets of its own text.
    pub fn clean(&self, text: &str) -> String {
        self.text.clean(text)
    }

    /// The plan that runs: the latest.
    pub fn plan(&self) -> Option<Arc<dyn ExecutionPlan>> {
        self.details.lock().plans.last().cloned()
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_aborted()
    }

    /// Ends it, whatever it is doing, and lets go of what it holds: at the latest when it comes up for air.
    pub fn cancel(&self) {
        self.cancel.abort();
        fence(Ordering::SeqCst);
        let given = self.details.lock().given.upgrade();
        if let Some(given) = given {
            // A reader who reads at this moment ends it itself; one who does not may never come back.
            if given.let_go() {
                self.end(QueryState::Cancelled, None);
            }
        }
    }

    fn end(&self, state: QueryState, error: Option<String>) {
        if self.is_over.swap(true, Ordering::AcqRel) {
            return;
        }
        let record = self.record_as(state, error, true);
        {
            // What a plan holds goes with the statement, even where somebody still looks at it.
            let mut details = self.details.lock();
            details.plans = Vec::new();
            details.given = Weak::new();
        }
        if let Some(registry) = self.registry.upgrade() {
            registry.ended(record);
        }
    }

    /// How it is now; with what its operators did, if that is wanted.
    pub fn record(&self, with_plan: bool) -> QueryRecord {
        let state = if self.has_plan.load(Ordering::Acquire) { QueryState::Running } else { QueryState::Planning };
        self.record_as(state, None, with_plan)
    }

    fn record_as(&self, state: QueryState, error: Option<String>, with_plan: bool) -> QueryRecord {
        let (place, jobs) = {
            let details = self.details.lock();
            (details.place.clone(), details.jobs.clone())
        };
        QueryRecord {
            id: self.id.clone(),
            text: self.text.beginning(TEXT_BYTES_MAX),
            user: self.user.clone(),
            session: self.session.clone(),
            place,
            started: self.started,
            state,
            seconds: self.began.elapsed().as_secs_f64(),
            rows: self.rows.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            progress: self.progress.snapshot(),
            error,
            jobs,
            plan: if with_plan { self.plan_summary().map(Arc::new) } else { None },
        }
    }

    fn plan_summary(&self) -> Option<PlanSummary> {
        let (plans, told) = {
            let details = self.details.lock();
            (details.plans.clone(), details.told.clone())
        };
        let clean = |text: &str| self.clean(text);
        let own = || plans.iter().map(|plan| PlanSummary::of(plan.as_ref(), &clean)).collect();
        told.or_else(|| PlanSummary::of_several("Plans", own()))
    }
}

impl fmt::Debug for RunningQuery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RunningQuery").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The record of a statement that has begun, in the hands of who runs it. Dropped before its end, the statement was
/// cancelled.
pub(crate) struct Recording {
    query: Arc<RunningQuery>,
    /// Where the record is to go in the end.
    _registry: Arc<QueryRegistry>,
}

impl Recording {
    /// A statement begins; and the way to cancel its work.
    pub(super) fn begin(
        registry: &Arc<QueryRegistry>,
        start: &QueryStart<'_>,
    ) -> (Self, futures::future::AbortRegistration) {
        let (cancel, registration) = AbortHandle::new_pair();
        let query = RunningQuery {
            id: next_name(),
            text: redact(start.text),
            user: start.user.to_string(),
            session: start.session.to_string(),
            started: SystemTime::now(),
            began: Instant::now(),
            progress: Arc::default(),
            has_plan: AtomicBool::new(false),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            cancel,
            is_over: AtomicBool::new(false),
            registry: Arc::downgrade(registry),
            details: Mutex::new(Details { place: start.place.to_string(), ..Details::default() }),
        };
        let recording = Self { query: Arc::new(query), _registry: Arc::clone(registry) };
        (recording, registration)
    }

    /// The statement.
    pub(crate) fn query(&self) -> &Arc<RunningQuery> {
        &self.query
    }

    /// Its rows wait here from now on.
    pub(super) fn gives(&self, given: &Arc<GivenRows>) {
        self.query.details.lock().given = Arc::downgrade(given);
    }

    /// Rows were read.
    pub(super) fn add(&self, rows: usize, bytes: usize) {
        self.query.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.query.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// It has ended well.
    pub(crate) fn done(&mut self) {
        self.end(QueryState::Done, None);
    }

    /// It has ended with an error.
    pub(crate) fn failed(&mut self, error: &Error) {
        match error {
            Error::Cancelled => self.end(QueryState::Cancelled, None),
            error => self.failed_with(&error.to_string()),
        }
    }

    /// It has ended with this message.
    fn failed_with(&mut self, message: &str) {
        let message = cut(&self.query.text.clean(message), ERROR_BYTES_MAX);
        self.end(QueryState::Failed, Some(message));
    }

    /// It was cancelled, or nobody wants its rows any more.
    pub(super) fn cancelled(&mut self) {
        self.end(QueryState::Cancelled, None);
    }

    fn end(&mut self, state: QueryState, error: Option<String>) {
        self.query.end(state, error);
    }

    /// Work that ends when the statement is cancelled.
    pub(crate) async fn watch<T>(
        work: impl Future<Output = Result<T, Error>>,
        registration: futures::future::AbortRegistration,
    ) -> Result<T, Error> {
        Abortable::new(work, registration).await.unwrap_or(Err(Error::Cancelled))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.cancelled();
    }
}
