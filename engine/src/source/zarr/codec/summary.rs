//! The codecs of an array in words for people.

use serde_json::Value;

use crate::source::zarr::metadata::CodecSpec;

/// `blosc(lz4, 5, shuffle)`, `delta + zlib(1)`, `uncompressed`.
pub(in crate::source::zarr) fn summary(specs: &[CodecSpec]) -> String {
    let words: Vec<String> = specs.iter().filter_map(word).collect();
    match words.is_empty() {
        true => "uncompressed".to_string(),
        false => words.join(" + "),
    }
}

fn word(spec: &CodecSpec) -> Option<String> {
    let settings: Vec<String> = match spec.name.as_str() {
        "bytes" if spec.text("endian") == Some("big") => return Some("big endian".to_string()),
        "bytes" => return None,
        "blosc" => ["cname", "clevel", "shuffle"].iter().filter_map(|name| blosc_setting(spec, name)).collect(),
        "sharding_indexed" => return None,
        _ => ["level", "preset", "order", "dtype", "astype", "scale", "offset", "keepbits", "elementsize"]
            .iter()
            .filter_map(|name| spec.configuration.get(*name).filter(|value| !value.is_null()).map(plain))
            .collect(),
    };
    match settings.is_empty() {
        true => Some(spec.name.clone()),
        false => Some(format!("{}({})", spec.name, settings.join(", "))),
    }
}

fn blosc_setting(spec: &CodecSpec, name: &str) -> Option<String> {
    let value = spec.configuration.get(name)?;
    Some(match (name, value.as_i64()) {
        ("shuffle", Some(0)) => "no shuffle".to_string(),
        ("shuffle", Some(1)) => "shuffle".to_string(),
        ("shuffle", Some(2)) => "bitshuffle".to_string(),
        ("shuffle", Some(_)) => "auto shuffle".to_string(),
        _ if value == "noshuffle" => "no shuffle".to_string(),
        _ => plain(value),
    })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}
