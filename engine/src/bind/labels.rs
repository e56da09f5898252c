//! The labels of a result's dimensions, as queries over one dimension alone: a store is laid out before its rows come.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{Expr, GroupByExpr, Query, visit_expressions};

use super::filter::conjuncts;
use super::pipeline::{Pipeline, PipelineStep};
use super::{Binder, build};
use crate::dataset::Role;
use crate::error::Error;
use crate::scan::{Axis, Order, position_column};

/// The column of the labels in a query of labels.
pub const LABEL: &str = "label[]";

/// The column of what tells the labels apart.
pub const PLACE: &str = "place[]";

/// Where the labels of a dimension come from: the dataset along that dimension alone.
#[derive(Debug, Clone)]
pub struct LabelSource {
    /// The dataset with one axis, and the conditions on it.
    pub(super) pipeline: Pipeline,
    label: Expr,
    /// What tells labels apart, and their order.
    place: Expr,
    groups: Vec<Expr>,
    limit: Option<Expr>,
    order: Order,
}

impl LabelSource {
    /// The labels of an axis, told apart by their positions.
    pub(super) fn of_axis(pipeline: &Pipeline, axis: &Axis, condition: Option<&Expr>) -> Option<Arc<Self>> {
        let (label, place) = (build::column(&axis.name), build::column(&position_column(&axis.name)));
        let pipeline = along(pipeline, std::slice::from_ref(&axis.name), condition)?;
        let groups = vec![label.clone(), place.clone()];
        Some(Arc::new(Self { pipeline, label, place, groups, limit: None, order: Order::Ascending }))
    }

    /// The values of a group key, a function of one dimension.
    pub(super) fn of_key(
        pipeline: &Pipeline,
        dimension: &str,
        condition: Option<&Expr>,
        key: &Expr,
        order: Order,
    ) -> Option<Arc<Self>> {
        let pipeline = along(pipeline, &[dimension.to_string()], condition)?;
        let known = visible(&pipeline);
        let groups = vec![key.clone()];
        let source = Self { pipeline, label: key.clone(), place: key.clone(), groups, limit: None, order };
        identifiers(key).iter().all(|name| known.contains(name)).then(|| Arc::new(source))
    }

    /// Labels that an aggregate makes of groups of labels.
    pub(super) fn of_coarse(
        pipeline: &Pipeline,
        axis: &Axis,
        label: &Expr,
        group: &Expr,
        limit: Option<Expr>,
    ) -> Option<Arc<Self>> {
        let pipeline = along(pipeline, std::slice::from_ref(&axis.name), None)?;
        let (label, place, groups) = (label.clone(), group.clone(), vec![group.clone()]);
        Some(Arc::new(Self { pipeline, label, place, groups, limit, order: Order::Ascending }))
    }

    /// Whether labels are told apart by positions, in a column that is called after their own.
    pub(super) fn has_positions(&self) -> bool {
        self.label != self.place
    }

    /// Whether the rows of the result have the very same labels: a mean of labels may differ in its last digit.
    pub(super) fn is_exact(&self) -> bool {
        !self.has_positions() || self.groups.contains(&self.label)
    }

    /// The dimension of the dataset whose labels these are, unless they are made of them.
    pub(super) fn axis(&self) -> Option<&str> {
        let axis = &self.pipeline.axes.first()?.name;
        (!self.is_exact() || self.label == build::column(axis)).then_some(axis)
    }
}

impl Binder<'_> {
    /// The query of labels: [`LABEL`] and [`PLACE`], in the order of the dimension.
    pub(super) fn label_query(&mut self, source: &LabelSource) -> Result<Query, Error> {
        let span: Vec<String> = source.pipeline.axes.iter().map(|axis| axis.name.clone()).collect();
        let block = self.block_over(&source.pipeline, &span)?;
        let items = vec![build::named(source.label.clone(), LABEL), build::named(source.place.clone(), PLACE)];
        let mut select = build::select(items, block.factor)?;
        select.selection = source.limit.clone();
        select.group_by = GroupByExpr::Expressions(source.groups.clone(), Vec::new());
        let mut query = build::query(select)?;
        query.order_by = Some(build::order_by(&[(PLACE.to_string(), source.order == Order::Descending)]));
        Ok(query)
    }
}

