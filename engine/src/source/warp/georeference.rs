//! Where a dataset lies: its rows and columns, their labels, and the reference system that these are in.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use serde_json::Value;

use super::crs::Crs;
use super::geobox::{Affine, GeoBox};
use super::grid_mapping;
use crate::array::Region;
use crate::dataset::{Dataset, Role, Variable};
use crate::source::SourceError;

/// How far labels may be from where a regular grid has them, as a share of a cell: they are often kept as `f32`.
const IRREGULAR_MAX: f64 = 0.02;

/// Labels of a dimension, at most.
const LABELS_MAX: u64 = 1 << 24;

/// Where a dataset lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// Its grid.
    pub geobox: GeoBox,
    /// The dimension of its rows.
    pub y: String,
    /// The dimension of its columns.
    pub x: String,
    /// The variable that tells the reference system.
    pub grid_mapping: Option<String>,
}

/// The rows and columns of a dataset, and the system that their labels are in.
#[derive(Debug, Clone, PartialEq)]
pub struct MapAxes {
    /// The reference system.
    pub crs: Crs,
    /// The dimension of its rows.
    pub y: String,
    /// The dimension of its columns.
    pub x: String,
    /// The variable that tells the reference system.
    pub grid_mapping: Option<String>,
}

/// Finds where a dataset lies.
///
/// # Errors
/// [`SourceError::Metadata`] where there are no rows and columns, no reference system, or no regular grid; those of the
/// store.
pub async fn placed(dataset: &Dataset) -> Result<Placed, SourceError> {
    let failed = |message: String| SourceError::Metadata { array: dataset.uri.clone(), message };
    let MapAxes { y, x, crs, grid_mapping } = map_axes(dataset).map_err(failed)?;
    let length = |name: &str| dataset.dimension(name).map_or(0, |dimension| dimension.length);
    let (width, height) = (length(&x), length(&y));
    let transform = match transform_of(dataset) {
        Some(transform) => transform,
        None => {
            let (left, step_x) = regular(dataset, &x).await?;
            let (top, step_y) = regular(dataset, &y).await?;
            Affine([left, step_x, 0.0, top, 0.0, step_y])
        }
    };
    if width == 0 || height == 0 || transform.inverse().is_none() {
        return Err(failed(format!("expected rows and columns with an area, found {height} × {width} cells")));
    }
    Ok(Placed { geobox: GeoBox { crs, transform, width, height }, y, x, grid_mapping })
}

/// Finds the rows and columns of a dataset and the system of their labels. Nothing is read for it.
///
/// # Errors
/// A message that says what was expected, where there are no rows and columns or no reference system.
pub fn map_axes(dataset: &Dataset) -> Result<MapAxes, String> {
    let Some((y, x, variable)) = spatial_dimensions(dataset) else {
        let message = "expected variables over rows and columns (y, x or lat, lon) to know where they lie, found none";
        return Err(message.to_string());
    };
    let named = variable.attributes.get("grid_mapping").and_then(Value::as_str);
    let named = named.map(|name| name.split([':', ' ']).next().unwrap_or(name).to_string());
    let mapping = named.and_then(|name| dataset.variable(&name)).or_else(|| dataset.variable("spatial_ref"));
    let crs = crs_of(dataset, mapping, &y, &x)?;
    Ok(MapAxes { crs, grid_mapping: mapping.map(|mapping| mapping.name.clone()), y, x })
}

/// The last two dimensions of the first variable that has rows and columns.
fn spatial_dimensions(dataset: &Dataset) -> Option<(String, String, &Variable)> {
    let data = dataset.variables.iter().filter(|variable| variable.role == Role::Data);
    data.into_iter().find_map(|variable| {
        let find =
            |is_it: fn(&Dataset, &str) -> bool| variable.dimensions.iter().find(|name| is_it(dataset, name)).cloned();
        Some((find(is_row)?, find(is_column)?, variable))
    })
}

fn is_row(dataset: &Dataset, name: &str) -> bool {
    let names = ["y", "lat", "latitude", "northing"];
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
        || says(dataset, name, "Y", &["latitude", "projection_y_coordinate"], "degrees_north")
}

fn is_column(dataset: &Dataset, name: &str) -> bool {
    let names = ["x", "lon", "longitude", "easting"];
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
        || says(dataset, name, "X", &["longitude", "projection_x_coordinate"], "degrees_east")
}

