//! The metadata of arrays and groups, as xarray reads it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::cells::Fill;
use super::encoding::{CellKind, Encoding, nan};
use super::time::TimeUnits;
use super::{StoreSchema, VariableSchema};

/// Attributes that tell how the source was packed: the values come unpacked.
const PACKING: [&str; 7] =
    ["_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned", "_ARRAY_DIMENSIONS", "dtype"];

/// What is known of a variable when its last chunk is written.
pub(super) struct Written<'a> {
    pub(super) variable: &'a VariableSchema,
    pub(super) encoding: &'a Encoding,
    pub(super) shape: &'a [u64],
    /// Whether a cell is missing.
    pub(super) has_missing: bool,
    /// The units of its times.
    pub(super) units: Option<&'a TimeUnits>,
}

/// A document and its name in the store.
pub(super) type Document = (String, Value);

/// All documents of a store, in the order in which they are to be stored: the last one makes it one.
pub(super) fn documents(schema: &StoreSchema, arrays: &[Written]) -> Vec<Document> {
    if schema.zarr_version == 2 { documents_v2(schema, arrays) } else { documents_v3(schema, arrays) }
}

fn documents_v3(schema: &StoreSchema, arrays: &[Written]) -> Vec<Document> {
    let mut documents = vec![];
    let mut consolidated = Map::new();
    for array in arrays {
        let metadata = array_v3(schema, array);
        consolidated.insert(array.variable.name.clone(), metadata.clone());
        documents.push((format!("{}/zarr.json", array.variable.name), metadata));
    }
    let root = json!({
        "zarr_format": 3,
        "node_type": "group",
        "attributes": group_attributes(schema),
        "consolidated_metadata": {"kind": "inline", "must_understand": false, "metadata": consolidated},
    });
    documents.push(("zarr.json".to_string(), root));
    documents
}

fn documents_v2(schema: &StoreSchema, arrays: &[Written]) -> Vec<Document> {
    let mut documents = vec![];
    for array in arrays {
        let mut attributes = attributes(schema, array);
        attributes.insert("_ARRAY_DIMENSIONS".to_string(), json!(array.variable.dimensions));
        documents.push((format!("{}/.zarray", array.variable.name), array_v2(schema, array)));
        documents.push((format!("{}/.zattrs", array.variable.name), Value::Object(attributes)));
    }
    documents.push((".zattrs".to_string(), Value::Object(group_attributes(schema))));
    documents.push((".zgroup".to_string(), json!({"zarr_format": 2})));
    let consolidated: Map<String, Value> = documents.iter().cloned().collect();
    documents.push((".zmetadata".to_string(), json!({"zarr_consolidated_format": 1, "metadata": consolidated})));
    documents
}

/// The `zarr.json` of an array.
pub(super) fn array_v3(schema: &StoreSchema, array: &Written) -> Value {
    let encoding = array.encoding;
    let to_bytes = match (encoding.kind, encoding.width) {
        (CellKind::Text, _) => json!({"name": "vlen-utf8", "configuration": {}}),
        (_, 1) => json!({"name": "bytes"}),
        _ => json!({"name": "bytes", "configuration": {"endian": "little"}}),
    };
    let codecs: Vec<Value> = [Some(to_bytes), schema.codec.metadata_v3(encoding.width)].into_iter().flatten().collect();
    let fill = fill_value(array).unwrap_or_else(|| match encoding.kind {
        CellKind::Boolean => json!(false),
        CellKind::Text => json!(""),
        _ => json!(0),
    });
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": array.shape,
        "data_type": encoding.name_v3,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": array.variable.chunk_shape}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill,
        "codecs": codecs,
        "attributes": attributes(schema, array),
        "dimension_names": array.variable.dimensions,
        "storage_transformers": [],
    })
}

/// The `.zarray` of an array.
pub(super) fn array_v2(schema: &StoreSchema, array: &Written) -> Value {
    let filters = match array.encoding.kind {
        CellKind::Text => json!([{"id": "vlen-utf8"}]),
        _ => Value::Null,
    };
    json!({
        "zarr_format": 2,
        "shape": array.shape,
        "chunks": array.variable.chunk_shape,
        "dtype": array.encoding.name_v2,
        // In this version it stands for a missing cell, so there is none where no cell can be missing.
        "fill_value": fill_value(array),
        "order": "C",
        "filters": filters,
        "dimension_separator": ".",
        "compressor": schema.codec.metadata_v2(),
    })
}

/// The key of a chunk inside its array.
pub(super) fn chunk_key(zarr_version: u8, chunk: &[u64]) -> String {
    let indexes: Vec<String> = chunk.iter().map(u64::to_string).collect();
    match (zarr_version, indexes.is_empty()) {
        (2, true) => "0".to_string(),
        (2, false) => indexes.join("."),
        (_, true) => "c".to_string(),
        (_, false) => format!("c/{}", indexes.join("/")),
    }
}

