//! NetCDF, classic (versions 1, 2 and 5) and NetCDF-4 (HDF5), read as datasets.
//!
//! The way of a cell: [`blocks`] reads what describes the file, in blocks that files share; [`classic`] or [`hdf5`] make
//! of it one kind of description ([`describe`]): what each variable is called, what a cell holds ([`cells`]) and where the
//! cells are ([`place`]). [`array`] fetches the bytes of a chunk, [`chunk`] takes the cells asked for out of them, and
//! [`crate::source::cf`] gives them their meaning.
//!
//! Architecture invariant: whatever a file holds, nothing here panics. Our own readers check every length, offset and
//! size; the library that knows HDF5 is called through [`guard`] alone, which makes an error of a panic.

mod array;
mod blocks;
mod cells;
mod chunk;
mod classic;
mod describe;
mod guard;
mod hdf5;
mod place;

use std::sync::Arc;

use crate::dataset::Dataset;
use crate::source::SourceError;
use crate::source::file::SourceFile;
use crate::source::zarr::DecodeOptions;
use blocks::BlockFile;

/// The ends of names of NetCDF files and of HDF5 files.
pub const EXTENSIONS: [&str; 8] = [".nc", ".nc3", ".nc4", ".cdf", ".netcdf", ".h5", ".hdf5", ".he5"];

/// What an HDF5 file begins with; a block of the user's may stand before it.
const HDF5_SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// Where that may begin: at 0, 512, and twice as far each time. So many places are looked at.
const HDF5_PLACES: u32 = 8;

/// Describes a NetCDF file, or one of its groups (`""`: the root).
///
/// # Errors
/// [`SourceError::NotFound`] where there is no such file or group, [`SourceError::Metadata`] or
/// [`SourceError::Unsupported`] where what describes the file cannot be used, and the errors of the store.
pub async fn open(file: SourceFile, group: &str, options: &DecodeOptions) -> Result<Dataset, SourceError> {
    let file = Arc::new(BlockFile::open(file).await?);
    let uri = match group {
        "" => file.uri().to_string(),
        group => format!("{}/{group}", file.uri()),
    };
    let start = file.read_blocks(0..file.size().min(4)).await?;
    let (variables, attributes) = if start.starts_with(b"CDF") {
        if !group.is_empty() {
            let message = "a classic NetCDF file has no groups".to_string();
            return Err(SourceError::NotFound { uri, message });
        }
        classic::describe(&file).await?
    } else if has_hdf5_signature(&file).await? {
        hdf5::describe(&file, group).await?
    } else {
        let message = "this is neither NetCDF nor HDF5: it does not begin as such files do".to_string();
        return Err(SourceError::Metadata { array: uri, message });
    };
    describe::dataset(&file, uri, variables, attributes, options)
}

async fn has_hdf5_signature(file: &BlockFile) -> Result<bool, SourceError> {
    let length = HDF5_SIGNATURE.len() as u64;
    for place in 0..HDF5_PLACES {
        let start = if place == 0 { 0 } else { 256u64 << place };
        if start + length > file.size() {
            break;
        }
        if *file.read_blocks(start..start + length).await? == HDF5_SIGNATURE {
            return Ok(true);
        }
    }
    Ok(false)
}
