//! `SELECT … FROM dataset …`: the block that chooses a span.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, OrderBy, Query, Select, SelectFlavor, SelectItem, VisitMut, VisitorMut,
};

use super::aggregate::{Reduced, has_aggregate};
use super::block::cells_of;
use super::items::{
    aliases_of, dimensions_of, expand_wildcards, expressions_of, group_keys, grouped_dimensions, is_all,
    item_expression, keep_name, plain_dimensions, row_dimensions,
};
use super::pipeline::{Pipeline, PipelineStep};
use super::store::placed_cells;
use super::{Binder, CellRows, Relation, ResultDimension, RowRelation, build};
use crate::error::Error;
use crate::scan::{Order, position_column};

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
        Ok(Relation::Rows(RowRelation { query, alias, dimensions, is_ordered, placed: None, cells: None }))
    }

    /// The select over the cells of a pipeline.
    pub(super) fn select_cells_block(
        &mut self,
        mut pipeline: Pipeline,
        mut select: Select,
        mut order_by: Option<OrderBy>,
    ) -> Result<Relation, Error> {
        expand_wildcards(&pipeline, &mut select);
        select.flavor = SelectFlavor::Standard;
        let aliases = aliases_of(&select);
        let is_ordered = order_by.is_some();
        let mut named = Vec::new();
        for expression in expressions_of(&mut select, &mut order_by) {
            named.extend(self.resolve(&pipeline, expression, &aliases, true)?);
        }
        let keys = group_keys(&select);
        let key_dimensions: Vec<String> = keys.iter().flat_map(|key| dimensions_of(&pipeline, key)).collect();
        let is_grouped =
            !keys.is_empty() || select.projection.iter().any(|item| item_expression(item).is_some_and(has_aggregate));
        if !is_grouped {
            named.extend(pipeline.variable_on(&named));
        }
        // The condition itself stays where SQL has it; windows need to know what it drops.
        let left = select.selection.as_ref().and_then(|condition| self.narrow(&mut pipeline, condition));
        let block = self.block(&pipeline, &named)?;
        let mut filtered = pipeline.clone();
        filtered.steps.extend(left.map(PipelineStep::Filter));
        let span = block.table.axes();
        let names = || span.iter().map(|axis| axis.name.clone());
        let is_key = |name: &String| keys.iter().any(|key| matches!(key, Expr::Identifier(key) if key.value == *name));
        let reduced = names().filter(|name| !key_dimensions.contains(name)).collect();
        let over =
            Reduced { pipeline: &pipeline, span, reduced, kept: names().filter(is_key).collect(), strict: is_grouped };
        for item in &mut select.projection {
            keep_name(item);
        }
        for expression in expressions_of(&mut select, &mut order_by) {
            *expression = self.windows(expression.clone(), span, &filtered)?;
            self.aggregates(expression, &over)?;
        }
        let dimensions = match is_grouped {
            true => grouped_dimensions(&pipeline, &block, &select, &keys),
            false => plain_dimensions(&pipeline, &block, &select),
        };
        let placed = if is_grouped { None } else { placed_cells(&pipeline, &block, &select, &dimensions)? };
        // Labels that are in no order do not tell the order of the cells: their positions do.
        if !is_grouped && order_by.is_none() && dimensions.iter().any(|dimension| dimension.order == Order::None) {
            let positions: Vec<_> = block.dimensions().map(|axis| (position_column(&axis.name), false)).collect();
            order_by = Some(build::order_by(&positions));
        }
        let cells = match dimensions.is_empty() || is_grouped || pipeline.is_filtered() || select.selection.is_some() {
            true => None,
            false => {
                let shown = select.projection.iter().filter_map(item_expression);
                let table = self.independent(&pipeline, &block.table, shown).filter(|_| !is_ordered);
                Some(CellRows { count: cells_of(block.dimensions()), table })
            }
        };
        select.from[0].relation = block.factor;
        let mut rows = self.plain(select, order_by, dimensions, Some(pipeline.alias.clone()))?;
        if let Relation::Rows(rows) = &mut rows {
            rows.cells = cells;
            rows.placed = placed;
        }
        Ok(rows)
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
