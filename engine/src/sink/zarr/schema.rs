//! What is to be written: dimensions, variables, attributes.

use std::collections::HashSet;

use arrow::datatypes::DataType;
use serde_json::{Map, Value};

use super::Codec;
use crate::dataset::Dimension;

/// A store to be written.
#[derive(Debug, Clone)]
pub struct StoreSchema {
    /// The dimensions and their lengths.
    pub dimensions: Vec<Dimension>,
    /// The variables, index coordinates among them (1-d, with the name of their dimension).
    pub variables: Vec<VariableSchema>,
    /// The group's attributes.
    pub attributes: Map<String, Value>,
    /// How chunks are compressed.
    pub codec: Codec,
    /// The version of the Zarr format, 2 or 3.
    pub zarr_version: u8,
}

/// A variable to be written.
#[derive(Debug, Clone)]
pub struct VariableSchema {
    /// Its name.
    pub name: String,
    /// Its dimensions, outermost first.
    pub dimensions: Vec<String>,
    /// The Arrow type of the values that will come.
    pub data_type: DataType,
    /// Cells of a chunk along each dimension, at least 1.
    pub chunk_shape: Vec<u64>,
    /// Its attributes. `_FillValue` says what stands for a missing cell of an integer array; attributes that told how
    /// a source was packed (`scale_factor` …) are left out, as the values come unpacked.
    pub attributes: Map<String, Value>,
    /// For floats: a missing cell comes as a NaN. Missing cells that come as nulls are NaNs in the store too.
    pub nan_is_missing: bool,
    /// The calendar of `Int64` microseconds since 1970-01-01 in that calendar.
    pub calendar: Option<String>,
    /// Whether it is an auxiliary coordinate: the variables on its dimensions then name it in `coordinates`.
    pub coordinate: bool,
    /// How the values are packed; not at all without it.
    pub packing: Option<Packing>,
}

/// How values of `Float64`, or times, are packed into stored numbers; of other values it is told that they are packed.
#[derive(Debug, Clone, PartialEq)]
pub struct Packing {
    /// The type of the stored numbers. Times are stored as floats only where they are no whole number of their units.
    pub stored: DataType,
    /// What a stored number is multiplied with first.
    pub scale: Option<f64>,
    /// What is added then.
    pub offset: Option<f64>,
}

impl StoreSchema {
    /// A schema without variables: Zarr 3, the usual codec.
    pub fn new(dimensions: Vec<Dimension>) -> Self {
        Self { dimensions, variables: vec![], attributes: Map::new(), codec: Codec::default(), zarr_version: 3 }
    }

    /// The shape of a variable, by its number.
    pub fn shape(&self, variable: usize) -> Vec<u64> {
        let length = |name: &String| self.dimensions.iter().find(|d| d.name == *name).map_or(0, |d| d.length);
        self.variables.get(variable).map_or(vec![], |v| v.dimensions.iter().map(length).collect())
    }

    /// Refuses a schema that cannot be written.
    pub(super) fn check(&self) -> Result<(), String> {
        if !matches!(self.zarr_version, 2 | 3) {
            return Err(format!("expected version 2 or 3 of Zarr, found {}", self.zarr_version));
        }
        let mut names = HashSet::new();
        for dimension in &self.dimensions {
            if !names.insert(&dimension.name) {
                return Err(format!("dimension `{}` is there twice", dimension.name));
            }
        }
        let mut names = HashSet::new();
        for variable in &self.variables {
            if !names.insert(&variable.name) {
                return Err(format!("variable `{}` is there twice", variable.name));
            }
            self.check_variable(variable).map_err(|message| format!("variable `{}`: {message}", variable.name))?;
        }
        Ok(())
    }

    fn check_variable(&self, variable: &VariableSchema) -> Result<(), String> {
        crate::source::store::check_key(&variable.name)?;
        let reserved = ["zarr.json", "c"].contains(&variable.name.as_str()) || variable.name.starts_with(".z");
        if reserved || variable.name.contains('/') {
            return Err("the name cannot be that of an array in a store".to_string());
        }
        for name in &variable.dimensions {
            if !self.dimensions.iter().any(|dimension| dimension.name == *name) {
                return Err(format!("dimension `{name}` is not one of the store"));
            }
        }
        if variable.dimensions.iter().collect::<HashSet<_>>().len() < variable.dimensions.len() {
            return Err("a dimension is named twice".to_string());
        }
        if variable.chunk_shape.len() != variable.dimensions.len() || variable.chunk_shape.contains(&0) {
            return Err(format!(
                "expected a chunk shape of {} lengths of at least 1, found {:?}",
                variable.dimensions.len(),
                variable.chunk_shape
            ));
        }
        Ok(())
    }
}
