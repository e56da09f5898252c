//! Fill values: what the cells of absent chunks hold.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::number::Number;
use super::stored_type::StoredType;

/// What the cells of an absent chunk hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fill {
    /// The native bytes of one cell.
    Bytes(Vec<u8>),
    /// Text of any length.
    Text(String),
    /// Bytes of any length.
    Binary(Vec<u8>),
}

/// Understands a fill value of either version; none is zero or empty, as zarr-python reads it.
pub(super) fn parse(stored_type: &StoredType, value: Option<&Value>) -> Result<Fill, String> {
    let refused = || format!("the fill value {} is none of a {stored_type:?}", value.unwrap_or(&Value::Null));
    let cell = match (stored_type, value) {
        (StoredType::Text, None) => return Ok(Fill::Text(String::new())),
        (StoredType::Text, Some(Value::String(text))) => return Ok(Fill::Text(text.clone())),
        // Older writers put 0 for texts; zarr-python reads it as "0".
        (StoredType::Text, Some(Value::Number(number))) => return Ok(Fill::Text(number.to_string())),
        (StoredType::Text, Some(_)) => return Err(refused()),
        (StoredType::Binary, None | Some(Value::Number(_))) => return Ok(Fill::Binary(Vec::new())),
        (StoredType::Binary, Some(value)) => return bytes_of(value).map(Fill::Binary).ok_or_else(refused),
        (_, None) => vec![0; stored_type.size().unwrap_or(0)],
        (StoredType::Bool, Some(value)) => vec![u8::from(truth(value).ok_or_else(refused)?)],
        (StoredType::Number(number), Some(value)) => number_bytes(*number, value).ok_or_else(refused)?,
        (StoredType::DateTime(_) | StoredType::TimeDelta, Some(value)) => ticks(value).ok_or_else(refused)?,
        (StoredType::FixedText(size), Some(value)) => {
            padded(fixed_text(value).ok_or_else(refused)?, *size).ok_or_else(refused)?
        }
        (StoredType::FixedUtf32(characters), Some(value)) => {
            let text = match value {
                Value::String(text) => text.as_str(),
                Value::Number(_) => "",
                _ => return Err(refused()),
            };
            let words = text.chars().flat_map(|character| u32::from(character).to_ne_bytes()).collect();
            padded(words, 4 * characters).ok_or_else(refused)?
        }
    };
    Ok(Fill::Bytes(cell))
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => number.as_f64().map(|number| number != 0.0),
        _ => None,
    }
}

/// The native bytes of a number: a JSON number, "NaN", "Infinity", "-Infinity", or the bits as "0x…".
fn number_bytes(number: Number, value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Number(json) => match json.as_i128() {
            Some(integer) if !number.is_float() => number.bytes_of_int(integer),
            _ if number.is_float() => number.bytes_of_float(json.as_f64()?),
            // An integer written as a float: 0.0.
            _ => number.bytes_of_int(whole(json.as_f64()?)?),
        },
        Value::Bool(truth) => {
            number.bytes_of_int(i128::from(*truth)).or_else(|| number.bytes_of_float(f64::from(u8::from(*truth))))
        }
        Value::String(text) => match text.as_str() {
            "NaN" => number.bytes_of_float(f64::NAN),
            "Infinity" => number.bytes_of_float(f64::INFINITY),
            "-Infinity" => number.bytes_of_float(f64::NEG_INFINITY),
            _ => bits(number, text),
        },
        _ => None,
    }
}

fn whole(number: f64) -> Option<i128> {
    (number.fract() == 0.0 && number.abs() < 1e30).then_some(number as i128)
}

/// "0x7fc00000": the bits, highest first.
fn bits(number: Number, text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?;
    let bits = u64::from_str_radix(digits, 16).ok()?;
    match number.size() {
        size if size * 2 != digits.len() => None,
        1 => Some(vec![bits as u8]),
        2 => Some((bits as u16).to_ne_bytes().to_vec()),
        4 => Some((bits as u32).to_ne_bytes().to_vec()),
        _ => Some(bits.to_ne_bytes().to_vec()),
    }
}

fn ticks(value: &Value) -> Option<Vec<u8>> {
    let ticks = match value {
        Value::String(text) if text == "NaT" => i64::MIN,
        _ => value.as_i64()?,
    };
    Some(ticks.to_ne_bytes().to_vec())
}

/// The text of a fixed number of bytes: base64, as both versions write it, or plain where it is not.
fn fixed_text(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Number(_) => Some(Vec::new()),
        _ => bytes_of(value),
    }
}

fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(BASE64.decode(text).unwrap_or_else(|_| text.clone().into_bytes())),
        Value::Array(bytes) => {
            bytes.iter().map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect()
        }
        _ => None,
    }
}

fn padded(mut bytes: Vec<u8>, size: usize) -> Option<Vec<u8>> {
    (bytes.len() <= size).then(|| {
        bytes.resize(size, 0);
        bytes
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn check(stored_type: StoredType, value: Value, expected: &[u8]) {
        assert_eq!(parse(&stored_type, Some(&value)), Ok(Fill::Bytes(expected.to_vec())), "{value}");
    }

    #[test]
    fn numbers_in_all_their_forms() {
        let float = StoredType::Number(Number::Float32);
        check(float.clone(), json!("NaN"), &f32::NAN.to_ne_bytes());
        check(float.clone(), json!("-Infinity"), &f32::NEG_INFINITY.to_ne_bytes());
        check(float.clone(), json!("0x7fc00001"), &0x7fc0_0001u32.to_ne_bytes());
        check(float.clone(), json!(1), &1f32.to_ne_bytes());
        check(StoredType::Number(Number::Int16), json!(-5.0), &(-5i16).to_ne_bytes());
        check(StoredType::Number(Number::UInt64), json!(u64::MAX), &u64::MAX.to_ne_bytes());
        check(StoredType::Bool, json!(true), &[1]);
        check(StoredType::TimeDelta, json!(i64::MIN), &i64::MIN.to_ne_bytes());
        check(StoredType::FixedText(3), json!("YWI="), b"ab\0");
        assert_eq!(parse(&float, None), Ok(Fill::Bytes(vec![0; 4])));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for value in [json!(256), json!(-1), json!("NaN"), json!("0x1"), json!([1, 2]), json!({}), json!(0.5)] {
            assert!(parse(&StoredType::Number(Number::UInt8), Some(&value)).is_err(), "{value}");
        }
        let complex = json!([0.0, 0.0]);
        assert!(parse(&StoredType::Number(Number::Float64), Some(&complex)).is_err());
    }
}
