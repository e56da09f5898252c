//! What `INTO` writes: a query of every array and one of the labels of every dimension.
//!
//! A dataset stays a dataset: each set of dimensions is an array of its own, with the attributes that its variables had
//! in the source. Any other result is one array.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::FieldRef;
use datafusion::sql::sqlparser::ast::{Expr, GroupByExpr, Query, Select, SelectItem};
use serde_json::{Map, Value};

use super::block::Block;
use super::items::item_name;
use super::labels::{LABEL, LabelSource, PLACE, along};
use super::pipeline::{Pipeline, PipelineColumn, PipelineColumnKind, PipelineStep};
use super::{Binder, Placed, Relation, ResultDimension, RowRelation, build};
use crate::dataset::{Dataset, Variable};
use crate::error::Error;
use crate::scan::{Axis, Order, position_column};
use crate::source::cf::named_coordinates;

/// The queries of a store to be written.
#[derive(Debug, Clone, Default)]
pub struct StoreQueries {
    /// The dimensions.
    pub dimensions: Vec<DimensionQuery>,
    /// The arrays: variables on the same dimensions.
    pub arrays: Vec<ArrayQuery>,
    /// Coordinates without dimensions: the labels that brackets chose.
    pub scalars: Vec<(FieldRef, ArrayRef)>,
    /// What variables and dimensions were in the source, by name.
    pub origins: HashMap<String, Origin>,
    /// The attributes of the dataset.
    pub attributes: Map<String, Value>,
}

/// The labels of a dimension.
#[derive(Debug, Clone)]
pub struct DimensionQuery {
    /// Its name.
    pub name: String,
    /// The labels, and what tells their places apart: two columns, in dimension order.
    pub query: Query,
    /// Whether the rows of the arrays tell the places by labels, and not by what the second column has.
    pub is_by_label: bool,
}

/// An array.
#[derive(Debug, Clone)]
pub struct ArrayQuery {
    /// One row a cell, in any order.
    pub query: Query,
    /// The name of each dimension, outermost first, and the column that tells the place along it.
    pub places: Vec<(String, String)>,
}

/// What a variable of a result was in the source.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// Its attributes as stored, those used up by decoding included.
    pub attributes: Map<String, Value>,
    /// The type it was stored as: `<i2`, `float32` …
    pub stored_type: String,
    /// Cells of a chunk (of a shard, where there are any) along each dimension.
    pub chunk_shape: Vec<(String, u64)>,
    /// Whether some variable, or the group, names it in `coordinates`.
    pub is_coordinate: bool,
    /// Whether cells of it may have become missing since.
    pub is_masked: bool,
}

impl Binder<'_> {
    /// The queries of what a relation is in a store.
    pub fn store(&mut self, relation: Relation) -> Result<StoreQueries, Error> {
        if let Relation::Cells(pipeline) = &relation
            && along(pipeline, &[], None).is_some()
        {
            return self.store_of_dataset(pipeline);
        }
        let rows = self.rows(relation)?;
        self.store_of_rows(rows)
    }

    fn store_of_dataset(&mut self, pipeline: &Pipeline) -> Result<StoreQueries, Error> {
        let dataset = &pipeline.source.dataset;
        let mut store = StoreQueries { attributes: dataset.attributes.clone(), ..StoreQueries::default() };
        for axis in &pipeline.axes {
            if let Some(index) = dataset.index(&axis.name) {
                store.origins.insert(axis.name.clone(), Origin::of(index, dataset, false));
            }
            match LabelSource::of_axis(pipeline, axis, None) {
                _ if axis.scalar => store.scalars.extend(scalar_label(axis)?),
                None => return Err(Error::Internal(format!("the labels of `{}` are not known", axis.name))),
                Some(source) => {
                    let (name, query) = (axis.name.clone(), self.label_query(&source)?);
                    store.dimensions.push(DimensionQuery { name, query, is_by_label: false });
                }
            }
        }
        let mut spans: Vec<Vec<&PipelineColumn>> = Vec::new();
        for column in pipeline.columns.iter().filter(|column| column.kind != PipelineColumnKind::Dimension) {
            store.origins.extend(origin(pipeline, &column.name).map(|origin| (column.name.clone(), origin)));
            match spans.iter_mut().find(|span| span.iter().all(|other| other.dimensions == column.dimensions)) {
                Some(span) => span.push(column),
                None => spans.push(vec![column]),
            }
        }
        for columns in spans {
            store.arrays.push(self.array_over(pipeline, &columns)?);
        }
        Ok(store)
    }

    /// The array of the columns, which are all on the same dimensions.
    fn array_over(&mut self, pipeline: &Pipeline, columns: &[&PipelineColumn]) -> Result<ArrayQuery, Error> {
        let span = columns.first().map(|column| column.dimensions.clone()).unwrap_or_default();
        let narrowed =
            along(pipeline, &span, None).ok_or_else(|| Error::Internal("conditions on values".to_string()))?;
        let block = self.block_over(&narrowed, &span)?;
        let places: Vec<(String, String)> =
            block.dimensions().map(|axis| (axis.name.clone(), position_column(&axis.name))).collect();
        let keys = places.iter().map(|(_, position)| SelectItem::UnnamedExpr(build::column(position)));
        let values = columns.iter().map(|column| SelectItem::UnnamedExpr(build::column(&column.name)));
        let query = build::query(build::select(keys.chain(values).collect(), block.factor)?)?;
        Ok(ArrayQuery { query, places })
    }

    fn store_of_rows(&mut self, rows: RowRelation) -> Result<StoreQueries, Error> {
        let mut store = StoreQueries::default();
        let are_known = rows.dimensions.iter().all(|dimension| dimension.labels.is_some());
        let placed = rows.placed.clone().filter(|_| are_known);
        let mut places = Vec::new();
        for dimension in &rows.dimensions {
            let name = dimension.name.clone();
            let known = dimension.labels.as_ref().filter(|source| placed.is_some() || source.is_exact());
            let query = match known {
                Some(source) => self.label_query(source)?,
                None => labels_of_rows(&rows, dimension)?,
            };
            if let Some((source, axis)) = known.and_then(|source| Some((source, source.axis()?))) {
                let dataset = &source.pipeline.source.dataset;
                let index = dataset.index(axis).map(|index| (name.clone(), Origin::of(index, dataset, false)));
                store.origins.extend(index);
            }
            let has_positions = placed.is_some() && known.is_some_and(|source| source.has_positions());
            let column = if has_positions { position_column(&name) } else { name.clone() };
            places.push((name.clone(), column));
            store.dimensions.push(DimensionQuery { name, query, is_by_label: !has_positions });
        }
        let query = match placed {
            Some(placed) => {
                store.origins.extend(placed.origins);
                placed.query
            }
            None => rows.query,
        };
        store.arrays.push(ArrayQuery { query, places });
        Ok(store)
    }
}

