//! Maps: heat maps over rows and columns whose reference system is known.

use std::collections::HashMap;

use crate::labelled::{Labelled, is_number};
use crate::outcome::{MapSystem, MapUnits};
use crate::scan::{CRS_KEY, MAP_AXIS_KEY};
use crate::source::warp::Crs;

/// A map of two dimensions.
pub(super) struct Placed {
    /// What the labels measure.
    pub(super) system: MapSystem,
    /// Whether columns are the outer dimension.
    pub(super) is_turned: bool,
}

/// The reference system of the two dimensions of an array, where their labels are the rows and the columns of one.
pub(super) fn system_of(labelled: &Labelled) -> Option<Placed> {
    let [outer, inner] = labelled.dimensions.as_slice() else { return None };
    if !(is_number(outer.labels.data_type()) && is_number(inner.labels.data_type())) {
        return None;
    }
    let is_turned = match (axis_of(&outer.metadata)?, axis_of(&inner.metadata)?) {
        ("y", "x") => false,
        ("x", "y") => true,
        _ => return None,
    };
    let name = outer.metadata.get(CRS_KEY).filter(|name| inner.metadata.get(CRS_KEY) == Some(name))?;
    let crs = Crs::parse(name).ok()?;
    let own = |metadata: &HashMap<String, String>| metadata.get("units").cloned();
    let told = own(&outer.metadata).filter(|units| own(&inner.metadata).as_ref() == Some(units));
    let units = match crs.is_geographic() {
        true => MapUnits::Degrees,
        false => units_of(told.unwrap_or_else(|| crs.units())),
    };
    Some(Placed { system: MapSystem { name: name.clone(), units }, is_turned })
}

fn axis_of(metadata: &HashMap<String, String>) -> Option<&str> {
    metadata.get(MAP_AXIS_KEY).map(String::as_str)
}

fn units_of(name: String) -> MapUnits {
    match name.to_ascii_lowercase().as_str() {
        "m" | "metre" | "metres" | "meter" | "meters" => MapUnits::Metres,
        "kilometre" | "kilometres" | "kilometer" | "kilometers" => MapUnits::Lengths("km".to_string()),
        _ => MapUnits::Lengths(name),
    }
}

/// Values row by row, given column by column.
pub(super) fn turned(values: &[f64], rows: usize) -> Vec<f64> {
    (0..rows).flat_map(|row| values.iter().skip(row).step_by(rows.max(1)).copied()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, StringArray};

    use super::*;
    use crate::labelled::LabelledDimension;

    fn dimension(name: &str, axis: &str, crs: &str, units: &str) -> LabelledDimension {
        let pairs = [(MAP_AXIS_KEY, axis), (CRS_KEY, crs), ("units", units)];
        let told = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        let metadata = told.map(|(key, value)| (key.to_string(), value.to_string())).collect();
        LabelledDimension { name: name.to_string(), labels: Arc::new(Float64Array::from(vec![1.0, 2.0])), metadata }
    }

    fn found(outer: LabelledDimension, inner: LabelledDimension) -> Option<(MapUnits, bool)> {
        let labelled = Labelled { dimensions: vec![outer, inner], variables: Vec::new() };
        system_of(&labelled).map(|placed| (placed.system.units, placed.is_turned))
    }

    #[test]
    fn rows_and_columns_of_one_system_are_a_map() {
        let of = |axis: &str, crs: &str, units: &str| dimension(axis, axis, crs, units);
        let utm = "EPSG:32617";
        assert_eq!(found(of("y", utm, ""), of("x", utm, "")), Some((MapUnits::Metres, false)));
        assert_eq!(found(of("x", utm, "metres"), of("y", utm, "metres")), Some((MapUnits::Metres, true)));
        let kilometres = Some((MapUnits::Lengths("km".to_string()), false));
        assert_eq!(found(of("y", utm, "kilometers"), of("x", utm, "kilometers")), kilometres);
        let degrees = found(of("y", "EPSG:4326", "degrees_north"), of("x", "EPSG:4326", "degrees_east"));
        assert_eq!(degrees, Some((MapUnits::Degrees, false)));
        for (outer, inner) in [
            (of("y", utm, ""), of("x", "EPSG:32618", "")),
            (of("y", utm, ""), of("y", utm, "")),
            (of("y", "", ""), of("x", "", "")),
            (of("", utm, ""), of("x", utm, "")),
            (of("y", "EPSG:1", ""), of("x", "EPSG:1", "")),
        ] {
            assert_eq!(found(outer, inner), None);
        }
        let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        assert_eq!(found(LabelledDimension { labels: names, ..of("y", utm, "") }, of("x", utm, "")), None);
    }

    #[test]
    fn columns_become_rows() {
        assert_eq!(turned(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(turned(&[], 0), [0.0; 0]);
    }
}
