//! Which variables only describe others.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The names that attributes of a variable (or of the group) refer to as coordinates and the like: `coordinates`,
/// `bounds`, `climatology`, `grid_mapping`, `cell_measures`, `ancillary_variables`, `formula_terms`.
pub fn coordinate_names(attributes: &Map<String, Value>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for attribute in ["coordinates", "bounds", "climatology", "ancillary_variables"] {
        names.extend(words(attributes, attribute).map(String::from));
    }
    // "crs", or "crs: x y": the variables of grid mappings stand before the colon, their coordinates behind it.
    names.extend(words(attributes, "grid_mapping").map(|word| word.trim_end_matches(':').to_string()));
    // "area: cell_area": a keyword, then the variable.
    for attribute in ["cell_measures", "formula_terms"] {
        names.extend(words(attributes, attribute).filter(|word| !word.ends_with(':')).map(String::from));
    }
    names
}

/// The names that the attribute `coordinates` of a variable (or of the group) refers to.
pub fn named_coordinates(attributes: &Map<String, Value>) -> BTreeSet<String> {
    words(attributes, "coordinates").map(String::from).collect()
}

fn words<'a>(attributes: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a str> {
    attributes.get(name).and_then(Value::as_str).unwrap_or_default().split_whitespace()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_reference() {
        let attributes = json!({
            "coordinates": "lon lat", "grid_mapping": "crs: x y other: u v", "cell_measures": "area: cell_area",
            "bounds": "time_bnds", "ancillary_variables": 3
        });
        let names = coordinate_names(attributes.as_object().unwrap_or(&Map::new()));
        let expected = ["cell_area", "crs", "lat", "lon", "other", "time_bnds", "u", "v", "x", "y"];
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }
}