/// The dataset over `span` alone, with those steps that can be taken there; `None` where a condition is not one on a
/// single dimension: then only the rows tell which labels there are.
pub(super) fn along(pipeline: &Pipeline, span: &[String], condition: Option<&Expr>) -> Option<Pipeline> {
    let mut narrowed = pipeline.clone();
    narrowed.axes = span.iter().filter_map(|name| pipeline.axis(name).cloned()).collect();
    narrowed.steps.clear();
    let mut here = visible(&narrowed);
    // What can be named along each dimension, step by step.
    let mut elsewhere: Vec<Vec<String>> =
        pipeline.axes.iter().map(|axis| columns_over(pipeline, &[&axis.name])).collect();
    let filter = condition.map(|condition| PipelineStep::Filter(condition.clone()));
    for step in pipeline.steps.iter().chain(&filter) {
        match step {
            PipelineStep::Extend(items) => {
                elsewhere.iter_mut().for_each(|known| drop(extended(items, known)));
                let kept = extended(items, &mut here);
                if !kept.is_empty() {
                    narrowed.steps.push(PipelineStep::Extend(kept));
                }
            }
            PipelineStep::Mask { condition, .. } => {
                if names_only(condition, &here) {
                    narrowed.steps.push(step.clone());
                }
            }
            PipelineStep::Filter(condition) => {
                for part in conjuncts(condition) {
                    let is_of_one =
                        !identifiers(part).is_empty() && elsewhere.iter().any(|known| names_only(part, known));
                    if !is_of_one {
                        return None;
                    }
                    if names_only(part, &here) {
                        narrowed.steps.push(PipelineStep::Filter(part.clone()));
                    }
                }
            }
        }
    }
    Some(narrowed)
}

/// The columns that can be named over the axes of a pipeline, its steps included.
fn visible(pipeline: &Pipeline) -> Vec<String> {
    let span: Vec<&str> = pipeline.axes.iter().map(|axis| axis.name.as_str()).collect();
    let mut known = columns_over(pipeline, &span);
    for step in &pipeline.steps {
        if let PipelineStep::Extend(items) = step {
            extended(items, &mut known);
        }
    }
    known
}

/// The columns of the source whose dimensions are all in `span`, and the positions.
fn columns_over(pipeline: &Pipeline, span: &[&str]) -> Vec<String> {
    let variables = pipeline.source.dataset.variables.iter().filter(|variable| {
        variable.role != Role::Index && variable.dimensions.iter().all(|name| span.contains(&name.as_str()))
    });
    let labels = span.iter().map(|name| name.to_string());
    let positions = span.iter().map(|name| position_column(name));
    labels.chain(positions).chain(variables.map(|variable| variable.name.clone())).collect()
}

/// Those of new columns that are made of known ones; the known ones, these included, in place of what they were.
fn extended(items: &[(String, Expr)], known: &mut Vec<String>) -> Vec<(String, Expr)> {
    let kept: Vec<_> = items.iter().filter(|(_, expression)| names_only(expression, known)).cloned().collect();
    known.retain(|name| !items.iter().any(|(made, _)| made == name));
    known.extend(kept.iter().map(|(name, _)| name.clone()));
    kept
}

fn names_only(expression: &Expr, known: &[String]) -> bool {
    identifiers(expression).iter().all(|name| known.contains(name))
}

/// The columns that an expression names.
fn identifiers(expression: &Expr) -> Vec<String> {
    let mut names = Vec::new();
    let _ = visit_expressions(expression, |node| {
        match node {
            Expr::Identifier(ident) => names.push(ident.value.clone()),
            Expr::CompoundIdentifier(parts) => names.extend(parts.last().map(|ident| ident.value.clone())),
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    names
}
