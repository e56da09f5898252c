//! Who a client is, and what it may run at once: the traits that a server's rules stand behind.
//!
//! A client shows a name and a password (`Basic`, with the handshake or with any call), a token (`Bearer`), or nothing.
//! The handshake answers with the token of a new session, which later calls show. [`Authenticator`] decides who somebody
//! is, [`Admission`] whether a statement of theirs may begin.

use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine, alphabet};
use quarray_engine::Error;
use tonic::Status;
use tonic::metadata::MetadataMap;

/// The longest header that is read: nobody's password is longer.
const HEADER_BYTES_MAX: usize = 8 << 10;

/// The header of credentials.
const AUTHORIZATION: &str = "authorization";

/// What a client shows of itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    None,
    /// A name and a password.
    Password {
        /// The name.
        name: String,
        /// The password.
        password: String,
    },
    /// A token that is not one of a session.
    Token(String),
}

/// Someone whom a server knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct User {
    /// The name: what statements, limits and logs speak of.
    pub name: Arc<str>,
}

/// Credentials that are not accepted. It does not tell what was wrong with them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The server asks for a password or a token, and there was none.
    #[error("expected a password or a token, found none")]
    Missing,
    /// No user has this name and password, or this token.
    #[error("the name, password or token is not accepted")]
    Wrong,
    /// There were too many wrong ones, or too many others are being looked at.
    #[error("too many attempts: try again in {seconds} s")]
    Later {
        /// When.
        seconds: u64,
    },
}

/// Decides who a client is. It is asked at every handshake, and at every call that shows no token of a session.
#[async_trait]
pub trait Authenticator: fmt::Debug + Send + Sync {
    /// The user who shows these credentials. What takes long (hashing) is for it to take off the threads of the service.
    ///
    /// `peer` is where they come from, if that is known: guesses are counted by it.
    async fn authenticate(&self, credentials: &Credentials, peer: Option<IpAddr>) -> Result<User, Refused>;
}

/// Decides whether a statement of a user may begin, or how long it waits.
#[async_trait]
pub trait Admission: fmt::Debug + Send + Sync {
    /// Waits until a statement may begin. What comes back is held until the statement and its rows have ended.
    async fn admit(&self, user: &User) -> Result<Permit, Error>;
}

/// The right to run a statement, given back when it is dropped.
pub struct Permit(Option<Box<dyn Any + Send + Sync>>);

impl Permit {
    /// A right that holds something until it ends.
    pub fn holding(what: impl Any + Send + Sync) -> Self {
        Self(Some(Box::new(what)))
    }

    /// A right that costs nobody anything.
    pub fn free() -> Self {
        Self(None)
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Permit").field("is_free", &self.0.is_none()).finish()
    }
}

/// What is shown is not for logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "no credentials",
            Self::Password { .. } => "a password",
            Self::Token(_) => "a token",
        })
    }
}

/// Takes everyone for who they say they are: for a server of one machine, which has no users. It has given nobody a token.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anyone;

#[async_trait]
impl Authenticator for Anyone {
    async fn authenticate(&self, credentials: &Credentials, _peer: Option<IpAddr>) -> Result<User, Refused> {
        let name = match credentials {
            Credentials::Password { name, .. } if !name.is_empty() => name.as_str(),
            Credentials::Password { .. } | Credentials::None => "anonymous",
            Credentials::Token(_) => return Err(Refused::Wrong),
        };
        Ok(User { name: Arc::from(name) })
    }
}

/// Lets every statement begin at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

#[async_trait]
impl Admission for Unlimited {
    async fn admit(&self, _user: &User) -> Result<Permit, Error> {
        Ok(Permit::free())
    }
}

/// The credentials in the headers of a call.
pub(in crate::serve) fn credentials(headers: &MetadataMap) -> Result<Credentials, Status> {
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(Credentials::None) };
    let read = header.to_str().ok().and_then(credentials_in);
    read.ok_or_else(|| Status::unauthenticated("expected `Basic` or `Bearer` credentials, found another header"))
}

/// The credentials in an `Authorization` header, of a call or of a browser's request.
pub(in crate::serve) fn credentials_in(header: &str) -> Option<Credentials> {
    if header.len() > HEADER_BYTES_MAX {
        return None;
    }
    let (scheme, value) = header.split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(Credentials::Token(value.trim().to_string())),
        "basic" => password(value.trim()),
        _ => None,
    }
}

/// Base 64 with its padding or without: Go's clients leave it out.
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `name:password`, in base 64.
fn password(encoded: &str) -> Option<Credentials> {
    let decoded = String::from_utf8(ANY_PADDING.decode(encoded).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some(Credentials::Password { name: name.to_string(), password: password.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &'static str) -> Option<Credentials> {
        let mut headers = MetadataMap::new();
        headers.insert(AUTHORIZATION, tonic::metadata::MetadataValue::from_static(header));
        credentials(&headers).ok()
    }

    #[test]
    fn headers_are_credentials() {
        let ada = Credentials::Password { name: "ada".to_string(), password: "a:b".to_string() };
        assert_eq!(of("Basic YWRhOmE6Yg=="), Some(ada.clone()));
        assert_eq!(of("Basic YWRhOmE6Yg"), Some(ada));
        assert_eq!(of("bearer abc"), Some(Credentials::Token("abc".to_string())));
        assert_eq!(credentials(&MetadataMap::new()).ok(), Some(Credentials::None));
        for wrong in ["Basic", "Basic !", "Basic YWRh", "Digest abc"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{:?}", of("Basic YWRhOmE6Yg==")), "Some(a password)");
    }
}
