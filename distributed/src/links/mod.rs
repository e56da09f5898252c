//! Links between the hosts of a cluster: encrypted, and only for those who know the shared secret.
//!
//! Ballista's servers ask nobody who they are, so they listen on loopback, here and on every host. What listens on the
//! address that others know is a [`Gate`]: it takes TLS 1.3, asks for a proof, and carries bytes to the one service behind
//! that the client named. On the other side [`Links`] are the way out: for each service of another host there is a Unix
//! socket in a directory of this process alone, and what goes into it comes out of that host's service.
//!
//! ```text
//! Ballista's client → Unix socket → TLS over TCP → gate → Ballista's server on loopback
//! ```
//!
//! Four ways lead from process to process, and each has its place where the address is exchanged for a socket:
//! executor → scheduler and scheduler → executor by Ballista's `override_create_grpc_client_endpoint`, executor → executor
//! by our pool of connections (`cluster/connections.rs`), result → session in `cluster/delivery.rs`. A fifth is a trap: the
//! scheduler tries an executor's port, past that override, when it registers. It gets a connection and no more; the gate
//! closes it as it closes all who do not speak TLS.
//!
//! # The proof
//! Certificates are made when a process starts, signed by nobody, and prove nothing. Both sides take 32 bytes from the TLS
//! session that no other session has (its exporter, as in RFC 9266) and send a keyed hash of them, of their role, of the
//! service and of the answer (`proof.rs`); the key is the secret. The client goes first, so that who asks without the
//! secret gets nothing to try secrets on.
//!
//! # What this stands against
//! - *Somebody who listens*: sees who speaks to whom, and how much. Forward secrecy: a secret that is lost later does not
//!   open what was recorded.
//! - *Somebody who connects* without the secret: is closed after at most 3 s and 16 KiB. At most 128 such connections
//!   wait at a gate; when one more comes, the oldest of the address that has the most of them goes, so that thousands of
//!   idle ones keep nobody out.
//! - *Somebody in between* has two TLS sessions, and a proof for one is none for the other. A recorded proof is none for any
//!   later session, and a proof of a client is none of a gate.
//! - *A wrong secret*: told at the start, at once.
//!
//! # What it does not stand against
//! - Whoever has the secret is a part of the cluster: may register executors, gets tasks with what plans say (addresses of
//!   data, no credentials), may read shuffled data. There are no rights below that.
//! - Somebody in between who can redirect connections may lead one to another member of the same cluster. Nothing is
//!   learnt by it, and work fails there for lack of the data; but answers then depend on names of jobs being unique.
//! - Users of the same host: loopback is open to them, as it is without a secret. Hosts of a cluster belong to its user.
//! - A short or guessable secret: a host that pretends to be a scheduler gets a proof from who calls it, and can try
//!   secrets on that. 32 random bytes cannot be tried.
//! - A flood: it costs the gate a handshake each.

mod dial;
mod error;
mod gate;
mod greeting;
mod identity;
mod limited;
mod outward;
mod proof;
mod secret;
mod sockets;
#[cfg(test)]
mod tests;
mod waiting;

pub use dial::Connection;
pub use error::LinkError;
pub use gate::{Door, Gate, GateCounts};
pub use identity::Identity;
pub use outward::Links;
pub use proof::Service;
pub use secret::{SECRET_VARIABLE, Secret};
