//! All that a stack is, as one text: an option of an address that it is opened with anywhere.

use arrow::datatypes::DataType;
use serde_json::{Map, Value, json};

use super::mosaic::Mosaic;
use super::request::BandLayout;
use crate::source::SourceError;
use crate::source::open::split_options;
use crate::source::stac::AssetAddress;
use crate::source::store::{Store, StoreOptions};
use crate::source::warp::{Affine, Crs, GeoBox, Method, Window};

/// What a cube is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Manifest {
    /// Its rows and columns.
    pub target: GeoBox,
    /// How cells are computed where grids differ.
    pub method: Method,
    /// What becomes of several scenes of one step.
    pub mosaic: Mosaic,
    /// Whether bands are a dimension or variables.
    pub layout: BandLayout,
    /// The type of the scenes' cells, before they are resampled.
    pub data_type: DataType,
    /// The side of a chunk.
    pub side: u64,
    /// The steps of time, in microseconds since 1970.
    pub times: Vec<i64>,
    /// The bands.
    pub bands: Vec<BandOfAsset>,
    /// The scenes, by steps, in the order in which they lie on each other.
    pub scenes: Vec<SceneEntry>,
    /// What was left out, and why.
    pub skipped: Vec<String>,
}

/// A band of the cube.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BandOfAsset {
    /// Its label.
    pub name: String,
    /// The asset that it is of.
    pub asset: usize,
    /// Its number in the asset, from 0.
    pub number: u64,
}

/// A scene of the cube.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SceneEntry {
    /// The item.
    pub id: String,
    /// The asset.
    pub asset: usize,
    /// The step of time.
    pub step: usize,
    /// What it is opened with.
    pub address: AssetAddress,
    /// The rows and columns of the cube that it lies in.
    pub cells: Window,
}

impl Manifest {
    /// As a text.
    pub fn to_text(&self) -> String {
        let bands = self.bands.iter().map(|band| json!([band.name, band.asset, band.number]));
        let scenes = self.scenes.iter().map(|scene| {
            let Window { rows, columns } = scene.cells;
            json!({
                "id": scene.id, "asset": scene.asset, "step": scene.step, "uri": scene.address.uri,
                "options": scene.address.options, "cells": [rows.0, rows.1, columns.0, columns.1],
            })
        });
        json!({
            "crs": self.target.crs.name(), "transform": self.target.transform.0,
            "shape": [self.target.height, self.target.width],
            "resampling": self.method.to_string(), "mosaic": self.mosaic.to_string(),
            "bands": bands.collect::<Vec<_>>(), "variables": self.layout == BandLayout::Variables,
            "type": self.data_type.to_string(), "side": self.side, "times": self.times,
            "scenes": scenes.collect::<Vec<_>>(), "skipped": self.skipped,
        })
        .to_string()
    }

    /// Reads the text; an error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let object = value.as_object().ok_or("expected an object")?;
        let method = Method::parse(text_of(object, "resampling")?)?;
        let data_type: DataType = text_of(object, "type")?.parse().map_err(|_| wrong("type"))?;
        let manifest = Self {
            target: target_of(object)?,
            method,
            mosaic: Mosaic::parse(text_of(object, "mosaic")?)?,
            layout: match object.get("variables").and_then(Value::as_bool) {
                Some(true) => BandLayout::Variables,
                _ => BandLayout::Dimension,
            },
            data_type,
            side: object
                .get("side")
                .and_then(Value::as_u64)
                .filter(|side| (1..=1 << 16).contains(side))
                .ok_or_else(|| wrong("side"))?,
            times: all(object, "times", Value::as_i64)?,
            bands: all(object, "bands", band_of)?,
            scenes: all(object, "scenes", scene_of)?,
            skipped: all(object, "skipped", |value| value.as_str().map(str::to_string))?,
        };
        let is_known = |scene: &SceneEntry| scene.step < manifest.times.len();
        let is_sorted = manifest.scenes.is_sorted_by_key(|scene| scene.step);
        let fits = |window: &Window| {
            window.rows.0 < window.rows.1
                && window.rows.1 <= manifest.target.height
                && window.columns.0 < window.columns.1
                && window.columns.1 <= manifest.target.width
        };
        if !manifest.data_type.is_numeric() || manifest.bands.is_empty() {
            return Err(wrong("bands"));
        }
        let is_whole = is_sorted && manifest.scenes.iter().all(|scene| is_known(scene) && fits(&scene.cells));
        if is_whole { Ok(manifest) } else { Err(wrong("scenes")) }
    }
}

