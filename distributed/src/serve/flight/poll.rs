//! Statements that are asked about while they run: `PollFlightInfo`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_flight::sql::Any;
use arrow_flight::{FlightDescriptor, FlightInfo, PollInfo};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use prost::Message;
use prost::bytes::Bytes;
use tokio::task::AbortHandle;
use tonic::Status;

use super::results::RESULT_AGE_MAX;
use super::seal::{SealedKind, seconds_now};
use super::statement::Statement;
use crate::serve::random::random_name;
use crate::serve::service::StatementService;
use crate::serve::sessions::SessionInUse;
use crate::serve::spawned::Spawned;

/// The type of the descriptor of a statement that runs.
const RUNNING: &str = "type.googleapis.com/quarray.RunningStatement";

/// An answer waits so long for the statement to end.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// A later answer waits so long.
const LATER_WAIT: Duration = Duration::from_secs(1);

/// Statements of a session that are asked about.
const POLLS_MAX: usize = 64;

/// The statements of a session that are asked about.
#[derive(Default)]
pub(in crate::serve) struct Polls {
    by_name: Mutex<HashMap<String, Arc<Poll>>>,
}

type Ended = Shared<BoxFuture<'static, Result<FlightInfo, Status>>>;

struct Poll {
    ended: Ended,
    work: AbortHandle,
    asked: Mutex<Instant>,
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Polls {
    fn get(&self, name: &str) -> Result<Arc<Poll>, Status> {
        let poll = self.by_name.lock().get(name).cloned();
        let poll = poll.ok_or_else(|| Status::not_found("no such statement runs: it was cancelled, or has expired"))?;
        *poll.asked.lock() = Instant::now();
        Ok(poll)
    }

    fn add(&self, name: String, poll: Poll) -> Result<Arc<Poll>, Status> {
        let mut by_name = self.by_name.lock();
        let mut forgotten = None;
        if by_name.len() >= POLLS_MAX {
            // One that has ended stays only for a client that missed the answer.
            let ended = by_name.iter().filter(|(_, poll)| poll.work.is_finished());
            let oldest = ended.min_by_key(|(_, poll)| *poll.asked.lock()).map(|(name, _)| name.clone());
            let oldest = oldest.ok_or_else(|| {
                Status::resource_exhausted(format!(
                    "{POLLS_MAX} statements of the session run and are asked about: end one"
                ))
            })?;
            forgotten = by_name.remove(&oldest);
        }
        let poll = Arc::new(poll);
        by_name.insert(name, Arc::clone(&poll));
        drop(by_name);
        drop(forgotten);
        Ok(poll)
    }

    /// Ends a statement; whether there was one.
    pub(super) fn cancel(&self, name: &str) -> bool {
        let poll = self.by_name.lock().remove(name);
        poll.inspect(|poll| poll.work.abort()).is_some()
    }

    /// Ends statements that nobody has asked about for long.
    pub(in crate::serve) fn drop_expired(&self) {
        let mut expired = Vec::new();
        self.by_name.lock().retain(|_, poll| {
            let is_asked = poll.asked.lock().elapsed() <= RESULT_AGE_MAX;
            if !is_asked {
                expired.push(Arc::clone(poll));
            }
            is_asked
        });
        drop(expired);
    }
}

impl StatementService {
    /// Starts a statement, and tells how far it is.
    pub(in crate::serve) async fn start_poll(
        &self,
        session: &SessionInUse,
        statement: Statement,
        descriptor: FlightDescriptor,
    ) -> Result<PollInfo, Status> {
        let (service, running) = (self.clone(), session.share());
        let work = Spawned::on(&self.threads, async move {
            let info = service.statement_info(&running, statement).await?;
            Ok(info.with_descriptor(descriptor))
        });
        let abort = work.abort_handle();
        let ended = async move {
            let cancelled = |_| Err(Status::cancelled("the statement was cancelled"));
            work.await.unwrap_or_else(cancelled)
        };
        let name = random_name().map_err(|error| Status::internal(format!("cannot name a statement: {error}")))?;
        let poll = Poll { ended: ended.boxed().shared(), work: abort, asked: Mutex::new(Instant::now()) };
        let poll = session.polls.add(name.clone(), poll)?;
        let told = self.poll(session, &name, &poll, FIRST_WAIT).await;
        if !matches!(&told, Ok(told) if told.flight_descriptor.is_some()) {
            // Its end is told, and nobody has a descriptor to ask again with.
            session.polls.cancel(&name);
        }
        told
    }

