//! `SELECT … FROM dataset …`: the block that chooses a span.

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, ObjectName, OrderBy, OrderByKind, Query, Select,
    SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, TableFactor, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

use super::aggregate::{Reduced, has_aggregate};
use super::block::Block;
use super::names::names_of;
use super::pipeline::{Pipeline, PipelineColumnKind, PipelineStep};
use super::selection::call_of;
use super::{Binder, Relation, ResultDimension, RowRelation, build};
use crate::error::Error;
use crate::scan::Order;

impl Binder<'_> {
    /// A select as a relation; `order_by` belongs to it.
    pub(super) fn select(&mut self, mut select: Select, order_by: Option<OrderBy>) -> Result<Relation, Error> {
        self.bind_subqueries(&mut select)?;
        let alone = matches!(select.from.as_slice(), [from] if from.joins.is_empty());
        if !alone {
            self.bind_joined(&mut select)?;
            return self.plain(select, order_by, Vec::new(), None);
        }
        match self.source(&select.from[0].relation)? {
            None => self.plain(select, order_by, Vec::new(), None),
            Some(Relation::Rows(rows)) => {
                let passes_through = is_all(&select) && select.selection.is_none() && order_by.is_none();
                if passes_through {
                    return Ok(Relation::Rows(rows));
                }
                let dimensions = row_dimensions(&select, &rows.dimensions);
                let alias = rows.alias.clone();
                select.from[0].relation = build::derived(rows.query, rows.alias.as_ref());
                self.plain(select, order_by, dimensions, alias)
            }
            Some(Relation::Cells(pipeline)) => {
                if is_all(&select) && order_by.is_none() {
                    return match select.selection {
                        None => Ok(Relation::Cells(pipeline)),
                        Some(condition) => self.filter(pipeline, condition).map(Relation::Cells),
                    };
                }
                self.select_cells_block(pipeline, select, order_by)
            }
        }
    }

    fn plain(
        &mut self,
        mut select: Select,
        order_by: Option<OrderBy>,
        dimensions: Vec<ResultDimension>,
        alias: Option<Ident>,
    ) -> Result<Relation, Error> {
        if select.projection.is_empty() && matches!(select.flavor, SelectFlavor::FromFirstNoSelect) {
            select.projection = vec![SelectItem::Wildcard(Default::default())];
            select.flavor = SelectFlavor::Standard;
        }
        let is_ordered = order_by.is_some();
        let mut query = build::query(select)?;
        query.order_by = order_by;
        Ok(Relation::Rows(RowRelation { query, alias, dimensions, is_ordered }))
    }

    /// A pipeline with rows left out.
    pub(super) fn filter(&mut self, mut pipeline: Pipeline, mut condition: Expr) -> Result<Pipeline, Error> {
        self.resolve(&pipeline, &mut condition, &Vec::new(), true)?;
        pipeline.steps.push(PipelineStep::Filter(condition));
        Ok(pipeline)
    }

    /// The select over the cells of a pipeline.
    pub(super) fn select_cells_block(
        &mut self,
        pipeline: Pipeline,
        mut select: Select,
        mut order_by: Option<OrderBy>,
    ) -> Result<Relation, Error> {
        expand_wildcards(&pipeline, &mut select);
        select.flavor = SelectFlavor::Standard;
        let aliases = aliases_of(&select);
        let mut named = Vec::new();
        for expression in expressions_of(&mut select, &mut order_by) {
            for name in self.resolve(&pipeline, expression, &aliases, true)? {
                if !named.contains(&name) {
                    named.push(name);
                }
            }
        }
        let block = self.block(&pipeline, &named)?;
        let keys = group_keys(&select);
        let key_dimensions: Vec<String> = keys.iter().flat_map(|key| dimensions_of(&pipeline, key)).collect();
        let is_grouped =
            !keys.is_empty() || select.projection.iter().any(|item| item_expression(item).is_some_and(has_aggregate));
        let span = block.table.axes();
        let reduced = span.iter().map(|axis| axis.name.clone()).filter(|name| !key_dimensions.contains(name)).collect();
        let over = Reduced { pipeline: &pipeline, span, reduced, strict: is_grouped };
        for item in &mut select.projection {
            keep_name(item);
        }
        for expression in expressions_of(&mut select, &mut order_by) {
            *expression = self.windows(expression.clone(), span, &pipeline)?;
            self.aggregates(expression, &over)?;
        }
        let dimensions = match is_grouped {
            true => grouped_dimensions(&pipeline, &block, &select, &keys),
            false => plain_dimensions(&block, &select),
        };
        select.from[0].relation = block.factor;
        self.plain(select, order_by, dimensions, Some(pipeline.alias.clone()))
    }

    /// A relation as rows: a dataset as the cells of its largest span.
    pub(super) fn rows(&mut self, relation: Relation) -> Result<RowRelation, Error> {
        match relation {
            Relation::Rows(rows) => Ok(rows),
            Relation::Cells(pipeline) => {
                let factor = build::table("cells", &pipeline.alias);
                let select = build::select(vec![SelectItem::Wildcard(Default::default())], factor)?;
                match self.select_cells_block(pipeline, select, None)? {
                    Relation::Rows(rows) => Ok(rows),
                    Relation::Cells(_) => Err(Error::Internal("the rows of a dataset are a dataset".to_string())),
                }
            }
        }
    }

    /// Datasets among joined tables: each over the span of the columns that are named with its alias.
    fn bind_joined(&mut self, select: &mut Select) -> Result<(), Error> {
        let whole = select.clone();
        let mut labels = Vec::new();
        for from in &mut select.from {
            let mut factors = vec![&mut from.relation];
            factors.extend(from.joins.iter_mut().map(|join| &mut join.relation));
            for factor in factors {
                match self.source(factor)? {
                    None => {}
                    Some(Relation::Rows(rows)) => *factor = build::derived(rows.query, rows.alias.as_ref()),
                    Some(Relation::Cells(pipeline)) => {
                        let named = self.named_in_join(&pipeline, &whole);
                        let block = self.block(&pipeline, &named)?;
                        for axis in block.table.axes() {
                            let key = (block.table.name().to_string(), axis.name.clone());
                            self.label_tables.write().insert(key, axis.selected_labels()?);
                        }
                        labels.push((pipeline.alias.value.clone(), block.table.name().to_string(), pipeline.clone()));
                        *factor = visible(&pipeline, block)?;
                    }
                }
            }
        }
        for (alias, table, pipeline) in &labels {
            nearest_labels(select, alias, table, pipeline)?;
        }
        Ok(())
    }

    fn named_in_join(&self, pipeline: &Pipeline, select: &Select) -> Vec<String> {
        let mut whole = select.clone();
        for from in &mut whole.from {
            from.relation = build::table("none", &Ident::new("none"));
            from.joins.iter_mut().for_each(|join| join.relation = build::table("none", &Ident::new("none")));
        }
        let mut named = names_of(pipeline, &whole, true);
        for from in &whole.from {
            for join in &from.joins {
                if let JoinOperator::Inner(JoinConstraint::Using(columns))
                | JoinOperator::Join(JoinConstraint::Using(columns)) = &join.join_operator
                {
                    named.extend(columns.iter().filter_map(|name: &ObjectName| {
                        let ident = name.0.first()?.as_ident()?;
                        Some(pipeline.column(ident)?.name.clone())
                    }));
                }
            }
        }
        let has_wildcard = select.projection.iter().any(|item| match item {
            SelectItem::Wildcard(_) => true,
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                name.to_string().eq_ignore_ascii_case(&pipeline.alias.value)
            }
            _ => false,
        });
        if has_wildcard {
            named.extend(pipeline.largest_span());
            let span = pipeline.largest_span();
            let largest = pipeline
                .columns
                .iter()
                .filter(|column| column.dimensions == span && column.kind == PipelineColumnKind::Variable);
            named.extend(largest.map(|column| column.name.clone()));
        }
        named
    }

    /// Queries inside expressions become plain SQL first.
    fn bind_subqueries(&mut self, select: &mut Select) -> Result<(), Error> {
        struct Subqueries<'a, 'b>(&'a mut Binder<'b>);
        impl VisitorMut for Subqueries<'_, '_> {
            type Break = Error;

            fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
                let bound = self.0.query(query).and_then(|relation| self.0.rows(relation));
                match bound {
                    Ok(rows) => *query = rows.query,
                    Err(error) => return ControlFlow::Break(error),
                }
                ControlFlow::Continue(())
            }
        }
        let from = std::mem::take(&mut select.from);
        let visited = VisitMut::visit(select, &mut Subqueries(self));
        select.from = from;
        match visited {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }
}

