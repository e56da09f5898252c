//! Passwords: their hashes (argon2id), and the work of comparing, which is heavy on purpose and never on the threads that
//! answer calls.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::{PasswordHashString, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::error::SecurityError;

/// Passwords that are compared at the same time: each takes some 20 MiB and a core.
const AT_ONCE: usize = 2;

/// Of more passwords than this that wait, the next ones are turned away.
const WAITING_MAX: usize = 64;

/// Memory that a hash of the file may ask for, in KiB, and its passes: whoever wrote more made a mistake.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 64;

/// Nobody's password is longer.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// A password, hashed.
#[derive(Clone, PartialEq)]
pub(super) struct PasswordHash(PasswordHashString);

impl PasswordHash {
    /// Reads a hash in its usual form (PHC).
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected a hash of argon2id as quarray hash-password makes it";
        let hash = PasswordHashString::new(text).map_err(|_| expected.to_string())?;
        let parts = hash.password_hash();
        let params = Params::try_from(&parts).map_err(|_| expected.to_string())?;
        if parts.algorithm.as_str() != "argon2id" || parts.salt.is_none() || parts.hash.is_none() {
            return Err(expected.to_string());
        }
        if params.m_cost() > MEMORY_KIB_MAX || params.t_cost() > PASSES_MAX || params.p_cost() > LANES_MAX {
            return Err(format!(
                "expected a hash that takes at most {MEMORY_KIB_MAX} KiB of memory, {PASSES_MAX} passes and {LANES_MAX} lanes"
            ));
        }
        Ok(Self(hash))
    }

    fn is_of(&self, password: &str) -> bool {
        // The parameters are those of the hash; the comparison takes the same time wherever they differ.
        Argon2::default().verify_password(password.as_bytes(), &self.0.password_hash()).is_ok()
    }
}

/// Hashes are not for logs.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash")
    }
}

/// The hash of a password: what stands in a file of users. As OWASP has it: 19 MiB, two passes.
pub fn hash_password(password: &str) -> Result<String, SecurityError> {
    let params = Params::new(Params::DEFAULT_M_COST, Params::DEFAULT_T_COST, Params::DEFAULT_P_COST, None);
    hash_with(password, params.map_err(|error| SecurityError::Hash(error.to_string()))?)
}

fn hash_with(password: &str, params: Params) -> Result<String, SecurityError> {
    let wrong = |error: &dyn fmt::Display| SecurityError::Hash(error.to_string());
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        return Err(SecurityError::Hash(format!("expected 1 to {PASSWORD_BYTES_MAX} bytes, found {}", password.len())));
    }
    let mut salt = [0; 16];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut salt)).map_err(|error| wrong(&error))?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| wrong(&error))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Ok(argon2.hash_password(password.as_bytes(), &salt).map_err(|error| wrong(&error))?.to_string())
}

/// The threads that compare passwords.
#[derive(Debug)]
pub(super) struct PasswordChecks {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Compared where there is no user, so that an unknown name takes as long as a wrong password.
    nobody: PasswordHash,
}

impl PasswordChecks {
    /// Nothing to do yet. What there is no user for is compared with a hash like those of users.
    pub(super) fn new(like: Option<&PasswordHash>) -> Result<Self, SecurityError> {
        let params = like.and_then(|hash| Params::try_from(&hash.0.password_hash()).ok());
        let nobody = match params {
            Some(params) => hash_with("nobody", params)?,
            None => hash_password("nobody")?,
        };
        let nobody = PasswordHash::parse(&nobody).map_err(SecurityError::Hash)?;
        Ok(Self { turns: Arc::new(Semaphore::new(AT_ONCE)), waiting: AtomicUsize::new(0), nobody })
    }

    /// Whether a password is one of these; `None` when too many others wait.
    pub(super) async fn check(&self, hashes: &[PasswordHash], password: String) -> Option<bool> {
        let _waiting = Waiting::begin(&self.waiting)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        let hashes = if hashes.is_empty() { vec![self.nobody.clone()] } else { hashes.to_vec() };
        let is_nobody = hashes == [self.nobody.clone()];
        let compared = tokio::task::spawn_blocking(move || {
            // The turn lasts as long as the work, even if whoever waits goes away.
            let _turn = turn;
            hashes.iter().fold(false, |found, hash| hash.is_of(&password) | found)
        });
        compared.await.ok().map(|found| found && !is_nobody)
    }
}

/// One that waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Option<Self> {
        let begun = Self(waiting);
        (waiting.fetch_add(1, Ordering::AcqRel) < WAITING_MAX).then_some(begun)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A hash that is cheap to make and to compare, for tests.
#[cfg(test)]
pub(in crate::serve) fn hash_quickly(password: &str) -> Result<String, SecurityError> {
    let params = Params::new(Params::MIN_M_COST, 1, 1, None);
    hash_with(password, params.map_err(|error| SecurityError::Hash(error.to_string()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Ended = Result<(), Box<dyn std::error::Error>>;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash() -> Ended {
        let text = hash_quickly("correct horse")?;
        assert!(text.starts_with("$argon2id$v=19$") && text != hash_quickly("correct horse")?);
        let hash = PasswordHash::parse(&text)?;
        let checks = PasswordChecks::new(Some(&hash))?;
        let hashes = [hash];
        assert_eq!(checks.check(&hashes, "correct horse".to_string()).await, Some(true));
        for wrong in ["", "correct hors", "correct horse ", "nobody"] {
            assert_eq!(checks.check(&hashes, wrong.to_string()).await, Some(false), "{wrong}");
            assert_eq!(checks.check(&[], wrong.to_string()).await, Some(false), "{wrong}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_crowd_is_turned_away() -> Ended {
        let checks = PasswordChecks::new(Some(&PasswordHash::parse(&hash_quickly("x")?)?))?;
        let _turns = Arc::clone(&checks.turns).acquire_many_owned(AT_ONCE as u32).await?;
        let all = (0..WAITING_MAX + 3).map(|_| checks.check(&[], "x".to_string()));
        let waited = tokio::time::timeout(std::time::Duration::from_millis(100), futures::future::join_all(all)).await;
        assert!(waited.is_err(), "nobody had to wait");
        let _held: Vec<_> = (0..WAITING_MAX).filter_map(|_| Waiting::begin(&checks.waiting)).collect();
        assert_eq!(checks.check(&[], "x".to_string()).await, None);
        Ok(())
    }

    #[test]
    fn the_usual_hash_is_one_that_is_read() -> Ended {
        PasswordHash::parse(&hash_password("x")?)?;
        assert!(hash_password("").is_err() && hash_password(&"x".repeat(PASSWORD_BYTES_MAX + 1)).is_err());
        Ok(())
    }
}
