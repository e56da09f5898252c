//! The functions that SQL lacks. One idea a file.

mod arg_extreme;
mod bin;
mod date_parts;
mod kernel_aggregate;
mod mask;
mod nearest;
mod partial_time;
mod window_aggregate;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

pub use bin::{Step, next_start, start_of, step_of};
pub use date_parts::{calendar_of, micros_of};
pub use nearest::{LabelTable, LabelTables, nearest_places};
pub use partial_time::partial_time;
pub use window_aggregate::WINDOW_AGGREGATES;

/// Adds every function of ours to a state.
pub fn register(state: &mut SessionState) -> Result<()> {
    for part in date_parts::PARTS {
        state.register_udf(Arc::new(ScalarUDF::from(date_parts::DatePart::new(part))))?;
    }
    state.register_udf(Arc::new(ScalarUDF::from(bin::Bin::default())))?;
    state.register_udf(Arc::new(ScalarUDF::from(mask::MaskCondition::default())))?;
    for aggregate in [arg_extreme::ArgExtreme::minimum(), arg_extreme::ArgExtreme::maximum()] {
        state.register_udaf(Arc::new(AggregateUDF::from(aggregate)))?;
    }
    for aggregate in kernel_aggregate::all() {
        state.register_udaf(Arc::new(AggregateUDF::from(aggregate)))?;
    }
    for aggregate in window_aggregate::all() {
        state.register_udaf(Arc::new(AggregateUDF::from(aggregate)))?;
    }
    Ok(())
}

/// The function that finds labels among those of `tables`.
pub fn nearest_label(tables: LabelTables) -> ScalarUDF {
    ScalarUDF::from(nearest::NearestLabel::new(tables))
}
