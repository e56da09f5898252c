//! Datasets of HDF5 that are stored in chunks: where those are.

use std::ops::Range;
use std::sync::Arc;

use hdf5_reader::chunk_index::{ChunkEntry, collect_implicit_chunk_entries, collect_v2_chunk_entries_storage};
use hdf5_reader::error::Error;
use hdf5_reader::extensible_array::collect_extensible_array_chunk_entries_storage;
use hdf5_reader::fixed_array::collect_fixed_array_chunk_entries_storage;
use hdf5_reader::messages::layout::ChunkIndexing;
use hdf5_reader::storage::DynStorage;

use super::btree::Tree;
use super::storage::parse;
use super::{Addressing, Unpacking};
use crate::source::SourceError;
use crate::source::netcdf::blocks::BlockFile;
use crate::source::netcdf::chunk::Piece;

/// Stored chunks with fewer bytes are taken together along the first dimension, to as many bytes: a request and a turn of
/// the scan for some bytes each would take longer than they.
const CHUNK_BYTES_MIN: usize = 256 << 10;

/// Stored chunks that are taken together, at most.
const TOGETHER_MAX: u64 = 16 << 10;

/// Where the chunks of a dataset are.
#[derive(Debug)]
pub(in crate::source::netcdf) struct Chunked {
    /// Cells of a stored chunk along each dimension; characters of a text are a dimension here.
    stored: Vec<u32>,
    /// Cells that the dataset has.
    extent: Vec<u64>,
    /// Stored chunks along the first dimension that are taken together.
    together: u64,
    index: Index,
    /// How they are packed.
    pub unpacking: Arc<Unpacking>,
}

/// What tells where chunks are.
#[derive(Debug)]
pub(super) enum Index {
    /// Nothing is stored.
    None,
    /// A B-tree of version 1.
    Tree(Tree),
    /// What newer files have.
    Newer {
        /// Its kind.
        kind: ChunkIndexing,
        /// Where it is, counted from the file's base.
        address: u64,
        /// The most cells along each dimension.
        max_dims: Option<Vec<u64>>,
        /// How places are told.
        addressing: Addressing,
    },
}

/// Where a stored chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    /// Its first byte.
    pub place: u64,
    /// Its bytes.
    pub size: u64,
    /// Which filters were left out for it, a bit each.
    pub left_out: u32,
}

impl Index {
    /// Of what a dataset's layout says.
    pub fn new(address: u64, kind: Option<ChunkIndexing>, max_dims: Option<&[u64]>, addressing: Addressing) -> Self {
        match (addressing.place(address), kind) {
            (None, _) => Self::None,
            (Some(_), None) => Self::Tree(Tree { root: address, addressing }),
            (Some(_), Some(kind)) => Self::Newer { kind, address, max_dims: max_dims.map(<[u64]>::to_vec), addressing },
        }
    }
}

impl Chunked {
    /// Of a dataset of `extent` cells in chunks of `stored`, that shows `shape`; and the chunks that it shows.
    pub(super) fn new(
        stored: Vec<u32>,
        extent: &[u64],
        shape: &[u64],
        index: Index,
        unpacking: Arc<Unpacking>,
    ) -> Result<(Self, Vec<u64>), String> {
        let ranks_fit = stored.len() == extent.len() && (shape.len()..shape.len() + 2).contains(&extent.len());
        if !ranks_fit || stored.is_empty() || stored.contains(&0) {
            return Err(format!("chunks of {stored:?} cells do not fit the shape {extent:?}"));
        }
        let mut chunk_shape: Vec<u64> = stored.iter().take(shape.len()).map(|&length| u64::from(length)).collect();
        let mut together = 1;
        if let (Some(first), Some(&length)) = (chunk_shape.first_mut(), shape.first()) {
            let wanted = CHUNK_BYTES_MIN.div_ceil(unpacking.unpacked_size) as u64;
            together = wanted.min(TOGETHER_MAX).min(length.div_ceil(*first)).max(1);
            *first *= together;
        }
        Ok((Self { stored, extent: extent.to_vec(), together, index, unpacking }, chunk_shape))
    }

    /// The packed bytes of the stored chunks that make a chunk, in C order; `None` for those that are not stored.
    pub async fn fetch(&self, file: &Arc<BlockFile>, index: &[u64]) -> Result<Vec<Option<Piece>>, SourceError> {
        // The index of the first stored one; characters of a text are all in one.
        let mut first: Vec<u64> = index.to_vec();
        first.resize(self.stored.len(), 0);
        if let Some(outermost) = first.first_mut() {
            *outermost *= self.together;
        }
        let located = self.locate(file, &first).await?;
        let ranges: Vec<Range<u64>> = located
            .iter()
            .flatten()
            .map(|location| location.place..location.place.saturating_add(location.size))
            .collect();
        let mut fetched = file.read_data(&ranges).await?.into_iter();
        let piece = |location: Option<Location>| {
            let location = location?;
            Some(Piece { bytes: fetched.next()?, left_out: location.left_out })
        };
        Ok(located.into_iter().map(piece).collect())
    }

