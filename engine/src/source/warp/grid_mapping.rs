//! Reference systems as attributes tell them: by the CF conventions, or as WKT.

use serde_json::{Map, Value};

use super::crs::Crs;

/// The system that the attributes of a grid mapping variable describe; `None` where they describe none.
pub(super) fn crs_of(attributes: &Map<String, Value>, units: Option<&str>) -> Option<Result<Crs, String>> {
    let text = |name: &str| attributes.get(name).and_then(Value::as_str);
    if let Some(Ok(crs)) = text("crs").map(Crs::parse) {
        return Some(Ok(crs));
    }
    if let Some(code) = attributes.get("epsg").or_else(|| attributes.get("epsg_code")).and_then(epsg_code) {
        return Some(Crs::epsg(code));
    }
    if let Some(code) = text("crs_wkt").or_else(|| text("spatial_ref")).and_then(outermost_authority) {
        return Some(Crs::epsg(code));
    }
    if let Some(definition) = text("proj4").or_else(|| text("proj4_params")).or_else(|| text("proj4text")) {
        return Some(Crs::parse(definition));
    }
    let name = text("grid_mapping_name")?;
    Some(definition(name, attributes, units).and_then(|definition| Crs::parse(&definition)))
}

fn epsg_code(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().ok(),
        other => other.as_u64().and_then(|code| u32::try_from(code).ok()),
    }
}

/// The code of the whole of a WKT, not of one of its parts: it stands at the end.
fn outermost_authority(wkt: &str) -> Option<u32> {
    let inner = wkt.trim_end().strip_suffix(']')?.trim_end().strip_suffix(']')?;
    let open = inner.rfind('[')?;
    let word = inner.get(..open)?.trim_end().to_ascii_uppercase();
    if !(word.ends_with("AUTHORITY") || word.ends_with("ID")) {
        return None;
    }
    let (authority, code) = inner.get(open + 1..)?.split_once(',')?;
    let code = code.trim().trim_matches('"');
    authority.trim().trim_matches('"').eq_ignore_ascii_case("EPSG").then(|| code.parse().ok())?
}

/// The definition of a projection of CF in the words of PROJ.
fn definition(name: &str, attributes: &Map<String, Value>, units: Option<&str>) -> Result<String, String> {
    let numbers = |name: &str| match attributes.get(name) {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_f64).collect(),
        Some(Value::String(text)) => text.parse().into_iter().collect(),
        Some(other) => other.as_f64().into_iter().collect(),
        None => Vec::new(),
    };
    let number = |name: &str| numbers(name).first().copied();
    let mut words = vec![];
    let mut put = |key: &str, value: Option<f64>| {
        if let Some(value) = value {
            words.push(format!("+{key}={value}"));
        }
    };
    let latitude = number("latitude_of_projection_origin");
    let central = number("longitude_of_central_meridian");
    let origin = number("longitude_of_projection_origin");
    let scale = number("scale_factor_at_central_meridian").or_else(|| number("scale_factor_at_projection_origin"));
    let parallels = numbers("standard_parallel");
    let projection = match name {
        "latitude_longitude" => "longlat",
        "transverse_mercator" => "tmerc",
        "lambert_conformal_conic" => "lcc",
        "albers_conical_equal_area" => "aea",
        "lambert_azimuthal_equal_area" => "laea",
        "azimuthal_equidistant" => "aeqd",
        "polar_stereographic" => "stere",
        "mercator" => "merc",
        "sinusoidal" => "sinu",
        other => return Err(format!("grid mapping `{other}` is not read: give its system as attribute `crs`")),
    };
    put("lat_0", latitude);
    put("lon_0", central.or(origin).or_else(|| number("straight_vertical_longitude_from_pole")));
    match projection {
        "lcc" | "aea" => {
            put("lat_1", parallels.first().copied());
            put("lat_2", parallels.get(1).or(parallels.first()).copied());
        }
        "merc" | "stere" => put("lat_ts", parallels.first().copied()),
        _ => {}
    }
    put("k_0", scale);
    put("x_0", number("false_easting"));
    put("y_0", number("false_northing"));
    let major = number("semi_major_axis").or_else(|| number("earth_radius"));
    let flattening = number("inverse_flattening").filter(|&inverse| inverse > 0.0);
    put("a", major);
    match (number("semi_minor_axis"), flattening, major) {
        (_, Some(inverse), Some(_)) => put("rf", Some(inverse)),
        (Some(minor), _, Some(_)) => put("b", Some(minor)),
        (None, None, Some(radius)) => put("b", Some(radius)),
        (_, _, None) => words.push("+datum=WGS84".to_string()),
    }
    match units {
        Some("km" | "kilometer" | "kilometre" | "kilometers" | "kilometres") => words.push("+units=km".to_string()),
        _ if projection != "longlat" => words.push("+units=m".to_string()),
        _ => {}
    }
    Ok(format!("+proj={projection} {} +no_defs", words.join(" ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(attributes: &Value) -> Option<String> {
        crs_of(attributes.as_object()?, None)?.ok().map(|crs| crs.name().to_string())
    }

    #[test]
    fn codes_and_parameters() {
        let wkt = r#"PROJCS["x",GEOGCS["y",AUTHORITY["EPSG","4326"]],UNIT["metre",1],AUTHORITY["EPSG","32633"]]"#;
        assert_eq!(found(&json!({ "spatial_ref": wkt })).as_deref(), Some("EPSG:32633"));
        let without = r#"PROJCS["x",GEOGCS["y",AUTHORITY["EPSG","4326"]],UNIT["metre",1]]"#;
        assert_eq!(found(&json!({ "spatial_ref": without })), None);
        assert_eq!(found(&json!({ "crs_wkt": r#"GEOGCRS["x",ID["EPSG",4326]]"# })).as_deref(), Some("EPSG:4326"));
        let daymet = json!({
            "grid_mapping_name": "lambert_conformal_conic", "longitude_of_central_meridian": -100.0,
            "latitude_of_projection_origin": 42.5, "false_easting": 0.0, "false_northing": 0.0,
            "standard_parallel": [25.0, 60.0], "semi_major_axis": 6378137.0, "inverse_flattening": 298.257223563
        });
        let crs = "+proj=lcc +lat_0=42.5 +lon_0=-100 +lat_1=25 +lat_2=60 +x_0=0 +y_0=0 +a=6378137 +rf=298.257223563 +units=m +no_defs";
        assert_eq!(found(&daymet).as_deref(), Some(crs));
        assert!(matches!(crs_of(&Map::from_iter([("grid_mapping_name".into(), json!("none"))]), None), Some(Err(_))));
    }
}
