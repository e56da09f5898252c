//! The engine's one integration test binary: a module for each area.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "engine/outputs.rs"]
mod outputs;
#[path = "engine/zarr_corpus.rs"]
mod zarr_corpus;
#[path = "engine/zarr_writer.rs"]
mod zarr_writer;
