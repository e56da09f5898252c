//! The sessions of a server: each client has its own, known by a token, until it ends it or is silent for too long.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use quarray_engine::{Error, Rows, Session};
use tonic::{Request, Status};

use super::failure;
use super::random::random_name;

/// Makes the session of a new client.
pub type SessionFactory = Arc<dyn Fn() -> Result<Session, Error> + Send + Sync>;

/// Sessions at one time.
const SESSIONS_MAX: usize = 1000;

/// Results of a session that nobody has fetched yet. Of more, the oldest are dropped.
const RESULTS_MAX: usize = 16;

/// Before the token in the header of a call.
const BEARER: &str = "Bearer ";

/// The sessions of a server.
pub(super) struct Sessions {
    make: SessionFactory,
    idle_max: Duration,
    by_token: Mutex<HashMap<String, Arc<ServedSession>>>,
}

/// The session of one client, and what it has not fetched yet.
struct ServedSession {
    session: Session,
    results: Mutex<VecDeque<(String, Rows)>>,
    used: Mutex<Instant>,
}

/// A session that is being used, and is not idle until this is dropped.
pub(super) struct SessionInUse(Arc<ServedSession>);

impl Sessions {
    /// None yet. They are dropped when nobody has used them for so long.
    pub(super) fn new(make: SessionFactory, idle_max: Duration) -> Self {
        Self { make, idle_max, by_token: Mutex::default() }
    }

    /// A new session; its token.
    pub(super) fn open(&self) -> Result<String, Status> {
        self.drop_idle();
        let session = (self.make)().map_err(|error| failure::status(&error))?;
        let token = random_name().map_err(|error| Status::internal(format!("cannot make a token: {error}")))?;
        let mut by_token = self.by_token.lock();
        if by_token.len() >= SESSIONS_MAX {
            return Err(Status::resource_exhausted(format!("there are {SESSIONS_MAX} sessions already")));
        }
        let served = ServedSession { session, results: Mutex::default(), used: Mutex::new(Instant::now()) };
        by_token.insert(token.clone(), Arc::new(served));
        Ok(token)
    }

    /// The session that a call belongs to.
    pub(super) fn of<T>(&self, request: &Request<T>) -> Result<SessionInUse, Status> {
        let token = token(request)?;
        let by_token = self.by_token.lock();
        let session = by_token.get(token).filter(|session| !session.is_idle(self.idle_max));
        match session {
            Some(session) => Ok(SessionInUse(Arc::clone(session))),
            None => Err(Status::unauthenticated("the session has ended, or was never there")),
        }
    }

    /// Ends the session that a call belongs to. What runs in it goes on until its client drops it.
    pub(super) fn close<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let ended = self.by_token.lock().remove(token(request)?);
        drop(ended);
        Ok(())
    }

    /// Ends sessions that nobody has used for long.
    pub(super) fn drop_idle(&self) {
        let mut ended = Vec::new();
        self.by_token.lock().retain(|_, session| {
            let is_idle = session.is_idle(self.idle_max);
            if is_idle {
                ended.push(Arc::clone(session));
            }
            !is_idle
        });
        // Out of the lock: what a session holds takes its time to go.
        drop(ended);
    }

    /// How often idle sessions are looked for.
    pub(super) fn sweep_interval(&self) -> Duration {
        (self.idle_max / 4).clamp(Duration::from_millis(50), Duration::from_secs(60))
    }
}

impl ServedSession {
    fn is_idle(self: &Arc<Self>, idle_max: Duration) -> bool {
        // Whoever uses it holds it.
        Arc::strong_count(self) == 1 && self.used.lock().elapsed() > idle_max
    }
}

impl SessionInUse {
    /// The session.
    pub(super) fn session(&self) -> &Session {
        &self.0.session
    }

    /// Keeps rows until they are fetched; the name that they are fetched by.
    pub(super) fn keep(&self, rows: Rows) -> Result<String, Status> {
        let name = random_name().map_err(|error| Status::internal(format!("cannot name a result: {error}")))?;
        let mut results = self.0.results.lock();
        let oldest = if results.len() >= RESULTS_MAX { results.pop_front() } else { None };
        results.push_back((name.clone(), rows));
        drop(results);
        drop(oldest);
        Ok(name)
    }

    /// The rows of that name, once.
    pub(super) fn take(&self, name: &[u8]) -> Result<Rows, Status> {
        let mut results = self.0.results.lock();
        let place = results.iter().position(|(known, _)| known.as_bytes() == name);
        let found = place.and_then(|place| results.remove(place));
        found.map(|(_, rows)| rows).ok_or_else(|| {
            Status::not_found("no such result: it belongs to another session, was fetched already, or waited too long")
        })
    }
}

impl Drop for SessionInUse {
    fn drop(&mut self) {
        *self.0.used.lock() = Instant::now();
    }
}

fn token<T>(request: &Request<T>) -> Result<&str, Status> {
    let header = request.metadata().get("authorization").and_then(|header| header.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix(BEARER));
    token.ok_or_else(|| Status::unauthenticated("expected the token of a session, found none"))
}

/// The header that a token is sent in.
pub(super) fn authorization(token: &str) -> String {
    format!("{BEARER}{token}")
}
