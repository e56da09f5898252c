//! What can go wrong in a measurement.

use std::path::PathBuf;

/// A measurement that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program did not start.
    #[error("{program} did not start: {error}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        error: std::io::Error,
    },
    /// A program failed.
    #[error("{command} failed with code {code}:\n{output}")]
    Failed {
        /// The program and its arguments.
        command: String,
        /// Its exit code, or the signal that ended it, negative.
        code: i32,
        /// What it printed.
        output: String,
    },
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A peer printed something else than its figures.
    #[error("expected figures of {program}, found {found:?}")]
    Figures {
        /// The peer.
        program: String,
        /// What it printed.
        found: String,
    },
    /// Executors gave another answer than one process.
    #[error("{query}: expected on {place} what one process answers ({}), found {}", expected.display(), found.display())]
    Different {
        /// The query.
        query: String,
        /// The executors.
        place: String,
        /// A file of the answer of one process.
        expected: PathBuf,
        /// A file of the other one.
        found: PathBuf,
    },
    /// There is no such query.
    #[error("no query `{0}`, expected a file of benches/queries without its extension")]
    Query(String),
}
