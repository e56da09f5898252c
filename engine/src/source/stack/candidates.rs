//! The scenes that a catalog has for a stack.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use serde_json::{Map, Value};

use crate::source::SourceError;
use crate::source::stac::{AssetAddress, Catalog, Entry, Search, asset_names, asset_of, item_bbox, item_interval};
use crate::source::warp::{Affine, Crs, GeoBox};

/// Scenes of one stack, at most.
const SCENES_MAX: usize = 20_000;

/// An asset of an item, as the item tells it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// The item.
    pub id: String,
    /// Which of the assets that are asked for.
    pub asset: usize,
    /// Its moment, in microseconds since 1970.
    pub time: i64,
    /// The longitude of its middle, in degrees.
    pub longitude: f64,
    /// What it is opened with.
    pub address: AssetAddress,
    /// Where it lies, if the item tells.
    pub told: Option<GeoBox>,
    /// The type of its cells in the file, if the item tells.
    pub told_type: Option<String>,
}

/// Asks a catalog for items, and gives their assets: in the order of time, id and asset.
///
/// # Errors
/// Those of the catalog; [`SourceError::Metadata`] where an item has no time, where no item has one of the assets, and
/// where there are too many.
pub(super) async fn candidates(
    catalog: &Catalog,
    search: &Search,
    assets: &[String],
    sign: Option<&str>,
) -> Result<Vec<Candidate>, SourceError> {
    let failed = |message: String| SourceError::Metadata { array: catalog.address(), message };
    let mut found: Vec<Candidate> = Vec::new();
    let mut names = BTreeSet::new();
    let mut pages = catalog.items(search);
    while let Some(entries) = pages.try_next().await? {
        for entry in &entries {
            names.extend(asset_names(entry));
            for (number, asset) in assets.iter().enumerate() {
                found.extend(candidate(entry, number, asset, sign)?);
            }
        }
        if found.len() > SCENES_MAX {
            return Err(failed(format!("more than {SCENES_MAX} scenes: search for a smaller place or a shorter time")));
        }
    }
    for (number, asset) in assets.iter().enumerate() {
        if found.iter().all(|candidate| candidate.asset != number) {
            let names: Vec<String> = names.into_iter().take(64).collect();
            let has =
                if names.is_empty() { "there are no items".to_string() } else { format!("found {}", names.join(", ")) };
            return Err(failed(format!("expected items with an asset `{asset}`: {has}")));
        }
    }
    found.sort_by(|a, b| (a.time, &a.id, a.asset).cmp(&(b.time, &b.id, b.asset)));
    Ok(found)
}

fn candidate(entry: &Entry, number: usize, asset: &str, sign: Option<&str>) -> Result<Option<Candidate>, SourceError> {
    let Some(address) = asset_of(entry, asset, sign)? else { return Ok(None) };
    let id = entry.text("id").unwrap_or_default().to_string();
    let interval = item_interval(&entry.document);
    let time = interval.and_then(|interval| interval.low.or(interval.high)).ok_or_else(|| SourceError::Metadata {
        array: entry.href.clone(),
        message: format!("item `{id}`: expected a `datetime`, found none"),
    })?;
    let longitude = item_bbox(&entry.document).map_or(0.0, |[west, _, east, _]| {
        let east = if east < west { east + 360.0 } else { east };
        (west + east) / 2.0
    });
    let of_asset = entry.document.get("assets").and_then(|assets| assets.get(asset)).and_then(Value::as_object);
    let properties = entry.document.get("properties").and_then(Value::as_object);
    let (told, told_type) = (told(of_asset, properties), told_type(of_asset));
    Ok(Some(Candidate { id, asset: number, time, longitude, address, told, told_type }))
}

/// The type that an item says the cells of its asset have: as of version 1.1, or by the `raster` extension.
fn told_type(asset: Option<&Map<String, Value>>) -> Option<String> {
    let asset = asset?;
    let text = |of: &Value| of.get("data_type").and_then(Value::as_str).map(str::to_string);
    if let Some(of_all) = asset.get("data_type").and_then(Value::as_str) {
        return Some(of_all.to_string());
    }
    let bands = ["bands", "raster:bands"].iter().find_map(|name| asset.get(*name)?.as_array())?;
    let types: Option<BTreeSet<String>> = bands.iter().map(text).collect();
    let types: Vec<String> = types?.into_iter().collect();
    let [only]: [String; 1] = types.try_into().ok()?;
    Some(only)
}

