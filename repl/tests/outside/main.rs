//! Executors that come by themselves: real processes of the command, started by whoever starts them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod deploy;
mod keda;
mod processes;
mod python;
mod restarts;
mod scaled;
