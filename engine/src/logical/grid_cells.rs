//! The cells of a table with the columns that look at other cells, as rows.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use super::GridWindow;
use crate::scan::CellTable;

/// `SELECT columns, windows FROM table`, on the grid until the rows are made. It has no input.
#[derive(Debug, Clone)]
pub struct GridCells {
    /// The cells.
    pub table: Arc<CellTable>,
    /// Columns of the table.
    pub columns: Vec<usize>,
    /// Columns that are computed from other cells.
    pub windows: Vec<GridWindow>,
    /// The columns, then the windows.
    pub schema: DFSchemaRef,
}

impl PartialEq for GridCells {
    fn eq(&self, other: &Self) -> bool {
        self.table == other.table && self.columns == other.columns && self.windows == other.windows
    }
}

impl Eq for GridCells {}

impl Hash for GridCells {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.table.hash(state);
        self.columns.hash(state);
        self.windows.hash(state);
    }
}

impl PartialOrd for GridCells {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for GridCells {
    fn name(&self) -> &str {
        "GridCells"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let columns = self.columns.iter().map(|&column| self.table.columns()[column].field.name().as_str());
        write!(formatter, "GridCells: {}", columns.collect::<Vec<_>>().join(", "))?;
        self.windows.iter().try_for_each(|window| write!(formatter, ", {window}"))
    }

    fn with_exprs_and_inputs(&self, _expressions: Vec<Expr>, _inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(self.clone())
    }
}
