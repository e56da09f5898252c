//! From a manifest to a dataset.

use std::sync::Arc;

use arrow::array::{StringArray, TimestampMicrosecondArray};
use serde_json::{Map, Value, json};

use super::array::{Scenes, StackArray};
use super::manifest::Manifest;
use super::request::BandLayout;
use crate::access::AccessPolicy;
use crate::dataset::{Dataset, Dimension, Encoding, Role, Variable};
use crate::source::SourceError;
use crate::source::store::without_secrets;
use crate::source::warp::{known_index, spatial_labels};

/// The variable of all bands.
const BAND_DATA: &str = "band_data";

/// Opens the cube that a manifest describes, for whoever may touch what the policy says. No scene is opened yet.
///
/// # Errors
/// [`SourceError::Address`] where the text is no manifest.
pub fn open(uri: &str, text: &str, access: &AccessPolicy) -> Result<Dataset, SourceError> {
    let uri = without_secrets(uri);
    let manifest = Manifest::parse(text).map_err(|message| SourceError::Address { uri: uri.clone(), message })?;
    let attributes = attributes(&manifest);
    let (row_name, column_name) = manifest.target.dimension_names();
    let times = TimestampMicrosecondArray::from(manifest.times.clone());
    let mut variables = vec![known_index("time", Arc::new(times), axis("T"))];
    let mut dimensions = vec![("time", manifest.times.len() as u64)];
    let names: Vec<String> = manifest.bands.iter().map(|band| band.name.clone()).collect();
    if manifest.layout == BandLayout::Dimension {
        let labels = StringArray::from_iter_values(&names);
        variables.push(known_index("band", Arc::new(labels), Map::new()));
        dimensions.push(("band", names.len() as u64));
    }
    dimensions.extend([(row_name, manifest.target.height), (column_name, manifest.target.width)]);
    let over: Vec<String> = dimensions.iter().map(|(name, _)| (*name).to_string()).collect();
    variables.extend(spatial_labels(&manifest.target));
    let layout = manifest.layout;
    let scenes = Arc::new(Scenes::new(uri.clone(), manifest, access.clone()));
    match layout {
        BandLayout::Dimension => variables.push(variable(&scenes, None, BAND_DATA, &over)),
        BandLayout::Variables => {
            let of_bands = names.iter().enumerate();
            variables.extend(of_bands.map(|(number, name)| variable(&scenes, Some(number), name, &over)));
        }
    }
    let dimensions = dimensions.into_iter().map(|(name, length)| Dimension { name: name.to_string(), length });
    Ok(Dataset { uri, dimensions: dimensions.collect(), variables, attributes })
}

fn axis(name: &str) -> Map<String, Value> {
    Map::from_iter([("axis".to_string(), json!(name))])
}

/// Where the cube lies, and what it is made of.
fn attributes(manifest: &Manifest) -> Map<String, Value> {
    let mut attributes = Map::new();
    let mut put = |name: &str, value: Value| drop(attributes.insert(name.to_string(), value));
    put("crs", json!(manifest.target.crs.name()));
    put("transform", json!(manifest.target.transform.0));
    put("scenes", json!(manifest.scenes.len()));
    put("resampling", json!(manifest.method.to_string()));
    put("mosaic", json!(manifest.mosaic.to_string()));
    if !manifest.skipped.is_empty() {
        put("skipped", json!(manifest.skipped));
    }
    attributes
}

fn variable(scenes: &Arc<Scenes>, band: Option<usize>, name: &str, over: &[String]) -> Variable {
    let manifest = &scenes.manifest;
    let data_type = manifest.mosaic.data_type(&scenes.layer_type());
    let encoding = Encoding {
        stored_type: manifest.data_type.to_string().to_lowercase(),
        codecs: format!("stack of {} scenes ({}, {})", manifest.scenes.len(), manifest.method, manifest.mosaic),
        ..Encoding::default()
    };
    let array = StackArray::new(Arc::clone(scenes), band, name.to_string());
    Variable {
        name: name.to_string(),
        dimensions: over.to_vec(),
        role: Role::Data,
        nan_is_missing: data_type.is_floating(),
        data_type,
        calendar: None,
        attributes: Map::new(),
        encoding,
        array: Arc::new(array),
    }
}