/// The rows of a select over cells, with positions in place of labels, in no order.
pub(super) fn placed_cells(
    pipeline: &Pipeline,
    block: &Block,
    select: &Select,
    dimensions: &[ResultDimension],
) -> Result<Option<Placed>, Error> {
    if dimensions.is_empty() || select.having.is_some() {
        return Ok(None);
    }
    let mut select = select.clone();
    select.projection.retain(|item| {
        let name = item_name(item);
        !dimensions.iter().any(|dimension| name.as_ref() == Some(&dimension.name))
    });
    let mut origins = HashMap::new();
    for item in &select.projection {
        if let (Some(name), Some(Expr::Identifier(ident))) = (item_name(item), super::items::item_expression(item)) {
            origins.extend(origin(pipeline, &ident.value).map(|origin| (name, origin)));
        }
    }
    let positions = block.dimensions().zip(dimensions).map(|(axis, dimension)| {
        build::named(build::column(&position_column(&axis.name)), &position_column(&dimension.name))
    });
    select.projection.splice(0..0, positions);
    select.from[0].relation = block.factor.clone();
    Ok(Some(Placed { query: build::query(select)?, origins }))
}

/// The labels that rows have: the rows are computed twice then.
fn labels_of_rows(rows: &RowRelation, dimension: &ResultDimension) -> Result<Query, Error> {
    let label = build::column(&dimension.name);
    let items = vec![build::named(label.clone(), LABEL), build::named(label.clone(), PLACE)];
    let mut select = build::select(items, build::derived(rows.query.clone(), rows.alias.as_ref()))?;
    select.group_by = GroupByExpr::Expressions(vec![label], Vec::new());
    let mut query = build::query(select)?;
    query.order_by = Some(build::order_by(&[(PLACE.to_string(), dimension.order == Order::Descending)]));
    Ok(query)
}

/// The one label that brackets chose of a dimension, as a coordinate without dimensions.
fn scalar_label(axis: &Axis) -> Result<Option<(FieldRef, ArrayRef)>, Error> {
    let is_unlabelled = axis.field.metadata().contains_key("quarray.unlabelled");
    if is_unlabelled || axis.fraction.is_some() || axis.count() != 1 {
        return Ok(None);
    }
    Ok(Some((Arc::clone(&axis.field), axis.selected_labels()?)))
}

/// What a column of a pipeline was in the source, if no step made it anew.
fn origin(pipeline: &Pipeline, column: &str) -> Option<Origin> {
    let mut name = column;
    for step in pipeline.steps.iter().rev() {
        let PipelineStep::Extend(items) = step else { continue };
        if let Some((_, expression)) = items.iter().find(|(made, _)| made == name) {
            let Expr::Identifier(ident) = expression else { return None };
            name = &ident.value;
        }
    }
    let dataset = &pipeline.source.dataset;
    let variable = dataset.variable(name)?;
    let is_masked = pipeline.steps.iter().any(|step| matches!(step, PipelineStep::Mask { .. }));
    let mut origin = Origin::of(variable, dataset, is_masked);
    if pipeline.axes.iter().any(|axis| axis.fraction.is_some() && variable.dimensions.contains(&axis.name)) {
        // What lies between two cells is no number that the source could store.
        origin.stored_type.clear();
    }
    Some(origin)
}

impl Origin {
    fn of(variable: &Variable, dataset: &Dataset, is_masked: bool) -> Self {
        let mut named = named_coordinates(&dataset.attributes);
        dataset.variables.iter().for_each(|other| named.extend(named_coordinates(&other.attributes)));
        let mut attributes = variable.attributes.clone();
        if let Some(missing) = &variable.encoding.missing_value {
            attributes.entry("_FillValue").or_insert_with(|| missing.clone());
        }
        let chunks = variable.encoding.shard_shape.as_deref().unwrap_or(variable.array.grid().chunk_shape());
        Self {
            attributes,
            stored_type: variable.encoding.stored_type.clone(),
            chunk_shape: variable.dimensions.iter().cloned().zip(chunks.iter().copied()).collect(),
            is_coordinate: named.contains(&variable.name),
            is_masked,
        }
    }
}
