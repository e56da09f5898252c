//! `EXPLAIN` and `EXPLAIN ANALYZE`.

mod peak_memory;

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::sqlparser::ast::Query;
use futures::TryStreamExt;

use crate::error::Error;
use crate::outcome::DatasetSummary;
pub use peak_memory::PeakMemory;

/// The query as plain SQL over cells, and its plans.
/// `place` is where it would run.
pub fn explain(query: &Query, logical: &LogicalPlan, physical: &dyn ExecutionPlan, place: &str) -> String {
    let physical = DisplayableExecutionPlan::new(physical).indent(false);
    let logical = logical.display_indent();
    format!(
        "bound\n  {query}\n\nlogical plan\n{logical}\n\nphysical plan\n{physical}\nruns in\n  {}\n",
        place.trim_end()
    )
}

/// Runs a plan, throws its rows away, and tells what every operator did and how much memory it held.
pub async fn analyze(physical: Arc<dyn ExecutionPlan>, state: SessionState) -> Result<String, Error> {
    let runtime = state.runtime_env();
    let peaks = Arc::new(PeakMemory::new(Arc::clone(&runtime.memory_pool)));
    let runtime = RuntimeEnvBuilder::from_runtime_env(runtime).with_memory_pool(Arc::clone(&peaks) as _).build_arc()?;
    let state = SessionStateBuilder::new_from_existing(state).with_runtime_env(runtime).build();
    let start = Instant::now();
    let mut stream = execute_stream(Arc::clone(&physical), Arc::new(TaskContext::from(&state)))?;
    let mut rows = 0;
    while let Some(batch) = stream.try_next().await? {
        rows += batch.num_rows();
    }
    let seconds = start.elapsed().as_secs_f64();
    let plan = DisplayableExecutionPlan::with_metrics(physical.as_ref()).indent(false);
    Ok(format!("{rows} rows in {seconds:.3} s\n\n{plan}\npeak memory of all partitions\n{}", peaks.table()))
}

/// What was measured, and the address of the page that shows more of it, if there is one.
pub fn with_page(measured: String, page: Option<&str>) -> String {
    match page {
        Some(page) => format!("{}\n\npage: {page}\n", measured.trim_end()),
        None => measured,
    }
}

/// The columns of a dataset, for `DESCRIBE`.
pub fn columns(summary: &DatasetSummary) -> String {
    let mut text = String::new();
    for variable in &summary.variables {
        let dimensions = variable.dimensions.join(", ");
        let _ = writeln!(text, "{}[{dimensions}] {}", variable.name, variable.data_type);
    }
    text
}