/// The text without anything secret.
///
/// # Errors
/// [`SourceError::Address`] where a scene cannot be reached without secrets of this process.
pub fn portable(text: &str) -> Result<String, SourceError> {
    let failed = |uri: &str, message: String| SourceError::Address { uri: uri.to_string(), message };
    let mut manifest = Manifest::parse(text).map_err(|message| failed("stack", message))?;
    for scene in &mut manifest.scenes {
        let (read, reach) = split_options(&scene.address.options);
        let portable = Store::portable(&scene.address.uri, &reach)?;
        if let Some(option) = portable.withheld.first() {
            let message = format!("scene `{}` wants option `{option}`, and secrets stay in this process", scene.id);
            return Err(failed(&portable.uri, message));
        }
        let mut options: StoreOptions = portable.options.into_iter().collect();
        options.extend(read);
        scene.address = AssetAddress { uri: portable.uri, options };
    }
    Ok(manifest.to_text())
}

fn wrong(name: &str) -> String {
    format!("option `stack`: `{name}` is broken")
}

fn text_of<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    object.get(name).and_then(Value::as_str).ok_or_else(|| wrong(name))
}

fn all<T>(object: &Map<String, Value>, name: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, String> {
    let values = object.get(name).and_then(Value::as_array).ok_or_else(|| wrong(name))?;
    values.iter().map(|value| read(value).ok_or_else(|| wrong(name))).collect()
}

fn target_of(object: &Map<String, Value>) -> Result<GeoBox, String> {
    let crs = Crs::parse(text_of(object, "crs")?)?;
    let numbers: [f64; 6] = all(object, "transform", Value::as_f64)?.try_into().map_err(|_| wrong("transform"))?;
    let [height, width]: [u64; 2] = all(object, "shape", Value::as_u64)?.try_into().map_err(|_| wrong("shape"))?;
    let transform = Affine(numbers);
    match transform.inverse() {
        Some(_) if (1..=1 << 31).contains(&height) && (1..=1 << 31).contains(&width) => {
            Ok(GeoBox { crs, transform, width, height })
        }
        _ => Err(wrong("shape")),
    }
}

fn band_of(value: &Value) -> Option<BandOfAsset> {
    let [name, asset, number] = value.as_array()?.as_slice() else { return None };
    let asset = usize::try_from(asset.as_u64()?).ok()?;
    Some(BandOfAsset { name: name.as_str()?.to_string(), asset, number: number.as_u64()? })
}

fn scene_of(value: &Value) -> Option<SceneEntry> {
    let number = |name: &str| usize::try_from(value.get(name)?.as_u64()?).ok();
    let text = |name: &str| value.get(name)?.as_str().map(str::to_string);
    let cells: Option<Vec<u64>> = value.get("cells")?.as_array()?.iter().map(Value::as_u64).collect();
    let [top, bottom, left, right] = cells?.try_into().ok()?;
    let options = value.get("options")?.as_object()?.iter();
    let options: Option<StoreOptions> =
        options.map(|(name, value)| Some((name.clone(), value.as_str()?.to_string()))).collect();
    Some(SceneEntry {
        id: text("id")?,
        asset: number("asset")?,
        step: number("step")?,
        address: AssetAddress { uri: text("uri")?, options: options? },
        cells: Window { rows: (top, bottom), columns: (left, right) },
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A cube of one scene.
    pub fn example() -> Result<Manifest, String> {
        let crs = Crs::epsg(32633)?;
        let transform = Affine::north_up(5e5, 6e6, 10.0, 10.0);
        let options = StoreOptions::from([("account".to_string(), "a".to_string())]);
        Ok(Manifest {
            target: GeoBox { crs, transform, width: 30, height: 20 },
            method: Method::Bilinear,
            mosaic: Mosaic::Mean,
            layout: BandLayout::Variables,
            data_type: DataType::UInt16,
            side: 512,
            times: vec![1, 2],
            bands: vec![BandOfAsset { name: "red".to_string(), asset: 0, number: 2 }],
            scenes: vec![SceneEntry {
                id: "a".to_string(),
                asset: 0,
                step: 1,
                address: AssetAddress { uri: "az://c/a.tif".to_string(), options },
                cells: Window { rows: (0, 20), columns: (3, 7) },
            }],
            skipped: vec!["b".to_string()],
        })
    }

    #[test]
    fn texts_come_back() -> Result<(), String> {
        let manifest = example()?;
        assert_eq!(Manifest::parse(&manifest.to_text())?, manifest);
        let text = manifest.to_text();
        for (from, to) in [
            ("\"step\":1", "\"step\":2"),
            ("[0,20,3,7]", "[0,21,3,7]"),
            ("UInt16", "Utf8"),
            ("[20,30]", "[0,30]"),
            ("\"side\":512", "\"side\":0"),
        ] {
            assert!(text.contains(from), "{text}");
            assert!(Manifest::parse(&text.replace(from, to)).is_err(), "{to}");
        }
        Ok(())
    }

    #[test]
    fn secrets_do_not_travel() -> Result<(), String> {
        let mut manifest = example()?;
        assert!(portable(&manifest.to_text()).is_ok_and(|text| text.contains("account")));
        manifest.scenes[0].address.options.insert("sas".to_string(), "sig=x".to_string());
        let message = portable(&manifest.to_text()).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("sas") && !message.contains("sig=x"), "{message}");
        Ok(())
    }
}
