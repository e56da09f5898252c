//! What stored values mean: missing cells by value, mask and NaN; scales and offsets, of all bands and of each.

use std::collections::BTreeSet;
use std::path::PathBuf;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use quarray_engine::Session;
use serde_json::Value;

use super::reading::*;

/// Cells that are there, and their sum, band by band.
async fn sums(path: &std::path::Path, options: &[(&str, &str)]) -> Vec<(u64, f64)> {
    let dataset = open_file(path, options).await.unwrap();
    let variable = dataset.variable("band_data").unwrap();
    let cells = floats_of(variable).await.unwrap();
    let length = cells.len() / variable.shape()[0] as usize;
    let band = |cells: &[Option<f64>]| (cells.iter().flatten().count() as u64, cells.iter().flatten().sum());
    cells.chunks_exact(length).map(band).collect()
}

fn list(value: &Value) -> impl Iterator<Item = f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap())
}

#[tokio::test]
async fn cells_that_are_there() {
    let mut checked = 0;
    for (name, golden) in golden(&data("golden.json")) {
        let path = data(&name);
        if golden.get("error").is_some() || golden["dtypes"][0] == "complex64" || name.ends_with("cmyk.tif") {
            continue;
        }
        let found = sums(&path, &[]).await;
        for ((band, (count, sum)), (valid, expected)) in
            found.into_iter().enumerate().zip(list(&golden["valid"]).zip(list(&golden["scaled_sum"])))
        {
            assert_eq!(count, valid as u64, "{name}, band {band}");
            let tolerance = if golden["lossy"] == true { 0.5 * valid } else { 1e-9 * expected.abs() };
            assert!((sum - expected).abs() <= tolerance, "{name}, band {band}: {sum}, expected {expected}");
            checked += 1;
        }
        for (level, overview) in golden["overviews"].as_array().unwrap().iter().enumerate() {
            let found = sums(&path, &[("overview", &(level + 1).to_string())]).await;
            let counts: Vec<f64> = found.into_iter().map(|(count, _)| count as f64).collect();
            assert_eq!(counts, list(&overview["valid"]).collect::<Vec<_>>(), "{name}, overview {}", level + 1);
        }
    }
    assert!(checked > 100, "{checked}");
}

#[tokio::test]
async fn missing_floats_are_nulls_where_nan_is_a_value() {
    let path = data("made/masked_float.tif");
    let dataset = open_file(&path, &[("nan_as_null", "false")]).await.unwrap();
    let variable = dataset.variable("band_data").unwrap();
    assert!(!variable.nan_is_missing);
    assert_eq!(floats_of(variable).await.unwrap().iter().flatten().count(), 4450);
}

#[tokio::test]
async fn packing_and_names_of_bands() {
    let dataset = open_file(&data("made/scaled.tif"), &[]).await.unwrap();
    let variable = dataset.variable("band_data").unwrap();
    assert_eq!(variable.data_type, DataType::Float64);
    let attributes = serde_json::json!({
        "_FillValue": 99, "scales": [0.1, 0.5], "offsets": [0.0, -10.0], "long_name": ["blue & green", "red"],
        "grid_mapping": "spatial_ref"
    });
    assert_eq!(Value::Object(variable.attributes.clone()), attributes);
    assert_eq!(variable.encoding.stored_type, "int16");
    assert_eq!(variable.encoding.codecs, "deflate(tiles of 16x32)");
    let names: BTreeSet<&str> = dataset.variables.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["band", "band_data", "spatial_ref", "x", "y"]));
}

/// The real catalogue item of a wide corpus: temperatures and precipitation of the United States.
#[tokio::test]
async fn climate_normals() {
    let Some(folder) = std::env::var_os("QUARRAY_SHARED_DATA").map(PathBuf::from) else {
        println!("skipped: QUARRAY_SHARED_DATA is not set");
        return;
    };
    let folder = folder.join("stac/noaa-normals/noaa-climate-normals-gridded/2006_2020-daily-001");
    let item = folder.join("2006_2020-daily-001.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&item).unwrap()).unwrap();
    let session = Session::builder().build().unwrap();
    let assets = document["assets"].as_object().unwrap();
    for (name, asset) in assets {
        let file = folder.join(asset["href"].as_str().unwrap());
        let found = sums(&file, &[]).await;
        assert!(found.iter().all(|(count, sum)| *count > 0 && sum.is_finite()), "{found:?}");
        // The item refers to its files by relative links.
        let reduced = "|> REDUCE count(band_data) AS n, sum(band_data) AS s KEEP band";
        let query = format!("FROM stac('{}') ASSET '{name}' {reduced}", item.display());
        let mut rows = session.query(&query).await.unwrap().into_rows().unwrap();
        let batch = rows.next().await.unwrap().unwrap();
        let counts = batch.column_by_name("n").unwrap().as_primitive::<Int64Type>();
        let all = batch.column_by_name("s").unwrap().as_primitive::<Float64Type>();
        assert_eq!(batch.num_rows(), found.len(), "{name}");
        for (band, (count, sum)) in found.into_iter().enumerate() {
            assert_eq!(counts.value(band), count as i64, "{name}");
            assert!((all.value(band) - sum).abs() <= 1e-9 * sum.abs(), "{name}: {}, expected {sum}", all.value(band));
        }
        println!("{name}: as its file");
    }
    assert_eq!(assets.len(), 6);
}
