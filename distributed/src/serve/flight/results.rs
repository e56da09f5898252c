//! Results that wait to be fetched: a ticket may be redeemed again for as long as its result is kept.
//!
//! A result that is small stays in memory once it has been sent, while there is room; a query with a larger one runs again;
//! what has changed something, or told of a moment, does not. Blocks are all there before anyone asks for them: until then
//! they count as their query's.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parking_lot::Mutex;
use quarray_engine::Rows;
use tokio::task::AbortHandle;
use tonic::Status;

use super::blocks::Blocks;
use super::kept::{KeptBytes, Room};
use super::options::ResultForm;
use super::statement::Statement;
use crate::serve::random::random_name;

/// Results of a session that are kept. Of more, the oldest are dropped.
const RESULTS_MAX: usize = 16;

/// A result stays for so long after its statement ran, or was renewed.
pub(super) const RESULT_AGE_MAX: Duration = Duration::from_secs(600);

/// Bytes of a result that is kept once it has been sent.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// The results of a session.
pub(in crate::serve) struct Results {
    kept: Arc<KeptBytes>,
    by_age: Mutex<VecDeque<Arc<SessionResult>>>,
}

/// The result of a statement.
pub(in crate::serve) struct SessionResult {
    /// What it is known by in the session.
    pub(super) name: String,
    /// The schema that was told, and that rows have.
    pub(super) schema: SchemaRef,
    /// Whether rows are sent as they come, or as arrays.
    pub(super) form: ResultForm,
    /// The statement, if it may run again.
    pub(super) again: Option<Statement>,
    kept: Arc<KeptBytes>,
    state: Mutex<ResultState>,
    running: Mutex<Vec<AbortHandle>>,
    until: Mutex<Instant>,
}

enum ResultState {
    /// Rows that nobody has asked for yet.
    Waiting(Box<Rows>),
    /// Blocks that nobody has asked for yet.
    Made(Blocks),
    /// All there is, and the room for it where it has been sent.
    Kept { batches: Arc<[RecordBatch]>, _room: Option<Room> },
    /// The rows were sent, and are too many to be kept.
    Sent,
    /// Someone has cancelled it.
    Cancelled,
}

/// What a ticket is redeemed for.
pub(super) enum Redeemed {
    /// Rows as they are made.
    Rows(Box<Rows>),
    /// Blocks that were made when the statement ran.
    Blocks(Blocks),
    /// Batches as they were sent before.
    Batches(Arc<[RecordBatch]>),
    /// The statement has to run again.
    Again(Statement),
}

/// Batches on their way out that may be kept.
pub(in crate::serve) struct Keeping {
    result: Arc<SessionResult>,
    batches: Option<Vec<RecordBatch>>,
    bytes: usize,
}

impl Results {
    /// None yet. What has been sent finds room in `kept`.
    pub(in crate::serve) fn new(kept: &Arc<KeptBytes>) -> Self {
        Self { kept: Arc::clone(kept), by_age: Mutex::default() }
    }

    /// Keeps rows until they are fetched.
    pub(super) fn wait(
        &self,
        rows: Rows,
        schema: SchemaRef,
        again: Option<Statement>,
    ) -> Result<Arc<SessionResult>, Status> {
        self.add(ResultState::Waiting(Box::new(rows)), (schema, ResultForm::Rows), again)
    }

    /// Keeps blocks until they are fetched.
    pub(super) fn wait_made(&self, blocks: Blocks, again: Option<Statement>) -> Result<Arc<SessionResult>, Status> {
        let schema = SchemaRef::clone(&blocks.schema);
        self.add(ResultState::Made(blocks), (schema, ResultForm::Blocks), again)
    }

    /// Keeps batches that are all there, and are but what tells of a statement.
    pub(super) fn keep(&self, batches: Vec<RecordBatch>, schema: SchemaRef) -> Result<Arc<SessionResult>, Status> {
        self.add(ResultState::Kept { batches: batches.into(), _room: None }, (schema, ResultForm::Rows), None)
    }

    fn add(
        &self,
        state: ResultState,
        (schema, form): (SchemaRef, ResultForm),
        again: Option<Statement>,
    ) -> Result<Arc<SessionResult>, Status> {
        let name = random_name().map_err(|error| Status::internal(format!("cannot name a result: {error}")))?;
        let result = Arc::new(SessionResult {
            name,
            schema,
            form,
            again,
            kept: Arc::clone(&self.kept),
            state: Mutex::new(state),
            running: Mutex::default(),
            until: Mutex::new(Instant::now() + RESULT_AGE_MAX),
        });
        let mut by_age = self.by_age.lock();
        let oldest = if by_age.len() >= RESULTS_MAX { by_age.pop_front() } else { None };
        by_age.push_back(Arc::clone(&result));
        drop(by_age);
        // Out of the lock: rows take their time to go.
        drop(oldest);
        Ok(result)
    }

