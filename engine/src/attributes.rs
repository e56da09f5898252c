//! What a result keeps of its variables: the units of one that was renamed, masked or averaged, its long name where it is
//! still called the same, and the reference system of the labels of a map.
//!
//! DataFusion carries the metadata of columns, and drops them where an aggregate or a condition stands around one.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use crate::scan::{CRS_KEY, MAP_AXIS_KEY};

const UNITS: &str = "units";
const LONG_NAME: &str = "long_name";

/// What is kept, by the keys of the metadata of columns.
const KEPT: [&str; 4] = [UNITS, LONG_NAME, CRS_KEY, MAP_AXIS_KEY];

/// What of [`KEPT`] a column has lost.
pub type Lost = HashMap<&'static str, String>;

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

/// Those that measure something else than their argument, or are no places of its axis.
const OTHERS: [&str; 3] = ["stddev", "stddev_pop", "sum"];

/// What is known of each column of a plan's result and not on the column itself.
pub fn lost_attributes(plan: &LogicalPlan) -> Vec<Lost> {
    let lost = |(index, field): (usize, &Arc<Field>)| {
        let missing = KEPT.iter().filter(|key| !field.metadata().contains_key(**key));
        let found = missing.filter_map(|&key| Some((key, of_output(plan, index, key)?)));
        let called_the_same = |key: &str, name: &str| key != LONG_NAME || name.eq_ignore_ascii_case(field.name());
        found.filter(|(key, found)| called_the_same(key, &found.name)).map(|(key, found)| (key, found.value)).collect()
    };
    plan.schema().fields().iter().enumerate().map(lost).collect()
}

/// The stream with these attributes on its columns.
pub fn annotate(stream: SendableRecordBatchStream, lost: &[Lost]) -> SendableRecordBatchStream {
    if lost.iter().all(HashMap::is_empty) {
        return stream;
    }
    let schema = annotated(&stream.schema(), lost);
    let own = Arc::clone(&schema);
    let batches = stream.map(move |batch| Ok(batch?.with_schema(Arc::clone(&own))?));
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

fn annotated(schema: &Schema, lost: &[Lost]) -> SchemaRef {
    let field = |(index, field): (usize, &Arc<Field>)| match lost.get(index) {
        Some(lost) if !lost.is_empty() => {
            let mut metadata = field.metadata().clone();
            for (key, value) in lost {
                metadata.entry((*key).to_string()).or_insert_with(|| value.clone());
            }
            Arc::new(Field::clone(field).with_metadata(metadata))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<Arc<Field>> = schema.fields().iter().enumerate().map(field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// An attribute, and the name of the column that has it.
struct Found {
    value: String,
    name: String,
}

fn of_output(plan: &LogicalPlan, index: usize, key: &str) -> Option<Found> {
    let field = plan.schema().field(index);
    if let Some(value) = field.metadata().get(key) {
        return Some(Found { value: value.clone(), name: field.name().clone() });
    }
    match plan {
        LogicalPlan::Projection(projection) => of_expression(projection.expr.get(index)?, &projection.input, key),
        LogicalPlan::Aggregate(aggregate) => {
            let is_plain = !aggregate.group_expr.iter().any(|group| matches!(group, Expr::GroupingSet(_)));
            let groups = aggregate.group_expr.len();
            let expression = match index.checked_sub(groups) {
                Some(place) => aggregate.aggr_expr.get(place),
                None => aggregate.group_expr.get(index),
            };
            of_expression(expression.filter(|_| is_plain)?, &aggregate.input, key)
        }
        LogicalPlan::Filter(filter) => of_output(&filter.input, index, key),
        LogicalPlan::Sort(sort) => of_output(&sort.input, index, key),
        LogicalPlan::Limit(limit) => of_output(&limit.input, index, key),
        LogicalPlan::SubqueryAlias(alias) => of_output(&alias.input, index, key),
        _ => None,
    }
}

fn of_expression(expression: &Expr, input: &LogicalPlan, key: &str) -> Option<Found> {
    match expression {
        Expr::Alias(alias) => of_expression(&alias.expr, input, key),
        Expr::Column(column) => of_output(input, input.schema().maybe_index_of_column(column)?, key),
        Expr::Cast(cast) => of_expression(&cast.expr, input, key),
        Expr::Case(case) => of_expression(only_branch(case)?, input, key),
        Expr::AggregateFunction(call) if keeps(call.func.name(), key) => {
            of_expression(call.params.args.first()?, input, key)
        }
        _ => None,
    }
}

/// Whether an attribute of an argument is one of an aggregate over it.
fn keeps(aggregate: &str, key: &str) -> bool {
    KEEPERS.contains(&aggregate) && (key == UNITS || !OTHERS.contains(&aggregate))
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
