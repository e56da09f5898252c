//! What GDAL writes into tags of its own: missing values, and the names and packings of bands.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::source::cf::Packed;

/// What is said of one band.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct BandMetadata {
    pub description: Option<String>,
    pub scale: Option<f64>,
    pub offset: Option<f64>,
}

/// The missing value that a text names.
pub(super) fn nodata(text: &str) -> Option<Packed> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i128>() {
        return Some(Packed::Int(whole));
    }
    // Rust reads "nan" and "inf" in any case, as C does.
    let number: f64 = text.parse().ok()?;
    Some(match number.fract() == 0.0 && number.abs() < 1e18 {
        true => Packed::Int(number as i128),
        false => Packed::Float(number),
    })
}

/// A stored number as the value of an attribute.
pub(super) fn json_of(value: Packed) -> Value {
    match value {
        Packed::Int(whole) => match (i64::try_from(whole), u64::try_from(whole)) {
            (Ok(whole), _) => json!(whole),
            (_, Ok(whole)) => json!(whole),
            _ => json!(whole as f64),
        },
        Packed::Float(number) if number.is_nan() => json!("NaN"),
        Packed::Float(number) if number.is_infinite() => json!(if number > 0.0 { "Infinity" } else { "-Infinity" }),
        Packed::Float(number) => json!(number),
    }
}

/// What `<GDALMetadata>` says of each band: `<Item name="SCALE" sample="0" role="scale">0.1</Item>`.
pub(super) fn bands(xml: &str) -> BTreeMap<u64, BandMetadata> {
    let mut bands: BTreeMap<u64, BandMetadata> = BTreeMap::new();
    let mut rest = xml;
    while let Some((_, after)) = rest.split_once("<Item") {
        let Some((attributes, after)) = after.split_once('>') else { break };
        rest = after;
        if attributes.ends_with('/') {
            continue;
        }
        let Some((text, after)) = after.split_once('<') else { break };
        rest = after;
        let (role, sample) = (attribute(attributes, "role"), attribute(attributes, "sample"));
        let Some(sample) = sample.and_then(|sample| sample.parse().ok()) else { continue };
        let number = || text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        match role {
            Some("scale") => bands.entry(sample).or_default().scale = number(),
            Some("offset") => bands.entry(sample).or_default().offset = number(),
            // GDAL escapes texts, and the XML writer does so again.
            Some("description") => bands.entry(sample).or_default().description = Some(unescaped(&unescaped(text))),
            _ => {}
        }
    }
    bands
}

/// The value of an attribute of an element.
fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = attributes;
    while let Some((before, after)) = rest.split_once('=') {
        let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, behind) = after[1..].split_once(quote)?;
        if before.trim() == name {
            return Some(value);
        }
        rest = behind;
    }
    None
}

fn unescaped(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.trim().to_string(), |text, (entity, character)| text.replace(entity, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values() {
        assert_eq!(nodata("-9999"), Some(Packed::Int(-9999)));
        assert_eq!(nodata(" 18446744073709551615 "), Some(Packed::Int(u64::MAX.into())));
        assert_eq!(nodata("-1.5"), Some(Packed::Float(-1.5)));
        assert_eq!(nodata("-9999.0"), Some(Packed::Int(-9999)));
        assert!(matches!(nodata("nan"), Some(Packed::Float(number)) if number.is_nan()));
        assert_eq!(nodata("none"), None);
        assert_eq!(json_of(Packed::Float(f64::NAN)), json!("NaN"));
        assert_eq!(json_of(Packed::Int(255)), json!(255));
    }

    #[test]
    fn items_of_bands() {
        let xml = "<GDALMetadata>\n <Item name=\"A\">x</Item>\n <Item name='D' sample='1' role='description'>a &amp;lt; b</Item>\
                   <Item name=\"OFFSET\" sample=\"0\" role=\"offset\">-2.5</Item><Item name=\"SCALE\" sample=\"0\" role=\"scale\">1e-4</Item></GDALMetadata>";
        let found = bands(xml);
        let first = BandMetadata { description: None, scale: Some(1e-4), offset: Some(-2.5) };
        let second = BandMetadata { description: Some("a < b".into()), ..BandMetadata::default() };
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [(0, first), (1, second)]);
        for broken in
            ["<Item", "<Item sample=\"0\" role=\"scale\">1", "<Item sample=\"0 role=>1</Item>", "<Item sample=é>"]
        {
            assert!(bands(broken).is_empty(), "{broken}");
        }
    }
}
