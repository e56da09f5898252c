//! The engine's one integration test binary: a module for each area.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

<<<<<<< HEAD
#[path = "engine/file_server.rs"]
mod file_server;
#[path = "engine/store_servers.rs"]
mod store_servers;
#[path = "engine/zarr/mod.rs"]
mod zarr;
=======
#[path = "engine/outputs.rs"]
mod outputs;
#[path = "engine/zarr_corpus.rs"]
mod zarr_corpus;
>>>>>>> outputs
#[path = "engine/zarr_writer.rs"]
mod zarr_writer;
