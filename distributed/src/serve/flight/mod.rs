//! Flight SQL: what clients of all kinds ask of a server, one idea a file.
//!
//! | file | idea |
//! |---|---|
//! | `handshake.rs` | who a client is, and what it may run at once |
//! | `connection.rs` | the session of a client that shows no token |
//! | `seal.rs` | tickets and handles that cannot be made up |
//! | `statement.rs` | a statement and its outcome, once |
//! | `results.rs` | results that wait to be fetched, and may be fetched again |
//! | `fetch.rs` | rows for a ticket |
//! | `wire.rs` | the types that every client reads |
//! | `blocks.rs` | results as arrays: a tensor a column |
//! | `prepared.rs`, `parameters.rs` | prepared statements and what is bound to them |
//! | `put.rs`, `ingest.rs` | updates, parameters and whole tables from clients |
//! | `received.rs`, `expanded.rs` | what messages say of themselves, and what their rows would take |
//! | `options.rs` | what a client sets for its session |
//! | `poll.rs` | statements that are asked about while they run |
//! | `cancel.rs` | ending what runs |
//! | `catalog.rs`, `sql_info.rs`, `types.rs` | what there is, and what the server can do |
//! | `keep_alive.rs` | streams that say something while they have nothing to say |

mod blocks;
mod cancel;
pub(super) mod catalog;
mod connection;
mod expanded;
mod fetch;
mod handshake;
mod ingest;
mod keep_alive;
mod kept;
#[cfg(test)]
mod memory_tests;
pub(super) mod options;
mod poll;
mod prepared;
mod put;
mod received;
mod results;
mod seal;
mod sql_info;
mod statement;
#[cfg(test)]
mod tests;
mod types;
mod wire;

pub(super) use connection::{Connection, ConnectionInfo};
pub use handshake::{Admission, Anyone, Authenticator, Credentials, Permit, Refused, Unlimited, User};
pub(super) use handshake::{credentials, credentials_in};
pub(super) use kept::KeptBytes;
pub(super) use options::{OptionKind, OptionValue, SessionOptions, SetSessionOptions, SetSessionOptionsResult};
pub(super) use poll::{Polls, running_handle};
pub(super) use prepared::{PreparedStatements, no_transactions, schema_bytes};
pub(super) use results::{Keeping, Results};
pub(super) use seal::Seals;
pub(super) use statement::Statement;
pub(super) use wire::with_schema;
