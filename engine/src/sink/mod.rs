//! Where results are kept.

pub mod into;
pub mod zarr;

pub use into::{StoreArray, StoreContents, StoreDimension, StoreOrder, write_dataset, write_rows};
