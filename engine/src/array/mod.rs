//! The shapes of arrays: pure arithmetic, no data, no I/O.

mod grid;
mod positions;
mod region;

pub use grid::ChunkGrid;
pub use positions::Positions;
pub use region::{Region, unravel};