    /// The result of that name.
    pub(super) fn get(&self, name: &str) -> Result<Arc<SessionResult>, Status> {
        let by_age = self.by_age.lock();
        let found = by_age.iter().find(|result| result.name == name && !result.has_expired());
        found.cloned().ok_or_else(|| {
            let reason = "it waited too long, or the session has run many statements since";
            Status::not_found(format!("no such result: {reason}"))
        })
    }

    /// Drops what nobody has fetched in time.
    pub(in crate::serve) fn drop_expired(&self) {
        let mut expired = Vec::new();
        self.by_age.lock().retain(|result| {
            let has_expired = result.has_expired();
            if has_expired {
                expired.push(Arc::clone(result));
            }
            !has_expired
        });
        drop(expired);
    }
}

impl SessionResult {
    /// Whether its rows are there, and nothing has to run for them.
    pub(super) fn is_kept(&self) -> bool {
        matches!(&*self.state.lock(), ResultState::Kept { .. } | ResultState::Made(_))
    }

    /// What a ticket stands for.
    pub(super) fn redeem(&self) -> Result<Redeemed, Status> {
        let mut state = self.state.lock();
        match &*state {
            ResultState::Cancelled => return Err(Status::cancelled("the query was cancelled")),
            ResultState::Kept { batches, .. } => return Ok(Redeemed::Batches(Arc::clone(batches))),
            ResultState::Sent => {
                return self.again.clone().map(Redeemed::Again).ok_or_else(|| {
                    Status::not_found("the result was fetched already, and its statement runs but once")
                });
            }
            ResultState::Waiting(_) | ResultState::Made(_) => {}
        }
        match std::mem::replace(&mut *state, ResultState::Sent) {
            ResultState::Waiting(rows) => Ok(Redeemed::Rows(rows)),
            ResultState::Made(blocks) => {
                let bytes = blocks.memory.size();
                let room = if bytes <= KEPT_BYTES_MAX { self.kept.room(bytes) } else { None };
                if room.is_some() {
                    *state = ResultState::Kept { batches: Arc::from([blocks.batch.clone()]), _room: room };
                }
                Ok(Redeemed::Blocks(blocks))
            }
            _ => Err(Status::internal("a result that waited is gone")),
        }
    }

    /// Ends whatever makes or sends its rows.
    pub(super) fn cancel(&self) {
        let before = std::mem::replace(&mut *self.state.lock(), ResultState::Cancelled);
        drop(before);
        self.running.lock().drain(..).for_each(|running| running.abort());
    }

    /// Notes work that is done for it; it ends at once if the result has been cancelled meanwhile.
    pub(in crate::serve) fn runs(&self, work: AbortHandle) {
        let mut running = self.running.lock();
        running.retain(|work| !work.is_finished());
        if matches!(&*self.state.lock(), ResultState::Cancelled) {
            work.abort();
        }
        running.push(work);
    }

    /// Lets it stay for as long again.
    pub(super) fn renew(&self) {
        *self.until.lock() = Instant::now() + RESULT_AGE_MAX;
    }

    fn has_expired(&self) -> bool {
        *self.until.lock() < Instant::now()
    }
}

impl Keeping {
    /// Nothing yet.
    pub(super) fn new(result: Arc<SessionResult>) -> Self {
        Self { result, batches: Some(Vec::new()), bytes: 0 }
    }

    /// The result that is kept.
    pub(in crate::serve) fn result(&self) -> &SessionResult {
        &self.result
    }

    /// Notes a batch that is sent.
    pub(in crate::serve) fn note(&mut self, batch: &RecordBatch) {
        self.bytes = self.bytes.saturating_add(batch.get_array_memory_size());
        match &mut self.batches {
            Some(batches) if self.bytes <= KEPT_BYTES_MAX => batches.push(batch.clone()),
            // Too much: what was noted is let go.
            batches => *batches = None,
        }
    }

    /// All has been sent.
    pub(in crate::serve) fn end(self) {
        let room = self.result.kept.room(self.bytes);
        if let (Some(batches), Some(room)) = (self.batches, room) {
            let mut state = self.result.state.lock();
            if matches!(&*state, ResultState::Sent) {
                *state = ResultState::Kept { batches: batches.into(), _room: Some(room) };
            }
        }
    }
}