    /// How far a statement is that was started so.
    pub(in crate::serve) async fn poll_again(
        &self,
        session: &SessionInUse,
        descriptor: &FlightDescriptor,
    ) -> Result<PollInfo, Status> {
        let name = self.running_name(session, descriptor)?;
        let poll = session.polls.get(&name)?;
        self.poll(session, &name, &poll, LATER_WAIT).await
    }

    /// The name of the statement that a descriptor of this server stands for.
    pub(super) fn running_name(&self, session: &SessionInUse, descriptor: &FlightDescriptor) -> Result<String, Status> {
        let handle = running_handle(descriptor).ok_or_else(|| Status::invalid_argument("expected a statement"))?;
        self.sessions.seals().open(SealedKind::Running, &handle, session)
    }

    async fn poll(
        &self,
        session: &SessionInUse,
        name: &str,
        poll: &Poll,
        patience: Duration,
    ) -> Result<PollInfo, Status> {
        if let Ok(ended) = tokio::time::timeout(patience, poll.ended.clone()).await {
            return PollInfo::new().with_info(ended?).try_with_progress(1.0).map_err(internal);
        }
        let handle = self.sessions.seals().seal(SealedKind::Running, name, RESULT_AGE_MAX, session);
        let any = Any { type_url: RUNNING.to_string(), value: handle };
        let descriptor = FlightDescriptor::new_cmd(any.encode_to_vec());
        let snapshot = session.session.progress().snapshot();
        let mut info = PollInfo::new()
            .with_info(FlightInfo::new().with_descriptor(descriptor.clone()))
            .with_descriptor(descriptor);
        if snapshot.work_total > 0 {
            let share = snapshot.work_done as f64 / snapshot.work_total as f64;
            info = info.try_with_progress(share.clamp(0.0, 1.0)).map_err(internal)?;
        }
        let until = info.expiration_time.get_or_insert_default();
        until.seconds = i64::try_from(seconds_now() + RESULT_AGE_MAX.as_secs()).unwrap_or(i64::MAX);
        Ok(info)
    }
}

/// The handle in the descriptor of a statement that runs.
pub(in crate::serve) fn running_handle(descriptor: &FlightDescriptor) -> Option<Bytes> {
    let any = Any::decode(descriptor.cmd.as_ref()).ok()?;
    (any.type_url == RUNNING).then_some(any.value)
}

fn internal(error: arrow::error::ArrowError) -> Status {
    Status::internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    /// Fills the room with statements that have all ended, or of which only the first has.
    async fn check(has_ended: bool) -> Tested {
        let polls = Polls::default();
        let one = |is_over: bool| {
            let work = tokio::spawn(async move { if is_over { Ok(FlightInfo::new()) } else { pending().await } });
            let abort = work.abort_handle();
            let ended = async move { work.await.unwrap_or_else(|_| Err(Status::cancelled("cancelled"))) };
            Poll { ended: ended.boxed().shared(), work: abort, asked: Mutex::new(Instant::now()) }
        };
        for number in 0..POLLS_MAX {
            let poll = polls.add(number.to_string(), one(has_ended || number == 0))?;
            if has_ended || number == 0 {
                poll.ended.clone().await?;
            }
        }
        // The one that has ended first makes room, one that runs never does.
        polls.add("next".to_string(), one(false))?;
        assert!(polls.get("0").is_err() && polls.get("1").is_ok() && polls.get("next").is_ok());
        assert_eq!(polls.add("another".to_string(), one(false)).is_ok(), has_ended);
        Ok(())
    }

    #[tokio::test]
    async fn statements_that_have_ended_make_room() -> Tested {
        check(true).await
    }

    #[tokio::test]
    async fn statements_that_run_do_not() -> Tested {
        check(false).await
    }
}
