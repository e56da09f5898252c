//! A dataset as plain tables, for a DataFusion context of someone else's.
//!
//! The tables are fixed: they do not depend on the query. `ds` holds the coordinates and the variables of exactly the
//! largest set of dimensions; every other set that variables are on is a table of its own, `ds_lat_lon`, and single
//! numbers are the one row of `ds_scalars`. So no cell is in a table twice, and `count(*)` and `sum(…)` mean what they
//! say.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::access::AccessPolicy;
use crate::catalog::open_dataset;
use crate::dataset::{Dataset, Role};
use crate::error::Error;
use crate::scan::{CellTable, ColumnKind, LabelledDataset};
use crate::source::store::StoreOptions;

/// Tables and the names they stand under.
pub type NamedTables = Vec<(String, Arc<dyn TableProvider>)>;

/// The tables of the dataset at `uri`: that of its largest set of dimensions first, under `name` itself.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use datafusion::prelude::SessionContext;
/// use quarray_engine::provider::dataset_tables;
///
/// let context = SessionContext::new();
/// for (name, table) in dataset_tables("era5", "era5.zarr", &Default::default()).await? {
///     context.register_table(name, table)?;
/// }
/// context.sql("SELECT lat, avg(t2m) FROM era5 GROUP BY lat").await?.show().await?;
/// # Ok(())
/// # }
/// ```
pub async fn dataset_tables(
    name: &str,
    uri: &str,
    options: &StoreOptions,
) -> Result<Vec<(String, Arc<dyn TableProvider>)>, Error> {
    let source = open_dataset(name, uri, options, &AccessPolicy::everything()).await?;
    tables_of(name, &source)
}

/// The tables of a dataset that is open already.
pub fn tables_of(name: &str, source: &Arc<LabelledDataset>) -> Result<NamedTables, Error> {
    let sets = dimension_sets(&source.dataset);
    let mut tables: Vec<(String, Arc<dyn TableProvider>)> = Vec::with_capacity(sets.len());
    let mut shown = HashSet::new();
    for (number, dimensions) in sets.iter().enumerate() {
        let table_name = match (number, dimensions.is_empty()) {
            (0, _) => name.to_string(),
            (_, false) => format!("{name}_{}", dimensions.join("_")),
            (_, true) => format!("{name}_scalars"),
        };
        let table = DatasetTable::new(&table_name, Arc::clone(source), dimensions, number == 0)?;
        // What the main table has need not be repeated, unless there is more on the same dimensions.
        let names: Vec<String> = table.variables().map(str::to_string).collect();
        if number == 0 || names.iter().any(|name| !shown.contains(name)) {
            shown.extend(names);
            tables.push((table_name, Arc::new(table)));
        }
    }
    Ok(tables)
}

/// The sets of dimensions that variables are on, the largest of the data variables first; the first of several as large.
fn dimension_sets(dataset: &Dataset) -> Vec<Vec<String>> {
    let of_role = |role: Role| dataset.variables.iter().filter(move |variable| variable.role == role);
    let mut sets: Vec<Vec<String>> = Vec::new();
    for variable in of_role(Role::Data).chain(of_role(Role::Coordinate)) {
        if !sets.contains(&variable.dimensions) {
            sets.push(variable.dimensions.clone());
        }
    }
    let data: HashSet<&Vec<String>> = of_role(Role::Data).map(|variable| &variable.dimensions).collect();
    let size = |set: &Vec<String>| (data.is_empty() || data.contains(set), set.len());
    let largest = (0..sets.len()).rev().max_by_key(|&number| size(&sets[number]));
    match largest {
        Some(number) => sets[..=number].rotate_right(1),
        None => sets.push(dataset.dimensions.iter().map(|dimension| dimension.name.clone()).collect()),
    }
    sets
}

/// The cells of one set of dimensions, without the columns that are the language's own.
#[derive(Debug)]
struct DatasetTable {
    cells: CellTable,
    /// The columns of the cells that are shown.
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl DatasetTable {
    /// The table of the variables on exactly these dimensions; with the coordinates on some of them, if asked for.
    fn new(
        name: &str,
        source: Arc<LabelledDataset>,
        dimensions: &[String],
        with_coordinates: bool,
    ) -> Result<Self, Error> {
        let cells = CellTable::whole(name, source, dimensions)?;
        let is_shown = |number: &usize| {
            let column = &cells.columns()[*number];
            match (column.kind, cells.variable(column)) {
                (ColumnKind::Label(_), _) => true,
                (ColumnKind::Variable(_), Some(variable)) => {
                    variable.dimensions == dimensions || with_coordinates && variable.role == Role::Coordinate
                }
                _ => false,
            }
        };
        let columns: Vec<usize> = (0..cells.columns().len()).filter(is_shown).collect();
        let fields: Vec<_> = columns.iter().map(|&column| Arc::clone(&cells.columns()[column].field)).collect();
        Ok(Self { cells, columns, schema: Arc::new(Schema::new(fields)) })
    }

    /// The names of the columns that are no labels.
    fn variables(&self) -> impl Iterator<Item = &str> {
        let columns = self.columns.iter().map(|&column| &self.cells.columns()[column]);
        columns.filter(|column| column.kind.axis().is_none()).map(|column| column.field.name().as_str())
    }
}

#[async_trait]
impl TableProvider for DatasetTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        self.cells.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let columns = match projection {
            Some(shown) => shown.iter().map(|&column| self.columns[column]).collect(),
            None => self.columns.clone(),
        };
        self.cells.scan(state, Some(&columns), filters, limit).await
    }
}
