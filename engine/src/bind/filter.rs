//! `WHERE` of a dataset: on single dimensions it chooses labels, as brackets do; else it drops rows.
//!
//! Where rows were dropped there are holes, and the row before is not the cell before: what counts cells is refused then.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Schema;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::{DFSchema, TableReference};
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, ExprWithAlias, Value, visit_expressions};
use datafusion::sql::sqlparser::tokenizer::Span as TokenSpan;

use super::Binder;
use super::literals::cast_in_expression;
use super::looks::is_looked_along;
use super::names::names_of;
use super::parts::dimensions_named;
use super::pipeline::{Pipeline, PipelineColumn, PipelineColumnKind, PipelineStep};
use crate::array::Positions;
use crate::error::Error;
use crate::scan::Axis;

/// What helps where cells are counted of which rows were dropped.
const KEEP_THE_CELLS: &str = "MASK in place of WHERE keeps the cells, and brackets choose labels";

impl Binder<'_> {
    /// A pipeline with rows left out.
    pub(super) fn filter(&mut self, mut pipeline: Pipeline, mut condition: Expr) -> Result<Pipeline, Error> {
        self.resolve(&pipeline, &mut condition, &Vec::new(), true)?;
        let left = self.narrow(&mut pipeline, &condition);
        pipeline.steps.extend(left.map(PipelineStep::Filter));
        Ok(pipeline)
    }

    /// Chooses labels by the parts of a condition that are on single dimensions and leave some; what is left of it.
    pub(super) fn narrow(&self, pipeline: &mut Pipeline, condition: &Expr) -> Option<Expr> {
        let left = conjuncts(condition).into_iter().filter(|part| !self.chooses(pipeline, part));
        left.map(|part| Expr::Nested(Box::new(part.clone()))).reduce(and)
    }

    fn chooses(&self, pipeline: &mut Pipeline, condition: &Expr) -> bool {
        let Some(axis) = dimension_of(pipeline, condition).filter(|axis| !axis.scalar) else { return false };
        if is_looked_along(pipeline, &axis.name) {
            return false;
        }
        let chosen = self.positions_where(pipeline, axis, condition).filter(|positions| positions.count() > 0);
        let Some(positions) = chosen else { return false };
        let chosen = axis.clone().chosen(positions, false);
        if !pipeline.joined.contains(&chosen.name) {
            pipeline.joined.push(chosen.name.clone());
        }
        if let Some(axis) = pipeline.axes.iter_mut().find(|axis| axis.name == chosen.name) {
            *axis = chosen;
        }
        true
    }

    /// The positions of an axis for whose labels a condition holds; `None` where the labels alone do not tell.
    pub(super) fn positions_where(&self, pipeline: &Pipeline, axis: &Axis, condition: &Expr) -> Option<Positions> {
        let schema = Schema::new(vec![Arc::clone(&axis.field)]);
        let qualifier = match pipeline.alias.quote_style {
            Some(_) => pipeline.alias.value.clone(),
            None => pipeline.alias.value.to_ascii_lowercase(),
        };
        let qualified = DFSchema::try_from_qualified_schema(TableReference::bare(qualifier), &schema).ok()?;
        let with_alias = ExprWithAlias { expr: condition.clone(), alias: None };
        let logical = self.state.create_logical_expr_from_sql_expr(with_alias, &qualified).ok()?;
        // What is another value for each row is no choice of labels.
        let logical = cast_in_expression(logical, &qualified).ok().filter(|logical| !logical.is_volatile())?;
        let physical = self.state.create_physical_expr(logical, &qualified).ok()?;
        let rows = axis.count() as usize;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let labels = axis.selected_labels().ok()?;
        let batch = RecordBatch::try_new_with_options(Arc::new(schema), vec![labels], &options).ok()?;
        let keep = physical.evaluate(&batch).and_then(|keep| keep.into_array(rows)).ok()?;
        let keep = keep.as_boolean_opt()?;
        Some(axis.positions.filter(|selected| keep.is_valid(selected as usize) && keep.value(selected as usize)))
    }

    /// Refuses what counts cells along a dimension of which WHERE has dropped some here and not there.
    pub(super) fn check_neighbours(&self, pipeline: &Pipeline, axis: &Axis, place: TokenSpan) -> Result<(), Error> {
        let is_long = |name: &String| pipeline.axis(name).is_some_and(|axis| !axis.scalar);
        let has_holes =
            |named: &[String]| named.contains(&axis.name) && named.iter().filter(|name| is_long(name)).count() > 1;
        self.check_dropped(pipeline, axis, place, has_holes)
    }

    /// Refuses what counts all the labels of a dimension, where WHERE has dropped cells along it.
    pub(super) fn check_labels(&self, pipeline: &Pipeline, axis: &Axis, place: TokenSpan) -> Result<(), Error> {
        self.check_dropped(pipeline, axis, place, |named| named.contains(&axis.name))
    }

    /// Refuses what counts positions along a dimension, where WHERE has dropped some altogether.
    pub(super) fn check_positions(&self, pipeline: &Pipeline, axis: &Axis, place: TokenSpan) -> Result<(), Error> {
        self.check_dropped(pipeline, axis, place, |named| named == [axis.name.as_str()])
    }

    fn check_dropped(
        &self,
        pipeline: &Pipeline,
        axis: &Axis,
        place: TokenSpan,
        is_wrong: impl Fn(&[String]) -> bool,
    ) -> Result<(), Error> {
        let conditions = pipeline.steps.iter().filter_map(|step| match step {
            PipelineStep::Filter(condition) => Some(condition),
            _ => None,
        });
        // A parameter without a value is only planned with: its value is looked at with the query that runs.
        let is_wrong = |part: &&Expr| {
            !has_parameter(part) && dimensions_named(pipeline, part).is_some_and(|named| is_wrong(&named))
        };
        match conditions.flat_map(conjuncts).find(is_wrong) {
            None => Ok(()),
            Some(part) => {
                let part = part.to_string().replace('"', "");
                let message =
                    format!("cells are counted along `{}` here, and WHERE {part} has dropped some", axis.name);
                Err(self.error_with(place, message, Some(KEEP_THE_CELLS.to_string())))
            }
        }
    }
}

/// The dimension whose labels a condition names, where it names nothing else.
pub(super) fn dimension_of<'a>(pipeline: &'a Pipeline, condition: &Expr) -> Option<&'a Axis> {
    let named = names_of(pipeline, condition, true);
    let [name] = named.as_slice() else { return None };
    let is_it = |column: &&PipelineColumn| &column.name == name && column.kind == PipelineColumnKind::Dimension;
    let column = pipeline.columns.iter().find(is_it)?;
    pipeline.axis(&column.name)
}

/// The conditions that must all hold for a condition to hold.
pub(super) fn conjuncts(condition: &Expr) -> Vec<&Expr> {
    let (mut parts, mut waiting) = (Vec::new(), vec![condition]);
    while let Some(next) = waiting.pop() {
        match next {
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => waiting.extend([right.as_ref(), left.as_ref()]),
            Expr::Nested(inner) => waiting.push(inner),
            other => parts.push(other),
        }
    }
    parts
}

fn has_parameter(condition: &Expr) -> bool {
    let is_parameter = |node: &Expr| matches!(node, Expr::Value(value) if matches!(value.value, Value::Placeholder(_)));
    let found = visit_expressions(condition, |node| match is_parameter(node) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) }
}
