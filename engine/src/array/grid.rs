//! The regular grid of chunks of an array.

use super::Region;

/// An array's shape and the shape of its chunks; the last chunk along a dimension may be cut off by the shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkGrid {
    shape: Vec<u64>,
    chunk_shape: Vec<u64>,
}

impl ChunkGrid {
    /// A grid of chunks of `chunk_shape` (every length at least 1) over an array of `shape`.
    pub fn new(shape: Vec<u64>, chunk_shape: Vec<u64>) -> Self {
        debug_assert_eq!(shape.len(), chunk_shape.len());
        debug_assert!(chunk_shape.iter().all(|&length| length > 0));
        Self { shape, chunk_shape }
    }

    /// Cells of the array along each dimension.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Cells of a whole chunk along each dimension.
    pub fn chunk_shape(&self) -> &[u64] {
        &self.chunk_shape
    }

    /// Chunks along each dimension.
    pub fn chunk_counts(&self) -> Vec<u64> {
        self.shape.iter().zip(&self.chunk_shape).map(|(&cells, &chunk)| cells.div_ceil(chunk)).collect()
    }

    /// The cells of the array that a chunk holds (clipped to the shape), by its index along each dimension.
    pub fn chunk_region(&self, chunk: &[u64]) -> Region {
        let start: Vec<u64> = chunk.iter().zip(&self.chunk_shape).map(|(&index, &length)| index * length).collect();
        let shape = (0..start.len()).map(|d| self.chunk_shape[d].min(self.shape[d].saturating_sub(start[d]))).collect();
        Region { start, shape }
    }

    /// The cells of a chunk, by its index along each dimension as a stranger tells it; where there is none, what there is.
    pub fn find_chunk(&self, chunk: &[u64]) -> Result<Region, String> {
        let counts = self.chunk_counts();
        let is_there = chunk.len() == counts.len() && chunk.iter().zip(&counts).all(|(index, count)| index < count);
        if is_there { Ok(self.chunk_region(chunk)) } else { Err(format!("there are {counts:?} chunks")) }
    }

    /// The box, in chunk indexes, of the chunks that hold a cell of `region`.
    pub fn chunks_of(&self, region: &Region) -> Region {
        let start: Vec<u64> =
            region.start.iter().zip(&self.chunk_shape).map(|(&cell, &length)| cell / length).collect();
        let shape = (0..start.len())
            .map(|d| if region.shape[d] == 0 { 0 } else { (region.end(d) - 1) / self.chunk_shape[d] + 1 - start[d] })
            .collect();
        Region { start, shape }
    }
}
