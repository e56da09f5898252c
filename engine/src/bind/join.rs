//! Datasets among joined tables.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, ObjectName, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind, TableFactor, VisitMut, VisitorMut,
};

use super::block::Block;
use super::names::names_of;
use super::pipeline::{Pipeline, PipelineColumnKind};
use super::selection::call_of;
use super::{Binder, Relation, build};
use crate::error::Error;
use crate::functions::LabelTable;

impl Binder<'_> {
    /// Datasets among joined tables: each over the span of the columns that are named with its alias.
    pub(super) fn bind_joined(&mut self, select: &mut Select) -> Result<(), Error> {
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
                            let table = LabelTable::new(Arc::clone(block.table.source()), axis.clone())?;
                            self.label_tables.write().insert(key, Arc::new(table));
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
        let is_piped = !self.later.is_empty() && matches!(select.flavor, SelectFlavor::FromFirstNoSelect);
        if is_piped {
            named.extend(names_of(pipeline, &self.later, true));
        } else if has_wildcard {
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
