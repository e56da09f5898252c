//! Axes of cells: what they measure, what is written at them, and how long their units are on paper.

use quarray_engine::outcome::{Axis, MapUnits};

use super::axis::{Scale, positions};
use super::heat::Cells;
use super::map_ticks::Measure;

/// The axes of a heat map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ground {
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    pub(crate) x_label: String,
    pub(crate) y_label: String,
    /// How many times as long a unit upwards is as one to the right, where that is not a matter of the page.
    pub(crate) stretch: Option<f64>,
    /// The reference system of a map, if its name is short.
    pub(crate) system: Option<String>,
}

/// Lengths of an axis from which on they are written in kilometres.
const KILOMETRES_MIN: f64 = 10_000.0;

/// From this latitude on a map is stretched no more.
const STRETCHED_LATITUDE_MAX: f64 = 80.0;

impl Ground {
    /// The axes of cells: those of a map as its units ask for.
    pub(crate) fn of(cells: &Cells<'_>) -> Self {
        let (x, y) = (Scale::of_cells(cells.x), Scale::of_cells(cells.y));
        let Some(map) = cells.map else {
            let (x_label, y_label) = (cells.x.label.clone(), cells.y.label.clone());
            let is_same = matches!((units(&x_label), units(&y_label)), (Some(x), Some(y)) if x == y);
            return Self { x, y, x_label, y_label, stretch: is_same.then_some(1.0), system: None };
        };
        let system = Some(map.name.clone()).filter(|name| name.starts_with("EPSG:") && map.units != MapUnits::Degrees);
        let labelled = |axis: &Axis, units: &str| match (axis.label.as_str(), units) {
            ("x", "") => "longitude".to_string(),
            ("y", "") => "latitude".to_string(),
            (name, "") => name.to_string(),
            (name, units) => format!("{name} [{units}]"),
        };
        let (x_measure, y_measure, units) = match &map.units {
            MapUnits::Degrees => (Measure::Longitude, Measure::Latitude, ""),
            MapUnits::Metres if (x.high - x.low).max(y.high - y.low) >= KILOMETRES_MIN => {
                (Measure::Length(1000.0), Measure::Length(1000.0), "km")
            }
            MapUnits::Metres => (Measure::Length(1.0), Measure::Length(1.0), "m"),
            MapUnits::Lengths(name) => (Measure::Length(1.0), Measure::Length(1.0), name.as_str()),
        };
        let y = if map.units == MapUnits::Degrees { y.within_poles(cells.y) } else { y };
        let stretch = match map.units {
            MapUnits::Degrees => degree_stretch(f64::midpoint(y.low, y.high)),
            _ => 1.0,
        };
        Self {
            x_label: labelled(cells.x, units),
            y_label: labelled(cells.y, units),
            x: x.measuring(x_measure),
            y: y.measuring(y_measure),
            stretch: Some(stretch),
            system,
        }
    }

    /// The largest width and height that fit and are true to scale; `None` where there is no scale to be true to, or where
    /// a strip so thin would show less than a stretched drawing.
    pub(crate) fn true_to_scale(&self, width: f64, height: f64, thinnest: f64) -> Option<(f64, f64)> {
        let ratio = (self.x.high - self.x.low) / ((self.y.high - self.y.low) * self.stretch?);
        let fitting = (width.min(height * ratio), height.min(width / ratio));
        (fitting.0 >= width * thinnest && fitting.1 >= height * thinnest).then_some(fitting)
    }
}

impl Scale {
    /// Without what the outer cells of an axis of latitudes have beyond the poles.
    fn within_poles(mut self, axis: &Axis) -> Self {
        if positions(axis).iter().all(|latitude| latitude.abs() <= 90.0) && self.high > self.low {
            (self.low, self.high) = (self.low.max(-90.0), self.high.min(90.0));
        }
        self
    }
}

/// How many times as long a degree of latitude is as one of longitude, on a map around a latitude.
fn degree_stretch(latitude: f64) -> f64 {
    1.0 / latitude.abs().min(STRETCHED_LATITUDE_MAX).to_radians().cos()
}

/// `m` of `y [m]`; degrees of latitude and longitude are the same.
fn units(label: &str) -> Option<&str> {
    let (_, units) = label.strip_suffix(']')?.rsplit_once('[')?;
    Some(units.strip_prefix("degrees").map_or(units, |_| "degrees"))
}

#[cfg(test)]
mod tests {
    use quarray_engine::outcome::{AxisLabels, ColourOptions, MapSystem};

    use super::*;

