//! What can go wrong in the shell, and how it is told.

use std::io;

use quarray_distributed::cluster::ClusterError;
use quarray_distributed::serve::security::SecurityError;
use quarray_engine::error::Error;
use quarray_engine::queries::QueryLogError;
use tokio::task::JoinError;

use crate::plot::PlotError;
use crate::print::WriteError;
use crate::terminal::Style;

/// Why a statement, or the program, ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The statement failed, or was cancelled.
    #[error(transparent)]
    Query(#[from] Error),
    /// Its result could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It has too many cells for a table.
    #[error("the result has {cells:.1e} cells ({bytes}): add LIMIT or INTO, or write it with --format csv", cells = *cells as f64)]
    TooLarge {
        /// Its cells.
        cells: u64,
        /// The bytes of their values.
        bytes: String,
    },
    /// It could not be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The output file cannot be written.
    #[error("cannot write {path}: {error}")]
    Output {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// A file has a result already.
    #[error("{0} holds a result already, and its format has no room for another; run one statement or write csv")]
    SecondResult(String),
    /// Statements cannot be read.
    #[error("cannot read {path}: {error}")]
    Input {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// Options that do not fit together.
    #[error("{0}")]
    Usage(String),
    /// The terminal, or a program on it, does not do what is wanted.
    #[error("{0}")]
    Terminal(String),
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    CommandLine(clap::Error),
    /// The cluster, or this program as a part of it.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The security of a server.
    #[error(transparent)]
    Security(SecurityError),
    /// There is no query log.
    #[error(transparent)]
    QueryLog(#[from] QueryLogError),
    /// The program cannot start.
    #[error("cannot start: {0}")]
    Start(io::Error),
}

impl Failure {
    /// The failure of a task that panicked.
    pub(crate) fn crash(error: &JoinError) -> Self {
        Self::Query(Error::Internal(error.to_string()))
    }

    /// Whether the user asked for it.
    pub fn is_interrupt(&self) -> bool {
        matches!(self, Self::Query(Error::Cancelled))
    }

    /// Whether the reader of standard output has gone away: no error, but nothing is left to do.
    pub fn is_closed_output(&self) -> bool {
        matches!(self, Self::Write(WriteError::Closed))
    }

    /// The status that the program ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            _ if self.is_closed_output() => 0,
            _ if self.is_interrupt() => 130,
            Self::CommandLine(_) | Self::Usage(_) | Self::Input { .. } | Self::Security(_) => 2,
            // An address that pages are not served at is an option that cannot be had.
            Self::Cluster(ClusterError::NotLocal { .. } | ClusterError::InTheClear { .. }) => 2,
            _ => 1,
        }
    }

    /// The failure in words, with the places in the statement's text that it is about.
    pub fn render(&self, text: &str, style: &Style) -> String {
        let label = style.paint("1;31", "error:");
        let diagnostics = match self {
            Self::Query(error) => error.diagnostics(),
            _ => &[],
        };
        if diagnostics.is_empty() {
            return format!("{label} {self}\n");
        }
        let rendered = diagnostics.iter().map(|diagnostic| {
            let page = diagnostic.render(text);
            let page = page.trim_end();
            format!("{label} {}\n", page.strip_prefix("error: ").unwrap_or(page))
        });
        rendered.collect()
    }
}
