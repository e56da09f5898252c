//! Where results are kept.

pub mod into;
pub mod zarr;

pub use into::{write_dataset, write_rows};
