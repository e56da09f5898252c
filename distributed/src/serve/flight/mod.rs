//! Flight SQL: what clients of all kinds ask of a server, one idea a file.

mod handshake;

pub(super) use handshake::credentials;
pub use handshake::{Admission, Anyone, Authenticator, Credentials, Permit, Refused, Unlimited, User};
