//! Catalogs of spatial and temporal assets (STAC): the items and collections of an API or of plain files, and what an asset
//! of them points to.
//!
//! What comes from a catalog was written by strangers. Documents are bounded in size, walks in depth and number, pages may
//! not go round in circles, and what a document on the web refers to is never a file of this machine.
//!
//! Architecture invariant: nothing here opens URLs; documents come from [`super::store`] and [`super::file`], by the policy
//! of whoever asks.

mod asset;
mod catalog;
mod collections;
mod columns;
mod documents;
mod interval;
mod page;
mod pushdown;
mod search;
mod table;
mod walk;

pub(super) use asset::asset_names;
pub use asset::{AssetAddress, asset_of, open_asset};
pub use catalog::{Catalog, Entry};
pub use interval::Interval;
pub use search::{CatalogOptions, Search};
pub(super) use search::{arguments, item_bbox, item_interval};
pub use table::{COLLECTIONS_FUNCTION, CatalogScan, ITEMS_FUNCTION, register};