/// The dimensions of a select from rows that have some: all of them where they are all shown and nothing is grouped, and
/// those of the group keys where each key is a function of one of them.
fn row_dimensions(select: &Select, known: &[ResultDimension]) -> Vec<ResultDimension> {
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
    if !is_grouped {
        let column = |name: &str| {
            select.projection.iter().find_map(|item| match item_expression(item)? {
                Expr::Identifier(ident) if ident.value == name => item_name(item),
                _ => None,
            })
        };
        let dimensions = known
            .iter()
            .map(|dimension| Some(ResultDimension { name: column(&dimension.name)?, order: dimension.order }));
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
        let order = if matches!(key, Expr::Identifier(_)) { dimension.order } else { Order::Ascending };
        found.push((*place, ResultDimension { name, order }));
    }
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, dimension)| dimension).collect()
}

/// Whether a select keeps everything it is given, but for a condition.
fn is_all(select: &Select) -> bool {
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
fn expand_wildcards(pipeline: &Pipeline, select: &mut Select) {
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

fn names_words(text: &str) -> Vec<String> {
    text.split(|character: char| !(character.is_alphanumeric() || character == '_')).map(str::to_string).collect()
}

/// Every expression of a block.
fn expressions_of<'a>(select: &'a mut Select, order_by: &'a mut Option<OrderBy>) -> Vec<&'a mut Expr> {
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

fn item_expression(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => Some(expression),
        _ => None,
    }
}

fn item_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(ident)) => Some(ident.value.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(|ident| ident.value.clone()),
        _ => None,
    }
}

