//! Whom a server lets in: its users, by their passwords and tokens.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use parking_lot::Mutex;
use ring::hmac;

use super::error::SecurityError;
use super::guesses::Guesses;
use super::passwords::{PASSWORD_BYTES_MAX, PasswordChecks};
use super::tokens::TokenHash;
use super::users::{Role, UserRecord, Users};
use crate::serve::flight::{Authenticator, Credentials, Refused, User};

/// A password that was right is right for so long without being hashed again: some clients send it with every call.
const REMEMBERED: Duration = Duration::from_secs(300);

/// Passwords that are remembered.
const REMEMBERED_MAX: usize = 1024;

/// Lets users in, and nobody else.
pub struct Gatekeeper {
    users: Arc<Users>,
    checks: PasswordChecks,
    guesses: Guesses,
    right: Mutex<HashMap<Vec<u8>, Instant>>,
    /// What is remembered of passwords is nothing without it, and it is nowhere else.
    key: hmac::Key,
}

impl Gatekeeper {
    /// One for these users.
    pub fn new(users: Arc<Users>) -> Result<Self, SecurityError> {
        let like = users.all().flat_map(|user| &user.passwords).next();
        let checks = PasswordChecks::new(like)?;
        let random = ring::rand::SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random)
            .map_err(|_| SecurityError::Hash("there are no random numbers".to_string()))?;
        Ok(Self { users, checks, guesses: Guesses::default(), right: Mutex::default(), key })
    }

    /// What a user may do who was let in.
    pub(super) fn role(&self, user: &User) -> Role {
        self.users.get(&user.name).map_or(Role::Read, |user| user.role)
    }

    async fn by_password(&self, peer: Option<IpAddr>, name: &str, password: &str) -> Result<User, Refused> {
        let user = self.users.get(name).filter(|user| user.is_current(SystemTime::now()));
        // Some clients have no other field for a token than that of the password.
        if let Some(user) = user.filter(|user| has_token(user, password)) {
            self.guesses.right(name);
            return Ok(known(user));
        }
        let proof = self.proof(name, password);
        if let Some(user) = user.filter(|_| self.is_remembered(&proof)) {
            return Ok(known(user));
        }
        let is_right = match password.len() <= PASSWORD_BYTES_MAX {
            true => {
                let hashes = user.map(|user| user.passwords.as_slice()).unwrap_or_default();
                let checked = self.checks.check(hashes, password.to_string()).await;
                checked.ok_or(Refused::Later { seconds: 1 })?
            }
            false => false,
        };
        match user.filter(|_| is_right) {
            Some(user) => {
                self.guesses.right(name);
                self.remember(proof);
                Ok(known(user))
            }
            None => {
                self.guesses.wrong(peer, Some(name), Instant::now());
                Err(Refused::Wrong)
            }
        }
    }

    fn by_token(&self, peer: Option<IpAddr>, token: &str) -> Result<User, Refused> {
        let now = SystemTime::now();
        // All of them, whichever it is.
        let hash = TokenHash::of(token);
        let matching = self.users.all().filter(|user| has_hash(user, &hash)).collect::<Vec<_>>();
        match matching.into_iter().find(|user| user.is_current(now)) {
            Some(user) => Ok(known(user)),
            None => {
                // A client whose session has ended still shows its token, again and again.
                if !is_of_session(token) {
                    self.guesses.wrong(peer, None, Instant::now());
                }
                Err(Refused::Wrong)
            }
        }
    }

    fn proof(&self, name: &str, password: &str) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key);
        // The length tells where the name ends.
        context.update(&(name.len() as u64).to_be_bytes());
        context.update(name.as_bytes());
        context.update(password.as_bytes());
        context.sign().as_ref().to_vec()
    }

    fn is_remembered(&self, proof: &[u8]) -> bool {
        self.right.lock().get(proof).is_some_and(|since| since.elapsed() < REMEMBERED)
    }

    fn remember(&self, proof: Vec<u8>) {
        let mut right = self.right.lock();
        if right.len() >= REMEMBERED_MAX {
            right.retain(|_, since| since.elapsed() < REMEMBERED);
        }
        if right.len() < REMEMBERED_MAX {
            right.insert(proof, Instant::now());
        }
    }
}

#[async_trait]
impl Authenticator for Gatekeeper {
    async fn authenticate(&self, credentials: &Credentials, peer: Option<IpAddr>) -> Result<User, Refused> {
        let name = match credentials {
            Credentials::None => return Err(Refused::Missing),
            Credentials::Password { name, .. } => Some(name.as_str()),
            Credentials::Token(_) => None,
        };
        if let Some(pause) = self.guesses.pause(peer, name, Instant::now()) {
            return Err(Refused::Later { seconds: pause.as_secs() + 1 });
        }
        match credentials {
            Credentials::None => Err(Refused::Missing),
            Credentials::Password { name, password } => self.by_password(peer, name, password).await,
            Credentials::Token(token) => self.by_token(peer, token),
        }
    }
}

