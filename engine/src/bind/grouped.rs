//! Group-bys over the cells of a block: what REDUCE, COARSEN and RESAMPLE come to.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{Expr, GroupByExpr, OrderBy, Query, SelectItem, Spanned};
use quarray_lang::syntax::Item;

use super::absent::Absent;
use super::aggregate::{Reduced, arguments_of};
use super::block::Block;
use super::names::names_of;
use super::pipeline::Pipeline;
use super::{Binder, LabelSource, Placed, Relation, ResultDimension, RowRelation, build};
use crate::error::Error;
use crate::scan::{Axis, Order, position_column};

/// A key of a block: an expression, the name of its column, and how its values are ordered.
pub(super) struct Key {
    pub expression: Expr,
    pub name: String,
    pub order: Order,
    /// Whether it is a column of the result, or tells groups apart without being shown.
    pub is_shown: bool,
}

/// A coordinate of the result that is an aggregate of labels.
pub(super) struct MeanLabel {
    pub expression: Expr,
    pub name: String,
    pub order: Order,
    pub labels: Option<Arc<LabelSource>>,
}

/// What a block is grouped by.
#[derive(Default)]
pub(super) struct Grouping {
    pub keys: Vec<Key>,
    /// The dimensions that no key is made of.
    pub reduced: Vec<String>,
    pub labels: Vec<MeanLabel>,
    /// The cells that count.
    pub limit: Option<Expr>,
    /// The groups that have a row although no cell is in them.
    pub absent: Option<Absent>,
    /// Whether the positions of the dimensions that stay are columns beside their labels.
    pub with_positions: bool,
}

/// A block grouped.
pub(super) struct Grouped {
    /// A query with a column for every dimension, positions where they are needed, and a column for every item.
    pub query: Query,
    pub dimensions: Vec<ResultDimension>,
    /// The names of the items' columns.
    pub names: Vec<String>,
    /// The same as a store wants it.
    pub placed: Option<Placed>,
}

impl Binder<'_> {
    /// The block grouped, as a result of its dimensions and items alone.
    pub(super) fn grouped_relation(
        &mut self,
        pipeline: &Pipeline,
        block: Block,
        grouping: Grouping,
        items: &[Item],
    ) -> Result<Relation, Error> {
        let grouped = self.grouped(pipeline, block, grouping, items)?;
        shown(pipeline, grouped).map(Relation::Rows)
    }

    /// The block grouped by keys.
    pub(super) fn grouped(
        &mut self,
        pipeline: &Pipeline,
        block: Block,
        mut grouping: Grouping,
        items: &[Item],
    ) -> Result<Grouped, Error> {
        let absent = grouping.absent.take();
        let mut dimensions = dimensions_of(pipeline, &block, &grouping);
        grouping.with_positions |= order_by_position(&dimensions).is_some();
        let mut projection = columns_of(&block, &grouping);
        let (labels_shown, places) = (projection.len(), places_of(&dimensions, &grouping.keys));
        let mut names: Vec<String> = dimensions.iter().map(|dimension| dimension.name.clone()).collect();
        let span = block.table.axes();
        let reduced = std::mem::take(&mut grouping.reduced);
        let kept = span.iter().map(|axis| axis.name.clone()).filter(|name| !reduced.contains(name)).collect();
        let over = Reduced { pipeline, span, reduced, kept, strict: true };
        for item in items {
            let name = self.item_name(pipeline, item);
            self.check_name(&names, &name, &item.expression)?;
            let mut expression = self.windows(item.expression.clone(), block.table.axes(), pipeline)?;
            self.aggregates(&mut expression, &over)?;
            projection.push(build::named(expression, &name));
            names.push(name);
        }
        let keys: Vec<Expr> = grouping.keys.into_iter().map(|key| key.expression).collect();
        let group_by = GroupByExpr::Expressions(keys, Vec::new());
        let mut select = build::select(projection.clone(), block.factor.clone())?;
        select.selection = grouping.limit;
        select.group_by = group_by.clone();
        let mut by_place = select.clone();
        by_place.projection.splice(..labels_shown, places);
        let mut placed = Some(Placed { query: build::query(by_place)?, origins: HashMap::new() });
        let mut query = build::query(select)?;
        if let Some(absent) = absent {
            let factor = self.absent_cells(pipeline, &block, &absent, items)?;
            let projection = projection.into_iter().map(|item| self.of_nothing(item)).collect::<Result<_, Error>>()?;
            let mut select = build::select(projection, factor)?;
            select.group_by = group_by;
            let others = build::query(select)?;
            query = if absent.is_everything { others } else { build::union_all(query, others)? };
            // Labels of groups without a cell are not those of the axis.
            placed = None;
            super::steps::forget_labels(&mut dimensions);
        }
        names.drain(..dimensions.len());
        Ok(Grouped { query, dimensions, names, placed })
    }

    /// Whether a column of a result can have a name, beside those that have one already.
    pub(super) fn check_name(&self, names: &[String], name: &String, expression: &Expr) -> Result<(), Error> {
        if !names.contains(name) {
            return Ok(());
        }
        let message = format!("two columns of the result are called `{name}`");
        let help = "give one of them a name with AS".to_string();
        Err(self.error_with(expression.span(), message, Some(help)))
    }

    /// An unaliased aggregate keeps its variable's name.
    pub(super) fn item_name(&self, pipeline: &Pipeline, item: &Item) -> String {
        if let Some(alias) = &item.alias {
            return alias.value.clone();
        }
        let text = item.expression.to_string().replace('"', "");
        let Expr::Function(function) = &item.expression else { return text };
        let arguments = arguments_of(function);
        match arguments.first() {
            Some(argument @ (Expr::Identifier(_) | Expr::CompoundIdentifier(_))) => {
                names_of(pipeline, argument, true).into_iter().next().unwrap_or(text)
            }
            _ => text,
        }
    }
}

