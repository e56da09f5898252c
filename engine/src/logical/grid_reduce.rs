//! An aggregate over the cells of a table whose groups are functions of single dimensions.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use super::GridWindow;
use crate::exec::AggregateSpec;
use crate::scan::CellTable;

/// `SELECT keys, aggregates FROM table WHERE mask GROUP BY keys`, on the grid. Its expressions are of the table's
/// columns alone, so it has no input.
#[derive(Debug, Clone)]
pub struct GridReduce {
    /// The cells.
    pub table: Arc<CellTable>,
    /// Group keys, each a function of one axis.
    pub keys: Vec<Expr>,
    /// What is computed.
    pub aggregates: Vec<AggregateSpec>,
    /// The cells that count.
    pub mask: Option<Expr>,
    /// Columns that are computed from the cells first, by their names.
    pub windows: Vec<GridWindow>,
    /// Keys, then aggregates.
    pub schema: DFSchemaRef,
}

impl PartialEq for GridReduce {
    fn eq(&self, other: &Self) -> bool {
        self.table == other.table
            && self.keys == other.keys
            && self.aggregates == other.aggregates
            && self.mask == other.mask
            && self.windows == other.windows
    }
}

impl Eq for GridReduce {}

impl Hash for GridReduce {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.table.hash(state);
        self.keys.hash(state);
        self.aggregates.hash(state);
        self.mask.hash(state);
        self.windows.hash(state);
    }
}

impl PartialOrd for GridReduce {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for GridReduce {
    fn name(&self) -> &str {
        "GridReduce"
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
        let keys: Vec<_> = self.keys.iter().map(ToString::to_string).collect();
        let aggregates: Vec<_> = self.aggregates.iter().map(|aggregate| format!("{:?}", aggregate.kind)).collect();
        write!(formatter, "GridReduce: {} by [{}]", aggregates.join(", "), keys.join(", "))?;
        self.mask.iter().try_for_each(|mask| write!(formatter, " where {mask}"))?;
        self.windows.iter().try_for_each(|window| write!(formatter, ", {window}"))
    }

    fn with_exprs_and_inputs(&self, _expressions: Vec<Expr>, _inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(self.clone())
    }
}
