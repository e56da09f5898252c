//! Results as labelled arrays: the cells of the rows in C order, beside the labels of their dimensions.

mod collect;
mod label_index;

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Float64Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::MemoryReservation;
use ndarray::{ArrayD, IxDyn};
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::suggest::{closest, did_you_mean};

use crate::error::Error;
use crate::outcome::Rows;

pub(crate) use label_index::LabelIndex;

/// The most cells that are held in memory when nothing else is said.
pub const CELLS_MAX: u64 = 50_000_000;

/// Variables on the same labelled dimensions, held in memory.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// The dimensions, outermost first; none for a single number.
    pub dimensions: Vec<LabelledDimension>,
    /// The variables, each over all of the dimensions.
    pub variables: Vec<LabelledVariable>,
}

/// A dimension and its labels.
#[derive(Debug, Clone)]
pub struct LabelledDimension {
    /// Its name.
    pub name: String,
    /// One label a cell along it, no label twice.
    pub labels: ArrayRef,
    /// `units`, `long_name`, `calendar` …
    pub metadata: HashMap<String, String>,
}

/// A variable and its cells.
#[derive(Debug, Clone)]
pub struct LabelledVariable {
    /// Its name.
    pub name: String,
    /// Its cells in C order over all the dimensions; a missing cell is a null.
    pub values: ArrayRef,
    /// `units`, `long_name`, `calendar` …
    pub metadata: HashMap<String, String>,
}

impl Rows {
    /// The rows as labelled arrays, of at most `cells_max` cells ([`CELLS_MAX`] is a good bound).
    ///
    /// Labels are in the order of the rows where these have one, else ascending; a cell that no row has is missing; two
    /// rows with the same labels are an error. Rows without dimensions are a number a column when there is but one row,
    /// else an error.
    pub async fn into_labelled(self, cells_max: u64) -> Result<Labelled, Error> {
        self.into_labelled_held(cells_max).await.map(|(array, _)| array)
    }

    /// The same, beside the memory that the arrays take of the query's: for someone who goes on holding them.
    pub async fn into_labelled_held(self, cells_max: u64) -> Result<(Labelled, MemoryReservation), Error> {
        collect::collect(self, cells_max).await
    }
}

impl Labelled {
    /// The rows as labelled arrays of at most [`CELLS_MAX`] cells: see [`Rows::into_labelled`].
    pub async fn collect(rows: Rows) -> Result<Self, Error> {
        rows.into_labelled(CELLS_MAX).await
    }

    /// Cells along each dimension.
    pub fn shape(&self) -> Vec<usize> {
        self.dimensions.iter().map(|dimension| dimension.labels.len()).collect()
    }

    /// The dimension of that name.
    pub fn dimension(&self, name: &str) -> Result<&LabelledDimension, Error> {
        let names = || self.dimensions.iter().map(|dimension| dimension.name.as_str());
        self.dimensions
            .iter()
            .find(|dimension| dimension.name == name)
            .ok_or_else(|| unknown("dimension", name, &names().collect::<Vec<_>>()))
    }

    /// The variable of that name.
    pub fn variable(&self, name: &str) -> Result<&LabelledVariable, Error> {
        let names = || self.variables.iter().map(|variable| variable.name.as_str());
        self.variables
            .iter()
            .find(|variable| variable.name == name)
            .ok_or_else(|| unknown("variable", name, &names().collect::<Vec<_>>()))
    }

    /// The cells of a variable of numbers, as `f64`; a missing one is a NaN.
    pub fn values_f64(&self, name: &str) -> Result<ArrayD<f64>, Error> {
        let variable = self.variable(name)?;
        let values = numbers(&variable.values).ok_or_else(|| wrong_type(variable, "numbers"))?;
        self.shaped(values)
    }

    /// Which cells of a variable are missing.
    pub fn mask(&self, name: &str) -> Result<ArrayD<bool>, Error> {
        let values = &self.variable(name)?.values;
        let nulls = values.logical_nulls();
        let is_missing = |place| nulls.as_ref().is_some_and(|nulls| nulls.is_null(place));
        self.shaped((0..values.len()).map(is_missing).collect())
    }

    /// The cells of a variable as they are, a missing one being the zero of its type: see [`Labelled::mask`].
    pub fn array<T: ArrowPrimitiveType>(&self, name: &str) -> Result<ArrayD<T::Native>, Error> {
        let variable = self.variable(name)?;
        let values: &PrimitiveArray<T> =
            variable.values.as_primitive_opt().ok_or_else(|| wrong_type(variable, &T::DATA_TYPE.to_string()))?;
        self.shaped(values.iter().map(Option::unwrap_or_default).collect())
    }

    fn shaped<T>(&self, values: Vec<T>) -> Result<ArrayD<T>, Error> {
        ArrayD::from_shape_vec(IxDyn(&self.shape()), values).map_err(|error| Error::Internal(error.to_string()))
    }
}

/// Values as `f64`, a NaN for a null; `None` where they are no numbers.
pub(crate) fn numbers(values: &ArrayRef) -> Option<Vec<f64>> {
    if !is_number(values.data_type()) {
        return None;
    }
    let values = cast(values, &DataType::Float64).ok()?;
    let values: &Float64Array = values.as_primitive_opt()?;
    Some(match values.null_count() {
        0 => values.values().to_vec(),
        _ => values.iter().map(|value| value.unwrap_or(f64::NAN)).collect(),
    })
}

/// Whether values of a type are numbers, or truth values, which count as 0 and 1.
pub(crate) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Boolean)
}

/// An error of Arrow's.
pub(crate) fn arrow_error(error: arrow::error::ArrowError) -> Error {
    Error::from(DataFusionError::from(error))
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Error {
    let diagnostic = Diagnostic::new(format!("no {what} `{name}` among [{}]", known.join(", ")));
    Error::Bind(match closest(name, known.iter().copied()) {
        Some(near) => diagnostic.with_help(did_you_mean(near)),
        None => diagnostic,
    })
}

fn wrong_type(variable: &LabelledVariable, expected: &str) -> Error {
    let found = variable.values.data_type();
    Error::Bind(Diagnostic::new(format!("`{}`: expected {expected}, found values of type {found}", variable.name)))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::rows_of as test_rows;
