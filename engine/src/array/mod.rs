//! The shapes of arrays: pure arithmetic, no data, no I/O.

mod grid;
mod region;

pub use grid::ChunkGrid;
pub use region::Region;
