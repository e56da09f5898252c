//! What a warp is asked for, as an option of a dataset's address.

use serde_json::{Value, json};

use super::crs::Crs;
use super::resample::Method;

/// The option `warp` of an address: the name of a reference system, or JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct WarpOptions {
    /// The system that the dataset is taken to.
    pub to: Crs,
    /// How cells are computed.
    pub method: Method,
    /// The side of a cell; that which keeps the number of cells unless told.
    pub resolution: Option<f64>,
}

impl WarpOptions {
    /// Checks what was asked for.
    ///
    /// # Errors
    /// A message that names what was found and what was expected.
    pub fn new(to: &str, using: Option<&str>, resolution: Option<f64>) -> Result<Self, String> {
        if let Some(found) = resolution.filter(|size| !(size.is_finite() && *size > 0.0)) {
            return Err(format!("RESOLUTION: expected a positive number, found {found}"));
        }
        let method = using.map_or(Ok(Method::Nearest), Method::parse)?;
        Ok(Self { to: Crs::parse(to)?, method, resolution })
    }

    /// The value of the option.
    ///
    /// # Errors
    /// A message that names what was found and what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.trim_start().starts_with('{') {
            return Self::new(text, None, None);
        }
        let value: Value = serde_json::from_str(text).map_err(|error| format!("option `warp`: {error}"))?;
        let to = value.get("to").and_then(Value::as_str).ok_or("option `warp`: expected a system `to`, found none")?;
        Self::new(to, value.get("using").and_then(Value::as_str), value.get("resolution").and_then(Value::as_f64))
    }

    /// The option that says the same.
    pub fn to_text(&self) -> String {
        let mut value = json!({ "to": self.to.name(), "using": self.method.to_string() });
        if let (Some(resolution), Some(object)) = (self.resolution, value.as_object_mut()) {
            object.insert("resolution".to_string(), json!(resolution));
        }
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_back() -> Result<(), String> {
        let options = WarpOptions::new("epsg:3857", Some("CUBIC"), Some(30.0))?;
        assert_eq!(WarpOptions::parse(&options.to_text())?, options);
        assert_eq!(WarpOptions::parse("EPSG:3857")?.method, Method::Nearest);
        let refused = [
            WarpOptions::new("EPSG:3857", Some("best"), None),
            WarpOptions::new("EPSG:3857", None, Some(-1.0)),
            WarpOptions::parse("{}"),
        ];
        assert!(refused.iter().all(Result::is_err), "{refused:?}");
        Ok(())
    }
}
