//! REDUCE of variables on different dimensions: each aggregate over its own argument's cells, and the results joined on
//! the positions that they share, so that no cell is counted twice.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, SelectItem, Value, Visit, VisitMut, Visitor, VisitorMut,
};
use quarray_lang::syntax::Item;

use super::aggregate::is_of_cells;
use super::grouped::{Grouped, order_by_position};
use super::names::names_of;
use super::pipeline::{Pipeline, PipelineStep};
use super::{Binder, Relation, ResultDimension, RowRelation, build, plain_error};
use crate::error::Error;
use crate::scan::position_column;

/// Aggregates whose arguments are on the same dimensions.
pub(super) struct Part {
    /// The dimensions, those of a single chosen label left out, in the source's order.
    dimensions: Vec<String>,
    /// The aggregates, as they are written.
    calls: Vec<Expr>,
}

impl Binder<'_> {
    /// The parts that a reduction falls into; `None` where one block counts every cell once.
    pub(super) fn parts(
        &self,
        pipeline: &Pipeline,
        items: &[Item],
        named: &[String],
        along: &[String],
    ) -> Result<Option<Vec<Part>>, Error> {
        let mut parts: Vec<Part> = Vec::new();
        let mut without_argument = Vec::new();
        for call in items.iter().flat_map(|item| self.aggregated(&item.expression)) {
            let Some(named) = dimensions_named(pipeline, &call) else {
                without_argument.push(call);
                continue;
            };
            let dimensions = long(pipeline, named);
            match parts.iter_mut().find(|part| part.dimensions == dimensions) {
                Some(part) if part.calls.contains(&call) => {}
                Some(part) => part.calls.push(call),
                None => parts.push(Part { dimensions, calls: vec![call] }),
            }
        }
        if parts.len() < 2 || self.is_one_block(pipeline, named, along, &parts) {
            return Ok(None);
        }
        let kept = |part: &Part| part.dimensions.iter().filter(|name| !along.contains(name)).count();
        parts.sort_by_key(|part| std::cmp::Reverse((kept(part), part.dimensions.len())));
        parts[0].calls.extend(without_argument);
        Ok(Some(parts))
    }

    /// Whether in one block over the dimensions of every column each cell of an argument is there once.
    fn is_one_block(&self, pipeline: &Pipeline, named: &[String], along: &[String], parts: &[Part]) -> bool {
        let Ok(span) = self.span(pipeline, named) else { return false };
        let span = long(pipeline, span);
        let repeats = |part: &Part| span.iter().any(|name| along.contains(name) && !part.dimensions.contains(name));
        !parts.iter().any(repeats)
    }

    /// The reduction of each part, joined to that of the first.
    pub(super) fn reduce_parts(
        &mut self,
        pipeline: &Pipeline,
        items: &[Item],
        parts: &[Part],
        along: &[String],
    ) -> Result<Relation, Error> {
        let mut values: Vec<(Expr, String)> = Vec::new();
        let mut reduced: Vec<Grouped> = Vec::new();
        for part in parts {
            let mut calls = Vec::new();
            for call in &part.calls {
                let name = format!("value[{}]", values.len());
                values.push((call.clone(), name.clone()));
                calls.push(Item { expression: call.clone(), alias: Some(build::quoted(&name)) });
            }
            reduced.push(self.reduce_part(pipeline, part, &calls, along)?);
        }
        let (joined, dimensions) = joined(reduced)?;
        let mut projection: Vec<SelectItem> =
            dimensions.iter().map(|dimension| SelectItem::UnnamedExpr(build::column(&dimension.name))).collect();
        let mut names: Vec<String> = dimensions.iter().map(|dimension| dimension.name.clone()).collect();
        for item in items {
            let name = self.item_name(pipeline, item);
            self.check_name(&names, &name, &item.expression)?;
            let mut expression = item.expression.clone();
            let _ = VisitMut::visit(&mut expression, &mut Computed { values: &values });
            projection.push(build::named(expression, &name));
            names.push(name);
        }
        let mut query = build::query(build::select(projection, build::derived(joined, Some(&pipeline.alias)))?)?;
        query.order_by = order_by_position(&dimensions);
        let is_ordered = query.order_by.is_some();
        Ok(Relation::Rows(RowRelation {
            query,
            alias: Some(pipeline.alias.clone()),
            dimensions,
            is_ordered,
            placed: None,
            cells: None,
        }))
    }

    fn reduce_part(
        &mut self,
        pipeline: &Pipeline,
        part: &Part,
        calls: &[Item],
        along: &[String],
    ) -> Result<Grouped, Error> {
        let mut own = pipeline.clone();
        // A predicate on dimensions that the part lacks leaves its cells as they are.
        own.joined.retain(|name| part.dimensions.contains(name));
        own.steps.retain(|step| match step {
            PipelineStep::Filter(condition) => {
                let named = names_of(pipeline, condition, true);
                let of_dimensions = named.iter().all(|name| pipeline.axis(name).is_some());
                !of_dimensions || named.iter().any(|name| part.dimensions.contains(name))
            }
            _ => true,
        });
        let named: Vec<String> = calls.iter().flat_map(|item| names_of(pipeline, &item.expression, true)).collect();
        let block = self.block(&own, &named)?;
        let mut grouping = self.reduction(&own, &block, along)?;
        grouping.with_positions = true;
        self.grouped(&own, block, grouping, calls)
    }

    /// The aggregates in an expression.
    pub(super) fn aggregated(&self, expression: &Expr) -> Vec<Expr> {
        let mut found = Aggregated { binder: self, calls: Vec::new(), inside: 0 };
        let _ = expression.visit(&mut found);
        found.calls
    }
}

