//! The table of the cells of a span of a dataset.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::predicate::{axis_of, matching};
use super::{Axis, LabelledDataset, labels::field_of};
use crate::array::Positions;
use crate::dataset::{Role, Variable};
use crate::error::Error;
use crate::exec::{PlanSettings, rows_of_cells};

/// The name of the column that holds the source positions along a dimension. It is in no `SELECT *`.
pub fn position_column(dimension: &str) -> String {
    format!("{dimension}[]")
}

/// What a column of a [`CellTable`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// The labels along an axis.
    Label(usize),
    /// The source positions along an axis.
    Position(usize),
    /// The cells of a variable of the dataset, by its place in [`crate::dataset::Dataset::variables`].
    Variable(usize),
}

impl ColumnKind {
    /// The axis whose labels alone decide the column's values.
    pub fn axis(&self) -> Option<usize> {
        match self {
            Self::Label(axis) | Self::Position(axis) => Some(*axis),
            Self::Variable(_) => None,
        }
    }
}

/// A column of a [`CellTable`].
#[derive(Debug, Clone)]
pub struct Column {
    /// Name, type and metadata.
    pub field: Arc<Field>,
    /// What it holds.
    pub kind: ColumnKind,
    /// The axes of the table that its values vary along, in the order of the variable's own dimensions.
    pub axes: Vec<usize>,
}

/// The cells of a span of dimensions of a dataset: one row a cell; a variable on some of the dimensions repeats along
/// the others.
#[derive(Debug, Clone)]
pub struct CellTable {
    name: String,
    source: Arc<LabelledDataset>,
    axes: Vec<Axis>,
    columns: Vec<Column>,
    schema: SchemaRef,
}

impl CellTable {
    /// The table over `axes` (outermost first): their labels, then every variable whose dimensions are all among them,
    /// then the positions.
    pub fn new(name: String, source: Arc<LabelledDataset>, axes: Vec<Axis>) -> Self {
        let mut columns: Vec<Column> = (0..axes.len())
            .map(|axis| Column {
                field: Arc::clone(&axes[axis].field),
                kind: ColumnKind::Label(axis),
                axes: vec![axis],
            })
            .collect();
        for (index, variable) in source.dataset.variables.iter().enumerate() {
            if variable.role == Role::Index {
                continue;
            }
            let along = |name: &String| axes.iter().position(|axis| &axis.name == name);
            let Some(variable_axes) = variable.dimensions.iter().map(along).collect::<Option<Vec<_>>>() else {
                continue;
            };
            let what = if variable.role == Role::Coordinate { "coordinate" } else { "variable" };
            let field = Arc::new(field_of(variable, what));
            columns.push(Column { field, kind: ColumnKind::Variable(index), axes: variable_axes });
        }
        for (axis, along) in axes.iter().enumerate() {
            let field = Arc::new(Field::new(position_column(&along.name), DataType::Int64, false));
            columns.push(Column { field, kind: ColumnKind::Position(axis), axes: vec![axis] });
        }
        let schema = Arc::new(Schema::new(columns.iter().map(|column| Arc::clone(&column.field)).collect::<Vec<_>>()));
        Self { name, source, axes, columns, schema }
    }

    /// The name it is planned under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The dataset and its labels.
    pub fn source(&self) -> &Arc<LabelledDataset> {
        &self.source
    }

    /// The axes, outermost first.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// The columns, in the order of the schema.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.field.name() == name)
    }

    /// The variable that a column holds the cells of.
    pub fn variable(&self, column: &Column) -> Option<&Variable> {
        match column.kind {
            ColumnKind::Variable(index) => self.source.dataset.variables.get(index),
            _ => None,
        }
    }

    /// Cells of the span that are read along each axis.
    pub fn shape(&self) -> Vec<u64> {
        self.axes.iter().map(Axis::count).collect()
    }

    /// The table without the cells whose labels fail one of the predicates, each of one axis alone.
    pub fn restricted(&self, predicates: &[Expr]) -> Result<Self> {
        let mut table = self.clone();
        for predicate in predicates {
            let Some(axis) = axis_of(&table, predicate) else {
                return datafusion::common::internal_err!("{predicate} is no predicate of one dimension");
            };
            let keep = matching(&table, axis, predicate)?;
            table.axes[axis].positions = table.axes[axis].positions.filter(|selected| keep.value(selected as usize));
        }
        Ok(table)
    }

    /// The table with other positions along an axis.
    #[must_use]
    pub fn with_positions(mut self, axis: usize, positions: Positions) -> Self {
        self.axes[axis].positions = positions;
        self
    }
}

impl PartialEq for CellTable {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && Arc::ptr_eq(&self.source, &other.source)
            && self.axes.iter().map(|axis| &axis.positions).eq(other.axes.iter().map(|axis| &axis.positions))
    }
}

impl Eq for CellTable {}

impl Hash for CellTable {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.axes.iter().for_each(|axis| axis.positions.hash(state));
    }
}

#[async_trait]
impl TableProvider for CellTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match axis_of(self, filter) {
            Some(_) => TableProviderFilterPushDown::Exact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let table = Arc::new(self.restricted(filters)?);
        let columns = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.columns.len()).collect(),
        };
        rows_of_cells(table, &columns, PlanSettings::of(state))
    }
}

impl CellTable {
    /// A table of the cells of every dimension a dataset has, in the source's order: what SQL tools see.
    pub fn whole(name: &str, source: Arc<LabelledDataset>, dimensions: &[String]) -> Result<Self, Error> {
        let axes = dimensions
            .iter()
            .map(|dimension| source.axis(dimension))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Error::Internal(format!("{name}: a dimension of {dimensions:?} has no labels")))?;
        Ok(Self::new(name.to_string(), source, axes))
    }
}
