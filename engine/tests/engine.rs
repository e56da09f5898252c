//! The engine's one integration test binary: a module for each area.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "engine/catalog_api.rs"]
mod catalog_api;
#[path = "engine/catalog_server.rs"]
mod catalog_server;
#[path = "engine/catalogs.rs"]
mod catalogs;
#[path = "engine/catalogs_mutated.rs"]
mod catalogs_mutated;
#[path = "engine/confined.rs"]
mod confined;
#[path = "engine/file_server.rs"]
mod file_server;
#[path = "engine/into.rs"]
mod into;
#[path = "engine/into_xarray.rs"]
mod into_xarray;
#[path = "engine/maps.rs"]
mod maps;
#[path = "engine/netcdf/mod.rs"]
mod netcdf;
#[path = "engine/outputs.rs"]
mod outputs;
#[path = "engine/partitions.rs"]
mod partitions;
#[path = "engine/signing.rs"]
mod signing;
#[path = "engine/stack.rs"]
mod stack;
#[path = "engine/store_errors.rs"]
mod store_errors;
#[path = "engine/store_servers.rs"]
mod store_servers;
#[path = "engine/tiff/mod.rs"]
mod tiff;
#[path = "engine/units.rs"]
mod units;
#[path = "engine/warp.rs"]
mod warp;
#[path = "engine/zarr/mod.rs"]
mod zarr;
#[path = "engine/zarr_writer.rs"]
mod zarr_writer;
#[path = "engine/zarr_writer_schema.rs"]
mod zarr_writer_schema;
