//! Physical operators. One operator a file.
//!
//! Blocks travel between operators as Arrow rows (see [`block`]), so that DataFusion's own operators carry them.

mod array_reader;
mod assemble;
pub mod block;
mod evaluate;
mod leaf;
mod pivot;
mod read;
mod reduce;
mod reduce_final;
mod reduce_partial;
mod reduce_spec;
mod windowed;
mod work;

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use crate::scan::CellTable;

pub use evaluate::{BlockColumn, CellExpressions};
pub use pivot::PivotExec;
pub use pivot::kernel as kernel_error;
pub use read::BlockReadExec;
pub use reduce::reduce_plan;
pub use reduce_spec::{AggregateSpec, GroupAxis, Grouping, ReduceSpec};
pub use windowed::{block_columns, read_with_windows};
pub use work::WorkGrid;

/// The plan that gives the cells of a table as rows: descriptors → blocks → rows.
pub fn rows_of_cells(
    table: Arc<CellTable>,
    columns: Vec<usize>,
    _state: &dyn Session,
) -> Result<Arc<dyn ExecutionPlan>> {
    let variables = columns.iter().copied().filter(|&column| table.columns()[column].kind.axis().is_none()).collect();
    let blocks = BlockReadExec::plan(Arc::clone(&table), variables)?;
    Ok(Arc::new(PivotExec::new(blocks, table, columns)?))
}
