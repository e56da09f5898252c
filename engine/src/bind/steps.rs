//! The steps of a pipe.

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, LimitClause, Offset, OffsetRows, OrderBy, OrderByKind, PipeOperator, Select, SelectItem,
    SetExpr, SetOperator, Spanned, TableWithJoins,
};
use quarray_lang::syntax::{self, Along, ArrayStep, Item};

use super::pipeline::{Pipeline, PipelineColumn, PipelineColumnKind, PipelineStep};
use super::{Binder, Relation, RowRelation, build, plain_error};
use crate::error::Error;

impl Binder<'_> {
    /// The relation after one step.
    pub(super) fn pipe(&mut self, relation: Relation, operator: &PipeOperator) -> Result<Relation, Error> {
        if let Some(step) = syntax::array_step(operator) {
            return self.array_step(relation, step);
        }
        match (relation, operator) {
            (relation, PipeOperator::As { alias }) => Ok(super::source::aliased(relation, Some(alias))),
            (Relation::Cells(pipeline), PipeOperator::Where { expr }) => {
                self.filter(pipeline, expr.clone()).map(Relation::Cells)
            }
            (Relation::Cells(pipeline), PipeOperator::Extend { exprs }) => {
                self.extend(pipeline, exprs).map(Relation::Cells)
            }
            (Relation::Cells(pipeline), PipeOperator::Drop { columns }) => {
                self.drop(pipeline, columns).map(Relation::Cells)
            }
            (Relation::Cells(pipeline), PipeOperator::Rename { mappings }) => {
                let pairs: Vec<_> = mappings.iter().map(|mapping| (&mapping.ident, &mapping.alias)).collect();
                self.rename(pipeline, &pairs).map(Relation::Cells)
            }
            (Relation::Cells(pipeline), PipeOperator::Set { assignments }) => {
                let items = assignments.iter().map(|assignment| {
                    let name = assignment.target.to_string().replace('"', "");
                    SelectItem::ExprWithAlias { expr: assignment.value.clone(), alias: Ident::new(name) }
                });
                let items: Vec<SelectItem> = items.collect();
                self.extend(pipeline, &items).map(Relation::Cells)
            }
            (_, PipeOperator::Call { function, .. }) => {
                let verb = function.name.to_string().to_uppercase();
                let help = match verb.as_str() {
                    "REDUCE" => "REDUCE takes aggregates, then ALONG or KEEP, not both",
                    _ => "it is no step of the language with these arguments",
                };
                Err(self.error_at(Spanned::span(function), format!("{verb} cannot be read: {help}")))
            }
            (Relation::Cells(pipeline), PipeOperator::Select { exprs }) => {
                let select = self.over_cells(&pipeline, exprs.clone())?;
                self.select_cells_block(pipeline, select, None)
            }
            (Relation::Cells(pipeline), PipeOperator::Aggregate { full_table_exprs, group_by_expr }) => {
                let (items, keys) = aggregate_items(full_table_exprs, group_by_expr);
                let mut select = self.over_cells(&pipeline, items)?;
                select.group_by = GroupByExpr::Expressions(keys, Vec::new());
                self.select_cells_block(pipeline, select, None)
            }
            (relation, operator) => {
                let rows = match operator {
                    PipeOperator::Limit { .. } => self.ordered(relation)?,
                    _ => self.rows(relation)?,
                };
                self.pipe_rows(rows, operator)
            }
        }
    }

    fn over_cells(&self, pipeline: &Pipeline, items: Vec<SelectItem>) -> Result<Select, Error> {
        build::select(items, build::table("cells", &pipeline.alias))
    }

    fn extend(&mut self, mut pipeline: Pipeline, items: &[SelectItem]) -> Result<Pipeline, Error> {
        let mut columns = Vec::new();
        for item in items {
            let (mut expression, name) = match item {
                SelectItem::ExprWithAlias { expr, alias } => (expr.clone(), alias.value.clone()),
                SelectItem::UnnamedExpr(expr) => (expr.clone(), expr.to_string().replace('"', "")),
                other => return Err(plain_error(format!("EXTEND takes expressions, found {other}"))),
            };
            let named = self.resolve(&pipeline, &mut expression, &Vec::new(), true)?;
            let dimensions = dimensions_together(&pipeline, &named);
            if pipeline.axis(&name).is_some() {
                return Err(plain_error(format!(
                    "`{name}` is a dimension of {}: give the new column another name",
                    pipeline.describe()
                )));
            }
            columns.push((name, expression, dimensions));
        }
        let made = columns.iter().map(|(name, expression, _)| (name.clone(), expression.clone())).collect();
        pipeline.steps.push(PipelineStep::Extend(made));
        for (name, _, dimensions) in columns {
            pipeline.columns.retain(|column| column.name != name);
            pipeline.columns.push(PipelineColumn::plain(&name, dimensions, PipelineColumnKind::Variable));
        }
        Ok(pipeline)
    }

    fn drop(&mut self, mut pipeline: Pipeline, columns: &[Ident]) -> Result<Pipeline, Error> {
        for ident in columns {
            let Some(column) = pipeline.column(ident).cloned() else {
                return Err(self.unknown_column(&pipeline, ident));
            };
            if column.kind == PipelineColumnKind::Dimension {
                return Err(self.error_at(
                    ident.span,
                    format!("`{}` is a dimension: reduce it, or select one label", column.name),
                ));
            }
            pipeline.columns.retain(|known| known.name != column.name);
        }
        Ok(pipeline)
    }

    fn rename(&mut self, mut pipeline: Pipeline, pairs: &[(&Ident, &Ident)]) -> Result<Pipeline, Error> {
        for (from, to) in pairs {
            let Some(column) = pipeline.column(from).cloned() else { return Err(self.unknown_column(&pipeline, from)) };
            if column.kind == PipelineColumnKind::Dimension {
                return Err(self.error_at(from.span, "renaming a dimension is not there yet"));
            }
            let expression = build::column(&column.name);
            pipeline.steps.push(PipelineStep::Extend(vec![(to.value.clone(), expression)]));
            for known in &mut pipeline.columns {
                if known.name == column.name {
                    known.name = to.value.clone();
                }
            }
        }
        Ok(pipeline)
    }

    fn array_step(&mut self, relation: Relation, step: ArrayStep) -> Result<Relation, Error> {
        if let Relation::Rows(rows) = &relation
            && rows.dimensions.is_empty()
        {
            self.check_tables(&rows.query)?;
        }
        match (relation, step) {
            (Relation::Cells(pipeline), ArrayStep::Sel(selectors)) => {
                self.select_cells(pipeline, &selectors).map(Relation::Cells)
            }
            (Relation::Cells(pipeline), ArrayStep::Mask(mut condition)) => {
                let mut pipeline = pipeline;
                let named = self.resolve(&pipeline, &mut condition, &Vec::new(), true)?;
                // A dimension of one chosen label is none of the condition's any more.
                let mut dimensions = dimensions_together(&pipeline, &named);
                dimensions.retain(|name| pipeline.axis(name).is_some_and(|axis| !axis.scalar));
                pipeline.steps.push(PipelineStep::Mask { condition, dimensions });
                Ok(Relation::Cells(pipeline))
            }
            (Relation::Cells(pipeline), ArrayStep::Reduce { items, along }) => self.reduce(pipeline, &items, &along),
            (Relation::Cells(pipeline), ArrayStep::Coarsen { items, by, using }) => {
                self.coarsen(pipeline, &items, &by, using.as_ref())
            }
            (Relation::Cells(pipeline), ArrayStep::Resample { items, dimension, to }) => {
                self.resample(pipeline, &items, &dimension, &to)
            }
            (Relation::Rows(rows), ArrayStep::Reduce { items, along }) => self.reduce_rows(rows, &items, &along),
            (_, ArrayStep::Later { verb, .. }) if verb == "WARP" => Err(plain_error(
                "WARP stands directly after FROM and the name or path of a dataset: selections and other steps come after it",
            )),
            (_, ArrayStep::Later { verb, .. }) => Err(plain_error(format!("{verb} is not there yet"))),
            (_, ArrayStep::Into { .. } | ArrayStep::Plot { .. }) => {
                Err(plain_error("INTO and PLOT end a query: nothing comes after them"))
            }
            (Relation::Rows(_), _) => {
                Err(plain_error("this step needs a dataset, found the result of a query: put it before the reduction"))
            }
        }
    }

    /// `REDUCE` of a result that is an array: its remaining dimensions are the keys.
    fn reduce_rows(&mut self, rows: RowRelation, items: &[Item], along: &Along) -> Result<Relation, Error> {
        let known: Vec<String> = rows.dimensions.iter().map(|dimension| dimension.name.clone()).collect();
        let find = |ident: &Ident| match known.iter().find(|name| name.eq_ignore_ascii_case(&ident.value)) {
            Some(name) => Ok(name.clone()),
            None if known.is_empty() => {
                Err(self.error_at(ident.span, format!("no dimension `{}`: the result is no array", ident.value)))
            }
            None => Err(self
                .error_at(ident.span, format!("no dimension `{}` in the result[{}]", ident.value, known.join(", ")))),
        };
        let reduced = match along {
            Along::All => known.clone(),
            Along::Along(idents) => idents.iter().map(find).collect::<Result<Vec<_>, Error>>()?,
            Along::Keep(idents) => {
                let kept = idents.iter().map(find).collect::<Result<Vec<_>, Error>>()?;
                known.iter().filter(|name| !kept.contains(name)).cloned().collect()
            }
        };
        let kept: Vec<_> =
            rows.dimensions.iter().filter(|dimension| !reduced.contains(&dimension.name)).cloned().collect();
        let mut projection: Vec<SelectItem> =
            kept.iter().map(|dimension| SelectItem::UnnamedExpr(build::column(&dimension.name))).collect();
        for item in items {
            let argument = match &item.expression {
                Expr::Function(function) => super::aggregate::arguments_of(function).into_iter().next(),
                _ => None,
            };
            let name = match (&item.alias, argument) {
                (Some(alias), _) => alias.value.clone(),
                (None, Some(Expr::Identifier(ident))) => ident.value.clone(),
                _ => item.expression.to_string(),
            };
            projection.push(build::named(item.expression.clone(), &name));
        }
        let mut select = build::select(projection, build::derived(rows.query, rows.alias.as_ref()))?;
        let keys = kept.iter().map(|dimension| build::column(&dimension.name)).collect();
        select.group_by = GroupByExpr::Expressions(keys, Vec::new());
        let query = build::query(select)?;
        Ok(Relation::Rows(RowRelation {
            query,
            alias: rows.alias,
            dimensions: kept,
            is_ordered: false,
            placed: None,
            cells: None,
        }))
    }

    /// `UNION`, `INTERSECT` and `EXCEPT` with other queries.
    fn combined(&mut self, rows: RowRelation, operator: &PipeOperator) -> Result<Relation, Error> {
        let (op, set_quantifier, queries) = match operator {
            PipeOperator::Union { set_quantifier, queries } => (SetOperator::Union, set_quantifier, queries),
            PipeOperator::Intersect { set_quantifier, queries } => (SetOperator::Intersect, set_quantifier, queries),
            PipeOperator::Except { set_quantifier, queries } => (SetOperator::Except, set_quantifier, queries),
            other => return Err(Error::Internal(format!("{other} combines no queries"))),
        };
        let mut body = SetExpr::Query(Box::new(rows.query));
        for query in queries {
            let right = self.query(query)?;
            let right = Box::new(SetExpr::Query(Box::new(self.rows(right)?.query)));
            body = SetExpr::SetOperation { op, set_quantifier: *set_quantifier, left: Box::new(body), right };
        }
        let template = build::select(Vec::new(), build::table("none", &Ident::new("none")))?;
        let mut query = build::query(template)?;
        query.body = Box::new(body);
        Ok(Relation::Rows(RowRelation {
            query,
            alias: rows.alias,
            dimensions: Vec::new(),
            is_ordered: false,
            placed: None,
            cells: None,
        }))
    }

    /// The first of rows that have no limit yet.
    fn limited(&mut self, mut rows: RowRelation, limit: LimitClause) -> RowRelation {
        self.read_first(&rows, &limit);
        rows.query.limit_clause = Some(limit);
        RowRelation { is_ordered: true, placed: None, cells: None, ..rows }
    }

    fn pipe_rows(&mut self, rows: RowRelation, operator: &PipeOperator) -> Result<Relation, Error> {
        let alias = rows.alias.clone();
        let mut dimensions = rows.dimensions.clone();
        let mut is_ordered = rows.is_ordered;
        let factor = build::derived(rows.query.clone(), alias.as_ref());
        let mut select = build::select(vec![SelectItem::Wildcard(Default::default())], factor)?;
        let mut order_by = None;
        let mut limit_clause = None;
        match operator {
            PipeOperator::Where { expr } => {
                forget_labels(&mut dimensions);
                select.selection = Some(expr.clone());
            }
            PipeOperator::OrderBy { exprs } => {
                let kind = OrderByKind::Expressions(exprs.clone());
                order_by = Some(OrderBy { kind, interpolate: None });
                is_ordered = true;
            }
            PipeOperator::Limit { expr, offset } => {
                forget_labels(&mut dimensions);
                let limit = limit_of(expr, offset.as_ref());
                if rows.query.limit_clause.is_none() && rows.query.fetch.is_none() {
                    return Ok(Relation::Rows(self.limited(RowRelation { dimensions, ..rows }, limit)));
                }
                limit_clause = Some(limit);
            }
            PipeOperator::Select { exprs } => {
                dimensions = kept_dimensions(&dimensions, exprs);
                select.projection = exprs.clone();
            }
            PipeOperator::Extend { exprs } => select.projection.extend(exprs.iter().cloned()),
            PipeOperator::Aggregate { full_table_exprs, group_by_expr } => {
                let (items, keys) = aggregate_items(full_table_exprs, group_by_expr);
                select.projection = items;
                select.group_by = GroupByExpr::Expressions(keys, Vec::new());
                (dimensions, is_ordered) = (Vec::new(), false);
            }
            PipeOperator::Join(join) => {
                let mut joined = Select { projection: vec![SelectItem::Wildcard(Default::default())], ..select };
                joined.from =
                    vec![TableWithJoins { relation: joined.from.remove(0).relation, joins: vec![join.clone()] }];
                return self.select(joined, None);
            }
            PipeOperator::Union { .. } | PipeOperator::Intersect { .. } | PipeOperator::Except { .. } => {
                return self.combined(rows, operator);
            }
            PipeOperator::Drop { columns } => {
                let names: Vec<String> = columns.iter().map(|ident| build::quoted(&ident.value).to_string()).collect();
                let excluded = build_wildcard(&format!("EXCLUDE ({})", names.join(", ")))?;
                select.projection = vec![excluded];
                dimensions.retain(|dimension| !columns.iter().any(|ident| ident.value == dimension.name));
                if dimensions.len() < rows.dimensions.len() {
                    dimensions.clear();
                }
            }
            PipeOperator::Set { assignments } => {
                let items: Vec<String> = assignments
                    .iter()
                    .map(|assignment| format!("{} AS {}", assignment.value, assignment.target))
                    .collect();
                select.projection = vec![build_wildcard(&format!("REPLACE ({})", items.join(", ")))?];
            }
            other => return Err(plain_error(format!("this step is not there yet: {other}"))),
        }
        let mut query = build::query(select)?;
        query.order_by = order_by;
        query.limit_clause = limit_clause;
        Ok(Relation::Rows(RowRelation { query, alias, dimensions, is_ordered, placed: None, cells: None }))
    }
}

