//! Tickets and handles: names that only this server can have made, for one session, for a while.
//!
//! A sealed name tells what it names, whose session it belongs to and until when it holds, and ends in a tag (HMAC-SHA-256
//! under a key that is made anew with every start). Nothing in it is a path, an address or the token of a session.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;
use prost::bytes::Bytes;
use ring::hmac;
use ring::rand::SystemRandom;
use tonic::Status;

use crate::serve::sessions::ServedSession;

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) enum SealedKind {
    /// A result of a statement.
    Result = 1,
    /// A prepared statement.
    Prepared = 2,
    /// A statement that runs.
    Running = 3,
}

/// The key of a server.
pub(in crate::serve) struct Seals {
    key: hmac::Key,
}

#[derive(Clone, PartialEq, Message)]
struct SealedName {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    name: String,
    /// Seconds since 1970-01-01.
    #[prost(uint64, tag = "3")]
    until: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Sealed {
    #[prost(bytes = "bytes", tag = "1")]
    name: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    tag: Bytes,
}

impl Seals {
    /// A key that nobody knows.
    pub(in crate::serve) fn new() -> Result<Self, io::Error> {
        let made = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        Ok(Self { key: made.map_err(|_| io::Error::other("the system has no random numbers"))? })
    }

    /// A name that holds in this session for so long.
    pub(super) fn seal(&self, kind: SealedKind, name: &str, holds: Duration, session: &ServedSession) -> Bytes {
        let name = SealedName { kind: kind as i32, name: name.to_string(), until: seconds_now() + holds.as_secs() };
        let name = Bytes::from(name.encode_to_vec());
        let tag = hmac::sign(&self.key, &signed(&name, session));
        Sealed { name, tag: Bytes::copy_from_slice(tag.as_ref()) }.encode_to_vec().into()
    }

    /// The name under a seal of this session.
    pub(super) fn open(&self, kind: SealedKind, sealed: &[u8], session: &ServedSession) -> Result<String, Status> {
        let sealed = Sealed::decode(sealed).map_err(|_| foreign(kind))?;
        hmac::verify(&self.key, &signed(&sealed.name, session), &sealed.tag).map_err(|_| foreign(kind))?;
        let name = SealedName::decode(sealed.name).map_err(|_| foreign(kind))?;
        if name.kind != kind as i32 {
            return Err(foreign(kind));
        }
        if name.until < seconds_now() {
            return Err(Status::not_found(format!("the {} has expired", kind.word())));
        }
        Ok(name.name)
    }
}

impl SealedKind {
    fn word(self) -> &'static str {
        match self {
            Self::Result => "ticket",
            Self::Prepared => "handle of a prepared statement",
            Self::Running => "descriptor of a running statement",
        }
    }
}

/// What the tag is of: the name, whose it is, and where it holds.
fn signed(name: &[u8], session: &ServedSession) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len() + 64);
    for part in [session.id.as_bytes(), session.user.name.as_bytes(), name] {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part);
    }
    bytes
}

fn foreign(kind: SealedKind) -> Status {
    Status::not_found(format!("the {} is not one of this session", kind.word()))
}

/// Seconds since 1970-01-01.
pub(super) fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
