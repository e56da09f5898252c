//! What a select shows: its items, its keys, and the dimensions of its result.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, GroupByExpr, OrderBy, OrderByKind, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind,
};

use super::aggregate::has_aggregate;
use super::block::Block;
use super::names::names_of;
use super::pipeline::{Pipeline, PipelineColumnKind};
use super::{LabelSource, ResultDimension, build};
use crate::scan::Order;

/// The dimensions of a select from rows that have some: all of them where they are all shown and nothing is grouped, and
/// those of the group keys where each key is a function of one of them.
pub(super) fn row_dimensions(select: &Select, known: &[ResultDimension]) -> Vec<ResultDimension> {
    if is_all(select) {
        return known.to_vec();
    }
    let keys = group_keys(select);
    let is_grouped =
        !keys.is_empty() || select.projection.iter().any(|item| item_expression(item).is_some_and(has_aggregate));
    if select.distinct.is_some() || select.qualify.is_some() || known.is_empty() {
        return Vec::new();
    }
    let shown = |expression: &Expr| {
        select.projection.iter().find(|item| item_expression(item) == Some(expression)).and_then(item_name)
    };
    // Where rows are left out, only those that stay tell which labels there are.
    let is_whole = select.selection.is_none() && select.having.is_none();
    let labels = |dimension: &ResultDimension| dimension.labels.clone().filter(|_| is_whole);
    if !is_grouped {
        let column = |name: &str| {
            select.projection.iter().find_map(|item| match item_expression(item)? {
                Expr::Identifier(ident) if ident.value == name => item_name(item),
                _ => None,
            })
        };
        let dimensions = known.iter().map(|dimension| {
            let (name, order) = (column(&dimension.name)?, dimension.order);
            Some(ResultDimension { name, order, labels: labels(dimension) })
        });
        return dimensions.collect::<Option<Vec<_>>>().unwrap_or_default();
    }
    let mut found = Vec::new();
    for key in &keys {
        let mut named: Vec<usize> = Vec::new();
        let _ = datafusion::sql::sqlparser::ast::visit_expressions(key, |part| {
            if let Expr::Identifier(ident) = part {
                named.push(known.iter().position(|dimension| dimension.name == ident.value).unwrap_or(usize::MAX));
            }
            ControlFlow::<()>::Continue(())
        });
        let ([place], Some(name)) = (named.as_slice(), shown(key)) else { return Vec::new() };
        let Some(dimension) = known.get(*place) else { return Vec::new() };
        let (order, labels) = match key {
            Expr::Identifier(_) => (dimension.order, labels(dimension)),
            _ => (Order::Ascending, None),
        };
        found.push((*place, ResultDimension { name, order, labels }));
    }
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, dimension)| dimension).collect()
}

/// Whether a select keeps everything it is given, but for a condition.
pub(super) fn is_all(select: &Select) -> bool {
    let items_are_all = match select.projection.as_slice() {
        [] => matches!(select.flavor, SelectFlavor::FromFirstNoSelect),
        [SelectItem::Wildcard(options)] => options == &Default::default(),
        _ => false,
    };
    items_are_all
        && select.distinct.is_none()
        && select.having.is_none()
        && select.qualify.is_none()
        && matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty())
}

/// `*` becomes every column over the largest span.
pub(super) fn expand_wildcards(pipeline: &Pipeline, select: &mut Select) {
    let span = pipeline.largest_span();
    let place = |name: &String| span.iter().position(|dimension| dimension == name).unwrap_or(usize::MAX);
    let mut columns: Vec<_> = pipeline.columns.iter().collect();
    columns.sort_by_key(|column| match column.kind {
        PipelineColumnKind::Dimension => place(&column.name),
        _ => usize::MAX,
    });
    let all = || {
        columns
            .iter()
            .filter(|column| column.dimensions.iter().all(|dimension| span.contains(dimension)))
            .map(|column| SelectItem::UnnamedExpr(build::column(&column.name)))
    };
    if select.projection.is_empty() && matches!(select.flavor, SelectFlavor::FromFirstNoSelect) {
        select.projection = all().collect();
        return;
    }
    let items = std::mem::take(&mut select.projection);
    select.projection = items
        .into_iter()
        .flat_map(|item| match &item {
            SelectItem::Wildcard(options) if options == &Default::default() => all().collect(),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _)
                if name.to_string().eq_ignore_ascii_case(&pipeline.alias.value) =>
            {
                all().collect()
            }
            SelectItem::Wildcard(options) => {
                let excluded = options.opt_except.as_ref().map(ToString::to_string).unwrap_or_default()
                    + &options.opt_exclude.as_ref().map(ToString::to_string).unwrap_or_default();
                all().filter(|item| !names_words(&excluded).contains(&item.to_string().replace('"', ""))).collect()
            }
            _ => vec![item],
        })
        .collect();
}

pub(super) fn names_words(text: &str) -> Vec<String> {
    text.split(|character: char| !(character.is_alphanumeric() || character == '_')).map(str::to_string).collect()
}

