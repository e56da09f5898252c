//! TIFF, GeoTIFF and cloud-optimised GeoTIFF, read as datasets.
//!
//! The way of a cell: [`reader`] gets the first bytes of the file, [`directory`] its directories of tags, [`layout`] and
//! [`georeference`] make sense of these; a [`Scene`] is all of that, and [`assemble`] makes the [`Dataset`] of it. Then
//! [`image`] fetches the encoded tiles or strips of a chunk ([`blocks`] knows where they are), [`decode`] and [`codec`] make
//! cells of them, [`predictor`] and [`sample`] undo what was done to the cells before, and [`array`] gives them their
//! meaning.
//!
//! Architecture invariant: whatever a file holds, nothing here panics: every length, offset and size is checked, tables of
//! tiles are read a page at a time, and what cannot be read is a [`SourceError`] that names the file.

mod array;
mod assemble;
mod blocks;
mod bytes;
mod codec;
mod decode;
mod directory;
mod gdal_metadata;
mod geokeys;
mod georeference;
mod image;
mod labels;
mod layout;
mod predictor;
mod projection;
mod reader;
mod sample;
mod scene;
mod tags;

pub use scene::{Band, BandData, Level, Scene};

use crate::dataset::Dataset;
use crate::source::SourceError;
use crate::source::file::SourceFile;
use crate::source::zarr::DecodeOptions;

/// Describes a file as a dataset: `band_data` of (band, y, x), at the full resolution or that of an overview (1 is the
/// first).
///
/// # Errors
/// [`SourceError::Metadata`] or [`SourceError::Unsupported`], with the file named, where it cannot be read;
/// [`SourceError::Address`] where there is no such overview; and the errors of the store.
pub async fn open(file: SourceFile, options: &DecodeOptions, overview: usize) -> Result<Dataset, SourceError> {
    assemble::dataset(&Scene::open(file).await?, options, overview)
}
