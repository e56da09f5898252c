//! NetCDF-4, and HDF5 files that others wrote.
//!
//! [`storage`] shows the file to the library that knows HDF5, which reads what describes it; where chunks are is looked up
//! by [`chunked`] ([`btree`] for the index that nearly all files have), and their bytes are fetched and unpacked
//! ([`unpacking`]) without the library's reading of arrays.
//!
//! Format: <https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html>; how NetCDF uses it:
//! <https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html>.

mod attributes;
mod btree;
mod chunked;
mod dimensions;
mod group;
mod storage;
mod storing;
mod texts;
mod types;
mod unpacking;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::blocks::BlockFile;
use super::describe::Described;
use crate::source::SourceError;

pub(super) use chunked::Chunked;
pub(super) use texts::texts;
pub(super) use unpacking::Unpacking;

/// How places in a file are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Addressing {
    /// Bytes of a place.
    pub offset_size: u8,
    /// Bytes of a length.
    pub length_size: u8,
    /// Where places are counted from.
    pub base: u64,
}

/// What the description of a group says; `""` is the root.
pub(super) async fn describe(
    file: &Arc<BlockFile>,
    group: &str,
) -> Result<(Vec<Described>, Map<String, Value>), SourceError> {
    let path = group.to_string();
    storage::parse(file, 0, move |storage| group::describe(storage, &path)).await?.map_err(|missing| {
        SourceError::NotFound { uri: file.uri().to_string(), message: format!("there is no group {missing:?}") }
    })
}
