//! Logical nodes for what SQL's algebra lacks. One node a file.

mod grid_reduce;

pub use grid_reduce::{GridReduce, GridWindow, GridWindowKind};
