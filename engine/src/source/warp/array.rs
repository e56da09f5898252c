//! An array whose cells are computed from those of another one, which lies elsewhere.

use std::sync::Arc;

use async_trait::async_trait;

use super::plan::{Wanted, WarpPlan};
use super::resample::Resampler;
use crate::array::ChunkGrid;
use crate::dataset::Variable;
use crate::source::{ArraySource, Chunk, SourceError};

/// Cells along a side of a chunk.
const CHUNK_SIDE: u64 = 512;

/// An array in another system.
#[derive(Debug)]
pub(super) struct WarpedArray {
    source: Arc<dyn ArraySource>,
    plan: Arc<WarpPlan>,
    resampler: Resampler,
    grid: ChunkGrid,
    name: String,
}

impl WarpedArray {
    /// The array of a variable's cells, whose last two dimensions are rows and columns.
    pub fn new(
        source: Arc<dyn ArraySource>,
        plan: Arc<WarpPlan>,
        resampler: &Resampler,
        variable: Variable,
        uri: &str,
    ) -> Self {
        let grid = source.grid();
        let outer = grid.shape().len().saturating_sub(2);
        let mut shape = grid.shape()[..outer].to_vec();
        let mut chunk_shape = grid.chunk_shape()[..outer].to_vec();
        shape.extend([plan.to.height, plan.to.width]);
        chunk_shape.extend([side(plan.way.scale.1, plan.to.height), side(plan.way.scale.0, plan.to.width)]);
        let grid = ChunkGrid::new(shape, chunk_shape);
        Self { source, plan, resampler: resampler.clone(), grid, name: format!("{uri}/{}", variable.name) }
    }
}

/// The side of a chunk, of a length: a smaller one where a cell is computed from many.
pub(in crate::source) fn side(scale: f64, length: u64) -> u64 {
    let side = (CHUNK_SIDE as f64 * (scale * 4.0).min(1.0)).max(16.0) as u64;
    side.min(length.max(1))
}

#[async_trait]
impl ArraySource for WarpedArray {
    fn grid(&self) -> &ChunkGrid {
        &self.grid
    }

    async fn fetch(&self, chunk: &[u64]) -> Result<Arc<dyn Chunk>, SourceError> {
        let failed = |message| SourceError::Chunk { array: self.name.clone(), chunk: chunk.to_vec(), message };
        let region = self.grid.find_chunk(chunk).map_err(failed)?;
        let wanted = Wanted { region, name: self.name.clone(), index: chunk.to_vec() };
        Ok(Arc::new(self.plan.fetch(&self.source, &self.resampler, wanted).await?))
    }
}
