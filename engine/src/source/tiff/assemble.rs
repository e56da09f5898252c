//! From a scene to a dataset: `band_data` of (band, y, x), as xarray names it.

use std::sync::Arc;

use arrow::datatypes::DataType;
use serde_json::{Map, Value, json};

use super::labels::{LabelArray, Labels};
use super::scene::{BandData, Level, Scene};
use crate::dataset::{Dataset, Dimension, Encoding, Role, Variable};
use crate::source::zarr::DecodeOptions;
use crate::source::{ArraySource, SourceError};

/// The dataset of a scene at a level: 0 is the full resolution.
pub(super) fn dataset(scene: &Scene, options: &DecodeOptions, level: usize) -> Result<Dataset, SourceError> {
    let data = scene.band_data(level, options)?;
    let Some(found) = scene.levels.get(level) else {
        return Err(SourceError::Metadata { array: scene.uri.clone(), message: "no such level".to_string() });
    };
    let bands = scene.bands.len() as u64;
    let transform = scene.transform_at(level);
    let dimensions = [("band", bands), ("y", found.height), ("x", found.width)];
    let mut variables = vec![label("band", Labels::Numbers, bands, Map::new())];
    // Where the picture lies askew, no row has one y, so rows and columns are known by their numbers alone.
    if let Some([x, x_by_column, 0.0, y, 0.0, y_by_row]) = transform {
        let axis = |name: &str| json_map([("axis", json!(name.to_uppercase()))]);
        variables.push(label("y", Labels::Middles { start: y, step: y_by_row }, found.height, axis("y")));
        variables.push(label("x", Labels::Middles { start: x, step: x_by_column }, found.width, axis("x")));
    }
    variables.push(spatial_ref(scene, transform));
    variables.push(band_data(scene, found, data));
    Ok(Dataset {
        uri: scene.uri.clone(),
        dimensions: dimensions.map(|(name, length)| Dimension { name: name.to_string(), length }).to_vec(),
        variables,
        attributes: attributes(scene, transform),
    })
}

/// What is said of the whole: where it lies, and how many overviews there are.
fn attributes(scene: &Scene, transform: Option<[f64; 6]>) -> Map<String, Value> {
    let mut attributes = Map::new();
    if let Some(crs) = &scene.crs {
        attributes.insert("crs".into(), json!(crs));
    }
    if let Some(transform) = transform {
        attributes.insert("transform".into(), json!(transform));
    }
    attributes.insert("AREA_OR_POINT".into(), json!(if scene.pixel_is_point { "Point" } else { "Area" }));
    attributes.insert("overviews".into(), json!(scene.levels.len().saturating_sub(1)));
    attributes
}

/// The coordinate that carries the reference system, as rioxarray writes it.
fn spatial_ref(scene: &Scene, transform: Option<[f64; 6]>) -> Variable {
    let mut attributes = Map::new();
    if let Some(crs) = &scene.crs {
        attributes.insert("crs".into(), json!(crs));
    }
    if let Some(epsg) = scene.epsg {
        attributes.insert("epsg".into(), json!(epsg));
    }
    if let Some(transform) = transform {
        let numbers = transform.map(|number| number.to_string());
        attributes.insert("GeoTransform".into(), json!(numbers.join(" ")));
    }
    let array = Arc::new(LabelArray::scalar());
    variable("spatial_ref", &[], Role::Coordinate, DataType::Int64, attributes, array)
}

fn band_data(scene: &Scene, level: &Level, data: BandData) -> Variable {
    let BandData { array, data_type, nan_is_missing, mut attributes } = data;
    let descriptions: Vec<&str> = scene.bands.iter().filter_map(|band| band.description.as_deref()).collect();
    match descriptions.as_slice() {
        [only] if scene.bands.len() == 1 => drop(attributes.insert("long_name".into(), json!(only))),
        all if all.len() == scene.bands.len() => drop(attributes.insert("long_name".into(), json!(all))),
        _ => {}
    }
    attributes.insert("grid_mapping".into(), json!("spatial_ref"));
    let fill_value = attributes.get("_FillValue").map(|value| value.to_string().trim_matches('"').to_string());
    let masked = if level.is_masked() { ", masked" } else { "" };
    let encoding = Encoding {
        stored_type: level.stored_type().to_string(),
        codecs: format!("{}{masked}", level.codecs()),
        fill_value,
        ..Encoding::default()
    };
    let variable = variable("band_data", &["band", "y", "x"], Role::Data, data_type, attributes, array);
    Variable { nan_is_missing, encoding, ..variable }
}

fn label(name: &str, labels: Labels, length: u64, attributes: Map<String, Value>) -> Variable {
    let data_type = if labels == Labels::Numbers { DataType::Int64 } else { DataType::Float64 };
    let array = Arc::new(LabelArray::along(labels, length));
    variable(name, &[name], Role::Index, data_type, attributes, array)
}

fn variable(
    name: &str,
    dimensions: &[&str],
    role: Role,
    data_type: DataType,
    attributes: Map<String, Value>,
    array: Arc<dyn ArraySource>,
) -> Variable {
    let stored_type = format!("{data_type}").to_lowercase();
    Variable {
        name: name.to_string(),
        dimensions: dimensions.iter().map(ToString::to_string).collect(),
        role,
        nan_is_missing: data_type.is_floating(),
        data_type,
        calendar: None,
        attributes,
        encoding: Encoding { stored_type, codecs: "computed".to_string(), ..Encoding::default() },
        array,
    }
}

fn json_map<const COUNT: usize>(entries: [(&str, Value); COUNT]) -> Map<String, Value> {
    entries.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}