fn says(dataset: &Dataset, name: &str, axis: &str, standard_names: &[&str], units: &str) -> bool {
    let Some(index) = dataset.index(name) else { return false };
    let text = |name: &str| index.attributes.get(name).and_then(Value::as_str);
    text("axis") == Some(axis)
        || text("standard_name").is_some_and(|found| standard_names.contains(&found))
        || text("units") == Some(units)
}

fn crs_of(dataset: &Dataset, mapping: Option<&Variable>, y: &str, x: &str) -> Result<Crs, String> {
    if let Some(name) = dataset.attributes.get("crs").and_then(Value::as_str) {
        return Crs::parse(name);
    }
    let units = |name: &str| dataset.index(name).and_then(Variable::units);
    if let Some(found) = mapping.and_then(|mapping| grid_mapping::crs_of(&mapping.attributes, units(x))) {
        return found;
    }
    if let Some(found) = grid_mapping::crs_of(&dataset.attributes, units(x)) {
        return found;
    }
    let is_degrees = |name: &str| units(name).is_some_and(|units| units.to_ascii_lowercase().starts_with("degree"));
    let is_named = |name: &str| ["lat", "latitude", "lon", "longitude"].contains(&name.to_ascii_lowercase().as_str());
    if (is_degrees(y) && is_degrees(x)) || (is_named(y) && is_named(x)) {
        return Crs::parse("EPSG:4326");
    }
    Err("its reference system is not known: expected attribute `crs`, a grid mapping, or latitudes and longitudes"
        .to_string())
}

/// The transform that a dataset tells.
fn transform_of(dataset: &Dataset) -> Option<Affine> {
    let numbers = dataset.attributes.get("transform")?.as_array()?;
    let numbers: Vec<f64> = numbers.iter().filter_map(Value::as_f64).collect();
    numbers.try_into().ok().map(Affine)
}

/// Where the first cell of a dimension begins, and how long each is.
async fn regular(dataset: &Dataset, name: &str) -> Result<(f64, f64), SourceError> {
    let failed = |message: String| SourceError::Metadata { array: dataset.uri.clone(), message };
    let Some(index) = dataset.index(name) else {
        return Err(failed(format!("expected labels of dimension `{name}` to know where it lies, found none")));
    };
    let labels = labels(dataset, index).await?;
    let (Some(first), Some(last), true) = (labels.first(), labels.last(), labels.len() > 1) else {
        return Err(failed(format!("dimension `{name}`: expected two labels or more, found {}", labels.len())));
    };
    let step = (last - first) / (labels.len() - 1) as f64;
    let strays = |(place, label): (usize, &f64)| {
        let stray = (label - (first + step * place as f64)).abs();
        stray.is_nan() || stray > IRREGULAR_MAX * step.abs()
    };
    match labels.iter().enumerate().find(|&cell| strays(cell)) {
        None if step != 0.0 => Ok((first - step / 2.0, step)),
        None => Err(failed(format!("dimension `{name}`: all its labels are {first}"))),
        Some((place, label)) => Err(failed(format!(
            "dimension `{name}`: expected labels {step} apart, found {label} at position {place}: it is no regular grid"
        ))),
    }
}

async fn labels(dataset: &Dataset, index: &Variable) -> Result<Vec<f64>, SourceError> {
    let failed = |message: String| SourceError::Metadata { array: dataset.uri.clone(), message };
    let grid = index.array.grid();
    let length = grid.shape().first().copied().unwrap_or(0);
    if length > LABELS_MAX {
        return Err(failed(format!("dimension `{}`: {length} labels are too many", index.name)));
    }
    let mut labels = Vec::new();
    for chunk in 0..grid.chunk_counts().first().copied().unwrap_or(0) {
        let whole = Region::whole(&grid.chunk_region(&[chunk]).shape);
        let fetched = index.array.fetch(&[chunk]).await?;
        fetched.wait(&whole).await?;
        let values = fetched.read(&whole)?;
        let values = cast(&values, &DataType::Float64)
            .map_err(|error| failed(format!("dimension `{}`: {error}", index.name)))?;
        labels.extend_from_slice(values.as_primitive::<Float64Type>().values());
    }
    Ok(labels)
}
