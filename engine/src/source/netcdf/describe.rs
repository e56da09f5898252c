//! From what a file says of its variables to a dataset.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::array::{Layout, NetcdfArray};
use super::blocks::BlockFile;
use super::cells::{CellType, native};
use super::place::Place;
use crate::array::ChunkGrid;
use crate::dataset::{Dataset, Dimension, Encoding, Role, Variable};
use crate::source::SourceError;
use crate::source::cf::{Decoding, Rules, coordinate_names};
use crate::source::zarr::DecodeOptions;
use crate::source::zarr::assemble::in_the_order_of_data;
use crate::source::zarr::number::Number;

/// Bytes of a dimension's cells, in all, that a variable may have.
const VARIABLE_BYTES_MAX: u64 = i64::MAX as u64;

/// The most dimensions of a variable, as of HDF5.
const RANK_MAX: usize = 32;

/// A variable as its file describes it.
#[derive(Debug)]
pub(super) struct Described {
    /// Its name.
    pub name: String,
    /// Its dimensions: name and length.
    pub dimensions: Vec<(String, u64)>,
    /// Its attributes.
    pub attributes: Map<String, Value>,
    /// What a cell holds.
    pub cell: CellType,
    /// Where the cells are.
    pub place: Place,
    /// Cells of a chunk along each dimension.
    pub chunk_shape: Vec<u64>,
    /// A cell where nothing is stored, as stored; zeros where there is none.
    pub fill: Option<Vec<u8>>,
    /// How it is packed.
    pub codecs: String,
}

/// The dataset of a file's (or a group's) variables.
pub(super) fn dataset(
    file: &Arc<BlockFile>,
    uri: String,
    described: Vec<Described>,
    attributes: Map<String, Value>,
    options: &DecodeOptions,
) -> Result<Dataset, SourceError> {
    let mut coordinates: BTreeSet<String> = coordinate_names(&attributes);
    let mut dimensions: Vec<Dimension> = Vec::new();
    for variable in &described {
        let address = format!("{uri}/{}", variable.name);
        coordinates.extend(coordinate_names(&variable.attributes));
        check(&address, variable)?;
        add_dimensions(&address, variable, &mut dimensions)?;
    }
    let variables: Vec<Variable> = described
        .into_iter()
        .map(|described| {
            let role = match described.dimensions.as_slice() {
                [(only, _)] if *only == described.name => Role::Index,
                _ if coordinates.contains(&described.name) => Role::Coordinate,
                _ => Role::Data,
            };
            variable(file, &uri, described, role, options)
        })
        .collect();
    let dimensions = in_the_order_of_data(dimensions, &variables);
    Ok(Dataset { uri, dimensions, variables, attributes })
}

fn add_dimensions(address: &str, variable: &Described, all: &mut Vec<Dimension>) -> Result<(), SourceError> {
    let wrong = |message: String| SourceError::Metadata { array: address.to_string(), message };
    for (place, (name, length)) in variable.dimensions.iter().enumerate() {
        if variable.dimensions[..place].iter().any(|(other, _)| other == name) {
            return Err(wrong(format!("two dimensions are both named {name:?}")));
        }
        match all.iter().find(|dimension| dimension.name == *name) {
            None => all.push(Dimension { name: name.clone(), length: *length }),
            Some(known) if known.length != *length => {
                let before = known.length;
                return Err(wrong(format!("the dimension {name:?} has {length} cells, but {before} elsewhere")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Sizes that cannot be are refused before anything is computed from them.
fn check(address: &str, variable: &Described) -> Result<(), SourceError> {
    let wrong = |message: String| Err(SourceError::Metadata { array: address.to_string(), message });
    let shape: Vec<u64> = variable.dimensions.iter().map(|(_, length)| *length).collect();
    if shape.len() > RANK_MAX {
        return wrong(format!("{} dimensions, expected at most {RANK_MAX}", shape.len()));
    }
    let cell_size = variable.cell.size().max(1) as u64;
    let mut lengths = shape.iter().filter(|&&length| length > 0);
    let bytes = lengths.try_fold(cell_size, |bytes, &length| bytes.checked_mul(length));
    if bytes.is_none_or(|bytes| bytes > VARIABLE_BYTES_MAX) {
        return wrong(format!("shape {shape:?}: its bytes do not fit in 63 bits"));
    }
    let chunk = variable
        .chunk_shape
        .iter()
        .try_fold(cell_size, |bytes, &length| bytes.checked_mul(length).filter(|_| length > 0));
    match chunk {
        Some(_) if variable.chunk_shape.len() == shape.len() => Ok(()),
        _ => wrong(format!("chunks of {:?} do not fit the shape {shape:?}", variable.chunk_shape)),
    }
}

fn variable(file: &Arc<BlockFile>, uri: &str, described: Described, role: Role, options: &DecodeOptions) -> Variable {
    let Described { name, dimensions, attributes, cell, place, chunk_shape, fill, codecs } = described;
    let rules = Rules { decode_cf: options.decode_cf, nan_as_null: options.nan_as_null };
    let decoding = Decoding::new(&cell.arrow(), &attributes, None, rules);
    let (data_type, nan_is_missing) = (decoding.data_type().clone(), decoding.nan_is_missing());
    let calendar = decoding.calendar().map(String::from);
    let (names, shape): (Vec<String>, Vec<u64>) = dimensions.into_iter().unzip();
    let fill = fill.filter(|fill| fill.len() == cell.size());
    let encoding = Encoding {
        stored_type: cell.name(),
        codecs,
        shard_shape: None,
        fill_value: fill.as_ref().and_then(|fill| shown(cell, fill)),
        missing_value: None,
    };
    let layout = Layout { array: format!("{uri}/{name}"), cell, fill, decoding };
    let grid = ChunkGrid::new(shape, chunk_shape);
    let array = Arc::new(NetcdfArray::new(file.clone(), grid, layout, place));
    Variable { name, dimensions: names, role, data_type, nan_is_missing, calendar, attributes, encoding, array }
}

/// A cell as text.
fn shown(cell: CellType, bytes: &[u8]) -> Option<String> {
    let CellType::Number { number, is_big_endian } = cell else { return None };
    numbers(number, is_big_endian, bytes).map(|value| value.to_string().trim_matches('"').to_string())
}

/// The value of an attribute that is numbers: one, or a list.
pub(super) fn numbers(number: Number, is_big_endian: bool, bytes: &[u8]) -> Option<Value> {
    let bytes = native(bytes.into(), number, is_big_endian);
    let mut values: Vec<Value> = match number {
        Number::UInt64 => number.ints(&bytes).into_iter().map(|value| json!(value as u64)).collect(),
        _ if number.is_float() => number.floats(&bytes).into_iter().map(float).collect(),
        _ => number.ints(&bytes).into_iter().map(|value| json!(value)).collect(),
    };
    if values.len() > 1 { Some(Value::Array(values)) } else { values.pop() }
}

/// JSON has no number for these.
fn float(value: f64) -> Value {
    match value {
        _ if value.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        _ => json!(value),
    }
}
