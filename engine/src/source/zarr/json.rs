//! JSON as Zarr writers write it: Python's writes bare `NaN` and `Infinity`.

use serde_json::Value;

/// Parses JSON in which `NaN`, `Infinity` and `-Infinity` may stand bare; they become strings of the same text.
pub(super) fn parse(text: &[u8]) -> Result<Value, String> {
    match serde_json::from_slice(text) {
        Ok(value) => Ok(value),
        Err(first) => serde_json::from_slice(&quoted(text)).map_err(|_| format!("not JSON: {first}")),
    }
}

/// The text with every bare token of [`TOKENS`] in quotes.
fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut rest = text;
    let mut in_string = false;
    while let Some(&byte) = rest.first() {
        let token = if in_string { None } else { TOKENS.iter().find(|token| rest.starts_with(token)) };
        let length = match (token, rest) {
            (Some(token), _) => token.len(),
            (None, [b'\\', _, ..]) => 2,
            (None, _) => 1,
        };
        let piece = &rest[..length];
        match token {
            Some(_) => out.extend([b"\"", piece, b"\""].concat()),
            None => out.extend_from_slice(piece),
        }
        in_string ^= byte == b'"';
        rest = &rest[length..];
    }
    out
}

const TOKENS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bare_tokens_become_strings_and_strings_stay() {
        let value = parse(br#"{"a": NaN, "b": [-Infinity, Infinity, -1], "c": "NaN \" NaN", "NaN": 2, "d": "\\"}"#);
        let expected = serde_json::json!({
            "a": "NaN", "b": ["-Infinity", "Infinity", -1], "c": "NaN \" NaN", "NaN": 2, "d": "\\"
        });
        assert_eq!(value.unwrap(), expected);
    }

    #[test]
    fn what_is_not_json_is_an_error() {
        for text in ["", "{", "{\"a\": NaNa}", "\"\\", "nan"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
