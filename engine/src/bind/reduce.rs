//! `REDUCE`, `COARSEN` and `RESAMPLE` of a dataset: group-bys over the cells of its span.

use std::collections::HashMap;

use datafusion::sql::sqlparser::ast::{Expr, GroupByExpr, Ident, SelectItem, Spanned};
use quarray_lang::syntax::{Along, Item};

use super::aggregate::{Reduced, arguments_of};
use super::block::Block;
use super::names::{names_of, span_of};
use super::pipeline::Pipeline;
use super::{Binder, LabelSource, Placed, Relation, ResultDimension, RowRelation, build};
use crate::error::Error;
use crate::scan::{Axis, Order, position_column};

/// A key of a block: an expression, the name of its column, and how its values are ordered.
struct Key {
    expression: Expr,
    name: String,
    order: Order,
    /// Whether it is a column of the result, or tells groups apart without being shown.
    is_shown: bool,
}

impl Binder<'_> {
    /// `|> REDUCE items ALONG …`
    pub(super) fn reduce(&mut self, pipeline: Pipeline, items: &[Item], along: &Along) -> Result<Relation, Error> {
        let mut items = items.to_vec();
        let named = self.resolve_items(&pipeline, &mut items)?;
        let along = self.along(&pipeline, &items, along)?;
        let block = self.block(&pipeline, &named)?;
        let keys = block.dimensions().filter(|axis| !along.contains(&axis.name)).flat_map(kept).collect();
        let reduced = block.table.axes().iter().filter(|axis| axis.scalar || along.contains(&axis.name));
        let reduced = reduced.map(|axis| axis.name.clone()).collect();
        self.grouped(&pipeline, block, keys, reduced, &items, &[], None)
    }

    /// `|> COARSEN items BY dim n, … [USING trim | pad]`
    pub(super) fn coarsen(
        &mut self,
        pipeline: Pipeline,
        items: &[Item],
        by: &[(Ident, Expr)],
        using: Option<&Ident>,
    ) -> Result<Relation, Error> {
        let mut items = items.to_vec();
        let named = self.resolve_items(&pipeline, &mut items)?;
        let block = self.block(&pipeline, &named)?;
        let rule = using.map(|ident| ident.value.to_ascii_lowercase());
        if let (Some(ident), false) = (using, matches!(rule.as_deref(), None | Some("trim" | "pad" | "exact"))) {
            return Err(self.error_at(ident.span, format!("expected trim, pad or exact, found `{}`", ident.value)));
        }
        let mut factors = Vec::new();
        for (ident, factor) in by {
            let Some(axis) = pipeline.dimension(ident) else { return Err(self.unknown_dimension(&pipeline, ident)) };
            let cells = self.integer(factor)?;
            if cells < 1 {
                return Err(
                    self.error_at(span_of(factor), format!("expected a positive number of cells, found {cells}"))
                );
            }
            let rest = axis.count() % cells as u64;
            if rest != 0 && matches!(rule.as_deref(), None | Some("exact")) {
                let message = format!("{} has {} cells, no multiple of {cells}", axis.name, axis.count());
                let help = "add USING trim or USING pad".to_string();
                return Err(self.error_with(ident.span, message, Some(help)));
            }
            factors.push((axis.clone(), cells as u64));
        }
        let mut keys = Vec::new();
        let mut labels = Vec::new();
        let mut limits = Vec::new();
        for axis in block.dimensions() {
            match factors.iter().find(|(known, _)| known.name == axis.name) {
                None => keys.extend(kept(axis)),
                Some((_, cells)) => {
                    let (label, position) = (coarse_label(axis)?, build::column(&position_column(&axis.name)));
                    keys.push(Key {
                        expression: build::expression(&format!("{position} / {cells}"))?,
                        name: position_column(&axis.name),
                        order: Order::Ascending,
                        is_shown: false,
                    });
                    let mut limit = None;
                    if rule.as_deref() == Some("trim") {
                        let within = format!("{position} < {}", axis.count() / cells * cells);
                        limit = Some(build::expression(&within)?);
                        limits.push(within);
                    }
                    let key = keys.last().map(|key: &Key| key.expression.clone());
                    let source = key.and_then(|key| LabelSource::of_coarse(&pipeline, axis, &label, &key, limit));
                    labels
                        .push((label, ResultDimension { name: axis.name.clone(), order: axis.order, labels: source }));
                }
            }
        }
        let reduced = factors.iter().map(|(axis, _)| axis.name.clone()).collect();
        let limit = match limits.is_empty() {
            true => None,
            false => Some(build::expression(&limits.join(" AND "))?),
        };
        self.grouped(&pipeline, block, keys, reduced, &items, &labels, limit)
    }

    /// `|> RESAMPLE items TO dim 'step'`
    pub(super) fn resample(
        &mut self,
        pipeline: Pipeline,
        items: &[Item],
        dimension: &Ident,
        to: &Expr,
    ) -> Result<Relation, Error> {
        let mut items = items.to_vec();
        let named = self.resolve_items(&pipeline, &mut items)?;
        let Some(resampled) = pipeline.dimension(dimension).map(|axis| axis.name.clone()) else {
            return Err(self.unknown_dimension(&pipeline, dimension));
        };
        let block = self.block(&pipeline, &named)?;
        if !block.table.axes().iter().any(|axis| axis.name == resampled) {
            let message = format!("nothing that is resampled varies along `{resampled}`");
            return Err(self.error_at(dimension.span, message));
        }
        let mut keys = Vec::new();
        for axis in block.dimensions() {
            match axis.name == resampled {
                false => keys.extend(kept(axis)),
                true => keys.push(Key {
                    expression: build::call("bin", &[build::column(&resampled), to.clone()])?,
                    name: resampled.clone(),
                    order: Order::Ascending,
                    is_shown: true,
                }),
            }
        }
        self.grouped(&pipeline, block, keys, vec![resampled], &items, &[], None)
    }

    fn resolve_items(&self, pipeline: &Pipeline, items: &mut [Item]) -> Result<Vec<String>, Error> {
        let mut named = Vec::new();
        for item in items {
            for name in self.resolve(pipeline, &mut item.expression, &Vec::new(), true)? {
                if !named.contains(&name) {
                    named.push(name);
                }
            }
        }
        Ok(named)
    }

    /// The dimensions that disappear, each one of every item's own.
    fn along(&self, pipeline: &Pipeline, items: &[Item], along: &Along) -> Result<Vec<String>, Error> {
        let dimension = |ident: &Ident| match pipeline.dimension(ident) {
            Some(axis) => Ok(axis.name.clone()),
            None => Err(self.unknown_dimension(pipeline, ident)),
        };
        let of = |item: &Item| {
            let named = names_of(pipeline, &item.expression, true);
            let columns = pipeline.columns.iter().filter(|column| named.contains(&column.name));
            let mut dimensions: Vec<String> = columns.flat_map(|column| column.dimensions.clone()).collect();
            if named.is_empty() {
                dimensions = pipeline.largest_span();
            }
            dimensions
        };
        match along {
            Along::All => Ok(pipeline.axes.iter().map(|axis| axis.name.clone()).collect()),
            Along::Keep(kept) => {
                let kept = kept.iter().map(dimension).collect::<Result<Vec<_>, Error>>()?;
                Ok(pipeline.axes.iter().map(|axis| axis.name.clone()).filter(|name| !kept.contains(name)).collect())
            }
            Along::Along(idents) => {
                let mut reduced = Vec::new();
                for ident in idents {
                    let name = dimension(ident)?;
                    if let Some(item) = items.iter().find(|item| !of(item).contains(&name)) {
                        let message = format!(
                            "`{}` does not vary along `{name}`, only along [{}]",
                            item.expression,
                            of(item).join(", ")
                        );
                        return Err(self.error_at(ident.span, message.replace('"', "")));
                    }
                    reduced.push(name);
                }
                Ok(reduced)
            }
        }
    }

    /// The block grouped by keys; `labels` are aggregates that stand for coordinates.
    #[allow(clippy::too_many_arguments)]
    fn grouped(
        &mut self,
        pipeline: &Pipeline,
        block: Block,
        keys: Vec<Key>,
        reduced: Vec<String>,
        items: &[Item],
        labels: &[(Expr, ResultDimension)],
        limit: Option<Expr>,
    ) -> Result<Relation, Error> {
        let over = Reduced { pipeline, span: block.table.axes(), reduced, strict: true };
        let mut projection: Vec<SelectItem> = Vec::new();
        let mut dimensions = Vec::new();
        for axis in block.dimensions() {
            if let Some(key) = keys.iter().find(|key| key.is_shown && key.name == axis.name) {
                projection.push(build::named(key.expression.clone(), &key.name));
                let labels = match matches!(key.expression, Expr::Identifier(_)) {
                    true => LabelSource::of_axis(pipeline, axis, None),
                    false => LabelSource::of_key(pipeline, &axis.name, None, &key.expression, key.order),
                };
                dimensions.push(ResultDimension { name: key.name.clone(), order: key.order, labels });
            }
            if let Some((expression, dimension)) = labels.iter().find(|(_, dimension)| dimension.name == axis.name) {
                projection.push(build::named(expression.clone(), &dimension.name));
                dimensions.push(dimension.clone());
            }
        }
        let mut places: Vec<SelectItem> = Vec::new();
        for dimension in &dimensions {
            // A hidden key tells equal labels apart.
            let position = position_column(&dimension.name);
            let hidden = keys.iter().find(|key| !key.is_shown && key.name == position);
            let shown = || keys.iter().find(|key| key.is_shown && key.name == dimension.name);
            if let Some(key) = hidden.or_else(shown) {
                places.push(build::named(key.expression.clone(), &key.name));
            }
        }
        let labels_shown = projection.len();
        let mut names: Vec<String> = dimensions.iter().map(|dimension| dimension.name.clone()).collect();
        for item in items {
            let name = self.item_name(pipeline, item);
            if names.contains(&name) {
                let message = format!("two columns of the result are called `{name}`");
                let help = "give one of them a name with AS".to_string();
                return Err(self.error_with(item.expression.span(), message, Some(help)));
            }
            let mut expression = self.windows(item.expression.clone(), block.table.axes(), pipeline)?;
            self.aggregates(&mut expression, &over)?;
            projection.push(build::named(expression, &name));
            names.push(name);
        }
        let mut select = build::select(projection, block.factor)?;
        select.selection = limit;
        select.group_by = GroupByExpr::Expressions(keys.into_iter().map(|key| key.expression).collect(), Vec::new());
        let mut by_place = select.clone();
        by_place.projection.splice(..labels_shown, places);
        let placed = Some(Placed { query: build::query(by_place)?, origins: HashMap::new() });
        let (query, alias) = (build::query(select)?, Some(pipeline.alias.clone()));
        Ok(Relation::Rows(RowRelation { query, alias, dimensions, is_ordered: false, placed }))
    }

    /// An unaliased aggregate keeps its variable's name.
    fn item_name(&self, pipeline: &Pipeline, item: &Item) -> String {
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

/// The keys of a dimension that stays: its labels, and its positions so that equal labels stay apart.
fn kept(axis: &Axis) -> Vec<Key> {
    let position = position_column(&axis.name);
    let key = |name: String, order, is_shown| Key { expression: build::column(&name), name, order, is_shown };
    vec![key(axis.name.clone(), axis.order, true), key(position, Order::Ascending, false)]
}

/// The mean of the labels that become one.
fn coarse_label(axis: &Axis) -> Result<Expr, Error> {
    use arrow::datatypes::DataType;
    let label = build::column(&axis.name);
    let text = match axis.labels.data_type() {
        DataType::Timestamp(unit, _) => {
            format!("arrow_cast(CAST(avg(CAST({label} AS BIGINT)) AS BIGINT), 'Timestamp({unit})')")
        }
        data_type if data_type.is_numeric() => format!("avg({label})"),
        _ => format!("min({label})"),
    };
    build::expression(&text)
}
