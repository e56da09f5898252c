//! The `quarray` command from the outside: exit status, what goes where, and sessions on a terminal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod batch;
mod clients;
mod connect;
mod dashboard;
mod datasets;
mod drawings;
#[path = "../../../engine/tests/engine/file_server.rs"]
#[allow(dead_code, reason = "not every test needs all of its manners")]
mod file_server;
mod formats;
mod into;
mod load;
mod pty;
mod refused;
mod replica;
mod secured;
mod seed;
mod served;
mod session;

use std::ffi::OsString;
use std::process::Command;

/// A year of monthly temperature and rain.
const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/rnz-bcsd.zarr");

/// The program that is tested: `QUARRAY_TEST_PROGRAM`, for measurements of an optimised build; by default the one that was
/// built with the tests.
fn program() -> OsString {
    std::env::var_os("QUARRAY_TEST_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_quarray").into())
}

/// The command, without anything of the environment that changes what it does.
fn quarray() -> Command {
    let mut command = Command::new(program());
    for name in ["NO_COLOR", "COLORTERM", "EDITOR", "VISUAL", "XDG_STATE_HOME"] {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars_os() {
        let is_of_store =
            name.to_str().is_some_and(|name| ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|of| name.starts_with(of)));
        if is_of_store {
            command.env_remove(name);
        }
    }
    command.env_remove("QUARRAY_USER_TOKENS");
    command.env("QUARRAY_HISTORY", "");
    command
}
