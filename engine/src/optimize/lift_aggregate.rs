//! `Aggregate` over the cells of one table → [`GridReduce`].

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, Extension, LogicalPlan};

use super::cells::{CellPlan, has_subquery};
use crate::exec::AggregateSpec;
use crate::kernel::AggregateKind;
use crate::logical::GridReduce;
use crate::scan::axis_with_variables;

/// The rule.
pub fn lift_aggregate(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
    match grid_reduce(aggregate)? {
        Some(node) => {
            let lifted = LogicalPlan::Extension(Extension { node: Arc::new(node) });
            Ok(Transformed::new(lifted, true, TreeNodeRecursion::Jump))
        }
        None => Ok(Transformed::no(plan)),
    }
}

fn grid_reduce(aggregate: &Aggregate) -> Result<Option<GridReduce>> {
    let expressions = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
    if expressions.clone().any(has_subquery)
        || aggregate.group_expr.iter().any(|key| matches!(key, Expr::GroupingSet(_)))
    {
        return Ok(None);
    }
    let Some(cells) = CellPlan::of(&aggregate.input)? else { return Ok(None) };
    let keys = aggregate.group_expr.iter().map(|key| cells.rewrite(key)).collect::<Result<Vec<_>>>()?;
    if !keys.iter().all(|key| axis_with_variables(&cells.table, key).is_some()) {
        return Ok(None);
    }
    let mut aggregates = Vec::with_capacity(aggregate.aggr_expr.len());
    for expression in &aggregate.aggr_expr {
        match aggregate_spec(&cells, expression, aggregate)? {
            Some(spec) => aggregates.push(spec),
            None => return Ok(None),
        }
    }
    Ok(Some(GridReduce {
        mask: conjunction(cells.predicates),
        table: cells.table,
        keys,
        aggregates,
        windows: cells.windows,
        schema: Arc::clone(&aggregate.schema),
    }))
}

fn aggregate_spec(cells: &CellPlan, expression: &Expr, aggregate: &Aggregate) -> Result<Option<AggregateSpec>> {
    let function = match expression {
        Expr::AggregateFunction(function) => function,
        Expr::Alias(alias) => return aggregate_spec(cells, &alias.expr, aggregate),
        _ => return Ok(None),
    };
    let types = function.params.args.iter().map(|argument| argument.get_type(aggregate.input.schema()));
    let types = types.collect::<Result<Vec<_>>>()?;
    let Some(spec) = spec_of(function, &types) else { return Ok(None) };
    let arguments = spec.arguments.iter().map(|argument| cells.rewrite(argument)).collect::<Result<Vec<_>>>()?;
    let filter = spec.filter.as_ref().map(|filter| cells.rewrite(filter)).transpose()?;
    Ok(Some(AggregateSpec { kind: spec.kind, arguments, filter }))
}

/// The kernel's aggregate that a function is, when there is one for its arguments.
pub fn spec_of(function: &AggregateFunction, types: &[DataType]) -> Option<AggregateSpec> {
    let parameters = &function.params;
    if parameters.distinct || !parameters.order_by.is_empty() || parameters.null_treatment.is_some() {
        return None;
    }
    let mut arguments = parameters.args.clone();
    let mut types = types.to_vec();
    let kind = match function.func.name() {
        "count" if arguments.iter().all(is_constant) => {
            arguments.clear();
            types.clear();
            AggregateKind::CountAll
        }
        "count" => AggregateKind::Count,
        "sum" => AggregateKind::Sum,
        "avg" => AggregateKind::Average,
        "min" => AggregateKind::Minimum,
        "max" => AggregateKind::Maximum,
        "var" | "var_samp" => AggregateKind::Variance { ddof: 1 },
        "var_pop" => AggregateKind::Variance { ddof: 0 },
        "stddev" | "stddev_samp" => AggregateKind::StandardDeviation { ddof: 1 },
        "stddev_pop" => AggregateKind::StandardDeviation { ddof: 0 },
        "bool_or" => AggregateKind::Any,
        "bool_and" => AggregateKind::All,
        // On the grid the first cell wins a tie, which is what a third argument asks for.
        name @ ("arg_min" | "arg_max") => {
            arguments.truncate(2);
            types.truncate(2);
            if name == "arg_min" { AggregateKind::ArgMinimum } else { AggregateKind::ArgMaximum }
        }
        "first" => AggregateKind::First,
        "last" => AggregateKind::Last,
        "weighted_avg" => AggregateKind::WeightedAverage,
        "quantile" => {
            let Some(Expr::Literal(fraction, _)) = arguments.pop() else { return None };
            types.pop();
            match fraction.cast_to(&DataType::Float64).ok()? {
                ScalarValue::Float64(Some(fraction)) if (0.0..=1.0).contains(&fraction) => {
                    AggregateKind::quantile(fraction)
                }
                _ => return None,
            }
        }
        _ => return None,
    };
    let filter = parameters.filter.as_deref().cloned();
    kind.supports(&types).then_some(AggregateSpec { kind, arguments, filter })
}

fn is_constant(expression: &Expr) -> bool {
    matches!(expression, Expr::Literal(value, _) if !value.is_null())
}
