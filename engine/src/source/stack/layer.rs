//! The cells of one scene, in the grid of the cube.

use arrow::array::ArrayRef;

use crate::array::Region;
use crate::source::concatenated::assembled;
use crate::source::warp::{Piece, WarpedChunk, Window};
use crate::source::{Chunk, SourceError};

/// What a scene gives to a chunk of the cube.
#[derive(Debug)]
pub(super) struct Layer {
    /// The cells of the cube that it has.
    pub window: Window,
    /// Where they come from.
    pub cells: LayerCells,
    /// The scene, for messages.
    pub name: String,
}

/// Where the cells of a layer come from.
#[derive(Debug)]
pub(super) enum LayerCells {
    /// Cells of the scene lie on those of the cube: they are taken as they are.
    Pasted {
        /// The scene's chunks.
        pieces: Vec<Piece>,
        /// The band, row and column in the scene of the window's first cell.
        origin: [u64; 3],
    },
    /// They are computed.
    Warped(Box<WarpedChunk>),
}

impl Layer {
    /// Waits until all of it is there.
    pub async fn wait(&self) -> Result<(), SourceError> {
        match &self.cells {
            LayerCells::Pasted { pieces, .. } => {
                for (cells, chunk) in pieces {
                    chunk.wait(&Region::whole(&cells.shape)).await?;
                }
                Ok(())
            }
            LayerCells::Warped(chunk) => chunk.wait(&Region::whole(&[])).await,
        }
    }

    /// The cells of a part of its window.
    pub fn read(&self, part: &Window) -> Result<ArrayRef, SourceError> {
        let row = part.rows.0 - self.window.rows.0;
        let column = part.columns.0 - self.window.columns.0;
        let shape = vec![1, part.height() as u64, part.width() as u64];
        match &self.cells {
            LayerCells::Warped(chunk) => chunk.read(&Region::new(vec![0, row, column], shape)),
            LayerCells::Pasted { pieces, origin: [band, first_row, first_column] } => {
                let wanted = Region::new(vec![*band, first_row + row, first_column + column], shape);
                let mut found = Vec::with_capacity(pieces.len());
                for (place, chunk) in pieces {
                    if let Some(here) = place.intersection(&wanted) {
                        found.push((here.clone(), chunk.read(&here.relative_to(&place.start))?));
                    }
                }
                assembled(&wanted, found).map_err(|message| SourceError::Metadata { array: self.name.clone(), message })
            }
        }
    }

    /// Bytes of its chunks in the store.
    pub fn encoded_size(&self) -> usize {
        match &self.cells {
            LayerCells::Pasted { pieces, .. } => pieces.iter().map(|(_, chunk)| chunk.encoded_size()).sum(),
            LayerCells::Warped(chunk) => chunk.encoded_size(),
        }
    }

    /// Bytes of memory that it takes at most while it is read.
    pub fn memory_size(&self) -> usize {
        match &self.cells {
            LayerCells::Pasted { pieces, .. } => pieces.iter().map(|(_, chunk)| chunk.memory_size()).sum(),
            LayerCells::Warped(chunk) => chunk.memory_size(),
        }
    }
}