/// The dimensions of the columns that an expression names, in the source's order; `None` where it names none.
pub(super) fn dimensions_named(pipeline: &Pipeline, expression: &Expr) -> Option<Vec<String>> {
    let named = names_of(pipeline, expression, true);
    let columns = || pipeline.columns.iter().filter(|column| named.contains(&column.name));
    let is_named = |name: &&String| columns().any(|column| column.dimensions.contains(name));
    (!named.is_empty()).then(|| pipeline.axes.iter().map(|axis| &axis.name).filter(is_named).cloned().collect())
}

/// The dimensions that are not of a single chosen label.
fn long(pipeline: &Pipeline, dimensions: Vec<String>) -> Vec<String> {
    let is_long = |name: &String| pipeline.axis(name).is_some_and(|axis| !axis.scalar);
    dimensions.into_iter().filter(is_long).collect()
}

struct Aggregated<'a, 'b> {
    binder: &'a Binder<'b>,
    calls: Vec<Expr>,
    /// Aggregates and subqueries around what is visited.
    inside: usize,
}

impl Aggregated<'_, '_> {
    fn is_aggregate(&self, expression: &Expr) -> bool {
        let Expr::Function(function) = expression else { return false };
        let name = function.name.to_string();
        function.over.is_none() && !is_of_cells(function) && self.binder.is_known_aggregate(&name)
    }
}

impl Visitor for Aggregated<'_, '_> {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.inside += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.inside -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if self.is_aggregate(expression) {
            if self.inside == 0 {
                self.calls.push(expression.clone());
            }
            self.inside += 1;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        self.inside -= usize::from(self.is_aggregate(expression));
        ControlFlow::Continue(())
    }
}

/// Puts the columns of computed aggregates in their place.
struct Computed<'a> {
    values: &'a [(Expr, String)],
}

impl VisitorMut for Computed<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Some((_, name)) = self.values.iter().find(|(call, _)| call == expression) {
            *expression = build::column(name);
        }
        ControlFlow::Continue(())
    }
}

/// The parts side by side: the first has every dimension of the others, whose values repeat along what they lack.
fn joined(mut parts: Vec<Grouped>) -> Result<(Query, Vec<ResultDimension>), Error> {
    let name = |place: usize| format!("part[{place}]");
    let first = parts.remove(0);
    let mut columns: Vec<SelectItem> = first
        .dimensions
        .iter()
        .flat_map(|dimension| [dimension.name.clone(), position_column(&dimension.name)])
        .chain(first.names)
        .map(|column| build::named(build::column_of(&name(0), &column), &column))
        .collect();
    let mut joins = Vec::new();
    for (place, part) in parts.into_iter().enumerate() {
        let alias = name(place + 1);
        let mut condition = Expr::value(Value::Boolean(true));
        for dimension in &part.dimensions {
            if !first.dimensions.iter().any(|known| known.name == dimension.name) {
                return Err(plain_error(apart(&first.dimensions, &part.dimensions)));
            }
            let position = position_column(&dimension.name);
            let same = Expr::BinaryOp {
                left: Box::new(build::column_of(&name(0), &position)),
                op: BinaryOperator::Eq,
                right: Box::new(build::column_of(&alias, &position)),
            };
            condition = Expr::BinaryOp { left: Box::new(condition), op: BinaryOperator::And, right: Box::new(same) };
        }
        columns.extend(part.names.iter().map(|column| build::named(build::column_of(&alias, column), column)));
        joins.push(build::left_join(build::derived(part.query, Some(&build::quoted(&alias))), condition));
    }
    let mut select = build::select(columns, build::derived(first.query, Some(&build::quoted(&name(0)))))?;
    select.from[0].joins = joins;
    Ok((build::query(select)?, first.dimensions))
}

fn apart(first: &[ResultDimension], other: &[ResultDimension]) -> String {
    let list = |dimensions: &[ResultDimension]| {
        dimensions.iter().map(|dimension| dimension.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    format!(
        "the aggregates leave [{}] and [{}]: neither has all the dimensions of the other; reduce them in queries of \
         their own, then join these",
        list(first),
        list(other)
    )
}
