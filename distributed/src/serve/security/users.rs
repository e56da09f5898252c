//! The users of a server: a line each in a file, and tokens of the environment.
//!
//! ```text
//! # name  hash (quarray hash-password)                 settings
//! ada     $argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA  role=admin
//! robot   sha256:5f9c4ab08cac7457e9111a30e4664920...    role=read queries=2 queue=8 memory=2GiB time=60 until=2030-01-31
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quarray_lang::quantity::parse_bytes;

use super::error::SecurityError;
use super::limits::UserLimits;
use super::passwords::PasswordHash;
use super::tokens::TokenHash;

/// The variable of the environment with tokens: `ada=TOKEN grafana=TOKEN`.
pub const TOKENS_VARIABLE: &str = "QUARRAY_USER_TOKENS";

/// A file of users has no more bytes.
const FILE_BYTES_MAX: usize = 4 << 20;

/// Tokens have at least so many characters: short ones could be guessed.
const TOKEN_LENGTH_MIN: usize = 16;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Queries only.
    Read,
    /// Queries, and stores and tables in the directories of the server.
    #[default]
    Write,
    /// All of it, and clusters.
    Admin,
}

/// A user as the server knows them.
#[derive(Debug, Clone, PartialEq)]
pub struct UserRecord {
    /// The name.
    pub name: Arc<str>,
    /// What the user may do.
    pub role: Role,
    /// How much of it at once; what is not said is as the server has it for everyone.
    pub limits: UserLimits,
    pub(super) passwords: Vec<PasswordHash>,
    pub(super) tokens: Vec<TokenHash>,
    /// From then on nothing is accepted.
    pub(super) until: Option<SystemTime>,
}

/// Everyone who may use a server.
#[derive(Debug, Clone, Default)]
pub struct Users {
    by_name: BTreeMap<Arc<str>, UserRecord>,
}

impl Users {
    /// Those of a file, if there is one, and of tokens as the environment has them.
    pub fn read(file: Option<&Path>, tokens: Option<&str>) -> Result<Self, SecurityError> {
        let mut users = match file {
            Some(path) => {
                let shown = path.display().to_string();
                let text = std::fs::read_to_string(path)
                    .map_err(|error| SecurityError::File { path: shown.clone(), error })?;
                Self::parse(&text, &shown)?
            }
            None => Self::default(),
        };
        if let Some(tokens) = tokens {
            users.add_tokens(tokens, file.is_some())?;
        }
        Ok(users)
    }

    /// Those of the text of a file, named for messages.
    pub fn parse(text: &str, file: &str) -> Result<Self, SecurityError> {
        let mut users = Self::default();
        if text.len() > FILE_BYTES_MAX {
            let message = format!("expected at most {FILE_BYTES_MAX} bytes, found {}", text.len());
            return Err(SecurityError::Users { place: file.to_string(), message });
        }
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |message| SecurityError::Users { place: format!("{file}:{}", number + 1), message };
            let user = user(line).map_err(wrong)?;
            if users.by_name.contains_key(&user.name) {
                return Err(wrong(format!("user `{}` is there already", user.name)));
            }
            users.by_name.insert(Arc::clone(&user.name), user);
        }
        Ok(users)
    }

    /// The user of that name.
    pub fn get(&self, name: &str) -> Option<&UserRecord> {
        self.by_name.get(name)
    }

    /// All of them, in the order of their names.
    pub fn all(&self) -> impl Iterator<Item = &UserRecord> {
        self.by_name.values()
    }

    /// Whether there are none: then nobody is asked who they are.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Tokens of users of the file; of anyone, where there is no file.
    fn add_tokens(&mut self, tokens: &str, has_file: bool) -> Result<(), SecurityError> {
        let wrong = |message: String| SecurityError::Tokens { variable: TOKENS_VARIABLE, message };
        for pair in tokens.split_whitespace() {
            let (name, token) =
                pair.split_once('=').ok_or_else(|| wrong("expected name=token, found no `=`".to_string()))?;
            let name = checked_name(name).map_err(wrong)?;
            if token.len() < TOKEN_LENGTH_MIN {
                let message = format!("expected a token of at least {TOKEN_LENGTH_MIN} characters for `{name}`");
                return Err(wrong(message));
            }
            if has_file && !self.by_name.contains_key(&name) {
                return Err(wrong(format!("`{name}` is not a user of the file")));
            }
            let new = || UserRecord::named(Arc::clone(&name));
            self.by_name.entry(Arc::clone(&name)).or_insert_with(new).tokens.push(TokenHash::of(token));
        }
        Ok(())
    }
}

impl UserRecord {
    fn named(name: Arc<str>) -> Self {
        let (role, limits) = (Role::default(), UserLimits::default());
        Self { name, role, limits, passwords: Vec::new(), tokens: Vec::new(), until: None }
    }

