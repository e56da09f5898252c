//! Units that a result keeps: those of a variable that was renamed, masked or averaged.
//!
//! DataFusion carries the metadata of columns, and drops them where an aggregate or a condition stands around one.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

const UNITS: &str = "units";

/// Aggregates whose result is measured in the units of their first argument.
const KEEPERS: [&str; 18] = [
    "approx_median",
    "approx_percentile_cont",
    "arg_max",
    "arg_min",
    "avg",
    "first",
    "first_value",
    "last",
    "last_value",
    "max",
    "median",
    "min",
    "percentile_cont",
    "quantile",
    "stddev",
    "stddev_pop",
    "sum",
    "weighted_avg",
];

/// The units of each column of a plan's result that are known and not on the column itself.
pub fn lost_units(plan: &LogicalPlan) -> Vec<Option<String>> {
    let fields = plan.schema().fields().iter().enumerate();
    fields
        .map(|(index, field)| if field.metadata().contains_key(UNITS) { None } else { of_output(plan, index) })
        .collect()
}

/// The stream with these units on its columns.
pub fn annotate(stream: SendableRecordBatchStream, units: &[Option<String>]) -> SendableRecordBatchStream {
    if units.iter().all(Option::is_none) {
        return stream;
    }
    let schema = annotated(&stream.schema(), units);
    let own = Arc::clone(&schema);
    let batches = stream.map(move |batch| Ok(batch?.with_schema(Arc::clone(&own))?));
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

fn annotated(schema: &Schema, units: &[Option<String>]) -> SchemaRef {
    let field = |(index, field): (usize, &Arc<Field>)| match units.get(index) {
        Some(Some(units)) => {
            let mut metadata = field.metadata().clone();
            metadata.entry(UNITS.to_string()).or_insert_with(|| units.clone());
            Arc::new(Field::clone(field).with_metadata(metadata))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<Arc<Field>> = schema.fields().iter().enumerate().map(field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn of_output(plan: &LogicalPlan, index: usize) -> Option<String> {
    if let Some(units) = plan.schema().field(index).metadata().get(UNITS) {
        return Some(units.clone());
    }
    match plan {
        LogicalPlan::Projection(projection) => of_expression(projection.expr.get(index)?, &projection.input),
        LogicalPlan::Aggregate(aggregate) => {
            let is_plain = !aggregate.group_expr.iter().any(|group| matches!(group, Expr::GroupingSet(_)));
            let groups = aggregate.group_expr.len();
            let expression = match index.checked_sub(groups) {
                Some(place) => aggregate.aggr_expr.get(place),
                None => aggregate.group_expr.get(index),
            };
            of_expression(expression.filter(|_| is_plain)?, &aggregate.input)
        }
        LogicalPlan::Filter(filter) => of_output(&filter.input, index),
        LogicalPlan::Sort(sort) => of_output(&sort.input, index),
        LogicalPlan::Limit(limit) => of_output(&limit.input, index),
        LogicalPlan::SubqueryAlias(alias) => of_output(&alias.input, index),
        _ => None,
    }
}

fn of_expression(expression: &Expr, input: &LogicalPlan) -> Option<String> {
    match expression {
        Expr::Alias(alias) => of_expression(&alias.expr, input),
        Expr::Column(column) => of_output(input, input.schema().maybe_index_of_column(column)?),
        Expr::Cast(cast) => of_expression(&cast.expr, input),
        Expr::Case(case) => of_expression(only_branch(case)?, input),
        Expr::AggregateFunction(call) if KEEPERS.contains(&call.func.name()) => {
            of_expression(call.params.args.first()?, input)
        }
        _ => None,
    }
}

/// The branch of a `CASE` that is not NULL, where there is but one: a mask.
fn only_branch(case: &Case) -> Option<&Expr> {
    let branches = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
    let is_null = |branch: &Expr| match branch {
        Expr::Literal(value, _) => value.is_null(),
        Expr::Cast(cast) => matches!(cast.expr.as_ref(), Expr::Literal(ScalarValue::Null, _)),
        _ => false,
    };
    let mut present = branches.map(AsRef::as_ref).filter(|branch: &&Expr| !is_null(branch));
    present.next().filter(|_| present.next().is_none())
}
