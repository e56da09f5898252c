//! Sync loops over cells: no plans, no I/O, nothing awaits.
//!
//! A *block* is a box of cells in C order. A `BlockLayout` tells which group each of its cells belongs to, `Cells` are
//! the values of one argument over it, and an `Accumulator` folds the one into the other.

pub mod accumulate;
pub mod cells;
mod compare;
pub mod error;
mod fold;
pub mod gather;
mod large;
pub mod layout;
mod nan;
mod native;
mod place;
mod wide;
pub mod window;

pub use accumulate::{Accumulator, AggregateKind, kept_width};
pub use cells::Cells;
pub use compare::{Comparison, compare};
pub use error::KernelError;
pub use gather::{broadcast, select, slice_box};
pub use layout::{AxisGroups, BlockLayout, Run, RunGroups, Stack};
pub use nan::{makes_nan, nulls_as_nans, with_null_buffer};
pub(crate) use wide::with_wide_lanes;
pub use window::{Along, MovingWindow, Stretch, WindowKind};

#[cfg(test)]
mod tests;