fn aliases_of(select: &Select) -> Vec<String> {
    select
        .projection
        .iter()
        .filter(|item| matches!(item, SelectItem::ExprWithAlias { .. }))
        .filter_map(item_name)
        .collect()
}

/// An item whose expression will be rewritten keeps the name that its text gives it.
fn keep_name(item: &mut SelectItem) {
    if let SelectItem::UnnamedExpr(expression) = item {
        if matches!(expression, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            return;
        }
        let name = expression.to_string().replace('"', "");
        *item = build::named(expression.clone(), &name);
    }
}

/// The group keys, with aliases and places of items replaced by these items' expressions.
fn group_keys(select: &Select) -> Vec<Expr> {
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

fn dimensions_of(pipeline: &Pipeline, expression: &Expr) -> Vec<String> {
    let named = names_of(pipeline, expression, true);
    let columns = pipeline.columns.iter().filter(|column| named.contains(&column.name));
    let mut dimensions: Vec<String> = columns.flat_map(|column| column.dimensions.clone()).collect();
    dimensions.sort();
    dimensions.dedup();
    dimensions
}

/// The dimensions of a block without groups: all of the span's when every one of them is shown.
fn plain_dimensions(block: &Block, select: &Select) -> Vec<ResultDimension> {
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
    let dimensions =
        block.dimensions().map(|axis| Some(ResultDimension { name: shown(&axis.name)?, order: axis.order }));
    dimensions.collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// The dimensions of a grouped block: its keys in the order of the span, when each is a function of one dimension and is
/// shown, and the labels tell cells apart.
fn grouped_dimensions(pipeline: &Pipeline, block: &Block, select: &Select, keys: &[Expr]) -> Vec<ResultDimension> {
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
        found.push((place, ResultDimension { name, order }));
    }
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, dimension)| dimension).collect()
}

/// The columns of a block that a join may see: all but the positions.
fn visible(pipeline: &Pipeline, block: Block) -> Result<TableFactor, Error> {
    let span: Vec<&String> = block.table.axes().iter().map(|axis| &axis.name).collect();
    let columns =
        pipeline.columns.iter().filter(|column| column.dimensions.iter().all(|dimension| span.contains(&dimension)));
    let items = columns.map(|column| SelectItem::UnnamedExpr(build::column(&column.name))).collect();
    let query = build::query(build::select(items, block.factor)?)?;
    Ok(build::derived(query, Some(&pipeline.alias)))
}

/// `e.lat = nearest(s.lat)` → `e.lat = nearest_label(s.lat, table, 'lat')`.
fn nearest_labels(select: &mut Select, alias: &str, table: &str, pipeline: &Pipeline) -> Result<(), Error> {
    struct Nearest<'a> {
        alias: &'a str,
        table: &'a str,
        pipeline: &'a Pipeline,
    }
    impl Nearest<'_> {
        fn rewrite(&self, column: &Expr, other: &Expr) -> Result<Option<Expr>, Error> {
            let Expr::CompoundIdentifier(parts) = column else { return Ok(None) };
            let [qualifier, name] = parts.as_slice() else { return Ok(None) };
            let Some(axis) = self.pipeline.dimension(name) else { return Ok(None) };
            match call_of(other) {
                Some((function, mut arguments))
                    if function == "nearest" && qualifier.value.eq_ignore_ascii_case(self.alias) =>
                {
                    if arguments.is_empty() {
                        return Ok(None);
                    }
                    let text = |text: &str| build::expression(&format!("'{}'", text.replace('\'', "''")));
                    arguments.insert(1, text(self.table)?);
                    arguments.insert(2, text(&axis.name)?);
                    build::call("nearest_label", &arguments).map(Some)
                }
                _ => Ok(None),
            }
        }
    }
    impl VisitorMut for Nearest<'_> {
        type Break = Error;

        fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
            if let Expr::BinaryOp { left, right, .. } = expression {
                match (self.rewrite(left, right), self.rewrite(right, left)) {
                    (Ok(rewritten), Ok(mirrored)) => {
                        rewritten.into_iter().for_each(|rewritten| **right = rewritten);
                        mirrored.into_iter().for_each(|rewritten| **left = rewritten);
                    }
                    (Err(error), _) | (_, Err(error)) => return ControlFlow::Break(error),
                }
            }
            ControlFlow::Continue(())
        }
    }
    match VisitMut::visit(select, &mut Nearest { alias, table, pipeline }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}