    /// Where so many stored chunks are, from the one with index `first` on along the first dimension.
    async fn locate(&self, file: &Arc<BlockFile>, first: &[u64]) -> Result<Vec<Option<Location>>, SourceError> {
        let mut located = vec![None; self.together as usize];
        let counts: Vec<u64> =
            self.extent.iter().zip(&self.stored).map(|(&cells, &chunk)| cells.div_ceil(u64::from(chunk))).collect();
        let Some((&start, &count)) = first.first().zip(counts.first()) else { return Ok(located) };
        // A dataset may have fewer cells than its dimensions.
        if first.iter().zip(&counts).any(|(index, count)| index >= count) {
            return Ok(located);
        }
        let last = start + (self.together - 1).min(count - 1 - start);
        match &self.index {
            Index::None => {}
            Index::Tree(tree) => {
                for (index, found) in (start..=last).zip(&mut located) {
                    let mut cell: Vec<u64> =
                        first.iter().zip(&self.stored).map(|(index, &chunk)| index * u64::from(chunk)).collect();
                    cell[0] = index * u64::from(self.stored[0]);
                    *found = tree.find(file, &cell).await?;
                }
            }
            Index::Newer { kind, address, max_dims, addressing } => {
                let mut bounds = (first.to_vec(), first.to_vec());
                bounds.1[0] = last;
                let search = Search {
                    kind: kind.clone(),
                    address: *address,
                    max_dims: max_dims.clone(),
                    addressing: *addressing,
                    extent: self.extent.clone(),
                    stored: self.stored.clone(),
                    chunk_size: self.unpacking.unpacked_size,
                    bounds,
                };
                let stored = self.stored.clone();
                let expected = first.to_vec();
                for entry in parse(file, addressing.base, move |storage| search.entries(&storage)).await? {
                    let index: Vec<u64> =
                        entry.offsets.iter().zip(&stored).map(|(cell, &chunk)| cell / u64::from(chunk)).collect();
                    let is_here = index.get(1..) == expected.get(1..);
                    let slot = index.first().and_then(|index| index.checked_sub(start)).filter(|_| is_here);
                    if let Some(found) = slot.and_then(|slot| located.get_mut(usize::try_from(slot).ok()?)) {
                        let size = if entry.size == 0 { self.unpacking.unpacked_size as u64 } else { entry.size };
                        *found = addressing.place(entry.address).map(|place| Location {
                            place,
                            size,
                            left_out: entry.filter_mask,
                        });
                    }
                }
            }
        }
        Ok(located)
    }
}

/// What is looked for in an index of a newer kind.
struct Search {
    kind: ChunkIndexing,
    address: u64,
    max_dims: Option<Vec<u64>>,
    addressing: Addressing,
    extent: Vec<u64>,
    stored: Vec<u32>,
    chunk_size: usize,
    bounds: (Vec<u64>, Vec<u64>),
}

impl Search {
    fn entries(&self, storage: &DynStorage) -> Result<Vec<ChunkEntry>, Error> {
        let storage = storage.as_ref();
        let Addressing { offset_size, length_size, .. } = self.addressing;
        let bounds = Some((self.bounds.0.as_slice(), self.bounds.1.as_slice()));
        match self.kind {
            ChunkIndexing::SingleChunk { filtered_size, filters } => Ok(vec![ChunkEntry {
                address: self.address,
                size: filtered_size,
                filter_mask: filters,
                offsets: vec![0; self.stored.len()],
            }]),
            ChunkIndexing::Implicit => {
                let cells: usize = self.stored.iter().map(|&length| length as usize).product();
                let element_size = self.chunk_size / cells.max(1);
                let (extent, length) = (&self.extent, storage.len());
                collect_implicit_chunk_entries(self.address, extent, &self.stored, element_size, bounds, length)
            }
            ChunkIndexing::FixedArray { .. } => collect_fixed_array_chunk_entries_storage(
                storage,
                self.address,
                offset_size,
                length_size,
                &self.extent,
                &self.stored,
                bounds,
            ),
            ChunkIndexing::ExtensibleArray { .. } => collect_extensible_array_chunk_entries_storage(
                storage,
                self.address,
                offset_size,
                length_size,
                &self.extent,
                self.max_dims.as_deref(),
                &self.stored,
                bounds,
            ),
            ChunkIndexing::BTreeV2 => collect_v2_chunk_entries_storage(
                storage,
                self.address,
                offset_size,
                length_size,
                self.stored.len() as u32,
                &self.stored,
                bounds,
            ),
        }
    }
}
