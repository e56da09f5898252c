//! The `quarray` command: statements in, tables, files and drawings out.
//!
//! [`args`] says what to run, [`command`] and [`shell`] run it statement by statement through [`runner`], [`deliver`]
//! brings what comes back to a writer of [`print`] or to [`plot`]. The session is one of this process or, with `--connect`,
//! one of a server ([`serve`]): [`any_session`].
//!
//! Architecture invariant: results go to standard output, everything else to standard error.

mod allocator;
pub mod any_session;
pub mod args;
pub mod cluster;
pub mod command;
pub mod dashboard;
pub mod deliver;
pub mod editor;
pub mod failure;
pub mod helper;
pub mod history;
pub mod meta;
pub mod output;
pub mod password;
pub mod plot;
pub mod print;
pub mod progress;
pub mod runner;
pub mod security;
pub mod serve;
pub mod shell;
pub mod terminal;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command with these arguments, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    allocator::keep_blocks();
    let ended = match cluster::run(&arguments) {
        Some(ended) => ended.map(|()| 0),
        None => args::Args::read(arguments).map_err(failure::Failure::CommandLine).map(|args| command::run(&args)),
    };
    match ended {
        Ok(status) => ExitCode::from(status),
        Err(failure::Failure::CommandLine(error)) => {
            // Help and version are "errors" too, with status 0. A closed output is no reason to complain.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
        Err(failure) => {
            command::report(&failure, "");
            ExitCode::from(failure.exit_code())
        }
    }
}
