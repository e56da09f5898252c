//! Literals compared with a coordinate are cast to the coordinate's type, so that an f32 latitude finds 51.3 and a time
//! finds '2020-01'.

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, LogicalPlan, Operator};

use super::calendars::check_calendars;
use crate::functions::partial_time;

/// The plan with the literals that are compared with coordinates cast.
pub fn cast_literals(plan: LogicalPlan) -> Result<LogicalPlan> {
    let cast = plan.transform_up_with_subqueries(|node| {
        let inputs: Vec<_> = node.inputs().into_iter().map(|input| std::sync::Arc::clone(input.schema())).collect();
        let field = |column: &Column| {
            let fields = inputs.iter().filter_map(|schema| schema.field_from_column(column).ok());
            fields.into_iter().next().map(|field| field.as_ref().clone())
        };
        match &node {
            LogicalPlan::Join(join) => {
                join.on.iter().try_for_each(|(left, right)| check_sides(left, right, &field))?;
            }
            LogicalPlan::Union(_) => {
                for (first, other) in inputs.iter().zip(inputs.iter().skip(1)) {
                    first.fields().iter().zip(other.fields()).try_for_each(|(a, b)| check_calendars(a, b))?;
                }
            }
            _ => {}
        }
        node.map_expressions(|expression| expression.transform_up(|part| cast_part(part, &field)))
    })?;
    Ok(cast.data)
}

/// The same for an expression of the columns of a schema.
pub fn cast_in_expression(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    let field = |column: &Column| schema.field_from_column(column).ok().map(|field| field.as_ref().clone());
    Ok(expression.transform_up(|part| cast_part(part, &field))?.data)
}

fn cast_part(expression: Expr, field: &dyn Fn(&Column) -> Option<Field>) -> Result<Transformed<Expr>> {
    let coordinate = |expression: &Expr| match expression {
        Expr::Column(column) => {
            field(column).filter(|field| field.metadata().get("quarray.role").is_some_and(|role| role != "variable"))
        }
        _ => None,
    };
    Ok(match expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
            check_sides(&left, &right, field)?;
            let (left, right) = match (coordinate(&left), coordinate(&right)) {
                (Some(field), _) => (left, Box::new(cast_literal(*right, &field))),
                (None, Some(field)) => (Box::new(cast_literal(*left, &field)), right),
                (None, None) => (left, right),
            };
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::InSubquery(within) => {
            if let (Expr::Column(column), Some(found)) =
                (within.expr.as_ref(), within.subquery.subquery.schema().fields().first())
                && let Some(of_column) = field(column)
            {
                check_calendars(&of_column, found)?;
            }
            Transformed::no(Expr::InSubquery(within))
        }
        Expr::InList(mut list) => {
            if let Some(field) = coordinate(&list.expr) {
                list.list = list.list.into_iter().map(|item| cast_literal(item, &field)).collect();
            }
            Transformed::yes(Expr::InList(list))
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            check_sides(&expr, &low, field)?;
            check_sides(&expr, &high, field)?;
            let (low, high) = match coordinate(&expr) {
                Some(field) => (Box::new(cast_literal(*low, &field)), Box::new(cast_literal(*high, &field))),
                None => (low, high),
            };
            Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
        }
        other => Transformed::no(other),
    })
}

/// Looks at the calendars of two columns that are compared.
fn check_sides(left: &Expr, right: &Expr, field: &dyn Fn(&Column) -> Option<Field>) -> Result<()> {
    match (left, right) {
        (Expr::Column(left), Expr::Column(right)) => match (field(left), field(right)) {
            (Some(left), Some(right)) => check_calendars(&left, &right),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn cast_literal(expression: Expr, field: &Field) -> Expr {
    let Expr::Literal(value, metadata) = &expression else { return expression };
    let is_time = matches!(field.data_type(), DataType::Timestamp(..)) || field.metadata().contains_key("calendar");
    let cast = match (value, field.data_type()) {
        (ScalarValue::Float64(Some(_)), DataType::Float32) => value.cast_to(&DataType::Float32).ok(),
        (ScalarValue::Utf8(Some(text)), data_type) if is_time => {
            partial_time(text, field.metadata()).and_then(|(start, _)| match data_type {
                DataType::Int64 => Some(ScalarValue::Int64(Some(start))),
                other => ScalarValue::TimestampMicrosecond(Some(start), None).cast_to(other).ok(),
            })
        }
        _ => None,
    };
    match cast {
        Some(cast) => Expr::Literal(cast, metadata.clone()),
        None => expression,
    }
}

fn is_comparison(operator: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}
