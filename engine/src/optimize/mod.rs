//! Our own optimizer rules: one ordered list, run once after DataFusion's.
//!
//! DataFusion has by then pushed predicates on dimensions into the scans, dropped unused columns and merged projections,
//! so that what stands over a table of cells is as plain as it gets.

mod cells;
mod lift_aggregate;
mod lift_cells;
mod lift_window;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;

/// A rule: a name for `EXPLAIN`, and what it does to one node of a plan.
type Rule = (&'static str, fn(LogicalPlan) -> Result<Transformed<LogicalPlan>>);

/// The rules, in order.
const RULES: &[Rule] = &[
    // Aggregates whose groups are functions of dimensions become dense reductions; whatever a rule does not take stays
    // relational and gives the same answer.
    ("lift_aggregate", lift_aggregate::lift_aggregate),
    // Windows below an aggregate went with it; those that are left end in rows.
    ("lift_cells", lift_cells::lift_cells),
];

/// Runs every rule over a plan and the subqueries in it.
pub fn optimize(mut plan: LogicalPlan) -> Result<LogicalPlan> {
    for (_, rule) in RULES {
        plan = plan.transform_down_with_subqueries(rule)?.data;
    }
    Ok(plan)
}
