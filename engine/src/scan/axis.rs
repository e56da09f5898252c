//! One dimension of a table of cells.

use arrow::array::{Array, ArrayRef, Int64Array, UInt64Array};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::Field;
use arrow::row::{RowConverter, SortField};
use datafusion::error::Result;
use std::sync::Arc;

use crate::array::Positions;

/// How the labels of a dimension follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd)]
pub enum Order {
    /// Strictly increasing.
    Ascending,
    /// Strictly decreasing.
    Descending,
    /// Neither, or with missing labels: labels may repeat.
    None,
}

/// A dimension of a table of cells: its labels and which of its cells are read.
#[derive(Debug, Clone)]
pub struct Axis {
    /// The dimension's name.
    pub name: String,
    /// The column of its labels, with units and calendar in the metadata.
    pub field: Arc<Field>,
    /// Labels of every source position; without an index coordinate the positions themselves.
    pub labels: ArrayRef,
    /// How the labels follow each other.
    pub order: Order,
    /// The source positions that are read.
    pub positions: Positions,
    /// The source positions that the query's brackets chose: positions are told as places among these.
    pub numbering: Positions,
    /// Where between its two labels a single value lies that is interpolated: 0 at the first, 1 at the second.
    pub fraction: Option<f64>,
    /// Whether a single label was asked for: the dimension is then none of the result's.
    pub scalar: bool,
}

impl Axis {
    /// Cells along the axis that are read.
    pub fn count(&self) -> u64 {
        self.positions.count()
    }

    /// The labels of the cells that are read.
    pub fn selected_labels(&self) -> Result<ArrayRef> {
        self.select(&self.labels)
    }

    /// Of values along the whole dimension, those of the cells that are read.
    pub fn select(&self, values: &ArrayRef) -> Result<ArrayRef> {
        match &self.positions {
            Positions::Range { start, count, step: 1 } => Ok(values.slice(*start as usize, *count as usize)),
            positions => {
                let indexes = UInt64Array::from_iter_values(positions.iter());
                Ok(take(values.as_ref(), &indexes, None)?)
            }
        }
    }

    /// The positions of the cells that are read, counted among those that the query's brackets chose.
    pub fn selected_positions(&self) -> ArrayRef {
        let place = |position: u64| self.numbering.selected_between(position, position).0 as i64;
        Arc::new(Int64Array::from_iter_values(self.positions.iter().map(place)))
    }

    /// The axis with these source positions chosen by brackets.
    #[must_use]
    pub fn chosen(mut self, positions: Positions, scalar: bool) -> Self {
        self.numbering = positions.clone();
        self.positions = positions;
        self.scalar |= scalar;
        self
    }
}

/// How `labels` follow each other.
pub fn order_of(labels: &ArrayRef) -> Result<Order> {
    if labels.null_count() > 0 {
        return Ok(Order::None);
    }
    let options = SortOptions { descending: false, nulls_first: false };
    let converter = RowConverter::new(vec![SortField::new_with_options(labels.data_type().clone(), options)])?;
    let rows = converter.convert_columns(std::slice::from_ref(labels))?;
    let pairs = || (1..rows.num_rows()).map(|index| (rows.row(index - 1), rows.row(index)));
    Ok(if pairs().all(|(a, b)| a < b) {
        Order::Ascending
    } else if pairs().all(|(a, b)| a > b) {
        Order::Descending
    } else {
        Order::None
    })
}
