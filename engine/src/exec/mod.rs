//! Physical operators. One operator a file.
//!
//! Blocks travel between operators as Arrow rows (see [`block`]), so that DataFusion's own operators carry them.

mod array_reader;
mod assemble;
pub mod block;
mod completion;
mod evaluate;
mod leaf;
mod merging;
mod operator;
mod passes;
mod pivot;
mod predicate;
mod read;
mod reduce;
mod reduce_final;
mod reduce_partial;
mod reduce_spec;
mod settings;
mod shared_chunks;
mod turns;
mod window_grouped;
mod window_moving;
mod windowed;
mod work;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use crate::scan::CellTable;

pub use evaluate::{BlockColumn, CellExpressions};
pub use pivot::PivotExec;
pub use pivot::kernel as kernel_error;
pub use read::BlockReadExec;
pub use reduce::plan_reduce;
pub use reduce_spec::{AggregateSpec, GroupAxis, Grouping, ReduceSpec};
pub use settings::PlanSettings;
pub use windowed::BlockPlan;
pub use work::WorkGrid;

/// The plan that gives the cells of a table as rows: descriptors → blocks → rows.
pub fn rows_of_cells(
    table: Arc<CellTable>,
    columns: &[usize],
    settings: PlanSettings,
) -> Result<Arc<dyn ExecutionPlan>> {
    let variables = columns.iter().copied().filter(|&column| table.columns()[column].kind.axis().is_none()).collect();
    let blocks = BlockPlan::new(&table, variables, &[], settings)?;
    Ok(Arc::new(PivotExec::with_windows(&blocks, table, columns, [])?))
}
