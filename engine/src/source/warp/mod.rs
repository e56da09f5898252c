//! Datasets in another coordinate reference system.
//!
//! The way of a cell: [`georeference`] finds where a dataset lies, [`outputs`] which boxes cover it elsewhere; a warped
//! array ([`array`]) takes each of its own cells back to the source ([`places`]), fetches the chunks that lie around these
//! places, and computes the cell from them ([`resample`]) when it is read.
//!
//! Conventions are GDAL's: a place in a grid is counted from the corner of its first cell, weights leave out missing cells,
//! and kernels grow where the target is coarser than the source.

mod array;
mod chunk;
mod crs;
mod geobox;
mod georeference;
mod grid_mapping;
mod interpolated;
mod kept;
mod known;
mod options;
mod outputs;
mod places;
mod plan;
mod resample;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value, json};

pub(super) use array::side;
pub(super) use chunk::{Piece, WarpedChunk, filled_like};
pub use crs::{Crs, Transformer};
pub use geobox::{Affine, GeoBox};
pub use georeference::{MapAxes, Placed, map_axes, placed};
pub(super) use kept::{KeptArray, KeptChunks};
pub(super) use known::known_index;
pub use options::WarpOptions;
pub use outputs::{bounds_in, covering, suggested};
pub use places::{Places, Way, Window};
pub(super) use plan::{Wanted, WarpPlan, fetch_box};
pub use resample::{Method, Plane, Resampler};

use crate::dataset::{Dataset, Dimension, Role, Variable};
use crate::source::{ArraySource, SourceError};
use array::WarpedArray;

/// The dataset in another coordinate reference system: variables over its rows and columns are resampled when they are
/// read, the others stay.
///
/// # Errors
/// [`SourceError::Metadata`] where it is not known where the dataset lies, where a variable has rows and columns but not
/// as its last dimensions, or where it lies nowhere in the other system.
pub async fn warp(dataset: Dataset, options: &WarpOptions) -> Result<Dataset, SourceError> {
    let placed = placed(&dataset).await?;
    let uri = dataset.uri.clone();
    let failed = |message: String| SourceError::Metadata { array: uri.clone(), message };
    let target = suggested(&placed.geobox, &options.to, options.resolution).map_err(failed)?;
    let plan = Arc::new(WarpPlan::new(placed.geobox, target.clone(), options.method).map_err(failed)?);
    let (row_name, column_name) = target.dimension_names();
    let renamed = |name: &String| match name {
        name if *name == placed.y => row_name.to_string(),
        name if *name == placed.x => column_name.to_string(),
        name => name.clone(),
    };
    let dimensions = dataset.dimensions.iter().map(|dimension| {
        let length = match &dimension.name {
            name if *name == placed.y => target.height,
            name if *name == placed.x => target.width,
            _ => dimension.length,
        };
        Dimension { name: renamed(&dimension.name), length }
    });
    let dimensions = dimensions.collect();
    let mut variables = spatial_labels(&target);
    let kept = Arc::new(KeptChunks::default());
    for variable in dataset.variables {
        let across = variable.dimensions.iter().filter(|name| **name == placed.y || **name == placed.x).count();
        let is_trailing = variable.dimensions.ends_with(&[placed.y.clone(), placed.x.clone()]);
        match (across, is_trailing) {
            (0, _) if placed.grid_mapping.as_ref() == Some(&variable.name) => {}
            (0, _) => variables.push(variable),
            (_, true) => {
                let number = variables.len();
                let source = KeptArray::new(Arc::clone(&variable.array), Arc::clone(&kept), number);
                variables.push(warped(variable, Arc::new(source), &plan, &uri, &renamed));
            }
            // Labels are made anew, and bounds of cells or positions elsewhere have no meaning any more.
            _ if variable.role != Role::Data => {}
            _ => {
                return Err(failed(format!(
                    "variable `{}`: expected `{}` and `{}` as its last dimensions to warp it, found ({})",
                    variable.name,
                    placed.y,
                    placed.x,
                    variable.dimensions.join(", ")
                )));
            }
        }
    }
    let mut attributes = dataset.attributes;
    attributes.insert("crs".to_string(), json!(target.crs.name()));
    attributes.insert("transform".to_string(), json!(target.transform.0));
    Ok(Dataset { uri: dataset.uri, dimensions, variables, attributes })
}

/// The labels of the rows and columns of a box.
pub(super) fn spatial_labels(target: &GeoBox) -> Vec<Variable> {
    let (row_name, column_name) = target.dimension_names();
    let attributes = |axis: &str| {
        let (units, standard_name) = match (target.crs.is_geographic(), axis) {
            (true, "Y") => ("degrees_north".to_string(), "latitude"),
            (true, _) => ("degrees_east".to_string(), "longitude"),
            (false, "Y") => (target.crs.units(), "projection_y_coordinate"),
            (false, _) => (target.crs.units(), "projection_x_coordinate"),
        };
        let mut attributes = Map::new();
        attributes.insert("units".to_string(), Value::String(units));
        attributes.insert("standard_name".to_string(), json!(standard_name));
        attributes.insert("axis".to_string(), json!(axis));
        attributes
    };
    let rows: Vec<f64> = (0..target.height).map(|row| target.transform.apply(0.5, row as f64 + 0.5).1).collect();
    let columns: Vec<f64> =
        (0..target.width).map(|column| target.transform.apply(column as f64 + 0.5, 0.5).0).collect();
    vec![
        known_index(row_name, Arc::new(arrow::array::Float64Array::from(rows)), attributes("Y")),
        known_index(column_name, Arc::new(arrow::array::Float64Array::from(columns)), attributes("X")),
    ]
}

fn warped(
    variable: Variable,
    source: Arc<dyn ArraySource>,
    plan: &Arc<WarpPlan>,
    uri: &str,
    renamed: &dyn Fn(&String) -> String,
) -> Variable {
    let resampler = Resampler::of(plan.method, &variable.data_type, variable.nan_is_missing);
    let array = WarpedArray::new(source, Arc::clone(plan), &resampler, variable.clone(), uri);
    let mut attributes = variable.attributes;
    attributes.remove("grid_mapping");
    attributes.remove("coordinates");
    if resampler.data_type() != &variable.data_type {
        for packing in ["_FillValue", "missing_value", "scale_factor", "add_offset"] {
            attributes.remove(packing);
        }
    }
    let mut encoding = variable.encoding;
    encoding.codecs = format!("{}, warped ({})", encoding.codecs, plan.method);
    Variable {
        dimensions: variable.dimensions.iter().map(renamed).collect(),
        data_type: resampler.data_type().clone(),
        nan_is_missing: resampler.nan_is_missing(),
        attributes,
        encoding,
        array: Arc::new(array),
        ..variable
    }
}
