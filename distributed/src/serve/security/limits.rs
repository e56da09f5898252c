//! How much users may do at once: statements that run, statements that wait, memory, time.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use quarray_engine::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::users::Users;
use crate::serve::flight::{Admission, Permit, User};

/// Statements that wait where nothing else is said.
const QUEUE: usize = 64;

/// Users of whom something runs, or did lately.
const TURNSTILES_MAX: usize = 4096;

/// What one user may do at once. What is not said has no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UserLimits {
    /// Statements that run.
    pub queries: Option<usize>,
    /// Statements that wait for others to end; of more, the next one is refused.
    pub queue: Option<usize>,
    /// Bytes that queries of all sessions hold.
    pub memory: Option<usize>,
    /// How long a statement may take, until its last row.
    pub time: Option<Duration>,
}

impl UserLimits {
    /// These, and those of `others` where there is nothing said.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            queries: self.queries.or(others.queries),
            queue: self.queue.or(others.queue),
            memory: self.memory.or(others.memory),
            time: self.time.or(others.time),
        }
    }
}

/// Lets statements begin as limits allow.
#[derive(Debug)]
pub struct Turnstiles {
    users: Arc<Users>,
    /// Of users who have none of their own.
    limits: UserLimits,
    server: Option<Arc<Turnstile>>,
    by_user: Mutex<HashMap<Arc<str>, Arc<Turnstile>>>,
}

impl Turnstiles {
    /// Limits for every user, but for what users have of their own; and how many statements the server runs at once.
    pub fn new(users: Arc<Users>, limits: UserLimits, queries_max: Option<usize>) -> Self {
        let queue = limits.queue.unwrap_or(QUEUE);
        let server = queries_max.map(|most| Arc::new(Turnstile::new(most, queue, "the server")));
        Self { users, limits, server, by_user: Mutex::default() }
    }

    /// The limits of a user.
    pub fn of(&self, user: &str) -> UserLimits {
        self.users.get(user).map(|user| user.limits).unwrap_or_default().or(self.limits)
    }

    fn of_user(&self, user: &User) -> Option<Arc<Turnstile>> {
        let limits = self.of(&user.name);
        let most = limits.queries?;
        let mut by_user = self.by_user.lock();
        if by_user.len() >= TURNSTILES_MAX && !by_user.contains_key(&user.name) {
            // Whoever passes it holds it.
            by_user.retain(|_, turnstile| Arc::strong_count(turnstile) > 1);
        }
        let new = || Arc::new(Turnstile::new(most, limits.queue.unwrap_or(QUEUE), "a user"));
        Some(Arc::clone(by_user.entry(Arc::clone(&user.name)).or_insert_with(new)))
    }
}

#[async_trait]
impl Admission for Turnstiles {
    async fn admit(&self, user: &User) -> Result<Permit, Error> {
        let own = match self.of_user(user) {
            Some(turnstile) => Some(turnstile.pass().await?),
            None => None,
        };
        let server = match &self.server {
            Some(turnstile) => Some(Arc::clone(turnstile).pass().await?),
            None => None,
        };
        Ok(Permit::holding((own, server)))
    }
}

/// So many pass at once, and so many wait.
#[derive(Debug)]
struct Turnstile {
    turns: Arc<Semaphore>,
    most: usize,
    waiting: AtomicUsize,
    waiting_max: usize,
    whose: &'static str,
}

/// One that has passed, until it is dropped.
struct Passed {
    _turn: OwnedSemaphorePermit,
    _turnstile: Arc<Turnstile>,
}

impl Turnstile {
    fn new(most: usize, waiting_max: usize, whose: &'static str) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        let turns = Arc::new(Semaphore::new(most));
        Self { turns, most, waiting: AtomicUsize::new(0), waiting_max, whose }
    }

