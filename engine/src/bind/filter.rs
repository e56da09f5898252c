//! `WHERE` of a dataset: on single dimensions it chooses labels, as brackets do; else it drops rows.
//!
//! Where rows were dropped there are holes, and the row before is not the cell before: what counts cells is refused then.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};
use datafusion::sql::sqlparser::tokenizer::Span as TokenSpan;

use super::Binder;
use super::looks::is_looked_along;
use super::names::names_of;
use super::parts::dimensions_named;
use super::pipeline::{Pipeline, PipelineColumn, PipelineColumnKind, PipelineStep};
use crate::error::Error;
use crate::scan::Axis;

/// What helps where cells are counted of which rows were dropped.
const KEEP_THE_CELLS: &str = "MASK in place of WHERE keeps the cells, and brackets choose labels";

impl Binder<'_> {
    /// A pipeline with rows left out.
    pub(super) fn filter(&mut self, mut pipeline: Pipeline, mut condition: Expr) -> Result<Pipeline, Error> {
        self.resolve(&pipeline, &mut condition, &Vec::new(), true)?;
        let parts = conjuncts(&condition);
        let left: Vec<&Expr> = parts.iter().copied().filter(|part| !self.narrow(&mut pipeline, part)).collect();
        let condition = match left.len() == parts.len() {
            true => Some(condition.clone()),
            false => left.into_iter().map(|part| Expr::Nested(Box::new(part.clone()))).reduce(and),
        };
        pipeline.steps.extend(condition.map(PipelineStep::Filter));
        Ok(pipeline)
    }

    /// Chooses the labels of a dimension for which a condition holds, where it is one on that dimension alone and leaves
    /// some; whether that was done.
    pub(super) fn narrow(&self, pipeline: &mut Pipeline, condition: &Expr) -> bool {
        let named = names_of(pipeline, condition, true);
        let [name] = named.as_slice() else { return false };
        let is_it = |column: &PipelineColumn| &column.name == name && column.kind == PipelineColumnKind::Dimension;
        if !pipeline.columns.iter().any(is_it) || is_looked_along(pipeline, name) {
            return false;
        }
        let Some(axis) = pipeline.axis(name).filter(|axis| !axis.scalar) else { return false };
        let Some(keep) = self.labels_where(pipeline, axis, condition) else { return false };
        let positions = axis.positions.filter(|selected| super::absent::holds(&keep, selected));
        if positions.count() == 0 {
            return false;
        }
        let name = name.clone();
        if let Some(axis) = pipeline.axes.iter_mut().find(|axis| axis.name == name) {
            *axis = axis.clone().chosen(positions, false);
        }
        if !pipeline.joined.contains(&name) {
            pipeline.joined.push(name);
        }
        true
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
        let is_wrong = |part: &&Expr| dimensions_named(pipeline, part).is_some_and(|named| is_wrong(&named));
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

fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) }
}
