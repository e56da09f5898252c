//! A relational sub-plan seen as expressions over the cells of one table.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::lift_window::lift_windows;
use crate::logical::GridWindow;
use crate::scan::CellTable;

/// What a sub-plan computes, in terms of the columns of one table of cells: no joins, no sorts that matter, no limits.
#[derive(Debug, Clone)]
pub struct CellPlan {
    /// The cells, those that fail a pushed-down predicate left out.
    pub table: Arc<CellTable>,
    /// Predicates on cells, all of which must hold.
    pub predicates: Vec<Expr>,
    /// Columns computed from other cells.
    pub windows: Vec<GridWindow>,
    /// Whether the sub-plan sorts its rows, which means nothing to an aggregate.
    pub is_sorted: bool,
    /// Every output column of the sub-plan as an expression of the table's columns and of the windows'.
    pub outputs: HashMap<Column, Expr>,
}

impl CellPlan {
    /// The sub-plan as cells, or `None` when it is something else.
    pub fn of(plan: &LogicalPlan) -> Result<Option<Self>> {
        match plan {
            LogicalPlan::TableScan(scan) => {
                if scan.fetch.is_some() {
                    return Ok(None);
                }
                let Ok(provider) = source_as_provider(&scan.source) else { return Ok(None) };
                let Some(table) = (provider.as_ref() as &dyn std::any::Any).downcast_ref::<CellTable>() else {
                    return Ok(None);
                };
                let columns = scan.projected_schema.columns();
                let outputs = columns.into_iter().map(|column| {
                    let plain = Expr::Column(Column::new_unqualified(column.name.clone()));
                    (column, plain)
                });
                let table = Arc::new(table.restricted(&scan.filters)?);
                let (predicates, windows) = (Vec::new(), Vec::new());
                Ok(Some(Self { table, predicates, windows, is_sorted: false, outputs: outputs.collect() }))
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let Some(mut cells) = Self::of(&alias.input)? else { return Ok(None) };
                let names = alias.input.schema().columns().into_iter().zip(alias.schema.columns());
                cells.outputs = names.filter_map(|(from, to)| Some((to, cells.outputs.get(&from)?.clone()))).collect();
                Ok(Some(cells))
            }
            LogicalPlan::Projection(projection) => {
                let Some(mut cells) = Self::of(&projection.input)? else { return Ok(None) };
                if projection.expr.iter().any(has_subquery) {
                    return Ok(None);
                }
                let names = projection.schema.columns();
                let expressions = projection.expr.iter().map(|expression| cells.rewrite(expression));
                cells.outputs = names.into_iter().zip(expressions.collect::<Result<Vec<_>>>()?).collect();
                Ok(Some(cells))
            }
            LogicalPlan::Filter(filter) => {
                let Some(mut cells) = Self::of(&filter.input)? else { return Ok(None) };
                if has_subquery(&filter.predicate) {
                    return Ok(None);
                }
                for predicate in split_conjunction(&filter.predicate) {
                    let predicate = cells.rewrite(predicate)?;
                    cells.predicates.push(predicate);
                }
                Ok(Some(cells))
            }
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                Ok(Self::of(&sort.input)?.map(|cells| Self { is_sorted: true, ..cells }))
            }
            LogicalPlan::Window(window) => match Self::of(&window.input)? {
                Some(cells) => lift_windows(cells, window),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// An expression of the sub-plan's output columns in terms of the table's columns.
    pub fn rewrite(&self, expression: &Expr) -> Result<Expr> {
        // Aliases first: what is under one must be looked up too.
        let plain = expression.clone().transform_up(|node| match node {
            Expr::Alias(alias) => Ok(Transformed::yes(*alias.expr)),
            other => Ok(Transformed::no(other)),
        })?;
        let rewritten = plain.data.transform_down(|node| match node {
            Expr::Column(column) => match self.outputs.get(&column) {
                Some(output) => {
                    Ok(Transformed::new(output.clone(), true, datafusion::common::tree_node::TreeNodeRecursion::Jump))
                }
                None => datafusion::common::internal_err!("no column {column} in what is lifted to the grid"),
            },
            other => Ok(Transformed::no(other)),
        })?;
        Ok(rewritten.data)
    }
}

/// Whether an expression holds a query of its own, or one that gives another value at every call.
pub fn has_subquery(expression: &Expr) -> bool {
    expression.is_volatile()
        || expression
            .exists(|node| {
                Ok(matches!(
                    node,
                    Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::OuterReferenceColumn(..)
                ))
            })
            .unwrap_or(true)
}
