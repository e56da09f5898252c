//! What can go wrong in a kernel: mostly a caller's mistake, seldom the data's.

use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// An error of a kernel.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// No kernel for these types: the caller falls back to rows.
    #[error("{what} has no kernel for {found}")]
    Unsupported {
        /// The aggregate or the window.
        what: String,
        /// The types of the arguments.
        found: String,
    },
    /// A wrong number of arguments or state arrays.
    #[error("{what} takes {expected} arrays, found {found}")]
    Arity {
        /// The aggregate.
        what: &'static str,
        /// How many it takes.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// An array that has not one value for each cell.
    #[error("{what} has {found} values, expected {expected}")]
    Length {
        /// Which array.
        what: &'static str,
        /// The number of cells.
        expected: usize,
        /// The number of values.
        found: usize,
    },
    /// An array of another type than the accumulator was made for.
    #[error("{what} is of type {found}, expected {expected}")]
    Type {
        /// Which array.
        what: &'static str,
        /// The type the accumulator was made for.
        expected: DataType,
        /// The type of the array.
        found: DataType,
    },
    /// A layout that contradicts itself, or leads to groups that are not there.
    #[error("block layout: {0}")]
    Layout(String),
    /// A cell without a weight, where weights are required.
    #[error("a weight is missing where a weighted average needs one")]
    MissingWeight,
    /// An error of an Arrow kernel.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}