    /// Whether the user is one still.
    pub(super) fn is_current(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// The user of a line.
fn user(line: &str) -> Result<UserRecord, String> {
    let mut words = line.split_whitespace();
    let mut user = UserRecord::named(checked_name(words.next().unwrap_or_default())?);
    let hash = words.next().ok_or("expected a hash after the name, found nothing: quarray hash-password makes one")?;
    match hash.strip_prefix("sha256:") {
        Some(hex) => user.tokens.push(TokenHash::parse(hex)?),
        None => user.passwords.push(PasswordHash::parse(hash)?),
    }
    for word in words {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("expected key=value, found `{word}`"))?;
        set(&mut user, key, value)?;
    }
    Ok(user)
}

fn set(user: &mut UserRecord, key: &str, value: &str) -> Result<(), String> {
    let wrong = |expected: &str| format!("{key}: expected {expected}, found `{value}`");
    let count = |least: usize| {
        let number = value.parse::<usize>().ok().filter(|number| (least..=1_000_000).contains(number));
        number.ok_or_else(|| wrong("a number"))
    };
    match key {
        "role" => {
            user.role = match value {
                "read" => Role::Read,
                "write" => Role::Write,
                "admin" => Role::Admin,
                _ => return Err(wrong("read, write or admin")),
            }
        }
        "queries" => user.limits.queries = Some(count(1)?),
        "queue" => user.limits.queue = Some(count(0)?),
        "time" => user.limits.time = Some(Duration::from_secs(count(1)? as u64)),
        "memory" => {
            let bytes = parse_bytes(value).ok().and_then(|bytes| usize::try_from(bytes).ok());
            user.limits.memory = Some(bytes.ok_or_else(|| wrong("a size such as 2GiB"))?);
        }
        "until" => user.until = Some(day(value).ok_or_else(|| wrong("a date such as 2030-01-31"))?),
        _ => return Err(format!("unknown setting `{key}`: expected role, queries, queue, memory, time or until")),
    }
    Ok(())
}

/// A name that can stand in a file, a header and a log.
fn checked_name(name: &str) -> Result<Arc<str>, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    match !name.is_empty() && name.len() <= 64 && name.chars().all(is_plain) {
        true => Ok(Arc::from(name)),
        false => Err(format!(
            "expected a name of up to 64 letters, digits and any of `._-@`, found `{}`",
            name.chars().take(64).collect::<String>().escape_debug()
        )),
    }
}

/// The beginning of a day, in UTC.
fn day(text: &str) -> Option<SystemTime> {
    let mut parts = text.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let is_date = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if parts.next().is_some() || !is_date {
        return None;
    }
    // Days from the first of March of the year 0, of which the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    UNIX_EPOCH.checked_add(Duration::from_secs(days.checked_sub(719_468)?.checked_mul(86_400)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::security::passwords::hash_quickly;

    type Ended = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn lines_are_users() -> Ended {
        let hash = hash_quickly("secret")?;
        let token = TokenHash::of("a token of a robot").to_string();
        let text = format!(
            "# users\n\n  ada   {hash} role=admin\nrobot {token} role=read queries=2 queue=0 memory=2GiB time=60 until=2030-01-31\n"
        );
        let users = Users::parse(&text, "users")?;
        assert_eq!(users.all().map(|user| user.name.as_ref()).collect::<Vec<_>>(), ["ada", "robot"]);
        let robot = users.get("robot").ok_or("no robot")?;
        assert_eq!((robot.role, users.get("ada").ok_or("no ada")?.role), (Role::Read, Role::Admin));
        let limits =
            UserLimits { queries: Some(2), queue: Some(0), memory: Some(2 << 30), time: Some(Duration::from_secs(60)) };
        assert_eq!(robot.limits, limits);
        let end = UNIX_EPOCH + Duration::from_secs(1_896_048_000);
        assert_eq!(robot.until, Some(end));
        assert!(robot.is_current(end - Duration::from_secs(1)) && !robot.is_current(end));
        Ok(())
    }

    #[test]
    fn wrong_lines_are_named_without_their_secrets() -> Ended {
        let hash = hash_quickly("secret")?;
        for (line, expected) in [
            ("ada".to_string(), "expected a hash"),
            ("ada secret".to_string(), "expected a hash of argon2id"),
            ("ada $argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA".to_string(), "argon2id"),
            ("ada $argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo".to_string(), "memory"),
            ("ada sha256:abc".to_string(), "64 hexadecimal digits"),
            (format!("a:b {hash}"), "expected a name"),
            (format!("ada {hash} role=king"), "role: expected read, write or admin, found `king`"),
            (format!("ada {hash} queries=0"), "queries: expected a number"),
            (format!("ada {hash} memory=lots"), "memory: expected a size"),
            (format!("ada {hash} until=2030-13-01"), "until: expected a date"),
            (format!("ada {hash} colour=red"), "unknown setting `colour`"),
            (format!("ada {hash} admin"), "expected key=value, found `admin`"),
            (format!("bob {hash}\nbob {hash}"), "user `bob` is there already"),
        ] {
            let Err(error) = Users::parse(&line, "users") else { return Err(format!("accepted: {line}").into()) };
            let words = error.to_string();
            assert!(words.starts_with("users:") && words.contains(expected), "{line}: {words}");
            assert!(!words.contains("secret") && !words.contains(&hash), "{words}");
        }
        Ok(())
    }

    #[test]
    fn tokens_of_the_environment_belong_to_users() -> Ended {
        let users = Users::read(None, Some("grafana=0123456789abcdef  ada=fedcba9876543210"))?;
        assert_eq!(users.all().count(), 2);
        for wrong in ["grafana", "grafana=short", "gra:fana=0123456789abcdef"] {
            let Err(error) = Users::read(None, Some(wrong)) else { return Err(format!("accepted: {wrong}").into()) };
            assert!(error.to_string().starts_with("QUARRAY_USER_TOKENS: expected"), "{error}");
        }
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), format!("ada {}\n", hash_quickly("secret")?))?;
        let both = Users::read(Some(file.path()), Some("ada=0123456789abcdef"))?;
        let ada = both.get("ada").ok_or("no ada")?;
        assert_eq!((ada.tokens.len(), ada.passwords.len()), (1, 1));
        assert!(Users::read(Some(file.path()), Some("eve=0123456789abcdef")).is_err());
        Ok(())
    }
}
