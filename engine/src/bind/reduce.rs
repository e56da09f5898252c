//! `REDUCE`, `COARSEN` and `RESAMPLE` of a dataset: group-bys over the cells of its span.

use datafusion::sql::sqlparser::ast::{Expr, Ident};
use quarray_lang::syntax::{Along, Item};

use super::block::Block;
use super::grouped::{Grouping, Key, MeanLabel, kept};
use super::names::span_of;
use super::parts::dimensions_named;
use super::pipeline::Pipeline;
use super::{Binder, LabelSource, Relation, build};
use crate::error::Error;
use crate::scan::{Axis, Order, position_column};

impl Binder<'_> {
    /// `|> REDUCE items ALONG …`
    pub(super) fn reduce(&mut self, pipeline: Pipeline, items: &[Item], along: &Along) -> Result<Relation, Error> {
        let mut items = items.to_vec();
        let named = self.resolve_items(&pipeline, &mut items)?;
        let along = self.along(&pipeline, &items, along)?;
        if let Some(parts) = self.parts(&pipeline, &items, &named, &along)? {
            return self.reduce_parts(&pipeline, &items, &parts, &along);
        }
        let block = self.block(&pipeline, &named)?;
        let grouping = self.reduction(&pipeline, &block, &along)?;
        self.grouped_relation(&pipeline, block, grouping, &items)
    }

    /// The grouping of a block by the dimensions that are not reduced.
    pub(super) fn reduction(&self, pipeline: &Pipeline, block: &Block, along: &[String]) -> Result<Grouping, Error> {
        let keys = block.dimensions().filter(|axis| !along.contains(&axis.name)).flat_map(kept).collect();
        let reduced = block.table.axes().iter().filter(|axis| axis.scalar || along.contains(&axis.name));
        let reduced = reduced.map(|axis| axis.name.clone()).collect();
        let absent = self.absent_of_reduce(pipeline, block, along)?;
        Ok(Grouping { keys, reduced, absent, ..Grouping::default() })
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
            self.check_labels(&pipeline, axis, ident.span)?;
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
        let mut grouping = Grouping::default();
        let mut limits = Vec::new();
        for axis in block.dimensions() {
            match factors.iter().find(|(known, _)| known.name == axis.name) {
                None => grouping.keys.extend(kept(axis)),
                Some((_, cells)) => {
                    let (label, position) = (coarse_label(axis)?, build::column(&position_column(&axis.name)));
                    let key = build::expression(&format!("{position} / {cells}"))?;
                    grouping.keys.push(Key {
                        expression: key.clone(),
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
                    let labels = LabelSource::of_coarse(&pipeline, axis, &label, &key, limit);
                    let (name, order) = (axis.name.clone(), axis.order);
                    grouping.labels.push(MeanLabel { expression: label, name, order, labels });
                }
            }
        }
        grouping.reduced = factors.iter().map(|(axis, _)| axis.name.clone()).collect();
        if !limits.is_empty() {
            grouping.limit = Some(build::expression(&limits.join(" AND "))?);
        }
        self.grouped_relation(&pipeline, block, grouping, &items)
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
        let absent = self.absent_of_resample(&pipeline, &block, &resampled, to)?;
        let grouping = Grouping { keys, reduced: vec![resampled], absent, ..Grouping::default() };
        self.grouped_relation(&pipeline, block, grouping, &items)
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
                    let calls = || items.iter().flat_map(|item| self.aggregated(&item.expression));
                    let of = |call: &Expr| dimensions_named(pipeline, call).unwrap_or_else(|| pipeline.largest_span());
                    if let Some(call) = calls().find(|call| !of(call).contains(&name)) {
                        let message =
                            format!("`{call}` does not vary along `{name}`, only along [{}]", of(&call).join(", "));
                        return Err(self.error_at(ident.span, message.replace('"', "")));
                    }
                    reduced.push(name);
                }
                Ok(reduced)
            }
        }
    }
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
