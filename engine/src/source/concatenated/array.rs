//! An array that continues from file to file.

use std::sync::Arc;

use arrow::array::ArrayRef;
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};

use super::region::assembled;
use crate::array::{ChunkGrid, Region};
use crate::source::{ArraySource, Chunk, SourceError};

/// Chunks of files that are fetched for one chunk at the same time.
const CHUNKS_IN_FLIGHT: usize = 8;

/// The arrays of several files, one behind the other along a dimension.
#[derive(Debug)]
pub(super) struct ConcatenatedArray {
    name: String,
    grid: ChunkGrid,
    along: usize,
    parts: Vec<Arc<dyn ArraySource>>,
    /// Where each begins, and where the last one ends.
    starts: Vec<u64>,
}

impl ConcatenatedArray {
    /// Of arrays (one at least) whose shapes differ along one dimension alone.
    pub fn new(name: String, parts: Vec<Arc<dyn ArraySource>>, along: usize) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        for part in &parts {
            end += part.grid().shape()[along];
            starts.push(end);
        }
        let mut shape = parts[0].grid().shape().to_vec();
        shape[along] = end;
        // Chunks as long as the longest ones: where all files have such, and only whole ones, each is one of a file's.
        let longest =
            |d: usize| parts.iter().map(|part| part.grid().chunk_shape()[d].min(part.grid().shape()[d])).max();
        let chunk_shape = (0..shape.len()).map(|d| longest(d).unwrap_or(1).max(1)).collect();
        Self { name, grid: ChunkGrid::new(shape, chunk_shape), along, parts, starts }
    }

    /// The chunks of files that hold cells of a region: which, and where their cells are.
    fn chunks_of(&self, region: &Region) -> Vec<(usize, Vec<u64>, Region)> {
        let mut found = Vec::new();
        let first = self.starts.partition_point(|&start| start <= region.start[self.along]).saturating_sub(1);
        for (number, part) in self.parts.iter().enumerate().skip(first) {
            let offset = self.starts[number];
            if offset >= region.end(self.along) {
                break;
            }
            let mut origin = vec![0; region.rank()];
            origin[self.along] = offset;
            let whole = Region::new(origin.clone(), part.grid().shape().to_vec());
            let Some(here) = region.intersection(&whole) else { continue };
            let chunks = part.grid().chunks_of(&here.relative_to(&origin));
            for linear in 0..chunks.cells().unwrap_or(0) {
                let index = chunks.cell(linear);
                let mut place = part.grid().chunk_region(&index);
                place.start[self.along] += offset;
                found.push((number, index, place));
            }
        }
        found
    }
}

#[async_trait]
impl ArraySource for ConcatenatedArray {
    fn grid(&self) -> &ChunkGrid {
        &self.grid
    }

    async fn fetch(&self, chunk: &[u64]) -> Result<Arc<dyn Chunk>, SourceError> {
        let failed = |message| SourceError::Chunk { array: self.name.clone(), chunk: chunk.to_vec(), message };
        let region = self.grid.find_chunk(chunk).map_err(failed)?;
        let mut pieces: Vec<Piece> = stream::iter(self.chunks_of(&region))
            .map(|(part, index, place)| async move {
                let chunk = self.parts[part].fetch(&index).await?;
                Ok::<_, SourceError>(Piece { chunk, place })
            })
            .buffered(CHUNKS_IN_FLIGHT)
            .try_collect()
            .await?;
        if let [only] = pieces.as_slice()
            && only.place == region
            && let Some(only) = pieces.pop()
        {
            return Ok(only.chunk);
        }
        Ok(Arc::new(JoinedChunk { array: self.name.clone(), index: chunk.to_vec(), origin: region.start, pieces }))
    }
}

/// A chunk of a file, and the cells that it holds, numbered from the first file's first on.
#[derive(Debug)]
struct Piece {
    chunk: Arc<dyn Chunk>,
    place: Region,
}

/// A chunk whose cells are in several chunks of files.
#[derive(Debug)]
struct JoinedChunk {
    array: String,
    index: Vec<u64>,
    origin: Vec<u64>,
    pieces: Vec<Piece>,
}

impl JoinedChunk {
    /// The region among all cells.
    fn placed(&self, region: &Region) -> Region {
        let start = region.start.iter().zip(&self.origin).map(|(cell, origin)| cell.saturating_add(*origin)).collect();
        Region::new(start, region.shape.clone())
    }
}

#[async_trait]
impl Chunk for JoinedChunk {
    async fn wait(&self, region: &Region) -> Result<(), SourceError> {
        let region = self.placed(region);
        for piece in &self.pieces {
            if let Some(here) = piece.place.intersection(&region) {
                piece.chunk.wait(&here.relative_to(&piece.place.start)).await?;
            }
        }
        Ok(())
    }

    fn read(&self, region: &Region) -> Result<ArrayRef, SourceError> {
        let region = self.placed(region);
        if region.is_empty()
            && let Some(piece) = self.pieces.first()
        {
            return piece.chunk.read(&Region::new(vec![0; region.rank()], vec![0; region.rank()]));
        }
        let mut found = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            if let Some(here) = piece.place.intersection(&region) {
                let cells = piece.chunk.read(&here.relative_to(&piece.place.start))?;
                found.push((here, cells));
            }
        }
        assembled(&region, found).map_err(|message| SourceError::Chunk {
            array: self.array.clone(),
            chunk: self.index.clone(),
            message,
        })
    }

    fn encoded_size(&self) -> usize {
        self.pieces.iter().map(|piece| piece.chunk.encoded_size()).sum()
    }

    fn memory_size(&self) -> usize {
        self.pieces.iter().map(|piece| piece.chunk.memory_size()).sum()
    }
}