/// Where an item says that its asset lies (the `proj` extension), the asset's own word first.
fn told(asset: Option<&Map<String, Value>>, properties: Option<&Map<String, Value>>) -> Option<GeoBox> {
    let tell = |name: &str| {
        let told = |from: Option<&Map<String, Value>>| from?.get(name).filter(|value| !value.is_null()).cloned();
        told(asset).or_else(|| told(properties))
    };
    let crs = match tell("proj:code") {
        Some(code) => Crs::parse(code.as_str()?).ok()?,
        None => Crs::epsg(u32::try_from(tell("proj:epsg")?.as_u64()?).ok()?).ok()?,
    };
    let numbers = |name: &str| -> Option<Vec<f64>> { tell(name)?.as_array()?.iter().map(Value::as_f64).collect() };
    let transform = match numbers("proj:transform")?.as_slice() {
        // Row by row of a matrix, whose last row may be left out.
        [a, b, c, d, e, f, ..] => Affine([*c, *a, *b, *f, *d, *e]),
        _ => return None,
    };
    let lengths: Option<Vec<u64>> = tell("proj:shape")?.as_array()?.iter().map(Value::as_u64).collect();
    let [height, width] = lengths?.try_into().ok()?;
    let has_area = height > 0 && width > 0 && transform.inverse().is_some();
    has_area.then_some(GeoBox { crs, transform, width, height })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn assets_tell_where_they_lie() -> Result<(), String> {
        let properties =
            json!({"proj:epsg": 32633, "proj:shape": [200, 100], "proj:transform": [10, 0, 5e5, 0, -10, 6e6]});
        let asset = json!({"proj:transform": [20, 0, 5e5, 0, -20, 6e6, 0, 0, 1], "proj:shape": [100, 50]});
        let found = told(asset.as_object(), properties.as_object()).ok_or("nothing was told")?;
        assert_eq!((found.crs.name(), found.width, found.height), ("EPSG:32633", 50, 100));
        assert_eq!(found.transform, Affine::north_up(5e5, 6e6, 20.0, 20.0));
        assert_eq!(told(None, properties.as_object()).map(|found| found.width), Some(100));
        for broken in [
            json!({"proj:epsg": null, "proj:shape": [2, 1], "proj:transform": [10, 0, 5e5, 0, -10, 6e6]}),
            json!({"proj:epsg": 32633, "proj:shape": [2], "proj:transform": [10, 0, 5e5, 0, -10, 6e6]}),
            json!({"proj:epsg": 32633, "proj:shape": [0, 1], "proj:transform": [10, 0, 5e5, 0, -10, 6e6]}),
            json!({"proj:epsg": 32633, "proj:shape": [2, 1], "proj:transform": [10, 0]}),
            json!({"proj:code": "nowhere", "proj:shape": [2, 1], "proj:transform": [10, 0, 5e5, 0, -10, 6e6]}),
        ] {
            assert_eq!(told(None, broken.as_object()), None, "{broken}");
        }
        Ok(())
    }

    #[test]
    fn assets_tell_their_types() {
        for (asset, expected) in [
            (json!({"raster:bands": [{"data_type": "uint16"}, {"data_type": "uint16"}]}), Some("uint16")),
            (json!({"bands": [{"data_type": "int8"}]}), Some("int8")),
            (json!({"data_type": "float32"}), Some("float32")),
            (json!({"raster:bands": [{"data_type": "uint16"}, {"data_type": "uint8"}]}), None),
            (json!({"raster:bands": [{"data_type": "uint16"}, {}]}), None),
            (json!({"raster:bands": []}), None),
            (json!({}), None),
        ] {
            assert_eq!(told_type(asset.as_object()).as_deref(), expected, "{asset}");
        }
    }
}