fn limit_of(limit: &Expr, offset: Option<&Expr>) -> LimitClause {
    let offset = offset.map(|value| Offset { value: value.clone(), rows: OffsetRows::None });
    LimitClause::LimitOffset { limit: Some(limit.clone()), offset, limit_by: Vec::new() }
}

/// Rows are left out, and only those that stay tell which labels there are.
pub(super) fn forget_labels(dimensions: &mut [super::ResultDimension]) {
    dimensions.iter_mut().for_each(|dimension| dimension.labels = None);
}

/// The dimensions of all the named columns, each once.
fn dimensions_together(pipeline: &Pipeline, named: &[String]) -> Vec<String> {
    let mut columns: Vec<&PipelineColumn> =
        pipeline.columns.iter().filter(|column| named.contains(&column.name)).collect();
    columns.sort_by_key(|column| std::cmp::Reverse(column.dimensions.len()));
    let mut dimensions: Vec<String> = Vec::new();
    for dimension in columns.iter().flat_map(|column| &column.dimensions) {
        if !dimensions.contains(dimension) {
            dimensions.push(dimension.clone());
        }
    }
    dimensions
}

/// The dimensions of a result that are still shown under their names; none when one is gone.
fn kept_dimensions(dimensions: &[super::ResultDimension], items: &[SelectItem]) -> Vec<super::ResultDimension> {
    let is_shown = |name: &str| {
        items.iter().any(|item| match item {
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) => ident.value == name,
            SelectItem::Wildcard(_) => true,
            _ => false,
        })
    };
    match dimensions.iter().all(|dimension| is_shown(&dimension.name)) {
        true => dimensions.to_vec(),
        false => Vec::new(),
    }
}

