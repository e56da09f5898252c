//! Where arrays come from: one trait for the cells of an array, whatever the format.
//!
//! Architecture invariant: what takes its time (a network) is async and lives in [`ArraySource::fetch`]; decoding is sync
//! and lives in [`Chunk::read`], so that an operator decodes on its own thread and reduces at once. Large files of this
//! machine are only opened by the former: the latter reads what it decodes, and the system reads ahead. Only [`store`]
//! opens URLs.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::ArrayRef;
use async_trait::async_trait;

use crate::array::{ChunkGrid, Region};

pub mod calendar;
pub mod cf;
pub mod concatenated;
mod error;
pub mod file;
pub mod netcdf;
pub mod open;
pub mod partition;
pub mod stac;
pub mod stack;
pub mod store;
pub mod tiff;
pub mod warp;
pub mod zarr;

pub use error::SourceError;

/// The cells of one array, in chunks.
#[async_trait]
pub trait ArraySource: Debug + Send + Sync {
    /// Its shape and its chunks (for a sharded array the inner ones: the smallest piece that is read by itself).
    fn grid(&self) -> &ChunkGrid;

    /// Fetches the encoded bytes of a chunk, by its index along each dimension, or begins to (a large one may still be on
    /// its way); nothing is decoded. An absent chunk is not an error: it reads as the fill value.
    async fn fetch(&self, chunk: &[u64]) -> Result<Arc<dyn Chunk>, SourceError>;
}

/// The encoded bytes of one chunk, ready to be decoded piece by piece as they come.
#[async_trait]
pub trait Chunk: Debug + Send + Sync {
    /// Waits until what a region of cells is decoded from is there: a large chunk on a slow line is decoded while the rest
    /// of it is coming.
    async fn wait(&self, region: &Region) -> Result<(), SourceError>;

    /// Decodes the cells of `region` (relative to the chunk's first cell, inside the array's shape) in C order:
    /// as many values as the region has cells, of the variable's Arrow type, missing cells as the variable says.
    ///
    /// Regions that follow each other in C order are the quick case: each inner block of the codec is then decoded once.
    fn read(&self, region: &Region) -> Result<ArrayRef, SourceError>;

    /// Bytes of the chunk in the store.
    fn encoded_size(&self) -> usize;

    /// Bytes this chunk holds in memory at most while it is read: the encoded ones, and the decoded ones where its
    /// codec cannot be decoded piece by piece.
    fn memory_size(&self) -> usize;
}
