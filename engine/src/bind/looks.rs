//! The dimensions along which an expression looks at other cells than its own.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Function, Ident, WindowType, visit_expressions};
use quarray_lang::syntax::{CellIndex, Selector, cell_reference, window_along};

use super::Binder;
use super::names::names_of;
use super::pipeline::{Pipeline, PipelineStep};
use super::selection::call_of;
use super::windows::{is_window_aggregate, named_arguments};
use crate::error::Error;

impl Binder<'_> {
    /// A bracket chooses from the cells that a window has looked at, not the cells that it looks at. The steps of a
    /// dataset are run over what brackets chose, so a bracket that comes after a window along its dimension is refused.
    pub(super) fn check_bracket(
        &self,
        pipeline: &Pipeline,
        (ident, selector): &(Ident, Selector),
    ) -> Result<(), Error> {
        let Some(axis) = pipeline.dimension(ident) else { return Ok(()) };
        let drops = |step: &PipelineStep| match step {
            PipelineStep::Filter(condition) => names_of(pipeline, condition, true).contains(&axis.name),
            _ => false,
        };
        if is_relative(selector) && pipeline.steps.iter().any(drops) {
            let message = format!("positions along `{}` after a WHERE on it are not there yet", axis.name);
            let help = "put the bracket before WHERE".to_string();
            return Err(self.error_with(ident.span, message, Some(help)));
        }
        if !is_looked_along(pipeline, &axis.name) {
            return Ok(());
        }
        let message = format!("a bracket on `{}` after a window along it is not there yet", axis.name);
        let help = "put the bracket before the window, or use WHERE".to_string();
        Err(self.error_with(ident.span, message, Some(help)))
    }
}

/// Whether a step so far looks at other cells along a dimension: its cells are still needed.
pub(super) fn is_looked_along(pipeline: &Pipeline, dimension: &String) -> bool {
    let looks = |expression: &Expr| looks_along(pipeline, expression).contains(dimension);
    pipeline.steps.iter().any(|step| match step {
        PipelineStep::Extend(columns) => columns.iter().any(|(_, expression)| looks(expression)),
        PipelineStep::Mask { condition, .. } | PipelineStep::Filter(condition) => looks(condition),
    })
}

/// Whether an expression looks at other cells than its own.
pub(super) fn has_window(pipeline: &Pipeline, expression: &Expr) -> bool {
    let mut found = !looks_along(pipeline, expression).is_empty();
    let _ = visit_expressions(expression, |node| {
        found |= matches!(node, Expr::Function(function) if function.over.is_some());
        ControlFlow::<()>::Continue(())
    });
    found
}

/// Whether what a selector chooses depends on which cells there are.
fn is_relative(selector: &Selector) -> bool {
    let is_call =
        |expression: &Expr| call_of(expression).is_some_and(|(name, _)| matches!(name.as_str(), "nearest" | "linear"));
    match selector {
        Selector::Position(_) | Selector::PositionRange { .. } => true,
        Selector::LabelRange { step, .. } => step.is_some(),
        Selector::Label(label) => is_call(label),
        Selector::Labels(labels) => labels.iter().any(is_call),
    }
}

/// The dimensions along which an expression looks at other cells.
fn looks_along(pipeline: &Pipeline, expression: &Expr) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let _ = visit_expressions(expression, |node| {
        if let Some(reference) = cell_reference(node)
            && !names_of(pipeline, &reference.base, true).is_empty()
        {
            for index in &reference.indexes {
                let bounds = match index {
                    CellIndex::Point(point) => [Some(point), None],
                    CellIndex::Range(low, high) => [low.as_ref(), high.as_ref()],
                };
                found.extend(bounds.into_iter().flatten().flat_map(|bound| names_of(pipeline, bound, true)));
            }
        } else if let Expr::Function(function) = node {
            found.extend(looked_along_by(pipeline, function));
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

fn looked_along_by(pipeline: &Pipeline, function: &Function) -> Vec<String> {
    let name_of = |ident: &Ident| pipeline.dimension(ident).map(|axis| axis.name.clone());
    let Some(WindowType::WindowSpec(spec)) = &function.over else {
        let name = function.name.to_string().to_ascii_lowercase();
        let is_window = name.strip_prefix("window_").is_some_and(is_window_aggregate);
        let named = if is_window { named_arguments(function) } else { Vec::new() };
        return named.iter().filter_map(|(dimension, _)| name_of(dimension)).collect();
    };
    if let Some(along) = window_along(spec) {
        return along.dimensions.iter().filter_map(name_of).collect();
    }
    let is_partition = |name: &String| {
        spec.partition_by.iter().any(|key| matches!(key, Expr::Identifier(ident) if &ident.value == name))
    };
    pipeline.axes.iter().map(|axis| axis.name.clone()).filter(|name| !is_partition(name)).collect()
}
