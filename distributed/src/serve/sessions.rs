//! The sessions of a server: each client has its own, known by a token or by its connection, until it ends it or is
//! silent for too long.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use quarray_engine::{Error, Session};
use tonic::{Request, Status};

use super::failure;
use super::flight::{
    Admission, Authenticator, ConnectionInfo, Credentials, KeptBytes, Polls, PreparedStatements, Refused, Results,
    Seals, SessionOptions, User, credentials,
};
use super::random::random_name;

#[cfg(test)]
mod tests;

/// Makes the session of a new client.
pub type SessionFactory = Arc<dyn Fn(&User) -> Result<Session, Error> + Send + Sync>;

/// Sessions at one time.
const SESSIONS_MAX: usize = 1000;

/// Sessions of one user: others are to find room. For one more, the one goes that has been idle the longest.
const SESSIONS_OF_USER_MAX: usize = 100;

/// A session that nobody has used since the handshake ends after so long, if not before.
const UNUSED_MAX: Duration = Duration::from_secs(120);

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
    seals: Seals,
    kept: Arc<KeptBytes>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    by_token: HashMap<String, Arc<ServedSession>>,
    /// The tokens of sessions whose clients show none, by their connections.
    by_connection: HashMap<(u64, User), String>,
}

/// The session of one client, and what it has not fetched yet.
pub(super) struct ServedSession {
    /// Its name in tickets and handles; its token is for its client alone.
    pub(super) id: String,
    /// Whose it is.
    pub(super) user: User,
    /// The session of the engine.
    pub(super) session: Session,
    /// What its client has set.
    pub(super) options: Mutex<SessionOptions>,
    /// Results of statements that have run.
    pub(super) results: Results,
    /// Statements that wait for their parameters.
    pub(super) prepared: PreparedStatements,
    /// Statements that are asked about while they run.
    pub(super) polls: Polls,
    used: Mutex<Instant>,
    /// Whether it was used since it was made.
    was_used: AtomicBool,
}

/// A session that is being used, and is not idle until this is dropped.
pub(super) struct SessionInUse(Arc<ServedSession>);

/// Who calls: what a call shows of its client.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    credentials: Credentials,
    connection: Option<ConnectionInfo>,
}

impl Caller {
    /// The client of a call.
    pub(super) fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        let connection = request.extensions().get::<ConnectionInfo>().copied();
        Ok(Self { credentials: credentials(request.metadata())?, connection })
    }

    fn token(&self) -> Option<&str> {
        match &self.credentials {
            Credentials::Token(token) => Some(token),
            _ => None,
        }
    }
}

impl Sessions {
    /// None yet.
    pub(super) fn new(rules: SessionRules) -> Result<Self, std::io::Error> {
        Ok(Self { rules, seals: Seals::new()?, kept: Arc::default(), known: Mutex::default() })
    }

    /// What tickets and handles are made and read with.
    pub(super) fn seals(&self) -> &Seals {
        &self.seals
    }

    /// Decides whether statements may begin.
    pub(super) fn admission(&self) -> &Arc<dyn Admission> {
        &self.rules.admission
    }

    /// A new session for someone who shakes hands; its token.
    pub(super) async fn open(&self, caller: &Caller) -> Result<String, Status> {
        self.drop_idle();
        let user = self.user(caller).await?;
        let (token, served) = self.make(user)?;
        let evicted = {
            let mut known = self.known.lock();
            let evicted = known.room_for(&served.user)?;
            known.by_token.insert(token.clone(), served);
            evicted
        };
        // Out of the lock: what a session holds takes its time to go.
        drop(evicted);
        Ok(token)
    }

    /// The session of a client: of its token, or else of its connection.
    pub(super) async fn of(&self, caller: &Caller) -> Result<SessionInUse, Status> {
        if let Some(session) = caller.token().and_then(|token| self.known.lock().session(token, self.rules.idle_max)) {
            return Ok(session);
        }
        let user = self.user(caller).await?;
        let connection = caller.connection.map_or(u64::MAX, |connection| connection.number);
        let key = (connection, user);
        if let Some(session) = self.known.lock().of_connection(&key, self.rules.idle_max) {
            return Ok(session);
        }
        self.drop_idle();
        let (token, served) = self.make(key.1.clone())?;
        let mut known = self.known.lock();
        // Another call of the connection may have been faster.
        if let Some(session) = known.of_connection(&key, self.rules.idle_max) {
            return Ok(session);
        }
        let evicted = known.room_for(&served.user)?;
        known.by_token.insert(token.clone(), Arc::clone(&served));
        known.by_connection.insert(key, token);
        drop(known);
        drop(evicted);
        Ok(SessionInUse(served))
    }

    /// Ends the session that a call belongs to. What runs in it goes on until its client drops it.
    pub(super) async fn close(&self, caller: &Caller) -> Result<(), Status> {
        let user = match caller.token() {
            Some(token) if self.known.lock().by_token.contains_key(token) => None,
            _ => Some(self.user(caller).await?),
        };
        let connection = caller.connection.map_or(u64::MAX, |connection| connection.number);
        let mut known = self.known.lock();
        let token = match user {
            None => caller.token().map(str::to_string),
            Some(user) => known.by_connection.remove(&(connection, user)),
        };
        let ended = token.and_then(|token| known.by_token.remove(&token));
        drop(known);
        // Out of the lock: what a session holds takes its time to go.
        drop(ended);
        Ok(())
    }