/// What stands for a missing cell, where the array has one.
fn fill_value(array: &Written) -> Option<Value> {
    let missing = array.encoding.missing.as_ref()?;
    match (array.encoding.kind, missing) {
        (CellKind::Float, Fill::Fixed(bytes)) => Some(float(bytes)),
        (CellKind::Time { .. }, Fill::Fixed(bytes)) if array.units.is_some_and(|units| units.is_float) => {
            array.has_missing.then(|| float(bytes))
        }
        (CellKind::Time { .. } | CellKind::Duration { .. }, _) => array.has_missing.then(|| json!(i64::MIN)),
        (_, Fill::Text(text)) => Some(json!(text)),
        (_, Fill::Fixed(bytes)) => Some(integer(bytes, array.encoding.name_v3.starts_with('u'))),
    }
}

fn float(bytes: &[u8]) -> Value {
    match number(bytes) {
        Some(number) if number.is_finite() => json!(number),
        Some(number) if number.is_infinite() => json!(if number > 0.0 { "Infinity" } else { "-Infinity" }),
        _ => json!("NaN"),
    }
}

/// The number of 4 or 8 bytes; that of a NaN of any width is `None`.
fn number(bytes: &[u8]) -> Option<f64> {
    let single = |bytes: [u8; 4]| f64::from(f32::from_le_bytes(bytes));
    let number = match bytes.len() {
        4 => bytes.try_into().map(single).ok()?,
        8 => bytes.try_into().map(f64::from_le_bytes).ok()?,
        _ => return None,
    };
    (!number.is_nan()).then_some(number)
}

fn integer(bytes: &[u8], unsigned: bool) -> Value {
    let negative = !unsigned && bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    if unsigned { json!(u64::from_le_bytes(wide)) } else { json!(i64::from_le_bytes(wide)) }
}

fn attributes(schema: &StoreSchema, array: &Written) -> Map<String, Value> {
    let variable = array.variable;
    let mut attributes = variable.attributes.clone();
    for name in PACKING.iter().chain(&["coordinates"]) {
        attributes.shift_remove(*name);
    }
    match array.encoding.kind {
        CellKind::Time { .. } => {
            let units = array.units.map_or_else(|| json!("microseconds since 1970-01-01"), |units| json!(units.text));
            attributes.insert("units".to_string(), units);
            let own = array.units.and_then(|units| units.calendar.as_deref()).or(variable.calendar.as_deref());
            attributes.insert("calendar".to_string(), json!(own.unwrap_or("proleptic_gregorian")));
        }
        CellKind::Duration { unit, numpy } => {
            attributes.insert("units".to_string(), json!(unit));
            attributes.insert("dtype".to_string(), json!(numpy));
        }
        _ => {}
    }
    if let Some(packing) = &variable.packing {
        attributes.extend(packing.scale.map(|scale| ("scale_factor".to_string(), json!(scale))));
        attributes.extend(packing.offset.map(|offset| ("add_offset".to_string(), json!(offset))));
    }
    let coordinates = coordinates_of(schema, variable);
    if !coordinates.is_empty() {
        attributes.insert("coordinates".to_string(), json!(coordinates.join(" ")));
    }
    // In version 2 the array's own fill value says it.
    if schema.zarr_version == 3
        && let Some(fill) = fill_value(array)
    {
        let is_float = array.encoding.name_v3.starts_with("float");
        attributes.insert("_FillValue".to_string(), if is_float { float_in_base64(array) } else { fill });
    }
    attributes
}

/// What stands for a missing float, as xarray writes it in the attributes of version 3: eight little-endian bytes.
fn float_in_base64(array: &Written) -> Value {
    let missing = match &array.encoding.missing {
        Some(Fill::Fixed(bytes)) => number(bytes),
        _ => None,
    };
    json!(BASE64.encode(missing.map_or(nan(8), |missing| missing.to_le_bytes().to_vec())))
}

/// The auxiliary coordinates of a data variable: those on its own dimensions.
fn coordinates_of<'a>(schema: &'a StoreSchema, variable: &VariableSchema) -> Vec<&'a str> {
    if variable.coordinate || is_index(variable) {
        return vec![];
    }
    let fits = |coordinate: &&VariableSchema| {
        coordinate.coordinate && coordinate.dimensions.iter().all(|name| variable.dimensions.contains(name))
    };
    schema.variables.iter().filter(fits).map(|coordinate| coordinate.name.as_str()).collect()
}

/// The group's attributes; they name the coordinates that no variable names.
fn group_attributes(schema: &StoreSchema) -> Map<String, Value> {
    let mut attributes = schema.attributes.clone();
    attributes.shift_remove("coordinates");
    let named: Vec<&str> = schema.variables.iter().flat_map(|variable| coordinates_of(schema, variable)).collect();
    let left: Vec<&str> = schema
        .variables
        .iter()
        .filter(|variable| variable.coordinate && !named.contains(&variable.name.as_str()))
        .map(|variable| variable.name.as_str())
        .collect();
    if !left.is_empty() {
        attributes.insert("coordinates".to_string(), json!(left.join(" ")));
    }
    attributes
}

fn is_index(variable: &VariableSchema) -> bool {
    variable.dimensions.len() == 1 && variable.dimensions[0] == variable.name
}
