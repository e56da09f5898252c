//! Zarr, versions 2 and 3, read as datasets.
//!
//! The way of a cell: [`hierarchy`] finds the metadata documents (consolidated ones first), [`metadata`] makes one
//! description of both versions, [`dimensions`] and [`assemble`] make the [`Dataset`]; then [`array`] fetches the
//! encoded bytes of a chunk ([`encoded`]: or only opens its file), [`chunk`] and [`codec`] decode the cells asked for, and [`crate::source::cf`] gives them
//! their meaning.
//!
//! Architecture invariant: whatever a store holds, nothing here panics: every length, offset and size is checked, and
//! what cannot be read is a [`SourceError`] that names the array.

mod array;
pub(in crate::source) mod assemble;
mod chunk;
pub(in crate::source) mod codec;
mod dimensions;
mod encoded;
mod fill;
mod hierarchy;
mod json;
mod metadata;
pub(in crate::source) mod number;
pub(in crate::source) mod runs;
mod shard;
pub(in crate::source) mod stored_type;

use crate::dataset::Dataset;
use crate::source::SourceError;
use crate::source::store::Store;

/// How stored values become values of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Whether the CF conventions are applied: masks, scales, offsets, times. Without them values are as stored.
    pub decode_cf: bool,
    /// Whether a NaN is a missing cell. Otherwise NaNs are values, and only cells that hold a fill value which is a
    /// number are missing.
    pub nan_as_null: bool,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { decode_cf: true, nan_as_null: true }
    }
}

/// Describes the Zarr group, or the single array, at the root of a store.
///
/// A consolidated group takes at most two requests. Subgroups are datasets of their own: open `store.zarr/group`.
///
/// # Errors
/// [`SourceError::NotFound`] where there is no Zarr, [`SourceError::Metadata`] or [`SourceError::Unsupported`], with
/// the array named, where the metadata cannot be used, and the errors of the store.
pub async fn open(store: Store, options: &DecodeOptions) -> Result<Dataset, SourceError> {
    let hierarchy = hierarchy::read(&store).await?;
    assemble::dataset(store, hierarchy, options)
}
