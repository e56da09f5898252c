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
pub use nearest::{LabelTable, LabelTables, NearestLabel, nearest_places};
pub use partial_time::partial_time;
pub use window_aggregate::WINDOW_AGGREGATES;

/// Adds every function of ours to a state.
pub fn register(state: &mut SessionState) -> Result<()> {
    for function in scalar_functions() {
        state.register_udf(Arc::new(function))?;
    }
    for function in aggregate_functions() {
        state.register_udaf(Arc::new(function))?;
    }
    Ok(())
}

/// Every function of ours of a row, but for those that know labels.
pub fn scalar_functions() -> Vec<ScalarUDF> {
    let mut functions: Vec<ScalarUDF> =
        date_parts::PARTS.iter().map(|part| ScalarUDF::from(date_parts::DatePart::new(part))).collect();
    functions.push(ScalarUDF::from(bin::Bin::default()));
    functions.push(ScalarUDF::from(mask::MaskCondition::default()));
    functions
}

/// Every aggregate of ours.
pub fn aggregate_functions() -> Vec<AggregateUDF> {
    let mut functions: Vec<AggregateUDF> =
        [arg_extreme::ArgExtreme::minimum(), arg_extreme::ArgExtreme::maximum()].map(AggregateUDF::from).into();
    functions.extend(kernel_aggregate::all().into_iter().map(AggregateUDF::from));
    functions.extend(window_aggregate::all().into_iter().map(AggregateUDF::from));
    functions
}

/// The function that finds labels among those of `tables`.
pub fn nearest_label(tables: LabelTables) -> ScalarUDF {
    ScalarUDF::from(nearest::NearestLabel::new(tables))
}
