//! A dataset as a table: one row a cell of a span of dimensions.
//!
//! The binder chooses the span, so that no cell is counted twice; the table says which columns there are, prunes by
//! predicates on dimensions, and plans the reading of cells.

mod axis;
mod fingerprint;
mod labels;
mod predicate;
mod table;

pub use axis::{Axis, Order, order_of};
pub use labels::{CRS_KEY, LabelledDataset, MAP_AXIS_KEY, field_of, nan_to_null, read_whole};
pub use predicate::{axis_of, axis_with_variables, evaluate_on_axis, unqualified, variables_in};
pub use table::{CellTable, Column, ColumnKind, position_column};
