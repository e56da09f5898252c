//! Coordinate reference systems, and the way from one to another.

use proj4rs::Proj;

/// A coordinate reference system: an EPSG code, or a definition in the words of PROJ.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Crs {
    name: String,
    is_geographic: bool,
    units: String,
}

impl Crs {
    /// The system of that name: `EPSG:32633` or `+proj=…`. A vertical part (`EPSG:32633+3855`) is left out.
    ///
    /// # Errors
    /// A message that names the system, where it is not known or cannot be computed with.
    pub fn parse(name: &str) -> Result<Self, String> {
        let name = match name.trim() {
            text if text.starts_with('+') => text.to_string(),
            text if text.eq_ignore_ascii_case("OGC:CRS84") || text.eq_ignore_ascii_case("WGS84") => {
                "EPSG:4326".to_string()
            }
            text => match text.split_once(':').filter(|(authority, _)| authority.eq_ignore_ascii_case("EPSG")) {
                Some((_, code)) => format!("EPSG:{}", code.split('+').next().unwrap_or(code).trim()),
                None => return Err(format!("expected a reference system as EPSG:32633 or +proj=…, found `{text}`")),
            },
        };
        let proj = projection(&name)?;
        let is_geographic = proj.is_latlong();
        let units = match proj.units() {
            "" | "m" => "m".to_string(),
            other => other.to_string(),
        };
        Ok(Self { name, is_geographic, units })
    }

    /// The system with that EPSG code.
    pub fn epsg(code: u32) -> Result<Self, String> {
        Self::parse(&format!("EPSG:{code}"))
    }

    /// `EPSG:32633`, or its definition.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether places are latitudes and longitudes, in degrees.
    pub fn is_geographic(&self) -> bool {
        self.is_geographic
    }

    /// The units of projected coordinates.
    pub fn units(&self) -> String {
        self.units.clone()
    }
}

fn projection(name: &str) -> Result<Proj, String> {
    let proj = match name.strip_prefix("EPSG:") {
        None => Proj::from_proj_string(name).map_err(|error| format!("reference system {name}: {error}"))?,
        Some(code) => {
            let number: u16 = code.parse().map_err(|_| format!("reference system {name}: not known"))?;
            Proj::from_epsg_code(number).map_err(|error| match error {
                proj4rs::errors::Error::ProjectionNotFound => format!("reference system {name}: not known"),
                other => format!("reference system {name}: {other}"),
            })?
        }
    };
    match proj.has_inverse() && proj.has_forward() {
        true => Ok(proj),
        false => Err(format!("reference system {name}: its projection goes one way only")),
    }
}

/// The way of places from one system to another.
pub struct Transformer {
    /// `None` where both are the same.
    ends: Option<(Proj, Proj)>,
}

impl Transformer {
    /// From one system to another.
    pub fn new(from: &Crs, to: &Crs) -> Result<Self, String> {
        if from == to {
            return Ok(Self { ends: None });
        }
        Ok(Self { ends: Some((projection(&from.name)?, projection(&to.name)?)) })
    }

    /// Whether places stay as they are.
    pub fn is_identity(&self) -> bool {
        self.ends.is_none()
    }

    /// A place (x, y) in the other system; `None` where it is not there.
    pub fn apply(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let Some((from, to)) = &self.ends else { return Some((x, y)) };
        let mut place = if from.is_latlong() { (x.to_radians(), y.to_radians()) } else { (x, y) };
        if !(place.0.is_finite() && place.1.is_finite()) {
            return None;
        }
        proj4rs::transform::transform(from, to, &mut place).ok()?;
        let place = if to.is_latlong() { (place.0.to_degrees(), place.1.to_degrees()) } else { place };
        (place.0.is_finite() && place.1.is_finite()).then_some(place)
    }
}

impl std::fmt::Debug for Transformer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Transformer").field("is_identity", &self.is_identity()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_move() -> Result<(), String> {
        let way = Transformer::new(&Crs::parse("EPSG:4326")?, &Crs::parse("epsg:32633")?)?;
        let (x, y) = way.apply(15.0, 52.0).ok_or("nowhere")?;
        // As PROJ 9 has it.
        assert!((x - 500_000.0).abs() < 1e-6 && (y - 5_761_038.212_6).abs() < 1e-3, "{x} {y}");
        Ok(())
    }

    #[test]
    fn what_is_not_known_is_named() {
        let messages: Vec<String> = ["EPSG:99", "EPSG:999999", "utm", "+proj=nowhere"]
            .iter()
            .filter_map(|name| Crs::parse(name).err())
            .collect();
        assert_eq!(messages.len(), 4, "{messages:?}");
        assert!(messages[0].contains("EPSG:99") && messages[3].contains("+proj=nowhere"), "{messages:?}");
    }
}
