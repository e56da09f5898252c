//! What can go wrong between hosts.

use std::io;

/// An error of a secret, or of a link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// A secret that could be tried out.
    #[error("the secret of the cluster has {found} bytes, expected at least {expected}")]
    SecretTooShort {
        /// Its bytes.
        found: usize,
        /// The fewest that are taken.
        expected: usize,
    },
    /// Rather a wrong file.
    #[error("the secret of the cluster is too long, expected at most {limit} bytes")]
    SecretTooLong {
        /// The most that are taken.
        limit: usize,
    },
    /// It could not be handed to a child.
    #[error("the secret of the cluster has a zero byte, expected text")]
    SecretWithZero,
    /// The file of the secret cannot be read.
    #[error("cannot read the secret of the cluster from {path}: {error}")]
    SecretFile {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// TLS cannot be set up.
    #[error("cannot prepare encrypted links: {0}")]
    Encryption(String),
    /// The sockets of links cannot be made.
    #[error("cannot make a socket for links in {path}: {error}")]
    Socket {
        /// Where.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// Nobody answers there.
    #[error("cannot reach {address}: {error}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// It takes connections and says nothing.
    #[error("{address} has not answered within {seconds} s")]
    Silent {
        /// Host and port.
        address: String,
        /// How long was waited.
        seconds: u64,
    },
    /// Something else listens there.
    #[error("{address} is not a scheduler or executor with a shared secret: {reason}")]
    Foreign {
        /// Host and port.
        address: String,
        /// What it did.
        reason: String,
    },
    /// The other side knows another secret.
    #[error("{address} has refused the secret of the cluster: expected the one that it was started with")]
    Refused {
        /// Host and port.
        address: String,
    },
    /// The other side takes every secret, or somebody stands in between.
    #[error("{address} does not prove that it knows the secret of the cluster: it does not belong to it")]
    Unproven {
        /// Host and port.
        address: String,
    },
    /// The secret is right and the place is not.
    #[error("{address} is a part of this cluster, but not {service}")]
    NotHere {
        /// Host and port.
        address: String,
        /// What was asked for.
        service: &'static str,
    },
    /// The service behind the gate does not listen, or not yet.
    #[error("{address} does not reach its own {service}")]
    Unavailable {
        /// Host and port.
        address: String,
        /// What was asked for.
        service: &'static str,
    },
}

impl LinkError {
    /// Whether it may be better in a moment: a process that is starting, a network that is slow.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Silent { .. } | Self::Unavailable { .. })
    }
}
