//! The web side of a server: pages, figures and streams of them, over plain HTTP.
//!
//! [`HttpServer`] listens, `guard.rs` looks at every request before anything else does (who may ask, by which name of
//! this host, from which page), `routes.rs` answers with what [`Dashboard`](super::dashboard::Dashboard) knows.
//!
//! An [`Access`] says whether users are asked for passwords, and what each sees. Nothing but this machine is served either
//! way, since nothing is encrypted here.

mod access;
mod guard;
mod routes;
mod server;
mod streams;

pub use access::{Access, Denied, Everyone};
pub use server::{HttpServer, HttpSettings};
