//! What is written into a store: dimensions with all of their labels, and rows that belong to places along them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{Field, FieldRef};
use quarray_lang::diagnostic::Diagnostic;
use serde_json::{Map, Value};

use crate::bind::Origin;
use crate::error::Error;
use crate::labelled::{CELLS_MAX, Labelled};
use crate::outcome::Rows;

/// The contents of a store to be written.
#[derive(Debug, Default)]
pub struct StoreContents {
    /// The dimensions.
    pub dimensions: Vec<StoreDimension>,
    /// The arrays: variables on the same dimensions.
    pub arrays: Vec<StoreArray>,
    /// Coordinates without dimensions, one value each.
    pub scalars: Vec<(FieldRef, ArrayRef)>,
    /// What variables and dimensions were in their source, by name.
    pub origins: HashMap<String, Origin>,
    /// The attributes of the whole.
    pub attributes: Map<String, Value>,
}

/// A dimension of a store.
#[derive(Debug)]
pub struct StoreDimension {
    /// Its name; units and the like in the metadata.
    pub field: FieldRef,
    /// One label a cell along it.
    pub labels: ArrayRef,
    /// What rows have in the column that tells the place of a label: the labels themselves, or anything as distinct.
    pub places: ArrayRef,
}

/// Variables on the same dimensions of a store.
#[derive(Debug)]
pub struct StoreArray {
    /// The numbers of the dimensions in the store, outermost first.
    pub(super) dimensions: Vec<usize>,
    /// The columns of the variables.
    pub(super) variables: Vec<FieldRef>,
    pub(super) cells: ArrayCells,
}

/// The cells of an array.
#[derive(Debug)]
pub(super) enum ArrayCells {
    /// The values of each variable, whole.
    Held(Vec<ArrayRef>),
    /// Rows to come; the columns that tell their places.
    Coming(Rows, Vec<String>),
}

impl StoreArray {
    /// Rows to come, one a cell, in any order. `places` are the number of each dimension, outermost first, and the
    /// column that tells the place along it; every other column is a variable. Without dimensions there is one row.
    pub async fn of_rows(rows: Rows, places: Vec<(usize, String)>) -> Result<Self, Error> {
        let schema = rows.schema();
        let is_variable = |field: &&FieldRef| !places.iter().any(|(_, column)| column == field.name());
        let variables = schema.fields().iter().filter(is_variable).cloned().collect();
        let (dimensions, columns): (Vec<usize>, Vec<String>) = places.into_iter().unzip();
        let cells = match dimensions.is_empty() {
            false => ArrayCells::Coming(rows, columns),
            true => {
                let only = rows.into_labelled(CELLS_MAX).await?;
                ArrayCells::Held(only.variables.into_iter().map(|variable| variable.values).collect())
            }
        };
        Ok(Self { dimensions, variables, cells })
    }
}

impl StoreContents {
    /// Arrays that tell themselves what their labels are, dimensions of one name having the same ones. Rows whose labels
    /// are not known are collected, up to [`CELLS_MAX`] cells of all arrays.
    pub async fn of_rows(arrays: Vec<Rows>) -> Result<Self, Error> {
        let mut contents = Self::default();
        let mut cells_left = CELLS_MAX;
        for rows in arrays {
            let array = match known_labels(&rows)? {
                Some(dimensions) => {
                    let mut places = Vec::with_capacity(dimensions.len());
                    for (field, labels) in dimensions {
                        let name = field.name().clone();
                        places.push((contents.dimension(field, labels)?, name));
                    }
                    StoreArray::of_rows(rows, places).await?
                }
                None => {
                    let labelled = rows.into_labelled(cells_left).await?;
                    let cells = labelled.shape().iter().map(|&length| length as u64).product();
                    cells_left = cells_left.saturating_sub(cells);
                    contents.held(labelled)?
                }
            };
            contents.arrays.push(array);
        }
        Ok(contents)
    }

    fn held(&mut self, labelled: Labelled) -> Result<StoreArray, Error> {
        let mut dimensions = Vec::with_capacity(labelled.dimensions.len());
        for dimension in labelled.dimensions {
            let field = Field::new(&dimension.name, dimension.labels.data_type().clone(), true);
            let field = Arc::new(field.with_metadata(dimension.metadata));
            dimensions.push(self.dimension(field, dimension.labels)?);
        }
        let (mut variables, mut values) = (Vec::new(), Vec::new());
        for variable in labelled.variables {
            let field = Field::new(&variable.name, variable.values.data_type().clone(), true);
            variables.push(Arc::new(field.with_metadata(variable.metadata)));
            values.push(variable.values);
        }
        Ok(StoreArray { dimensions, variables, cells: ArrayCells::Held(values) })
    }

    /// The number of a dimension, which is added unless it is there.
    fn dimension(&mut self, field: FieldRef, labels: ArrayRef) -> Result<usize, Error> {
        let known = self.dimensions.iter().position(|known| known.field.name() == field.name());
        match known.map(|number| (number, &self.dimensions[number])) {
            Some((number, known)) if known.labels.as_ref() == labels.as_ref() => Ok(number),
            Some(_) => Err(different_labels(field.name())),
            None => {
                let places = Arc::clone(&labels);
                self.dimensions.push(StoreDimension { field, labels, places });
                Ok(self.dimensions.len() - 1)
            }
        }
    }
}

/// The columns of all dimensions and their labels, where there are dimensions and all labels are known.
fn known_labels(rows: &Rows) -> Result<Option<Vec<(FieldRef, ArrayRef)>>, Error> {
    let schema = rows.schema();
    let mut known = Vec::with_capacity(rows.dimensions.len());
    for name in &rows.dimensions {
        let Some(labels) = rows.labels_of(name) else { return Ok(None) };
        let field = schema.field_with_name(name);
        let field = field.map_err(|_| Error::Internal(format!("dimension `{name}` is none of the columns")))?;
        known.push((Arc::new(field.clone()), Arc::clone(labels)));
    }
    Ok((!known.is_empty()).then_some(known))
}

fn different_labels(name: &str) -> Error {
    let message =
        format!("dimension `{name}` has other labels in one variable than in another: expected the same ones");
    Error::Bind(Diagnostic::new(message).with_help("write them into stores of their own"))
}
