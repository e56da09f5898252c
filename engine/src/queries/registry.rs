//! The statements of a process: all that run, the last that have ended.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use datafusion::physical_plan::ExecutionPlan;
use futures::future::AbortRegistration;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use super::log::{QueryLog, QueryLogError, QueryLogSettings};
use super::names::come_after;
use super::record::QueryRecord;
use super::running::{QueryStart, Recording, RunningQuery};
use super::totals::QueryTotals;

/// Statements that are remembered after their end.
const RECENT_MAX: usize = 1000;

/// News that a subscriber may be late by; of more, the oldest are lost to it.
const NEWS: usize = 256;

/// That a statement has begun or ended.
#[derive(Debug, Clone)]
pub enum QueryEvent {
    /// It has begun.
    Began(Arc<QueryRecord>),
    /// It has ended.
    Ended(Arc<QueryRecord>),
}

/// The statements of a process, or of one session.
pub struct QueryRegistry {
    running: Mutex<BTreeMap<String, Arc<RunningQuery>>>,
    ended: Mutex<Ended>,
    sessions: AtomicU64,
    events: broadcast::Sender<QueryEvent>,
    log: Option<QueryLog>,
    /// The address of the pages about them.
    pages: OnceLock<String>,
}

/// What has ended.
#[derive(Default)]
struct Ended {
    /// The last of them, the latest last.
    recent: VecDeque<Arc<QueryRecord>>,
    totals: QueryTotals,
}

impl Default for QueryRegistry {
    fn default() -> Self {
        let (events, _) = broadcast::channel(NEWS);
        Self {
            running: Mutex::default(),
            ended: Mutex::default(),
            sessions: AtomicU64::new(0),
            events,
            log: None,
            pages: OnceLock::new(),
        }
    }
}

impl QueryRegistry {
    /// No statements yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Those of the log, whose statements are written there from now on.
    pub fn logged(settings: &QueryLogSettings) -> Result<Arc<Self>, QueryLogError> {
        let (log, last) = QueryLog::open(settings, RECENT_MAX)?;
        if let Some(latest) = last.iter().map(|record| record.id.as_str()).max() {
            come_after(latest);
        }
        let recent = last.into_iter().map(Arc::new).collect();
        let ended = Mutex::new(Ended { recent, totals: QueryTotals::default() });
        Ok(Arc::new(Self { ended, log: Some(log), ..Self::default() }))
    }

    /// Records that the log has lost, since the disk was full or slow.
    pub fn lost_records(&self) -> u64 {
        self.log.as_ref().map_or(0, QueryLog::lost)
    }

    /// The statements that run, in the order of their beginning; without what their operators did.
    pub fn running(&self) -> Vec<QueryRecord> {
        let running: Vec<Arc<RunningQuery>> = self.running.lock().values().cloned().collect();
        running.iter().map(|query| query.record(false)).collect()
    }

    /// The statements that have ended, the latest end first; so many of them at most.
    pub fn recent(&self, limit: usize) -> Vec<Arc<QueryRecord>> {
        self.ended.lock().recent.iter().rev().take(limit).cloned().collect()
    }

    /// How many statements run.
    pub fn running_count(&self) -> usize {
        self.running.lock().len()
    }

    /// A statement, whether it runs or has ended, with what its operators have done so far.
    pub fn get(&self, id: &str) -> Option<Arc<QueryRecord>> {
        if let Some(query) = self.query(id) {
            return Some(Arc::new(query.record(true)));
        }
        self.ended.lock().recent.iter().rev().find(|record| record.id == id).cloned()
    }

    /// A statement that runs.
    pub fn query(&self, id: &str) -> Option<Arc<RunningQuery>> {
        self.running.lock().get(id).cloned()
    }

    /// The statement that a session runs; of several, the latest.
    pub fn latest_of(&self, session: &str) -> Option<Arc<RunningQuery>> {
        self.running.lock().values().rev().find(|query| query.session() == session).cloned()
    }

    /// Pages about these statements are at this address, which ends in `/`. The first one told of stays.
    pub fn shown_at(&self, link: &str) {
        let _ = self.pages.set(link.to_string());
    }

    /// The address of the page about a statement, where there are pages.
    pub fn page_of(&self, id: &str) -> Option<String> {
        self.pages.get().map(|link| format!("{link}query/{id}"))
    }

    /// The plan that a statement runs at the moment.
    pub fn plan(&self, id: &str) -> Option<Arc<dyn ExecutionPlan>> {
        self.query(id)?.plan()
    }

    /// News of statements that begin and end from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<QueryEvent> {
        self.events.subscribe()
    }

    /// Cancels a statement. `false`: none of that name runs.
    pub fn cancel(&self, id: &str) -> bool {
        self.query(id).map(|query| query.cancel()).is_some()
    }

    /// How many statements have ended since the beginning of the process, and how.
    pub fn totals(&self) -> QueryTotals {
        self.ended.lock().totals.clone()
    }

    /// Sessions that there are at the moment.
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// A statement begins.
    pub(crate) fn begin(self: &Arc<Self>, start: &QueryStart<'_>) -> (Recording, AbortRegistration) {
        let (recording, registration) = Recording::begin(self, start);
        let query = recording.query();
        self.running.lock().insert(query.id().to_string(), Arc::clone(query));
        if self.events.receiver_count() > 0 {
            // Nobody may be listening any more.
            let _ = self.events.send(QueryEvent::Began(Arc::new(query.record(false))));
        }
        (recording, registration)
    }

    /// A statement has ended.
    pub(super) fn ended(&self, record: QueryRecord) {
        let record = Arc::new(record);
        let forgotten = {
            let mut ended = self.ended.lock();
            ended.totals.add(record.state, record.seconds);
            ended.recent.push_back(Arc::clone(&record));
            if ended.recent.len() > RECENT_MAX { ended.recent.pop_front() } else { None }
        };
        // Only now: whoever looks finds it among those that run or among those that have ended.
        let query = self.running.lock().remove(&record.id);
        drop((forgotten, query));
        if let Some(log) = &self.log {
            log.append(&record);
        }
        // Nobody may be listening.
        let _ = self.events.send(QueryEvent::Ended(record));
    }

    /// One more session, until that is dropped.
    pub(crate) fn open_session(self: &Arc<Self>) -> OpenSession {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        OpenSession(Arc::clone(self))
    }
}

impl fmt::Debug for QueryRegistry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("QueryRegistry").field("running", &self.running.lock().len()).finish_non_exhaustive()
    }
}

/// A session that is counted.
pub(crate) struct OpenSession(Arc<QueryRegistry>);

impl OpenSession {
    /// The statements of the session and of those beside it.
    pub(crate) fn registry(&self) -> &Arc<QueryRegistry> {
        &self.0
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}
