//! Physical operators. One operator a file.
//!
//! Blocks travel between operators as Arrow rows (see [`block`]), so that DataFusion's own operators carry them.

mod array_reader;
mod assemble;
pub mod block;
mod chunk_map;
mod chunks_needed;
mod completion;
mod evaluate;
mod halo;
mod leaf;
mod merging;
mod operator;
mod origin;
mod partition_times;
mod passes;
mod pivot;
mod predicate;
mod read;
mod read_metrics;
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

pub use chunk_map::{ChunkCounts, ChunkMap, Side};
pub use chunks_needed::ChunksNeeded;
pub use evaluate::{BlockColumn, CellExpressions};
pub use origin::{GridPlan, Origin, Recipe, is_grid_operator, operator_at, origin_of};
pub use partition_times::{PartitionSpan, PartitionTimes};
pub use passes::PassesExec;
pub use pivot::PivotExec;
pub use pivot::kernel as kernel_error;
pub use read::BlockReadExec;
pub use reduce::plan_reduce;
pub use reduce_final::GridReduceFinalExec;
pub use reduce_partial::GridReducePartialExec;
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
    let what = GridPlan::Cells { table, columns: columns.to_vec(), windows: Vec::new() };
    Arc::new(Recipe { what, settings }).plan()
}
