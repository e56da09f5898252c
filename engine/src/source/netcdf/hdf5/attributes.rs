//! Attributes of HDF5 as JSON.

use hdf5_reader::error::Error;
use hdf5_reader::messages::attribute::AttributeMessage;
use hdf5_reader::{Datatype, RawAttribute, StringSize};
use serde_json::{Map, Value};

use super::Addressing;
use super::types::cell_of;
use crate::source::netcdf::cells::{CellType, text_of};
use crate::source::netcdf::describe::numbers;

/// Attributes by which NetCDF and HDF5 keep their own accounts.
const OWN: [&str; 9] = [
    "CLASS",
    "NAME",
    "DIMENSION_LIST",
    "REFERENCE_LIST",
    "DIMENSION_LABELS",
    "_Netcdf4Dimid",
    "_Netcdf4Coordinates",
    "_NCProperties",
    "_nc3_strict",
];

/// Texts of an attribute, at most.
const TEXTS_MAX: usize = 1 << 16;

/// What resolves a reference to text.
pub(super) type Resolve<'a> = &'a dyn Fn(&[u8]) -> Result<Vec<u8>, Error>;

/// The attributes that tell of the data. Those of types that JSON has nothing for are left out.
pub(super) fn shown(attributes: &[RawAttribute], addressing: Addressing, resolve: Resolve<'_>) -> Map<String, Value> {
    let mut found = Map::new();
    for attribute in attributes.iter().map(RawAttribute::message) {
        if !OWN.contains(&attribute.name.as_str())
            && let Some(value) = value_of(attribute, addressing, resolve)
        {
            found.insert(attribute.name.clone(), value);
        }
    }
    found
}

/// The message of an attribute, if there is one of that name.
pub(super) fn find<'a>(attributes: &'a [RawAttribute], name: &str) -> Option<&'a AttributeMessage> {
    attributes.iter().map(RawAttribute::message).find(|attribute| attribute.name == name)
}

/// The value of an attribute: a number, a text, or a list.
pub(super) fn value_of(attribute: &AttributeMessage, addressing: Addressing, resolve: Resolve<'_>) -> Option<Value> {
    let count = usize::try_from(attribute.dataspace.num_elements().ok()?).ok()?;
    let bytes = attribute.raw_data.as_slice();
    let cell = cell_of(&attribute.datatype, addressing).ok()?;
    let bytes = bytes.get(..count.checked_mul(cell.size())?)?;
    match cell {
        CellType::Number { number, is_big_endian } => numbers(number, is_big_endian, bytes),
        CellType::Truth => {
            let mut truths: Vec<Value> = bytes.iter().map(|&byte| Value::Bool(byte != 0)).collect();
            if truths.len() == 1 { truths.pop() } else { Some(Value::Array(truths)) }
        }
        CellType::Characters { size, ends_with_zero, is_blank_padded } => {
            // NetCDF writes a text as so many characters, or as one cell of so many bytes.
            if let Datatype::String { size: StringSize::Fixed(1), .. } = attribute.datatype {
                return Some(Value::String(text_of(bytes, ends_with_zero, is_blank_padded)));
            }
            let texts = (0..count.min(TEXTS_MAX)).map(|place| {
                let text = bytes.get(place * size..(place + 1) * size).unwrap_or_default();
                Value::String(text_of(text, ends_with_zero, is_blank_padded))
            });
            one_or_all(texts.collect())
        }
        CellType::Reference(addressing) => {
            let references = bytes.chunks_exact(addressing.reference_size()).take(TEXTS_MAX);
            let texts: Option<Vec<Value>> = references
                .map(|reference| Some(Value::String(text_of(&resolve(reference).ok()?, false, false))))
                .collect();
            one_or_all(texts?)
        }
    }
}

fn one_or_all(mut texts: Vec<Value>) -> Option<Value> {
    match texts.len() {
        0 => Some(Value::String(String::new())),
        1 => texts.pop(),
        _ => Some(Value::Array(texts)),
    }
}
