//! A dataset: variables on shared dimensions, as a source describes them. Nothing in it is data.

use std::sync::Arc;

use arrow::datatypes::DataType;
use serde_json::{Map, Value};

use crate::source::ArraySource;

/// Variables on shared dimensions, and their attributes.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Where it came from, secrets taken out: for messages and summaries.
    pub uri: String,
    /// The dimensions, in the order in which the variables first name them.
    pub dimensions: Vec<Dimension>,
    /// Index coordinates, auxiliary coordinates and data variables.
    pub variables: Vec<Variable>,
    /// The group's attributes.
    pub attributes: Map<String, Value>,
}

/// A dimension: a name and how many cells there are along it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// Cells along it.
    pub length: u64,
}

/// What a variable is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The 1-d variable that has the name of its dimension: its values are the labels of the cells.
    Index,
    /// An auxiliary coordinate: named by a `coordinates`, `bounds`, `grid_mapping` … attribute.
    Coordinate,
    /// A data variable.
    Data,
}

/// One variable of a dataset.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name in the dataset.
    pub name: String,
    /// Its dimensions, outermost first.
    pub dimensions: Vec<String>,
    /// What it is for.
    pub role: Role,
    /// The Arrow type of its decoded values.
    pub data_type: DataType,
    /// For floats: a missing cell is a NaN in the decoded values, which then carry no validity. Otherwise missing cells
    /// are nulls.
    pub nan_is_missing: bool,
    /// The calendar of a time variable whose values are not Arrow timestamps: `Int64` microseconds since
    /// 1970-01-01 in that calendar (`360_day`, `noleap` …).
    pub calendar: Option<String>,
    /// Its attributes as stored, those used up by decoding included.
    pub attributes: Map<String, Value>,
    /// How it is stored, for summaries.
    pub encoding: Encoding,
    /// Its cells.
    pub array: Arc<dyn ArraySource>,
}

/// How a variable is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    /// The stored type (`<f4`, `float32` …).
    pub stored_type: String,
    /// The codecs (`blosc(lz4, 5, shuffle)` …).
    pub codecs: String,
    /// The inner shape of shards, where there are any; the grid's chunks are then the inner ones.
    pub shard_shape: Option<Vec<u64>>,
    /// The fill value, as text.
    pub fill_value: Option<String>,
    /// The fill value where the format has it stand for a missing cell (version 2 of Zarr).
    pub missing_value: Option<Value>,
}

impl Dataset {
    /// The variable of that name.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// The dimension of that name.
    pub fn dimension(&self, name: &str) -> Option<&Dimension> {
        self.dimensions.iter().find(|dimension| dimension.name == name)
    }

    /// The index coordinate of a dimension, if it has labels.
    pub fn index(&self, dimension: &str) -> Option<&Variable> {
        self.variable(dimension).filter(|variable| variable.role == Role::Index)
    }
}

impl Variable {
    /// The `units` attribute, if there is one.
    pub fn units(&self) -> Option<&str> {
        self.attributes.get("units").and_then(Value::as_str)
    }

    /// Cells along each dimension.
    pub fn shape(&self) -> &[u64] {
        self.array.grid().shape()
    }
}
