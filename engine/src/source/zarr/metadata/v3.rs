//! Version 3: `zarr.json`.

use serde_json::{Map, Value};

use super::{ArrayMetadata, ChunkKeys, CodecSpec, invalid, lengths, plain_name, shown};
use crate::source::SourceError;
use crate::source::zarr::fill;
use crate::source::zarr::number::Number;
use crate::source::zarr::stored_type::{StoredType, Tick};

pub(super) fn parse(array: &str, document: &Value) -> Result<ArrayMetadata, SourceError> {
    if document.get("zarr_format").and_then(Value::as_u64) != Some(3) {
        return Err(invalid(array, format!("zarr_format is {}, expected 3", shown(document.get("zarr_format")))));
    }
    check_extensions(array, document)?;
    let stored_type = data_type(document.get("data_type")).ok_or_else(|| SourceError::Unsupported {
        array: array.to_string(),
        what: "data type",
        found: shown(document.get("data_type")),
    })?;
    let fill_value = document.get("fill_value").filter(|value| !value.is_null()).cloned();
    let fill = fill::parse(&stored_type, fill_value.as_ref()).map_err(|message| invalid(array, message))?;
    Ok(ArrayMetadata {
        shape: lengths(array, "shape", document.get("shape"))?,
        chunk_shape: chunk_shape(array, document.get("chunk_grid"))?,
        codecs: codec_list(document.get("codecs")).map_err(|message| invalid(array, message))?,
        keys: chunk_keys(array, document.get("chunk_key_encoding"))?,
        dimension_names: dimension_names(array, document.get("dimension_names"))?,
        attributes: document.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default(),
        type_name: name_of(document.get("data_type")).unwrap_or_default(),
        stored_type,
        fill,
        fill_value,
        fill_is_missing: false,
    })
}

/// A list of codecs, each a name or an object with a name and a configuration.
pub(in crate::source::zarr) fn codec_list(value: Option<&Value>) -> Result<Vec<CodecSpec>, String> {
    let Some(Value::Array(list)) = value else {
        return Err(format!("codecs is {}, expected a list", shown(value)));
    };
    let spec = |codec: &Value| {
        let name = name_of(Some(codec)).ok_or_else(|| format!("the codec {} has no name", shown(Some(codec))))?;
        Ok(CodecSpec { name: plain_name(&name), configuration: configuration(codec) })
    };
    list.iter().map(spec).collect()
}

/// What stands beside the known fields must be understood, unless it says otherwise.
fn check_extensions(array: &str, document: &Value) -> Result<(), SourceError> {
    let unsupported = |what, found: String| Err(SourceError::Unsupported { array: array.to_string(), what, found });
    match document.get("storage_transformers") {
        None | Some(Value::Null) => {}
        Some(Value::Array(list)) if list.is_empty() => {}
        found => return unsupported("storage transformer", shown(found)),
    }
    const KNOWN: [&str; 12] = [
        "zarr_format",
        "node_type",
        "shape",
        "data_type",
        "chunk_grid",
        "chunk_key_encoding",
        "fill_value",
        "codecs",
        "attributes",
        "dimension_names",
        "storage_transformers",
        "consolidated_metadata",
    ];
    for (name, value) in document.as_object().into_iter().flatten() {
        let optional = value.get("must_understand").and_then(Value::as_bool) == Some(false);
        if !KNOWN.contains(&name.as_str()) && !optional {
            return unsupported("metadata field", name.clone());
        }
    }
    Ok(())
}

fn data_type(value: Option<&Value>) -> Option<StoredType> {
    let name = name_of(value)?;
    if let Some(number) = Number::from_name(&name) {
        return Some(StoredType::Number(number));
    }
    let configuration = value.map(configuration).unwrap_or_default();
    let bytes = |unit: u64| {
        let length = configuration.get("length_bytes").and_then(Value::as_u64)?;
        let fits = length > 0 && length.is_multiple_of(unit) && length <= i32::MAX as u64;
        fits.then_some((length / unit) as usize)
    };
    Some(match name.as_str() {
        "bool" => StoredType::Bool,
        "string" => StoredType::Text,
        "bytes" | "variable_length_bytes" => StoredType::Binary,
        "fixed_length_utf32" => StoredType::FixedUtf32(bytes(4)?),
        "null_terminated_bytes" => StoredType::FixedText(bytes(1)?),
        "numpy.timedelta64" => StoredType::TimeDelta,
        "numpy.datetime64" => {
            let count = configuration.get("scale_factor").and_then(Value::as_i64).unwrap_or(1);
            StoredType::DateTime(Tick::new(configuration.get("unit")?.as_str()?, count)?)
        }
        _ => return None,
    })
}

fn chunk_shape(array: &str, grid: Option<&Value>) -> Result<Vec<u64>, SourceError> {
    if name_of(grid).as_deref() != Some("regular") {
        let found = name_of(grid).unwrap_or_else(|| shown(grid));
        return Err(SourceError::Unsupported { array: array.to_string(), what: "chunk grid", found });
    }
    lengths(array, "chunk_shape", grid.and_then(|grid| grid.pointer("/configuration/chunk_shape")))
}

fn chunk_keys(array: &str, encoding: Option<&Value>) -> Result<ChunkKeys, SourceError> {
    let name = name_of(encoding).unwrap_or_else(|| shown(encoding));
    let (prefixed, default) = match name.as_str() {
        "default" => (true, '/'),
        "v2" => (false, '.'),
        _ => {
            return Err(SourceError::Unsupported { array: array.to_string(), what: "chunk key encoding", found: name });
        }
    };
    match encoding.and_then(|encoding| encoding.pointer("/configuration/separator")) {
        None => Ok(ChunkKeys { prefixed, separator: default }),
        Some(Value::String(text)) if text == "/" || text == "." => {
            Ok(ChunkKeys { prefixed, separator: if text == "/" { '/' } else { '.' } })
        }
        found => {
            Err(invalid(array, format!("the separator of chunk keys is {}, expected \"/\" or \".\"", shown(found))))
        }
    }
}

fn dimension_names(array: &str, value: Option<&Value>) -> Result<Option<Vec<Option<String>>>, SourceError> {
    let list = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value.as_array(),
    };
    let name = |name: &Value| match name {
        Value::Null => Some(None),
        Value::String(name) => Some(Some(name.clone())),
        _ => None,
    };
    match list.and_then(|names| names.iter().map(name).collect::<Option<Vec<_>>>()) {
        Some(names) => Ok(Some(names)),
        None => Err(invalid(array, format!("dimension_names is {}, expected a list of names", shown(value)))),
    }
}

/// The name of an extension point: a text, or an object with a name.
fn name_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(name) => Some(name.clone()),
        Value::Object(object) => object.get("name")?.as_str().map(String::from),
        _ => None,
    }
}

fn configuration(value: &Value) -> Map<String, Value> {
    value.get("configuration").and_then(Value::as_object).cloned().unwrap_or_default()
}
