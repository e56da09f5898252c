//! The `quarray` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    quarray_repl::run(std::env::args_os())
}