/// Every expression of a block.
pub(super) fn expressions_of<'a>(select: &'a mut Select, order_by: &'a mut Option<OrderBy>) -> Vec<&'a mut Expr> {
    let mut expressions: Vec<&mut Expr> = Vec::new();
    for item in &mut select.projection {
        match item {
            SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => {
                expressions.push(expression)
            }
            _ => {}
        }
    }
    expressions.extend(select.selection.iter_mut().chain(select.having.iter_mut()).chain(select.qualify.iter_mut()));
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
        expressions.extend(keys.iter_mut().filter(|key| !matches!(key, Expr::Value(_))));
    }
    if let Some(Distinct::On(keys)) = &mut select.distinct {
        expressions.extend(keys.iter_mut());
    }
    if let Some(OrderBy { kind: OrderByKind::Expressions(keys), .. }) = order_by {
        expressions.extend(keys.iter_mut().map(|key| &mut key.expr));
    }
    expressions
}

pub(super) fn item_expression(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => Some(expression),
        _ => None,
    }
}

pub(super) fn item_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(ident)) => Some(ident.value.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(|ident| ident.value.clone()),
        _ => None,
    }
}

pub(super) fn aliases_of(select: &Select) -> Vec<String> {
    select
        .projection
        .iter()
        .filter(|item| matches!(item, SelectItem::ExprWithAlias { .. }))
        .filter_map(item_name)
        .collect()
}

/// An item whose expression will be rewritten keeps the name that its text gives it.
pub(super) fn keep_name(item: &mut SelectItem) {
    if let SelectItem::UnnamedExpr(expression) = item {
        if matches!(expression, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            return;
        }
        let name = expression.to_string().replace('"', "");
        *item = build::named(expression.clone(), &name);
    }
}

/// The group keys, with aliases and places of items replaced by these items' expressions.
pub(super) fn group_keys(select: &Select) -> Vec<Expr> {
    let keys = match &select.group_by {
        GroupByExpr::Expressions(keys, _) => keys.clone(),
        GroupByExpr::All(_) => {
            let items = select.projection.iter().filter_map(item_expression);
            items.filter(|expression| !has_aggregate(expression)).cloned().collect()
        }
    };
    keys.into_iter()
        .map(|key| {
            let item = match &key {
                Expr::Value(value) => value.to_string().parse::<usize>().ok().and_then(|place| select.projection.get(place.checked_sub(1)?)),
                Expr::Identifier(ident) => select.projection.iter().find(|item| {
                    matches!(item, SelectItem::ExprWithAlias { alias, .. } if alias.value.eq_ignore_ascii_case(&ident.value))
                }),
                _ => None,
            };
            item.and_then(item_expression).cloned().unwrap_or(key)
        })
        .collect()
}

pub(super) fn dimensions_of(pipeline: &Pipeline, expression: &Expr) -> Vec<String> {
    let named = names_of(pipeline, expression, true);
    let columns = pipeline.columns.iter().filter(|column| named.contains(&column.name));
    let mut dimensions: Vec<String> = columns.flat_map(|column| column.dimensions.clone()).collect();
    dimensions.sort();
    dimensions.dedup();
    dimensions
}

/// The dimensions of a block without groups: all of the span's when every one of them is shown.
pub(super) fn plain_dimensions(pipeline: &Pipeline, block: &Block, select: &Select) -> Vec<ResultDimension> {
    if select.distinct.is_some() || select.qualify.is_some() {
        return Vec::new();
    }
    let shown = |name: &str| {
        select.projection.iter().find_map(|item| match item_expression(item)? {
            Expr::Identifier(ident) if ident.value == name => item_name(item),
            Expr::CompoundIdentifier(parts) if parts.last().is_some_and(|ident| ident.value == name) => item_name(item),
            _ => None,
        })
    };
    let dimensions = block.dimensions().map(|axis| {
        let labels = LabelSource::of_axis(pipeline, axis, select.selection.as_ref());
        Some(ResultDimension { name: shown(&axis.name)?, order: axis.order, labels })
    });
    dimensions.collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// The dimensions of a grouped block: its keys in the order of the span, when each is a function of one dimension and is
/// shown, and the labels tell cells apart.
pub(super) fn grouped_dimensions(
    pipeline: &Pipeline,
    block: &Block,
    select: &Select,
    keys: &[Expr],
) -> Vec<ResultDimension> {
    let mut found = Vec::new();
    for key in keys {
        let dimensions = dimensions_of(pipeline, key);
        let [dimension] = dimensions.as_slice() else { return Vec::new() };
        let Some(place) = block.table.axes().iter().position(|axis| &axis.name == dimension) else { return Vec::new() };
        let item = select.projection.iter().find(|item| {
            let is_alias = matches!((item, key), (SelectItem::ExprWithAlias { alias, .. }, Expr::Identifier(ident)) if alias.value == ident.value);
            item_expression(item) == Some(key) || is_alias
        });
        let Some(name) = item.and_then(item_name) else { return Vec::new() };
        let order = match key {
            Expr::Identifier(ident) if &ident.value == dimension => block.table.axes()[place].order,
            Expr::CompoundIdentifier(parts) if parts.last().is_some_and(|ident| &ident.value == dimension) => {
                block.table.axes()[place].order
            }
            _ => Order::Ascending,
        };
        if order == Order::None {
            return Vec::new();
        }
        let labels = LabelSource::of_key(pipeline, dimension, select.selection.as_ref(), key, order);
        found.push((place, ResultDimension { name, order, labels: labels.filter(|_| select.having.is_none()) }));
    }
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, dimension)| dimension).collect()
}
