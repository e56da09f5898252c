//! Groups without cells that have a row all the same: every label of what REDUCE of an empty selection keeps, and the
//! gaps of RESAMPLE.
//!
//! Which they are is known when a query is bound, because brackets and predicates on dimensions are. A row of theirs is
//! made by the aggregates themselves, of a cell that none of them counts, so that it has their types and their answer to
//! nothing (missing, and 0 for counts).

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::sql::sqlparser::ast::{Expr, Query, SelectItem, TableFactor, Value, VisitMut, VisitorMut};
use quarray_lang::syntax::Item;

use super::block::Block;
use super::filter::{conjuncts, dimension_of};
use super::names::names_of;
use super::pipeline::{Pipeline, PipelineStep};
use super::selection::{is_time, labels_from_micros};
use super::{Binder, build};
use crate::array::Positions;
use crate::error::Error;
use crate::functions::{Step, calendar_of, micros_of, next_start, start_of, step_of};
use crate::scan::{Axis, CellTable, Order, position_column};

/// Gaps that one RESAMPLE may fill: a step of seconds over a century of days is a mistake, not a result.
const GAPS_MAX: usize = 1 << 24;

/// Groups without cells.
pub(super) struct Absent {
    /// The dimensions of the result; every combination of their labels is a group.
    pub axes: Vec<Axis>,
    /// Whether no group of the block has a cell.
    pub is_everything: bool,
}

