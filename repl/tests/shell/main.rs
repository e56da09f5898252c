//! The `quarray` command from the outside: exit status, what goes where, and sessions on a terminal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod batch;
mod pty;
mod refused;
mod session;

use std::process::Command;

/// The command, without anything of the environment that changes what it does.
fn quarray() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quarray"));
    for name in ["NO_COLOR", "COLORTERM", "EDITOR", "VISUAL", "XDG_STATE_HOME"] {
        command.env_remove(name);
    }
    command.env("QUARRAY_HISTORY", "");
    command
}
