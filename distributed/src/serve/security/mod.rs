//! The security of a server: who may use it, how much of it, and what they may touch.
//!
//! | file | idea |
//! |---|---|
//! | `users.rs` | a line a user: hash, role, limits |
//! | `passwords.rs`, `tokens.rs` | what users prove themselves with, hashed |
//! | `guesses.rs` | whoever was wrong several times waits |
//! | `gatekeeper.rs` | lets users in, by all of these |
//! | `limits.rs` | statements that run, statements that wait |
//! | `rights.rs` | the session of a user: role, memory, time |
//! | `viewers.rs` | what a user sees of the dashboard |
//! | `tls.rs`, `incoming.rs`, `outgoing.rs` | encrypted connections, of servers and of clients |
//! | `exposure.rs` | what it takes to be reached by other machines |
//!
//! What a session may touch of the server's files and of the network is the engine's matter:
//! [`access`](quarray_engine::access).

mod error;
mod exposure;
mod gatekeeper;
mod guesses;
mod incoming;
mod limits;
mod outgoing;
mod passwords;
mod rights;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod users;
mod viewers;

pub use error::SecurityError;
pub use exposure::expect_safe;
pub use gatekeeper::Gatekeeper;
pub(super) use incoming::{Incoming, incoming};
pub use limits::{Turnstiles, UserLimits};
pub(super) use outgoing::Outgoing;
#[cfg(test)]
pub(in crate::serve) use passwords::hash_quickly;
pub use passwords::{PASSWORD_BYTES_MAX, hash_password};
pub use rights::Rights;
pub use tls::{ClientTls, ServerTls};
pub use tokens::new_token;
pub use users::{Role, TOKENS_VARIABLE, UserRecord, Users};