/// The items of `AGGREGATE … GROUP BY …`, keys first, and the keys.
fn aggregate_items(
    aggregates: &[datafusion::sql::sqlparser::ast::ExprWithAliasAndOrderBy],
    keys: &[datafusion::sql::sqlparser::ast::ExprWithAliasAndOrderBy],
) -> (Vec<SelectItem>, Vec<Expr>) {
    let item = |item: &datafusion::sql::sqlparser::ast::ExprWithAliasAndOrderBy| match &item.expr.alias {
        Some(alias) => SelectItem::ExprWithAlias { expr: item.expr.expr.clone(), alias: alias.clone() },
        None => SelectItem::UnnamedExpr(item.expr.expr.clone()),
    };
    let items = keys.iter().chain(aggregates).map(item).collect();
    (items, keys.iter().map(|key| key.expr.expr.clone()).collect())
}

fn build_wildcard(options: &str) -> Result<SelectItem, Error> {
    use datafusion::sql::sqlparser::ast::Statement;
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;
    let text = format!("SELECT * {options} FROM t");
    let parsed = Parser::parse_sql(&GenericDialect {}, &text);
    if let Ok([Statement::Query(query)]) = parsed.as_deref()
        && let SetExpr::Select(select) = query.body.as_ref()
        && let [item] = select.projection.as_slice()
    {
        return Ok(item.clone());
    }
    Err(Error::Internal(format!("{text} is no select")))
}
