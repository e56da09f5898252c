//! What keeps a server from being a safe one.

use std::io;

/// Why a server cannot be started, or a client cannot trust one.
#[derive(Debug, thiserror::Error)]
pub enum SecurityError {
    /// A file that cannot be read.
    #[error("cannot read {path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// A line of the file of users.
    #[error("{place}: {message}")]
    Users {
        /// The file and the line.
        place: String,
        /// What was found and what was expected.
        message: String,
    },
    /// Tokens of the environment.
    #[error("{variable}: {message}")]
    Tokens {
        /// The variable.
        variable: &'static str,
        /// What was found and what was expected.
        message: String,
    },
    /// A password that cannot be hashed.
    #[error("cannot hash the password: {0}")]
    Hash(String),
    /// A certificate or a key.
    #[error("cannot use {path} for TLS: {message}")]
    Certificate {
        /// The file.
        path: String,
        /// What is wrong with it.
        message: String,
    },
    /// An address that other machines reach, without what that needs.
    #[error("cannot serve {address}, which other machines reach: expected {missing}, or --insecure")]
    Exposed {
        /// The address.
        address: String,
        /// What is missing.
        missing: &'static str,
    },
}
