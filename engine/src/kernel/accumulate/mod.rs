//! Aggregates over groups of cells: what each is, and the state that blocks are folded into.

mod choice;
pub(super) mod count;
pub(super) mod extreme;
mod kind;
mod labels;
mod quantile;
pub(super) mod sum;
pub(super) mod variance;
mod weighted;

use std::fmt::Debug;
use std::ops::Range;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;

use super::cells::Cells;
use super::error::KernelError;
use super::layout::BlockLayout;

pub use kind::AggregateKind;
pub use quantile::kept_width;

/// The state of an aggregate, for every group of a box of groups.
pub trait Accumulator: Send + Debug {
    /// Adds the cells of a block. `arguments`: as many as the aggregate takes, each with `layout.cells()` values.
    /// Cells where `mask` is false or null are left out.
    fn update(
        &mut self,
        layout: &BlockLayout,
        arguments: &[Cells<'_>],
        mask: Option<&BooleanArray>,
    ) -> Result<(), KernelError>;

    /// Adds states, as `state` gave them, of another accumulator of the same kind and types; `layout` maps the groups
    /// of the other (its own dense box, C order) to groups of this one.
    fn merge(&mut self, layout: &BlockLayout, state: &[ArrayRef]) -> Result<(), KernelError>;

    /// The types of the state arrays.
    fn state_types(&self) -> Vec<DataType>;

    /// The state arrays, with one value for each group. Takes the buffers out: the accumulator is of no use after it.
    fn state(&mut self) -> Result<Vec<ArrayRef>, KernelError>;

    /// The results of the groups in `range`, so that a long result streams; null where a group has none.
    fn finish(&mut self, range: Range<usize>) -> Result<ArrayRef, KernelError>;

    /// The bytes that the state occupies.
    fn memory_size(&self) -> usize;
}
