//! The web side of a server: pages, figures and streams of them, over plain HTTP.
//!
//! [`HttpServer`] listens, `guard.rs` looks at every request before anything else does (who may ask, by which name of
//! this host, from which page), `routes.rs` answers with what [`Dashboard`](super::dashboard::Dashboard) knows.
//!
//! Whoever wants users to be asked for passwords gives an [`Access`]; until then nothing but this machine is served.

mod access;
mod guard;
mod routes;
mod server;
mod streams;

pub use access::{Access, Denied, Everyone};
pub use server::{HttpServer, HttpSettings};
