//! Predicates on one dimension: evaluated once over its labels.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::Schema;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::DFSchema;
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::create_physical_expr;
use std::sync::Arc;

use super::CellTable;
use super::table::{Column, ColumnKind};

/// The one axis that every column of `expression` belongs to, when its labels alone decide its value: `None` when there
/// are several axes, no column at all, cells of variables, volatile functions or subqueries.
pub fn axis_of(table: &CellTable, expression: &Expr) -> Option<usize> {
    axis_with(expression, |name| table.column(name)?.kind.axis())
}

/// The same, where variables of one dimension count as labels of their axis.
pub fn axis_with_variables(table: &CellTable, expression: &Expr) -> Option<usize> {
    axis_with(expression, |name| match table.column(name)?.axes.as_slice() {
        [axis] => Some(*axis),
        _ => None,
    })
}

fn axis_with(expression: &Expr, axis_of_column: impl Fn(&str) -> Option<usize>) -> Option<usize> {
    let mut found = None;
    let mut single = true;
    let walked = expression.apply(|node| {
        match node {
            Expr::Column(column) => match axis_of_column(&column.name) {
                Some(axis) if found.is_none_or(|known| known == axis) => found = Some(axis),
                _ => single = false,
            },
            Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::OuterReferenceColumn(..) => {
                single = false;
            }
            _ => {}
        }
        Ok(if single { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    (walked.is_ok() && single && !expression.is_volatile()).then_some(found).flatten()
}

/// The values of an expression of one axis over the labels of the cells of the axis that are read.
pub fn evaluate_on_axis(table: &CellTable, axis: usize, expression: &Expr) -> Result<ArrayRef> {
    let along = &table.axes()[axis];
    let is_known = |column: &&Column| match column.kind {
        ColumnKind::Variable(_) => column.axes == [axis] && table.source().loaded(column.field.name()).is_some(),
        kind => kind.axis() == Some(axis),
    };
    let columns: Vec<_> = table.columns().iter().filter(is_known).collect();
    let schema = Schema::new(columns.iter().map(|column| Arc::clone(&column.field)).collect::<Vec<_>>());
    let values = columns
        .iter()
        .map(|column| match column.kind {
            ColumnKind::Position(_) => Ok(along.selected_positions()),
            ColumnKind::Label(_) => along.selected_labels(),
            ColumnKind::Variable(_) => match table.source().loaded(column.field.name()) {
                Some(values) => along.select(&values),
                None => datafusion::common::internal_err!("{} was not read", column.field.name()),
            },
        })
        .collect::<Result<Vec<_>>>()?;
    let rows = along.count() as usize;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::new(schema.clone()), values, &options)?;
    let expression = unqualified(expression)?;
    let physical =
        create_physical_expr(&expression, &DFSchema::try_from(schema)?, &ExecutionProps::new(), &Default::default())?;
    physical.evaluate(&batch)?.into_array(rows)
}

/// Which of the cells along an axis satisfy a predicate of that axis.
pub fn matching(table: &CellTable, axis: usize, predicate: &Expr) -> Result<BooleanArray> {
    let values = evaluate_on_axis(table, axis, predicate)?;
    let values = as_boolean_array(&values)?;
    Ok((0..values.len()).map(|index| Some(values.is_valid(index) && values.value(index))).collect())
}

/// The columns of a table that hold cells and that expressions name, in the order in which they do.
pub fn variables_in<'a>(table: &CellTable, expressions: impl IntoIterator<Item = &'a Expr>) -> Result<Vec<usize>> {
    let mut found = Vec::new();
    for expression in expressions {
        expression.apply(|node| {
            if let Expr::Column(column) = node
                && let Some(place) = table.columns().iter().position(|known| known.field.name() == &column.name)
                && matches!(table.columns()[place].kind, ColumnKind::Variable(_))
                && !found.contains(&place)
            {
                found.push(place);
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(found)
}

/// The same expression with column names alone: the table's columns are unique by name.
pub fn unqualified(expression: &Expr) -> Result<Expr> {
    use datafusion::common::tree_node::Transformed;
    let rewritten = expression.clone().transform(|node| match node {
        Expr::Column(mut column) if column.relation.is_some() => {
            column.relation = None;
            Ok(Transformed::yes(Expr::Column(column)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(rewritten.data)
}
