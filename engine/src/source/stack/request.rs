//! What is asked of a stack.

use serde_json::{Map, Value};

use super::groups::Group;
use super::mosaic::Mosaic;
use crate::source::warp::{Crs, Method};

/// What happens where a scene is missing or broken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnError {
    /// Whoever asks for its cells gets an error that names it.
    #[default]
    Fail,
    /// All scenes are looked at when the cube is opened, and those that cannot be read are left out.
    Skip,
}

/// How the bands of a cube are laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BandLayout {
    /// One variable `band_data` over (time, band, y, x).
    #[default]
    Dimension,
    /// A variable over (time, y, x) for each band.
    Variables,
}

/// The arguments of a stack.
#[derive(Debug, Clone, PartialEq)]
pub struct StackRequest {
    /// The assets of the items that are read, one band or more each.
    pub assets: Vec<String>,
    /// The reference system of the cube; that of the scenes unless told.
    pub crs: Option<Crs>,
    /// The side of a cell, in units of the reference system; that of the finest scenes unless told.
    pub resolution: Option<f64>,
    /// What the cube covers: west, south, east, north in degrees.
    pub bbox: Option<[f64; 4]>,
    /// What the cube covers: left, bottom, right, top in units of its reference system.
    pub bounds: Option<[f64; 4]>,
    /// How cells are computed where grids differ.
    pub method: Method,
    /// What becomes of several scenes of one step of time.
    pub mosaic: Mosaic,
    /// Which scenes make a step of time.
    pub group: Group,
    /// What happens where a scene is missing or broken.
    pub on_error: OnError,
    /// Whether bands are a dimension or variables.
    pub layout: BandLayout,
}

const EXPECTED: &str = "assets, crs, resolution, bbox, bounds, resampling, mosaic, group, bands or on_error";

impl StackRequest {
    /// Reads the named arguments.
    ///
    /// # Errors
    /// A message that names the argument, what was found and what was expected.
    pub fn parse(given: &Map<String, Value>) -> Result<Self, String> {
        let mut request = Self {
            assets: Vec::new(),
            crs: None,
            resolution: None,
            bbox: None,
            bounds: None,
            method: Method::Nearest,
            mosaic: Mosaic::default(),
            group: Group::default(),
            on_error: OnError::default(),
            layout: BandLayout::default(),
        };
        for (name, value) in given {
            match name.as_str() {
                "asset" | "assets" => request.assets = texts(name, value)?,
                "crs" => request.crs = Some(crs(value)?),
                "resolution" => request.resolution = Some(positive(name, value)?),
                "bbox" => request.bbox = Some(rectangle(name, value, "west, south, east, north")?),
                "bounds" => request.bounds = Some(rectangle(name, value, "left, bottom, right, top")?),
                "resampling" => request.method = Method::parse(&text(name, value)?)?,
                "mosaic" => request.mosaic = Mosaic::parse(&text(name, value)?)?,
                "group" => request.group = Group::parse(&text(name, value)?)?,
                "on_error" => request.on_error = on_error(&text(name, value)?)?,
                "bands" => request.layout = layout(&text(name, value)?)?,
                other => return Err(format!("stack: unknown argument `{other}`: expected {EXPECTED}")),
            }
        }
        match (&request.bbox, &request.bounds) {
            _ if request.assets.is_empty() => Err("stack: expected `assets => ['…', …]`, found none".to_string()),
            (Some(_), Some(_)) => Err("stack: expected `bbox` or `bounds`, found both".to_string()),
            _ => Ok(request),
        }
    }
}

fn on_error(text: &str) -> Result<OnError, String> {
    match text.to_ascii_lowercase().as_str() {
        "fail" => Ok(OnError::Fail),
        "skip" => Ok(OnError::Skip),
        other => Err(format!("`on_error`: expected fail or skip, found `{other}`")),
    }
}

fn layout(text: &str) -> Result<BandLayout, String> {
    match text.to_ascii_lowercase().as_str() {
        "dimension" => Ok(BandLayout::Dimension),
        "variables" => Ok(BandLayout::Variables),
        other => Err(format!("`bands`: expected dimension or variables, found `{other}`")),
    }
}

fn crs(value: &Value) -> Result<Crs, String> {
    match value.as_u64().and_then(|code| u32::try_from(code).ok()) {
        Some(code) => Crs::epsg(code),
        None => Crs::parse(&text("crs", value)?),
    }
}

fn positive(name: &str, value: &Value) -> Result<f64, String> {
    let number = value.as_f64().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| format!("`{name}`: expected a positive number, found {value}"))
}

fn rectangle(name: &str, value: &Value, sides: &str) -> Result<[f64; 4], String> {
    let numbers: Option<Vec<f64>> = value.as_array().and_then(|values| values.iter().map(Value::as_f64).collect());
    let numbers: Option<[f64; 4]> = numbers.and_then(|numbers| numbers.try_into().ok());
    match numbers {
        // Degrees may go round the back of the world.
        Some(found @ [left, low, right, high]) if low < high && (left < right || name == "bbox" && left != right) => {
            Ok(found)
        }
        _ => Err(format!("`{name}`: expected [{sides}], found {value}")),
    }
}

fn text(name: &str, value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_string).ok_or_else(|| format!("`{name}`: expected a text, found {value}"))
}

fn texts(name: &str, value: &Value) -> Result<Vec<String>, String> {
    let found: Vec<String> = match value {
        Value::Array(values) => values.iter().map(|value| text(name, value)).collect::<Result<_, _>>()?,
        one => vec![text(name, one)?],
    };
    match (1..found.len()).find(|&place| found[..place].contains(&found[place])) {
        Some(twice) => Err(format!("`{name}`: `{}` is there twice", found[twice])),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(given: &Value) -> Result<StackRequest, String> {
        StackRequest::parse(given.as_object().ok_or("no object")?)
    }

    #[test]
    fn arguments_are_read() -> Result<(), String> {
        let request = parse(&json!({
            "assets": ["red", "nir"], "crs": 32633, "resolution": 10, "bbox": [179, -1, -179, 1],
            "resampling": "Cubic", "mosaic": "mean", "group": "solar_day", "on_error": "skip", "bands": "variables"
        }))?;
        assert_eq!(request.crs.as_ref().map(Crs::name), Some("EPSG:32633"));
        assert_eq!((request.method, request.mosaic, request.group), (Method::Cubic, Mosaic::Mean, Group::SolarDay));
        assert_eq!((request.on_error, request.layout), (OnError::Skip, BandLayout::Variables));
        assert_eq!(parse(&json!({"assets": "red"}))?.assets, ["red"]);
        Ok(())
    }

    #[test]
    fn arguments_that_mean_nothing_are_named() {
        for (given, expected) in [
            (json!({}), "assets"),
            (json!({"assets": ["a", "a"]}), "twice"),
            (json!({"assets": ["a"], "resolution": 0}), "resolution"),
            (json!({"assets": ["a"], "bbox": [1, 2, 3]}), "bbox"),
            (json!({"assets": ["a"], "bounds": [5, 2, 3, 4]}), "bounds"),
            (json!({"assets": ["a"], "bbox": [1, 2, 3, 4], "bounds": [1, 2, 3, 4]}), "both"),
            (json!({"assets": ["a"], "mosaic": "best"}), "best"),
            (json!({"assets": ["a"], "colour": "red"}), "colour"),
        ] {
            let message = parse(&given).err().unwrap_or_default();
            assert!(message.contains(expected), "{given}: {message}");
        }
    }
}
