//! Statements over a wire: sessions in a server, and clients that send text and get rows.
//!
//! [`StatementServer`] is a service of Arrow Flight. A client shakes hands once and has a session from then on, known by a
//! token (`sessions.rs`); it sends the text of a statement with `GetFlightInfo`, which runs it, and fetches the rows, if
//! there are any, with `DoGet` (`service.rs`). The messages for that are those of Flight SQL, so that a whole service of
//! Flight SQL can grow from here. [`RemoteSession`] is the client.
//!
//! What an [`Outcome`](quarray_engine::Outcome) is beside its rows travels as a message (`outcome.rs`), and an
//! [`Error`](quarray_engine::Error) as the details of a status (`failure.rs`): the client has the same outcome or error as
//! if it had run the statement itself.
//!
//! Threads: the service has some of its own, which only pass on what queries, on other threads, have made. A server
//! whose cores are all at work still answers.

mod actions;
mod client;
pub mod dashboard;
mod failure;
mod flight;
pub mod http;
mod message;
mod names;
mod outcome;
mod pump;
mod random;
pub mod security;
mod server;
mod service;
mod sessions;
mod spawned;
#[cfg(test)]
mod tests;

pub use client::{LoginName, RemoteSession, ServerLogin};
pub use flight::{Admission, Anyone, Authenticator, Credentials, Permit, Refused, Unlimited, User};
pub use server::{ServeSettings, StatementServer};
pub use sessions::SessionFactory;

/// The action that tells the names that a session's queries can use.
const ACTION_NAMES: &str = "quarray.Names";

/// The action that tells what a name, path or address holds.
const ACTION_DESCRIBE: &str = "quarray.Describe";

/// The action that tells how far a session's query is. A session that is asked is not idle.
const ACTION_PROGRESS: &str = "quarray.Progress";

/// The action that sets options of a session, by its name in Flight SQL.
const ACTION_OPTIONS: &str = "SetSessionOptions";

/// The action that ends a session, by its name in Flight SQL.
const ACTION_CLOSE: &str = "CloseSession";

/// The key of a schema's metadata that has the names of the dimensions, as JSON.
const DIMENSIONS_KEY: &str = "quarray:dimensions";