    fn ground(x: (&str, &[f64]), y: (&str, &[f64]), units: Option<MapUnits>) -> Ground {
        let axis = |(label, labels): (&str, &[f64])| Axis {
            label: label.to_string(),
            labels: AxisLabels::Numbers(labels.to_vec()),
        };
        let (x, y) = (axis(x), axis(y));
        let map = units.map(|units| MapSystem { name: "EPSG:32633".to_string(), units });
        let colours = ColourOptions::default();
        Ground::of(&Cells {
            title: "",
            x: &x,
            y: &y,
            value_label: "",
            long_name: "",
            values: &[],
            colours,
            map: map.as_ref(),
        })
    }

    fn labels(scale: &Scale, count: usize) -> String {
        let marks = scale.ticks(count).marks;
        marks.iter().map(|mark| mark.label.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn degrees_are_as_long_as_on_earth() {
        let map = ground(("lon", &[10.0, 11.0, 12.0]), ("lat", &[61.0, 60.0, 59.0]), Some(MapUnits::Degrees));
        assert!(map.stretch.is_some_and(|stretch| (stretch - 2.0).abs() < 1e-12), "{map:?}");
        assert_eq!((map.x_label.as_str(), map.y_label.as_str(), &map.system), ("lon", "lat", &None));
        assert_eq!(
            (labels(&map.x, 3), labels(&map.y, 3)),
            ("10°E 11°E 12°E".to_string(), "59°N 60°N 61°N".to_string())
        );
        // Three degrees by three, of which those of latitude are twice as long.
        assert!(map.true_to_scale(100.0, 100.0, 0.1).is_some_and(|(w, h)| (w - 50.0).abs() < 1e-9 && h == 100.0));
    }

    #[test]
    fn cells_end_at_the_poles() {
        let map = ground(("lon", &[0.0, 90.0, 180.0, 270.0]), ("lat", &[-90.0, 0.0, 90.0]), Some(MapUnits::Degrees));
        assert_eq!((map.y.low, map.y.high, map.stretch), (-90.0, 90.0, Some(1.0)));
        let polar = ground(("x", &[0.0, 1.0]), ("y", &[88.0, 89.0]), Some(MapUnits::Degrees));
        assert_eq!((polar.x_label.as_str(), polar.y_label.as_str()), ("longitude", "latitude"));
        assert!(polar.stretch.is_some_and(|stretch| stretch < 6.0), "{polar:?}");
    }

    #[test]
    fn metres_are_kilometres_where_there_are_many() {
        let (x, y) = ([500_000.0, 520_000.0], [4_000_000.0, 4_010_000.0]);
        let map = ground(("x", &x), ("y", &y), Some(MapUnits::Metres));
        assert_eq!((map.x_label.as_str(), map.y_label.as_str(), map.stretch), ("x [km]", "y [km]", Some(1.0)));
        assert_eq!((labels(&map.x, 4), map.system.as_deref()), ("490 500 510 520 530".to_string(), Some("EPSG:32633")));
        let near = ground(("x", &[500_000.0, 500_100.0]), ("y", &[0.0, 100.0]), Some(MapUnits::Metres));
        assert_eq!((near.x_label.as_str(), labels(&near.x, 2).as_str()), ("x [m]", "500000 500100"));
        let feet = ground(("x", &x), ("y", &y), Some(MapUnits::Lengths("us-ft".to_string())));
        assert_eq!((feet.x_label.as_str(), labels(&feet.y, 2).as_str()), ("x [us-ft]", "4000000 4010000"));
    }

    #[test]
    fn what_is_no_map_is_as_its_labels_say() {
        let check = |x: &str, y: &str, expected: Option<f64>| {
            let plain = ground((x, &[0.0, 1.0]), (y, &[0.0, 1.0]), None);
            assert_eq!((plain.stretch, plain.x_label.as_str(), plain.y_label.as_str()), (expected, x, y));
        };
        check("x [m]", "y [m]", Some(1.0));
        check("rlon [degrees]", "rlat [degrees]", Some(1.0));
        check("lon [degrees_east]", "lat [degrees_north]", Some(1.0));
        check("time", "y [m]", None);
        check("x", "y", None);
    }

    #[test]
    fn thin_strips_fill_the_page() {
        let strip = ground(("x [m]", &[0.0, 1.0]), ("y [m]", &[0.0, 100.0]), None);
        assert_eq!((strip.true_to_scale(100.0, 100.0, 0.2), strip.true_to_scale(f64::NAN, 1.0, 0.2)), (None, None));
    }
}
