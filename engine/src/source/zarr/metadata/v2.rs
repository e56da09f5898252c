//! Version 2: `.zarray` and `.zattrs`.

use serde_json::{Map, Value, json};

use super::{ArrayMetadata, ChunkKeys, CodecSpec, invalid, lengths, plain_name, shown};
use crate::source::SourceError;
use crate::source::zarr::fill;
use crate::source::zarr::number::Number;
use crate::source::zarr::stored_type::{StoredType, Tick};

/// The codecs that take the array itself, so that no `bytes` stands before them.
const SERIALIZERS: [&str; 4] = ["pcodec", "zfpy", "vlen-utf8", "vlen-bytes"];

pub(super) fn parse(
    array: &str,
    document: &Value,
    attributes: &Map<String, Value>,
) -> Result<ArrayMetadata, SourceError> {
    if document.get("zarr_format").and_then(Value::as_u64) != Some(2) {
        return Err(invalid(array, format!("zarr_format is {}, expected 2", shown(document.get("zarr_format")))));
    }
    let (stored_type, big_endian) = data_type(array, document)?;
    let fill_value = document.get("fill_value").filter(|value| !value.is_null()).cloned();
    let fill = fill::parse(&stored_type, fill_value.as_ref()).map_err(|message| invalid(array, message))?;
    let separator = match document.get("dimension_separator").and_then(Value::as_str) {
        None | Some(".") => '.',
        Some("/") => '/',
        Some(found) => {
            return Err(invalid(array, format!("dimension_separator is {found:?}, expected \".\" or \"/\"")));
        }
    };
    Ok(ArrayMetadata {
        shape: lengths(array, "shape", document.get("shape"))?,
        chunk_shape: lengths(array, "chunks", document.get("chunks"))?,
        codecs: codecs(array, document, &stored_type, big_endian)?,
        type_name: shown(document.get("dtype")).trim_matches('"').to_string(),
        stored_type,
        fill,
        fill_value,
        fill_is_missing: true,
        keys: ChunkKeys { prefixed: false, separator },
        dimension_names: dimension_names(array, attributes)?,
        attributes: attributes.clone(),
    })
}

/// The type, and whether its bytes stand with the highest first.
fn data_type(array: &str, document: &Value) -> Result<(StoredType, bool), SourceError> {
    let unsupported = || SourceError::Unsupported {
        array: array.to_string(),
        what: "data type",
        found: shown(document.get("dtype")),
    };
    let text = document.get("dtype").and_then(Value::as_str).ok_or_else(unsupported)?;
    let (order, kind) = match text.chars().next() {
        Some(order @ ('<' | '>' | '|' | '=')) => (order, &text[1..]),
        _ => ('|', text),
    };
    let stored_type = match kind {
        "b1" => StoredType::Bool,
        "O" => object_type(document).ok_or_else(unsupported)?,
        _ if kind.starts_with("M8") => StoredType::DateTime(tick(&kind[2..]).ok_or_else(unsupported)?),
        _ if kind.starts_with("m8") => StoredType::TimeDelta,
        _ if kind.starts_with('S') => StoredType::FixedText(size(&kind[1..], 1).ok_or_else(unsupported)?),
        _ if kind.starts_with('U') => StoredType::FixedUtf32(size(&kind[1..], 4).ok_or_else(unsupported)?),
        _ => StoredType::Number(Number::from_kind(kind).ok_or_else(unsupported)?),
    };
    Ok((stored_type, order == '>'))
}

/// What Python objects are stored as: the first filter tells.
fn object_type(document: &Value) -> Option<StoredType> {
    match document.pointer("/filters/0/id").and_then(Value::as_str)? {
        "vlen-utf8" => Some(StoredType::Text),
        "vlen-bytes" => Some(StoredType::Binary),
        _ => None,
    }
}

/// numpy's `[ns]`, `[10ms]`.
fn tick(brackets: &str) -> Option<Tick> {
    let inside = brackets.strip_prefix('[')?.strip_suffix(']')?;
    let digits = inside.bytes().take_while(u8::is_ascii_digit).count();
    let count = if digits == 0 { 1 } else { inside[..digits].parse().ok()? };
    Tick::new(&inside[digits..], count)
}

/// A size in units of `unit` bytes, at least 1, its bytes in 31 bits.
fn size(text: &str, unit: usize) -> Option<usize> {
    let size: usize = text.parse().ok()?;
    size.checked_mul(unit).filter(|&bytes| bytes > 0 && bytes <= i32::MAX as usize).map(|_| size)
}

/// Version 2's order, filters and compressor as a chain of version 3. The filters of version 2 take the bytes of the
/// array in its own byte order, so they stand behind `bytes`.
fn codecs(
    array: &str,
    document: &Value,
    stored_type: &StoredType,
    big_endian: bool,
) -> Result<Vec<CodecSpec>, SourceError> {
    let mut chain = Vec::new();
    match document.get("order").and_then(Value::as_str) {
        None | Some("C") => {}
        Some("F") => chain.push(spec("transpose", json!({"order": "F"}))),
        Some(found) => return Err(invalid(array, format!("order is {found:?}, expected \"C\" or \"F\""))),
    }
    let filters = match document.get("filters") {
        None | Some(Value::Null) => &[],
        Some(Value::Array(filters)) => filters.as_slice(),
        found => return Err(invalid(array, format!("filters is {}, expected a list", shown(found)))),
    };
    let compressor = document.get("compressor").filter(|value| !value.is_null());
    let mut numcodecs = Vec::new();
    for codec in filters.iter().chain(compressor) {
        numcodecs.push(numcodec(array, codec)?);
    }
    let serializer = numcodecs.first().filter(|first| SERIALIZERS.contains(&first.name.as_str()));
    if let Some(serializer) = serializer
        && big_endian
    {
        // numcodecs does not write them, so nothing says what the bytes of one would be.
        return Err(invalid(
            array,
            format!("codec {}: cannot hold numbers with the highest byte first", serializer.name),
        ));
    }
    if stored_type.size().is_some() && serializer.is_none() {
        chain.push(spec("bytes", json!({"endian": if big_endian { "big" } else { "little" }})));
    }
    chain.extend(numcodecs);
    Ok(chain)
}

/// `{"id": "zlib", "level": 1}`.
fn numcodec(array: &str, codec: &Value) -> Result<CodecSpec, SourceError> {
    let Some(id) = codec.get("id").and_then(Value::as_str) else {
        return Err(invalid(array, format!("the codec {} has no id", shown(Some(codec)))));
    };
    let mut configuration = codec.as_object().cloned().unwrap_or_default();
    configuration.shift_remove("id");
    Ok(CodecSpec { name: plain_name(id), configuration })
}

fn spec(name: &str, configuration: Value) -> CodecSpec {
    let configuration = match configuration {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    CodecSpec { name: name.to_string(), configuration }
}

/// xarray's `_ARRAY_DIMENSIONS`.
fn dimension_names(array: &str, attributes: &Map<String, Value>) -> Result<Option<Vec<Option<String>>>, SourceError> {
    let Some(value) = attributes.get("_ARRAY_DIMENSIONS") else { return Ok(None) };
    let name = |name: &Value| name.as_str().map(|name| Some(name.to_string()));
    match value.as_array().and_then(|names| names.iter().map(name).collect::<Option<Vec<_>>>()) {
        Some(names) => Ok(Some(names)),
        None => Err(invalid(array, format!("_ARRAY_DIMENSIONS is {}, expected a list of names", shown(Some(value))))),
    }
}
