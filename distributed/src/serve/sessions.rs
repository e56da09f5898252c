//! The sessions of a server: each client has its own, known by a token, until it ends it or is silent for too long.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use quarray_engine::{Error, Rows, Session};
use tonic::{Request, Status};

use super::failure;
use super::flight::{Admission, Authenticator, Credentials, Permit, Refused, User, credentials};
use super::random::random_name;

/// Makes the session of a new client.
pub type SessionFactory = Arc<dyn Fn(&User) -> Result<Session, Error> + Send + Sync>;

/// Sessions at one time.
const SESSIONS_MAX: usize = 1000;

/// Results of a session that nobody has fetched yet. Of more, the oldest are dropped.
const RESULTS_MAX: usize = 16;

/// Before the token in the header of a call.
const BEARER: &str = "Bearer ";

/// What the sessions of a server are made by.
pub(super) struct SessionRules {
    pub(super) make: SessionFactory,
    pub(super) authenticator: Arc<dyn Authenticator>,
    pub(super) admission: Arc<dyn Admission>,
    /// Sessions are dropped when nobody has used them for so long.
    pub(super) idle_max: Duration,
}

/// The sessions of a server.
pub(super) struct Sessions {
    rules: SessionRules,
    by_token: Mutex<HashMap<String, Arc<ServedSession>>>,
}

/// The session of one client, and what it has not fetched yet.
struct ServedSession {
    user: User,
    session: Session,
    results: Mutex<VecDeque<(String, AdmittedRows)>>,
    used: Mutex<Instant>,
}

/// Rows, and the right to make them.
pub(super) struct AdmittedRows {
    pub(super) rows: Rows,
    pub(super) permit: Permit,
}

/// Who calls: what a call shows of its client.
pub(super) struct Caller {
    credentials: Credentials,
    peer: Option<IpAddr>,
}

impl Caller {
    /// The client of a call.
    pub(super) fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        let peer = request.remote_addr().map(|address| address.ip());
        Ok(Self { credentials: credentials(request.metadata())?, peer })
    }
}

/// A session that is being used, and is not idle until this is dropped.
pub(super) struct SessionInUse(Arc<ServedSession>);

impl Sessions {
    /// None yet.
    pub(super) fn new(rules: SessionRules) -> Self {
        Self { rules, by_token: Mutex::default() }
    }

    /// Waits until a statement of a user may begin.
    pub(super) async fn admit(&self, session: &SessionInUse) -> Result<Permit, Status> {
        let admitted = self.rules.admission.admit(&session.0.user).await;
        admitted.map_err(|error| failure::status(&error))
    }

    /// A new session for someone who shakes hands; its token.
    pub(super) async fn open(&self, caller: &Caller) -> Result<String, Status> {
        self.drop_idle();
        let user = self.rules.authenticator.authenticate(&caller.credentials, caller.peer).await.map_err(refusal)?;
        let session = (self.rules.make)(&user).map_err(|error| failure::status(&error))?;
        let token = random_name().map_err(|error| Status::internal(format!("cannot make a token: {error}")))?;
        let mut by_token = self.by_token.lock();
        if by_token.len() >= SESSIONS_MAX {
            return Err(Status::resource_exhausted(format!("there are {SESSIONS_MAX} sessions already")));
        }
        let served = ServedSession { user, session, results: Mutex::default(), used: Mutex::new(Instant::now()) };
        by_token.insert(token.clone(), Arc::new(served));
        Ok(token)
    }

    /// The session that a call belongs to.
    pub(super) fn of<T>(&self, request: &Request<T>) -> Result<SessionInUse, Status> {
        let token = token(request)?;
        let by_token = self.by_token.lock();
        let session = by_token.get(token).filter(|session| !session.is_idle(self.rules.idle_max));
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
            let is_idle = session.is_idle(self.rules.idle_max);
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
        (self.rules.idle_max / 4).clamp(Duration::from_millis(50), Duration::from_secs(60))
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
    pub(super) fn keep(&self, rows: AdmittedRows) -> Result<String, Status> {
        let name = random_name().map_err(|error| Status::internal(format!("cannot name a result: {error}")))?;
        let mut results = self.0.results.lock();
        let oldest = if results.len() >= RESULTS_MAX { results.pop_front() } else { None };
        results.push_back((name.clone(), rows));
        drop(results);
        drop(oldest);
        Ok(name)
    }

    /// The rows of that name, once.
    pub(super) fn take(&self, name: &[u8]) -> Result<AdmittedRows, Status> {
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

/// What someone is told who is not let in.
fn refusal(refused: Refused) -> Status {
    match refused {
        Refused::Missing | Refused::Wrong => Status::unauthenticated(refused.to_string()),
        Refused::Later { .. } => Status::resource_exhausted(refused.to_string()),
    }
}

/// The header that a token is sent in.
pub(super) fn authorization(token: &str) -> String {
    format!("{BEARER}{token}")
}
