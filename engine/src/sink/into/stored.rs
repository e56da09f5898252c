//! How a source stored a variable, so that a copy of it is stored alike.

use arrow::datatypes::DataType;
use serde_json::{Map, Value, json};

use crate::bind::Origin;
use crate::sink::zarr::Packing;

/// The attributes of a copy of a variable, and how its values of `data_type` are packed as they were in the source.
pub(super) fn stored_as(data_type: &DataType, origin: &Origin) -> (Map<String, Value>, Option<Packing>) {
    let mut attributes = origin.attributes.clone();
    let Some(stored) = number_type(&origin.stored_type, &attributes) else { return (attributes, None) };
    for name in ["_FillValue", "missing_value"] {
        if let Some(value) = attributes.get_mut(name) {
            with_sign(value, &stored);
        }
    }
    let has_fill = attributes.contains_key("_FillValue") || attributes.contains_key("missing_value");
    let number = |name: &str| {
        let value = attributes.get(name)?;
        value.as_f64().or_else(|| value.as_array()?.first()?.as_f64())
    };
    let (scale, offset) = (number("scale_factor"), number("add_offset"));
    let packing = match data_type {
        DataType::Float64 if scale.is_some() || offset.is_some() => {
            let can_be_missing = has_fill || stored.is_floating() || !origin.is_masked;
            can_be_missing.then_some(Packing { stored, scale, offset })
        }
        // Numbers that were not unpacked.
        _ if *data_type == stored && (scale.is_some() || offset.is_some()) => Some(Packing { stored, scale, offset }),
        // Times that are no whole number of their units.
        DataType::Timestamp(..) | DataType::Int64 if stored.is_floating() => {
            Some(Packing { stored, scale: None, offset: None })
        }
        _ => None,
    };
    (attributes, packing)
}

/// The Arrow type of numbers stored as `<i2`, `int16` …, with the sign that `_Unsigned` gives them.
fn number_type(name: &str, attributes: &Map<String, Value>) -> Option<DataType> {
    let stored = match name.trim_start_matches(['<', '>', '|', '=']) {
        "i1" | "int8" => DataType::Int8,
        "i2" | "int16" => DataType::Int16,
        "i4" | "int32" => DataType::Int32,
        "i8" | "int64" => DataType::Int64,
        "u1" | "uint8" => DataType::UInt8,
        "u2" | "uint16" => DataType::UInt16,
        "u4" | "uint32" => DataType::UInt32,
        "u8" | "uint64" => DataType::UInt64,
        "f4" | "float32" => DataType::Float32,
        "f8" | "float64" => DataType::Float64,
        _ => return None,
    };
    Some(match (attributes.get("_Unsigned").and_then(Value::as_str), &stored) {
        (Some("true"), DataType::Int8) => DataType::UInt8,
        (Some("true"), DataType::Int16) => DataType::UInt16,
        (Some("true"), DataType::Int32) => DataType::UInt32,
        (Some("true"), DataType::Int64) => DataType::UInt64,
        (Some("false"), DataType::UInt8) => DataType::Int8,
        (Some("false"), DataType::UInt16) => DataType::Int16,
        (Some("false"), DataType::UInt32) => DataType::Int32,
        (Some("false"), DataType::UInt64) => DataType::Int64,
        _ => stored,
    })
}

/// A missing value that was written with the other sign.
fn with_sign(value: &mut Value, stored: &DataType) {
    let (Some(number), Some(width)) = (value.as_i64(), stored.primitive_width()) else { return };
    let range = 1i128 << (8 * width);
    let signed = match i128::from(number) {
        number if stored.is_unsigned_integer() && number < 0 => number + range,
        number if stored.is_signed_integer() && number >= range / 2 => number - range,
        _ => return,
    };
    *value = match u64::try_from(signed) {
        Ok(positive) => json!(positive),
        Err(_) => json!(signed as i64),
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn check(stored: &str, attributes: Value, data_type: DataType, packing: Option<(DataType, f64)>, fill: Value) {
        let origin = Origin {
            attributes: attributes.as_object().unwrap().clone(),
            stored_type: stored.to_string(),
            chunk_shape: Vec::new(),
            is_coordinate: false,
            is_masked: true,
        };
        let (attributes, found) = stored_as(&data_type, &origin);
        assert_eq!(found.map(|found| (found.stored, found.scale.unwrap_or(1.0))), packing);
        assert_eq!(attributes.get("_FillValue").cloned().unwrap_or_default(), fill);
    }

    #[test]
    fn packing_is_kept_where_it_can_be() {
        let packed = json!({"scale_factor": 0.1, "_FillValue": -1});
        check("<i2", packed.clone(), DataType::Float64, Some((DataType::Int16, 0.1)), json!(-1));
        // Something else has been made of it.
        check("<i2", packed, DataType::Int64, None, json!(-1));
        check("<i2", json!({"scale_factor": 0.1}), DataType::Int16, Some((DataType::Int16, 0.1)), Value::Null);
        // Cells have become missing, and nothing stands for them.
        check("int16", json!({"add_offset": [5.0]}), DataType::Float64, None, Value::Null);
        let unsigned = json!({"scale_factor": 2.0, "_FillValue": -1, "_Unsigned": "true"});
        check("|i1", unsigned, DataType::Float64, Some((DataType::UInt8, 2.0)), json!(255));
        check("|i1", json!({"_FillValue": -1, "_Unsigned": "true"}), DataType::UInt8, None, json!(255));
        check("<f8", json!({}), DataType::Int64, Some((DataType::Float64, 1.0)), Value::Null);
    }
}
