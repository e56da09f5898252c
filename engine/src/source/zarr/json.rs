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
        let length = if in_string { string_step(rest, &mut in_string) } else { token_length(rest) };
        if !in_string && byte == b'"' && length == 1 {
            in_string = true;
        }
        let is_token = !in_string && length > 1 && byte != b'"';
        if is_token {
            out.push(b'"');
        }
        out.extend_from_slice(&rest[..length]);
        if is_token {
            out.push(b'"');
        }
        rest = &rest[length..];
    }
    out
}

const TOKENS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// How many bytes to copy inside a string; tells when it ends.
fn string_step(rest: &[u8], in_string: &mut bool) -> usize {
    match rest {
        [b'\\', _, ..] => 2,
        [b'"', ..] => {
            *in_string = false;
            1
        }
        _ => 1,
    }
}

/// The length of the bare token here, or 1.
fn token_length(rest: &[u8]) -> usize {
    TOKENS.iter().find(|token| rest.starts_with(token)).map_or(1, |token| token.len())
}

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
