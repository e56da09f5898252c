//! Queries: common table expressions, set operations, pipes, and what ends them.

use std::collections::HashMap;

use datafusion::sql::sqlparser::ast::{Query, Select, SetExpr, Value};
use quarray_lang::syntax::{self, ArrayStep};

use super::names::span_of;
use super::{Binder, IntoClause, IntoTarget, Relation, RowRelation, Sink, build};
use crate::error::Error;

impl Binder<'_> {
    /// A query without the `INTO` or `PLOT` at its end.
    pub(super) fn split_sink(&mut self, query: &Query) -> Result<(Query, Option<Sink>), Error> {
        let mut query = query.clone();
        let Some(step) = query.pipe_operators.last().and_then(syntax::array_step) else { return Ok((query, None)) };
        match step {
            ArrayStep::Into { target, chunks, options, mode } => {
                query.pipe_operators.pop();
                let chunks = chunks
                    .iter()
                    .map(|(ident, cells)| match self.integer(cells)? {
                        cells if cells > 0 => Ok((ident.value.clone(), cells as u64)),
                        found => {
                            Err(self.error_at(span_of(cells), format!("a chunk has at least one cell, found {found}")))
                        }
                    })
                    .collect::<Result<_, Error>>()?;
                let target =
                    match (super::source::quoted_path(&target), target.0.first().and_then(|part| part.as_ident())) {
                        (None, Some(name)) if target.0.len() == 1 => IntoTarget::Attached(name.clone()),
                        (None, _) => {
                            return Err(super::plain_error(format!(
                                "INTO takes the path of a store in quotes, or an attached name, found `{target}`"
                            )));
                        }
                        (Some(path), _) => IntoTarget::Address(path.value.clone()),
                    };
                let options = self.options(&options)?;
                Ok((query, Some(Sink::Into(IntoClause { target, chunks, options, mode }))))
            }
            ArrayStep::Plot { items, to, options } => {
                query.pipe_operators.pop();
                let options = self.options(&options)?;
                if !items.is_empty() {
                    let exprs = items
                        .into_iter()
                        .map(|item| match item.alias {
                            Some(alias) => datafusion::sql::sqlparser::ast::SelectItem::ExprWithAlias {
                                expr: item.expression,
                                alias,
                            },
                            None => datafusion::sql::sqlparser::ast::SelectItem::UnnamedExpr(item.expression),
                        })
                        .collect();
                    self.plot_items(&mut query, exprs)?;
                }
                Ok((query, Some(Sink::Plot { to, options })))
            }
            _ => Ok((query, None)),
        }
    }

    /// `|> PLOT tmin` keeps the dimensions beside what is drawn.
    fn plot_items(
        &mut self,
        query: &mut Query,
        mut items: Vec<datafusion::sql::sqlparser::ast::SelectItem>,
    ) -> Result<(), Error> {
        use datafusion::sql::sqlparser::ast::SelectItem;
        let dimensions = match self.query(query)? {
            Relation::Rows(rows) => rows.dimensions.into_iter().map(|dimension| dimension.name).collect(),
            Relation::Cells(pipeline) => {
                let named: Vec<String> =
                    items.iter().flat_map(|item| super::names::names_of(&pipeline, item, true)).collect();
                let columns = pipeline.columns.iter().filter(|column| named.contains(&column.name));
                let longest = columns.map(|column| column.dimensions.clone()).max_by_key(Vec::len);
                longest.unwrap_or_else(|| pipeline.largest_span())
            }
        };
        let keys = dimensions.iter().map(|name| SelectItem::UnnamedExpr(build::column(name)));
        items.splice(0..0, keys);
        query.pipe_operators.push(datafusion::sql::sqlparser::ast::PipeOperator::Select { exprs: items });
        Ok(())
    }

    pub(super) fn options(
        &self,
        options: &[(String, datafusion::sql::sqlparser::ast::Expr)],
    ) -> Result<Vec<(String, String)>, Error> {
        use datafusion::sql::sqlparser::ast::Expr;
        let text = |value: &Expr| -> Result<String, Error> {
            match value {
                Expr::Value(value) => match &value.value {
                    Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Ok(text.clone()),
                    other => Ok(other.to_string()),
                },
                Expr::Identifier(ident) => Ok(ident.value.clone()),
                other => Ok(self.constant(other)?.to_string()),
            }
        };
        options.iter().map(|(name, value)| Ok((name.to_ascii_lowercase(), text(value)?))).collect()
    }

    /// A query as a relation.
    pub(super) fn query(&mut self, query: &Query) -> Result<Relation, Error> {
        self.scopes.push(HashMap::new());
        let relation = self.query_in_scope(query);
        self.scopes.pop();
        relation
    }

    fn query_in_scope(&mut self, query: &Query) -> Result<Relation, Error> {
        let mut query = query.clone();
        self.common_tables(&mut query)?;
        let pipes = std::mem::take(&mut query.pipe_operators);
        let outer = std::mem::replace(&mut self.later, pipes.clone());
        let relation = self.body(query);
        self.later = outer;
        let mut relation = relation?;
        for operator in &pipes {
            relation = self.pipe(relation, operator)?;
        }
        Ok(relation)
    }

    /// Names the common table expressions that array syntax or a dataset is in; the others stay SQL's.
    fn common_tables(&mut self, query: &mut Query) -> Result<(), Error> {
        let Some(with) = &mut query.with else { return Ok(()) };
        let is_recursive = with.recursive;
        let mut kept = Vec::new();
        for mut table in std::mem::take(&mut with.cte_tables) {
            let before = self.tables.len();
            let relation = self.query(&table.query)?;
            let is_ours = self.tables.len() > before || matches!(&relation, Relation::Cells(_));
            if is_ours && !is_recursive {
                let name = match table.alias.name.quote_style {
                    Some(_) => table.alias.name.value.clone(),
                    None => table.alias.name.value.to_ascii_lowercase(),
                };
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(name, relation);
                }
            } else {
                table.query = Box::new(self.rows(relation)?.query);
                kept.push(table);
            }
        }
        match kept.is_empty() {
            true => query.with = None,
            false => with.cte_tables = kept,
        }
        Ok(())
    }

    fn body(&mut self, mut query: Query) -> Result<Relation, Error> {
        let is_ordered = query.order_by.is_some() || query.limit_clause.is_some() || query.fetch.is_some();
        match *query.body {
            SetExpr::Select(select) => {
                let order_by = query.order_by.take();
                let relation = self.select(*select, order_by)?;
                self.tail(relation, query.with, query.limit_clause, query.fetch)
            }
            SetExpr::Query(inner) if !is_ordered && query.with.is_none() => self.query(&inner),
            mut other => {
                self.set_operands(&mut other)?;
                query.body = Box::new(other);
                Ok(Relation::Rows(RowRelation {
                    query,
                    alias: None,
                    dimensions: Vec::new(),
                    is_ordered,
                    placed: None,
                    cells: None,
                }))
            }
        }
    }

    /// `WITH`, `LIMIT` and `FETCH` around a select.
    fn tail(
        &mut self,
        relation: Relation,
        with: Option<datafusion::sql::sqlparser::ast::With>,
        limit: Option<datafusion::sql::sqlparser::ast::LimitClause>,
        fetch: Option<datafusion::sql::sqlparser::ast::Fetch>,
    ) -> Result<Relation, Error> {
        if with.is_none() && limit.is_none() && fetch.is_none() {
            return Ok(relation);
        }
        let is_limited = limit.is_some() || fetch.is_some();
        let mut rows = if is_limited { self.ordered(relation)? } else { self.rows(relation)? };
        rows.placed = None;
        if is_limited {
            super::steps::forget_labels(&mut rows.dimensions);
        }
        limit.iter().for_each(|limit| self.read_first(&rows, limit));
        rows.query.with = with;
        rows.query.limit_clause = limit;
        rows.query.fetch = fetch;
        rows.is_ordered |= is_limited;
        rows.cells = rows.cells.filter(|_| !is_limited);
        Ok(Relation::Rows(rows))
    }

    /// Binds the queries and selects below a set operation.
    fn set_operands(&mut self, body: &mut SetExpr) -> Result<(), Error> {
        match body {
            SetExpr::SetOperation { left, right, .. } => {
                self.set_operands(left)?;
                self.set_operands(right)
            }
            SetExpr::Select(select) => {
                let relation = self.select(select.as_ref().clone(), None)?;
                *body = SetExpr::Query(Box::new(self.rows(relation)?.query));
                simplify(body);
                Ok(())
            }
            SetExpr::Query(query) => {
                let relation = self.query(query)?;
                **query = self.rows(relation)?.query;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A relation as a query in dimension order, so that a limit takes the first cells.
    pub(super) fn ordered(&mut self, relation: Relation) -> Result<RowRelation, Error> {
        let mut rows = self.finish(relation)?;
        rows.is_ordered = true;
        Ok(rows)
    }
}

/// A query that is nothing but a select, as that select.
fn simplify(body: &mut SetExpr) {
    if let SetExpr::Query(query) = body
        && query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && let SetExpr::Select(select) = query.body.as_ref()
    {
        let select: Select = select.as_ref().clone();
        *body = SetExpr::Select(Box::new(select));
    }
}
