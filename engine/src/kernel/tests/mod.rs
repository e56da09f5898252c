//! Kernels against slow references, one cell at a time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aggregates;
mod boxes;
mod reference;
mod splits;
mod windows;
