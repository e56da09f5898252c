//! The span of a block, and the query of the cells of it.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{Expr, SelectItem, TableFactor};

use super::pipeline::{Pipeline, PipelineColumn, PipelineColumnKind, PipelineStep};
use super::{Binder, build, plain_error};
use crate::error::Error;
use crate::scan::{Axis, CellTable};

/// The cells that a block is computed from.
pub struct Block {
    /// A table or a subquery that has a column for every one of the pipeline's on the span, and the positions.
    pub factor: TableFactor,
    /// The span.
    pub table: Arc<CellTable>,
}

impl Block {
    /// The dimensions of the span, as the result has them: those of a single label left out.
    pub fn dimensions(&self) -> impl Iterator<Item = &Axis> {
        self.table.axes().iter().filter(|axis| !axis.scalar)
    }
}

/// The cells of a box with these axes.
pub fn cells_of<'a>(axes: impl Iterator<Item = &'a Axis>) -> u64 {
    axes.map(Axis::count).fold(1, u64::saturating_mul)
}

impl Binder<'_> {
    /// The cells of a block that names these columns of a pipeline.
    pub(super) fn block(&mut self, pipeline: &Pipeline, named: &[String]) -> Result<Block, Error> {
        let span = self.span(pipeline, named)?;
        self.block_over(pipeline, &span)
    }

    /// The cells of a block over a span.
    pub(super) fn block_over(&mut self, pipeline: &Pipeline, span: &[String]) -> Result<Block, Error> {
        let axes = span.iter().filter_map(|dimension| pipeline.axis(dimension).cloned()).collect();
        let table = self.register(|name| CellTable::new(name, Arc::clone(&pipeline.source), axes));
        let factor = build::table(table.name(), &pipeline.alias);
        let mut factor = self.interpolated(pipeline, &table, factor)?;
        let mut visible: Vec<String> = table.columns().iter().map(|column| column.field.name().clone()).collect();
        for (place, step) in pipeline.steps.iter().enumerate() {
            factor = self.apply_step(&pipeline.up_to(place), step, factor, &mut visible, &table)?;
        }
        Ok(Block { factor, table })
    }

    /// The dimensions of the named columns together, in the source's order.
    pub(super) fn span(&self, pipeline: &Pipeline, named: &[String]) -> Result<Vec<String>, Error> {
        let mut columns: Vec<&PipelineColumn> =
            named.iter().filter_map(|name| pipeline.columns.iter().find(|column| &column.name == name)).collect();
        for step in &pipeline.steps {
            if let PipelineStep::Filter(condition) = step {
                let names = super::names::names_of(pipeline, condition, true);
                columns.extend(pipeline.columns.iter().filter(|column| names.contains(&column.name)));
            }
        }
        columns.extend(pipeline.columns.iter().filter(|column| pipeline.joined.contains(&column.name)));
        let variables = || columns.iter().filter(|column| column.kind != PipelineColumnKind::Dimension);
        let is_long = |name: &&String| pipeline.axis(name).is_some_and(|axis| !axis.scalar);
        let long = |column: &&&PipelineColumn| column.dimensions.iter().filter(is_long).count();
        let Some(leader) = variables().max_by_key(|column| (long(column), column.dimensions.len())) else {
            let mut span = pipeline.largest_span();
            span.extend(mask_dimensions(pipeline));
            return Ok(without_repeats(span));
        };
        let foreign = |column: &&&PipelineColumn| {
            column.dimensions.iter().filter(is_long).any(|dimension| !leader.dimensions.contains(dimension))
        };
        if let Some(other) = variables().find(foreign) {
            return Err(plain_error(format!(
                "`{}` is on [{}] and `{}` on [{}]: neither has all the dimensions of the other; join or align them first",
                leader.name,
                leader.dimensions.join(", "),
                other.name,
                other.dimensions.join(", ")
            )));
        }
        let mut span = leader.dimensions.clone();
        span.extend(columns.iter().flat_map(|column| column.dimensions.iter().cloned()));
        span.extend(mask_dimensions(pipeline));
        Ok(without_repeats(span))
    }

    /// One step on top of the cells so far. A column that lies outside the span is not there, and not needed.
    fn apply_step(
        &mut self,
        pipeline: &Pipeline,
        step: &PipelineStep,
        factor: TableFactor,
        visible: &mut Vec<String>,
        table: &Arc<CellTable>,
    ) -> Result<TableFactor, Error> {
        let mut items = vec![SelectItem::Wildcard(Default::default())];
        let mut selection = None;
        match step {
            PipelineStep::Extend(columns) => {
                for (name, expression) in columns {
                    if super::names::names_of(pipeline, expression, true).iter().all(|used| visible.contains(used)) {
                        let expression = self.windows(expression.clone(), table.axes(), pipeline)?;
                        items.push(build::named(expression, name));
                    }
                }
                let made: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
                if made.iter().any(|name| visible.contains(name)) {
                    items.remove(0);
                    let kept = visible.iter().filter(|name| !made.contains(name));
                    items.splice(0..0, kept.map(|name| SelectItem::UnnamedExpr(build::column(name))));
                }
                visible.extend(made);
            }
            PipelineStep::Filter(condition) => selection = Some(condition.clone()),
            PipelineStep::Mask { condition, dimensions } => {
                let is_masked = |name: &String| {
                    let column = pipeline.columns.iter().find(|column| &column.name == name);
                    column.is_some_and(|column| {
                        column.kind == PipelineColumnKind::Variable
                            && dimensions.iter().all(|dimension| column.dimensions.contains(dimension))
                    })
                };
                if !super::names::names_of(pipeline, condition, true).iter().all(|used| visible.contains(used)) {
                    return Ok(factor);
                }
                let condition = self.windows(condition.clone(), table.axes(), pipeline)?;
                let condition = build::call("mask_condition", &[condition])?;
                items = visible
                    .iter()
                    .map(|name| match is_masked(name) {
                        true => Ok(build::named(when(&condition, build::column(name))?, name)),
                        false => Ok(SelectItem::UnnamedExpr(build::column(name))),
                    })
                    .collect::<Result<_, Error>>()?;
            }
        }
        let mut select = build::select(items, factor)?;
        select.selection = selection;
        Ok(build::derived(build::query(select)?, Some(&pipeline.alias)))
    }
}

/// The dimensions of a single label that conditions of MASK are on: they add no cell, and a variable that lacks them is
/// masked all the same.
fn mask_dimensions(pipeline: &Pipeline) -> Vec<String> {
    let conditions = pipeline.steps.iter().filter_map(|step| match step {
        PipelineStep::Mask { condition, .. } => Some(super::names::names_of(pipeline, condition, true)),
        _ => None,
    });
    let named: Vec<String> = conditions.flatten().collect();
    let columns = pipeline.columns.iter().filter(|column| named.contains(&column.name));
    let is_scalar = |name: &&String| pipeline.axis(name).is_some_and(|axis| axis.scalar);
    columns.flat_map(|column| &column.dimensions).filter(is_scalar).cloned().collect()
}

fn without_repeats(names: Vec<String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

/// `CASE WHEN condition THEN value END`
fn when(condition: &Expr, value: Expr) -> Result<Expr, Error> {
    match build::expression("CASE WHEN true THEN true END")? {
        Expr::Case { case_token, end_token, operand, mut conditions, else_result } => {
            if let Some(case) = conditions.first_mut() {
                case.condition = condition.clone();
                case.result = value;
            }
            Ok(Expr::Case { case_token, end_token, operand, conditions, else_result })
        }
        other => Err(Error::Internal(format!("{other} is no CASE"))),
    }
}