/// Whether a token looks like one of a session: whoever guesses those guesses 128 bits.
fn is_of_session(token: &str) -> bool {
    token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn known(user: &UserRecord) -> User {
    User { name: Arc::clone(&user.name) }
}

fn has_token(user: &UserRecord, token: &str) -> bool {
    has_hash(user, &TokenHash::of(token))
}

fn has_hash(user: &UserRecord, hash: &TokenHash) -> bool {
    user.tokens.iter().fold(false, |found, known| known.is_same(hash) | found)
}

/// Nothing of it is for logs.
impl fmt::Debug for Gatekeeper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gatekeeper").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::security::passwords::hash_quickly;

    type Ended = Result<(), Box<dyn std::error::Error>>;

    const TOKEN: &str = "0123456789abcdef";

    fn gatekeeper() -> Result<Gatekeeper, Box<dyn std::error::Error>> {
        let hash = hash_quickly("secret")?;
        let token = TokenHash::of(TOKEN);
        let text = format!("ada {hash}\nold {hash} until=2020-01-01\nrobot {token}\nworn {token}0 until=2020-01-01");
        let text = text.replace(&format!("{token}0"), &TokenHash::of("fedcba9876543210").to_string());
        Ok(Gatekeeper::new(Arc::new(Users::parse(&text, "users")?))?)
    }

    fn password(name: &str, password: &str) -> Credentials {
        Credentials::Password { name: name.to_string(), password: password.to_string() }
    }

    fn token(token: &str) -> Credentials {
        Credentials::Token(token.to_string())
    }

    #[tokio::test]
    async fn users_are_let_in_and_nobody_else() -> Ended {
        let gatekeeper = gatekeeper()?;
        for (name, right) in
            [("ada", password("ada", "secret")), ("robot", token(TOKEN)), ("robot", password("robot", TOKEN))]
        {
            assert_eq!(gatekeeper.authenticate(&right, None).await?.name.as_ref(), name);
        }
        assert_eq!(gatekeeper.authenticate(&Credentials::None, None).await, Err(Refused::Missing));
        for wrong in [
            password("ada", "secre"),
            password("ada", ""),
            password("", "secret"),
            password("Ada", "secret"),
            password("eve", "secret"),
            password("old", "secret"),
            password("ada", TOKEN),
            password("ada", &"x".repeat(1 << 20)),
            token("0123456789abcde"),
            token(""),
            token("secret"),
            token("fedcba9876543210"),
        ] {
            assert_eq!(gatekeeper.authenticate(&wrong, None).await, Err(Refused::Wrong));
        }
        Ok(())
    }

    #[tokio::test]
    async fn guesses_are_bounded_by_address_and_by_name() -> Ended {
        let gatekeeper = gatekeeper()?;
        let peer = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        for guess in 0..5 {
            let wrong = gatekeeper.authenticate(&password("ada", "guess"), peer(guess)).await;
            assert_eq!(wrong, Err(Refused::Wrong));
        }
        let right = password("ada", "secret");
        let later = gatekeeper.authenticate(&right, peer(9)).await;
        assert!(matches!(later, Err(Refused::Later { .. })), "{later:?}");
        for guess in 0..5 {
            let wrong = gatekeeper.authenticate(&token(&format!("guess {guess}")), peer(7)).await;
            assert_eq!(wrong, Err(Refused::Wrong));
        }
        let later = gatekeeper.authenticate(&token(TOKEN), peer(7)).await;
        assert!(matches!(later, Err(Refused::Later { .. })), "{later:?}");
        assert!(gatekeeper.authenticate(&token(TOKEN), peer(8)).await.is_ok());
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert!(gatekeeper.authenticate(&right, peer(9)).await.is_ok());
        Ok(())
    }

    #[tokio::test]
    async fn a_password_is_not_hashed_with_every_call() -> Ended {
        let gatekeeper = gatekeeper()?;
        gatekeeper.authenticate(&password("ada", "secret"), None).await?;
        assert!(gatekeeper.is_remembered(&gatekeeper.proof("ada", "secret")));
        for (name, password) in [("ada", "secret2"), ("adas", "ecret"), ("eve", "secret")] {
            assert!(!gatekeeper.is_remembered(&gatekeeper.proof(name, password)), "{name} {password}");
        }
        Ok(())
    }
}