    /// Ends the sessions that a connection had without a token.
    pub(super) fn connection_ended(&self, number: u64) {
        let mut known = self.known.lock();
        let keys: Vec<_> = known.by_connection.keys().filter(|(of, _)| *of == number).cloned().collect();
        let tokens = keys.iter().filter_map(|key| known.by_connection.remove(key)).collect::<Vec<_>>();
        let ended: Vec<_> = tokens.iter().filter_map(|token| known.by_token.remove(token)).collect();
        drop(known);
        drop(ended);
    }

    /// Ends sessions that nobody has used for long, and results that nobody has fetched.
    pub(super) fn drop_idle(&self) {
        let idle_max = self.rules.idle_max;
        let mut ended = Vec::new();
        let mut known = self.known.lock();
        known.by_token.retain(|_, session| {
            let is_idle = session.is_idle(idle_max);
            if is_idle {
                ended.push(Arc::clone(session));
            }
            !is_idle
        });
        let Known { by_token, by_connection } = &mut *known;
        by_connection.retain(|_, token| by_token.contains_key(token));
        let left: Vec<_> = by_token.values().cloned().collect();
        drop(known);
        // Out of the lock: what a session holds takes its time to go.
        drop(ended);
        for session in left {
            session.results.drop_expired();
            session.polls.drop_expired();
        }
    }

    /// How often idle sessions are looked for.
    pub(super) fn sweep_interval(&self) -> Duration {
        (self.rules.idle_max / 4).clamp(Duration::from_millis(50), Duration::from_secs(60))
    }

    async fn user(&self, caller: &Caller) -> Result<User, Status> {
        let peer = caller.connection.and_then(|connection| connection.peer);
        let user = self.rules.authenticator.authenticate(&caller.credentials, peer).await;
        user.map_err(|refused| match (refused, &caller.credentials) {
            (Refused::Wrong, Credentials::Token(_)) => {
                Status::unauthenticated("the session has ended, or was never there")
            }
            (refused @ Refused::Later { .. }, _) => Status::resource_exhausted(refused.to_string()),
            (refused, _) => Status::unauthenticated(refused.to_string()),
        })
    }

    fn make(&self, user: User) -> Result<(String, Arc<ServedSession>), Status> {
        let session = (self.rules.make)(&user).map_err(|error| failure::status(&error))?;
        let named = |error| Status::internal(format!("cannot make a token: {error}"));
        let served = ServedSession {
            id: random_name().map_err(named)?,
            user,
            session,
            options: Mutex::default(),
            results: Results::new(&self.kept),
            prepared: PreparedStatements::default(),
            polls: Polls::default(),
            used: Mutex::new(Instant::now()),
            was_used: AtomicBool::new(false),
        };
        Ok((random_name().map_err(named)?, Arc::new(served)))
    }
}

impl Known {
    fn session(&self, token: &str, idle_max: Duration) -> Option<SessionInUse> {
        let session = self.by_token.get(token).filter(|session| !session.is_idle(idle_max))?;
        Some(SessionInUse(Arc::clone(session)))
    }

    fn of_connection(&self, key: &(u64, User), idle_max: Duration) -> Option<SessionInUse> {
        self.session(self.by_connection.get(key)?, idle_max)
    }

    /// Makes room for one more session of a user; the session that has to go for it, for the caller to drop.
    fn room_for(&mut self, user: &User) -> Result<Option<Arc<ServedSession>>, Status> {
        let of_user = self.by_token.iter().filter(|(_, session)| session.user == *user);
        if of_user.clone().count() >= SESSIONS_OF_USER_MAX {
            let idle = of_user.filter(|(_, session)| !session.is_in_use());
            let longest = idle.min_by_key(|(_, session)| *session.used.lock()).map(|(token, _)| token.clone());
            let token = longest.ok_or_else(|| {
                Status::resource_exhausted(format!(
                    "{SESSIONS_OF_USER_MAX} sessions of the user run statements: end one"
                ))
            })?;
            self.by_connection.retain(|_, known| *known != token);
            return Ok(self.by_token.remove(&token));
        }
        match self.by_token.len() < SESSIONS_MAX {
            true => Ok(None),
            false => Err(Status::resource_exhausted(format!("there are {SESSIONS_MAX} sessions already"))),
        }
    }
}

impl ServedSession {
    fn is_idle(self: &Arc<Self>, idle_max: Duration) -> bool {
        let idle_max = match self.was_used.load(Ordering::Acquire) {
            true => idle_max,
            false => idle_max.min(UNUSED_MAX),
        };
        !self.is_in_use() && self.used.lock().elapsed() > idle_max
    }

    /// Whether something runs in it, or is asked of it at this moment.
    fn is_in_use(self: &Arc<Self>) -> bool {
        // Whoever uses it holds it.
        Arc::strong_count(self) > 1
    }
}

impl Deref for SessionInUse {
    type Target = ServedSession;

    fn deref(&self) -> &ServedSession {
        &self.0
    }
}

impl SessionInUse {
    /// The same session, in use by someone else too.
    pub(super) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Drop for SessionInUse {
    fn drop(&mut self) {
        *self.0.used.lock() = Instant::now();
        self.0.was_used.store(true, Ordering::Release);
    }
}

/// The header that a token is sent in.
pub(super) fn authorization(token: &str) -> String {
    format!("{BEARER}{token}")
}
