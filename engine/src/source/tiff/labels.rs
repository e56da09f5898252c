//! Labels that are computed where they are read: the middles of cells, and the numbers of bands.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array};
use async_trait::async_trait;

use crate::array::{ChunkGrid, Region};
use crate::source::{ArraySource, Chunk, SourceError};

/// Labels of one chunk.
const CHUNK_CELLS: u64 = 1 << 16;

/// What the labels along a dimension are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Labels {
    /// 1, 2, 3 …
    Numbers,
    /// The middles of cells: where the first one begins, and how long each is.
    Middles {
        /// The beginning of the first cell.
        start: f64,
        /// The length of a cell, negative where labels fall.
        step: f64,
    },
}

/// Labels as an array.
#[derive(Debug)]
pub(super) struct LabelArray {
    labels: Labels,
    grid: ChunkGrid,
}

impl LabelArray {
    /// Labels of a dimension with so many cells.
    pub fn along(labels: Labels, length: u64) -> Self {
        Self { labels, grid: ChunkGrid::new(vec![length], vec![length.clamp(1, CHUNK_CELLS)]) }
    }

    /// A variable without dimensions, whose attributes are all that it is for.
    pub fn scalar() -> Self {
        Self { labels: Labels::Numbers, grid: ChunkGrid::new(Vec::new(), Vec::new()) }
    }
}

#[async_trait]
impl ArraySource for LabelArray {
    fn grid(&self) -> &ChunkGrid {
        &self.grid
    }

    async fn fetch(&self, chunk: &[u64]) -> Result<Arc<dyn Chunk>, SourceError> {
        let first = self.grid.chunk_region(chunk).start.first().copied();
        Ok(Arc::new(LabelChunk { labels: self.labels, first }))
    }
}

/// A chunk of labels.
#[derive(Debug)]
struct LabelChunk {
    labels: Labels,
    /// The first cell; `None` of a scalar.
    first: Option<u64>,
}

#[async_trait]
impl Chunk for LabelChunk {
    async fn wait(&self, _region: &Region) -> Result<(), SourceError> {
        Ok(())
    }

    fn read(&self, region: &Region) -> Result<ArrayRef, SourceError> {
        let (Some(first), Some(&start), Some(&count)) = (self.first, region.start.first(), region.shape.first()) else {
            return Ok(Arc::new(Int64Array::from(vec![0])));
        };
        let cells = first.saturating_add(start)..first.saturating_add(start).saturating_add(count);
        Ok(match self.labels {
            Labels::Numbers => Arc::new(Int64Array::from_iter_values(cells.map(|cell| cell as i64 + 1))),
            Labels::Middles { start, step } => {
                Arc::new(Float64Array::from_iter_values(cells.map(|cell| (cell as f64 + 0.5) * step + start)))
            }
        })
    }

    fn encoded_size(&self) -> usize {
        0
    }

    fn memory_size(&self) -> usize {
        0
    }
}
