//! Logical nodes for what SQL's algebra lacks. One node a file.

mod grid_cells;
mod grid_reduce;
mod grid_window;

pub use grid_cells::GridCells;
pub use grid_reduce::GridReduce;
pub use grid_window::{GridWindow, GridWindowKind, neighbours};
