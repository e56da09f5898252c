//! Blocks with the columns that look at other cells.

use std::sync::Arc;

use datafusion::common::not_impl_err;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::evaluate::BlockColumn;
use super::read::BlockReadExec;
use super::work::WorkGrid;
use crate::logical::GridWindow;
use crate::scan::CellTable;

/// A plan of blocks, the numbering of these blocks, and the columns that they have.
pub type BlockPlan = (Arc<dyn ExecutionPlan>, Arc<WorkGrid>, Vec<BlockColumn>);

/// The reading of `columns` of a table, and the windows over them.
pub fn read_with_windows(
    table: &Arc<CellTable>,
    columns: Vec<usize>,
    windows: &[GridWindow],
    _threads: usize,
) -> Result<BlockPlan> {
    if !windows.is_empty() {
        return not_impl_err!("windows on the grid");
    }
    let block_columns = block_columns(table, &columns);
    let read = BlockReadExec::plan(Arc::clone(table), columns)?;
    let work = Arc::clone(read.work());
    Ok((read, work, block_columns))
}

/// The columns of blocks of variables.
pub fn block_columns(table: &CellTable, columns: &[usize]) -> Vec<BlockColumn> {
    let block_column = |&column: &usize| {
        let column = &table.columns()[column];
        BlockColumn {
            name: column.field.name().clone(),
            data_type: column.field.data_type().clone(),
            axes: column.axes.clone(),
            nan_is_missing: table.variable(column).is_some_and(|variable| variable.nan_is_missing),
        }
    };
    columns.iter().map(block_column).collect()
}
