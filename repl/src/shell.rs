//! The interactive shell.

use crate::args::Args;
use crate::failure::Failure;
use crate::runner::Runner;

/// Runs the shell until its user leaves; answers the exit status.
pub fn run(_runner: &Runner, _args: &Args) -> Result<u8, Failure> {
    Err(Failure::Usage("no shell yet".to_string()))
}