/// The dimensions and items of a grouped block.
fn shown(pipeline: &Pipeline, grouped: Grouped) -> Result<RowRelation, Error> {
    let Grouped { mut query, dimensions, names, placed } = grouped;
    let order_by = order_by_position(&dimensions);
    let is_ordered = order_by.is_some();
    if !is_ordered {
        let alias = Some(pipeline.alias.clone());
        return Ok(RowRelation { query, alias, dimensions, is_ordered, placed, cells: None });
    }
    let columns = dimensions.iter().map(|dimension| &dimension.name).chain(&names);
    let items = columns.map(|name| SelectItem::UnnamedExpr(build::column(name))).collect();
    query = build::query(build::select(items, build::derived(query, Some(&pipeline.alias)))?)?;
    query.order_by = order_by;
    Ok(RowRelation { query, alias: Some(pipeline.alias.clone()), dimensions, is_ordered, placed, cells: None })
}

/// The order of a result whose labels do not tell it: by its positions, which the query below has as columns.
pub(super) fn order_by_position(dimensions: &[ResultDimension]) -> Option<OrderBy> {
    if dimensions.iter().all(|dimension| dimension.order != Order::None) {
        return None;
    }
    let columns: Vec<_> = dimensions
        .iter()
        .map(|dimension| match dimension.order {
            Order::None => (position_column(&dimension.name), false),
            order => (dimension.name.clone(), order == Order::Descending),
        })
        .collect();
    Some(build::order_by(&columns))
}

/// The keys of a dimension that stays: its labels, and its positions so that equal labels stay apart.
pub(super) fn kept(axis: &Axis) -> Vec<Key> {
    let position = position_column(&axis.name);
    let key = |name: String, order, is_shown| Key { expression: build::column(&name), name, order, is_shown };
    vec![key(axis.name.clone(), axis.order, true), key(position, Order::Ascending, false)]
}

fn dimensions_of(pipeline: &Pipeline, block: &Block, grouping: &Grouping) -> Vec<ResultDimension> {
    let of = |axis: &Axis| {
        if let Some(key) = grouping.keys.iter().find(|key| key.is_shown && key.name == axis.name) {
            let labels = match matches!(key.expression, Expr::Identifier(_)) {
                true => LabelSource::of_axis(pipeline, axis, None),
                false => LabelSource::of_key(pipeline, &axis.name, None, &key.expression, key.order),
            };
            return Some(ResultDimension { name: key.name.clone(), order: key.order, labels });
        }
        let label = grouping.labels.iter().find(|label| label.name == axis.name)?;
        Some(ResultDimension { name: label.name.clone(), order: label.order, labels: label.labels.clone() })
    };
    block.dimensions().filter_map(of).collect()
}

/// What tells the places of groups along the dimensions: a hidden key, which tells equal labels apart, or the labels.
fn places_of(dimensions: &[ResultDimension], keys: &[Key]) -> Vec<SelectItem> {
    let place = |dimension: &ResultDimension| {
        let position = position_column(&dimension.name);
        let hidden = keys.iter().find(|key| !key.is_shown && key.name == position);
        let shown = || keys.iter().find(|key| key.is_shown && key.name == dimension.name);
        hidden.or_else(shown).map(|key| build::named(key.expression.clone(), &key.name))
    };
    dimensions.iter().filter_map(place).collect()
}

/// The labels of the dimensions that stay, and the positions of those that have some.
fn columns_of(block: &Block, grouping: &Grouping) -> Vec<SelectItem> {
    let mut columns = Vec::new();
    for axis in block.dimensions() {
        let is_column = |key: &&Key| match key.is_shown {
            true => key.name == axis.name,
            false => grouping.with_positions && key.name == position_column(&axis.name),
        };
        let keys = grouping.keys.iter().filter(is_column);
        columns.extend(keys.map(|key| build::named(key.expression.clone(), &key.name)));
        let labels = grouping.labels.iter().filter(|label| label.name == axis.name);
        columns.extend(labels.map(|label| build::named(label.expression.clone(), &label.name)));
    }
    columns
}