impl Binder<'_> {
    /// The groups of a REDUCE along dimensions of which one is empty: every label that is kept.
    pub(super) fn absent_of_reduce(
        &self,
        pipeline: &Pipeline,
        block: &Block,
        along: &[String],
    ) -> Result<Option<Absent>, Error> {
        let is_empty = |axis: &Axis| along.contains(&axis.name) && axis.count() == 0;
        let kept: Vec<Axis> = block.dimensions().filter(|axis| !along.contains(&axis.name)).cloned().collect();
        if kept.is_empty() || !block.table.axes().iter().any(is_empty) {
            return Ok(None);
        }
        let left = self.labels_left(pipeline, kept)?;
        Ok(left.map(|axes| Absent { axes, is_everything: true }))
    }

    /// The bins of a RESAMPLE between its first and its last that no label lies in.
    pub(super) fn absent_of_resample(
        &self,
        pipeline: &Pipeline,
        block: &Block,
        resampled: &str,
        to: &Expr,
    ) -> Result<Option<Absent>, Error> {
        let axes: Vec<Axis> = block.dimensions().cloned().collect();
        let Some(place) = axes.iter().position(|axis| axis.name == resampled) else { return Ok(None) };
        let has_gaps = matches!(axes[place].labels.data_type(), DataType::Timestamp(..) | DataType::Int64)
            && is_time(&axes[place]);
        let step = if has_gaps { step_of(&self.constant(to)?)? } else { None };
        let (Some(step), Some(mut axes)) = (step, self.labels_left(pipeline, axes)?) else { return Ok(None) };
        let gaps = gaps(&axes[place], step)?;
        if gaps.is_empty() {
            return Ok(None);
        }
        let all = Positions::all(gaps.len() as u64);
        let axis = &mut axes[place];
        axis.labels = labels_from_micros(axis, gaps)?;
        axis.order = Order::Ascending;
        (axis.positions, axis.numbering) = (all.clone(), all);
        Ok(Some(Absent { axes, is_everything: false }))
    }

    /// One cell of missing values for each absent group, with the columns that the items of the block use.
    pub(super) fn absent_cells(
        &mut self,
        pipeline: &Pipeline,
        block: &Block,
        absent: &Absent,
        items: &[Item],
    ) -> Result<TableFactor, Error> {
        let (labels, cells) = ("labels", "cells");
        let axes = absent.axes.clone();
        let table = self.register(|name| CellTable::new(name, Arc::clone(&pipeline.source), axes));
        let mut columns = Vec::new();
        for axis in block.table.axes() {
            let is_kept = absent.axes.iter().any(|kept| kept.name == axis.name);
            let side = if is_kept { labels } else { cells };
            let both = [axis.name.clone(), position_column(&axis.name)];
            columns.extend(both.map(|name| build::named(build::column_of(side, &name), &name)));
        }
        let mut named: Vec<String> = Vec::new();
        for name in items.iter().flat_map(|item| names_of(pipeline, &item.expression, true)) {
            if pipeline.axis(&name).is_none() && !named.contains(&name) {
                columns.push(build::named(build::column_of(cells, &name), &name));
                named.push(name);
            }
        }
        let mut nothing = build::select(vec![SelectItem::Wildcard(Default::default())], block.factor.clone())?;
        nothing.selection = Some(truth(false));
        let nothing = build::derived(build::query(nothing)?, Some(&build::quoted(cells)));
        let mut select = build::select(columns, build::table(table.name(), &build::quoted(labels)))?;
        select.from[0].joins.push(build::left_join(nothing, truth(true)));
        Ok(build::derived(build::query(select)?, Some(&pipeline.alias)))
    }

    /// An item with every aggregate over none of the cells.
    pub(super) fn of_nothing(&self, item: SelectItem) -> Result<SelectItem, Error> {
        struct Nothing<'a, 'b> {
            binder: &'a Binder<'b>,
            subqueries: usize,
        }
        impl VisitorMut for Nothing<'_, '_> {
            type Break = ();

            fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
                self.subqueries += 1;
                ControlFlow::Continue(())
            }

            fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
                self.subqueries -= 1;
                ControlFlow::Continue(())
            }

            fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
                if let Expr::Function(function) = expression
                    && self.subqueries == 0
                    && function.over.is_none()
                    && self.binder.is_known_aggregate(&function.name.to_string())
                {
                    function.filter = Some(Box::new(truth(false)));
                }
                ControlFlow::Continue(())
            }
        }
        let mut item = item;
        let _ = VisitMut::visit(&mut item, &mut Nothing { binder: self, subqueries: 0 });
        Ok(item)
    }

    /// The axes with the labels that predicates on single dimensions leave; `None` where rows are dropped in any other
    /// way, and a group without cells is then no group.
    fn labels_left(&self, pipeline: &Pipeline, mut axes: Vec<Axis>) -> Result<Option<Vec<Axis>>, Error> {
        for step in &pipeline.steps {
            let PipelineStep::Filter(condition) = step else { continue };
            for part in conjuncts(condition) {
                let Some(whole) = dimension_of(pipeline, part) else { return Ok(None) };
                let place = axes.iter().position(|axis| axis.name == whole.name);
                let axis = place.map_or(whole, |place| &axes[place]);
                let Some(positions) = self.positions_where(pipeline, axis, part) else { return Ok(None) };
                match place {
                    Some(place) => axes[place].positions = positions,
                    None if positions.count() == 0 && whole.count() > 0 => return Ok(None),
                    None => {}
                }
            }
        }
        Ok(Some(axes))
    }
}

/// The starts of the bins between the first and the last that no label of the axis lies in.
fn gaps(axis: &Axis, step: Step) -> Result<Vec<i64>, Error> {
    let calendar = calendar_of(axis.field.metadata())?;
    let micros = micros_of(&axis.selected_labels()?)?;
    let labels = micros.as_primitive::<Int64Type>().iter().flatten();
    let mut starts: Vec<i64> = labels.filter_map(|at| start_of(at, step, &calendar)).collect();
    starts.sort_unstable();
    starts.dedup();
    let mut gaps = Vec::new();
    for pair in starts.windows(2) {
        let mut next = next_start(pair[0], step, &calendar);
        while let Some(start) = next.filter(|&start| start < pair[1]) {
            if gaps.len() == GAPS_MAX {
                let message =
                    format!("RESAMPLE along {} has more than {GAPS_MAX} empty bins: take longer ones", axis.name);
                return Err(Error::Resources(message));
            }
            gaps.push(start);
            next = next_start(start, step, &calendar);
        }
    }
    Ok(gaps)
}

fn truth(value: bool) -> Expr {
    Expr::value(Value::Boolean(value))
}