    async fn pass(self: Arc<Self>) -> Result<Passed, Error> {
        let turn = match Arc::clone(&self.turns).try_acquire_owned() {
            Ok(turn) => turn,
            Err(_) => {
                let _waiting = Waiting::begin(&self)?;
                let turn = Arc::clone(&self.turns).acquire_owned().await;
                turn.map_err(|_| Error::Internal("a turnstile is closed".to_string()))?
            }
        };
        Ok(Passed { _turn: turn, _turnstile: self })
    }
}

struct Waiting<'a>(&'a Turnstile);

impl<'a> Waiting<'a> {
    fn begin(turnstile: &'a Turnstile) -> Result<Self, Error> {
        let waiting = Self(turnstile);
        if turnstile.waiting.fetch_add(1, Ordering::AcqRel) < turnstile.waiting_max {
            return Ok(waiting);
        }
        let Turnstile { most, waiting_max, whose, .. } = turnstile;
        Err(Error::Resources(format!(
            "too many statements: {most} of {whose} run and {waiting_max} wait, which is all there may be; end one, fetch or \
             drop its rows, or try again later"
        )))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::security::passwords::hash_quickly;

    type Ended = Result<(), Box<dyn std::error::Error>>;

    fn turnstiles(queries_max: Option<usize>) -> Result<Arc<Turnstiles>, Box<dyn std::error::Error>> {
        let hash = hash_quickly("x")?;
        let users = Users::parse(&format!("ada {hash} queries=2 queue=1\nbob {hash}"), "users")?;
        let limits = UserLimits { queries: Some(4), queue: Some(2), ..UserLimits::default() };
        Ok(Arc::new(Turnstiles::new(Arc::new(users), limits, queries_max)))
    }

    fn user(name: &str) -> User {
        User { name: Arc::from(name) }
    }

    /// Waits until somebody waits.
    async fn begun(turnstiles: &Turnstiles, name: &str, waiting: usize) -> Ended {
        for _ in 0..500 {
            let turnstile = turnstiles.of_user(&user(name)).ok_or("no limit")?;
            if turnstile.waiting.load(Ordering::SeqCst) == waiting {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err("nobody waits".into())
    }

    #[tokio::test]
    async fn some_run_some_wait_and_the_next_is_refused() -> Ended {
        let turnstiles = turnstiles(None)?;
        let ada = user("ada");
        let first = turnstiles.admit(&ada).await?;
        let _second = turnstiles.admit(&ada).await?;
        let third = tokio::spawn({
            let (turnstiles, ada) = (Arc::clone(&turnstiles), ada.clone());
            async move { turnstiles.admit(&ada).await }
        });
        begun(&turnstiles, "ada", 1).await?;
        let Err(Error::Resources(words)) = turnstiles.admit(&ada).await else { return Err("a fourth begins".into()) };
        assert!(words.starts_with("too many statements: 2 of a user run and 1 wait"), "{words}");
        // Others are not held up.
        let _bob = turnstiles.admit(&user("bob")).await?;
        drop(first);
        let _third = third.await??;
        // One that waits and goes away makes room.
        let fourth = tokio::spawn({
            let (turnstiles, ada) = (Arc::clone(&turnstiles), ada.clone());
            async move { turnstiles.admit(&ada).await.map(|_| ()) }
        });
        begun(&turnstiles, "ada", 1).await?;
        fourth.abort();
        begun(&turnstiles, "ada", 0).await
    }

    #[tokio::test]
    async fn the_server_has_a_bound_of_its_own() -> Ended {
        let turnstiles = turnstiles(Some(1))?;
        let held = turnstiles.admit(&user("ada")).await?;
        let waited = tokio::time::timeout(Duration::from_millis(50), turnstiles.admit(&user("bob"))).await;
        assert!(waited.is_err());
        drop(held);
        turnstiles.admit(&user("bob")).await?;
        Ok(())
    }

    #[test]
    fn limits_of_a_user_come_first() -> Ended {
        let turnstiles = turnstiles(None)?;
        assert_eq!((turnstiles.of("ada").queries, turnstiles.of("bob").queries), (Some(2), Some(4)));
        assert_eq!(turnstiles.of("nobody").queue, Some(2));
        Ok(())
    }
}
