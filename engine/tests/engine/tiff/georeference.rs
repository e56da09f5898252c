//! Where pictures lie: labels, transforms and reference systems.

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use quarray_engine::AccessPolicy;
use quarray_engine::dataset::Dataset;
use quarray_engine::source::file::SourceFile;
use quarray_engine::source::tiff::Scene;
use serde_json::json;

use super::reading::*;

async fn floats(dataset: &Dataset, name: &str) -> Vec<f64> {
    let chunks = chunks(dataset.index(name).unwrap()).await.unwrap();
    chunks.iter().flat_map(|(_, values)| values.as_primitive::<Float64Type>().values().to_vec()).collect()
}

#[tokio::test]
async fn labels_are_the_middles_of_cells() {
    for name in ["made/point.tif", "made/masked.tif"] {
        let dataset = open_file(&data(name), &[]).await.unwrap();
        let (x, y) = (floats(&dataset, "x").await, floats(&dataset, "y").await);
        assert_eq!((x[0], x[1], y[0], y[1]), (500005.0, 500015.0, 5399990.0, 5399970.0), "{name}");
    }
    let dataset = open_file(&data("made/masked.tif"), &[]).await.unwrap();
    let bands = chunks(dataset.index("band").unwrap()).await.unwrap();
    let bands: Vec<i64> =
        bands.iter().flat_map(|(_, values)| values.as_primitive::<Int64Type>().values().to_vec()).collect();
    assert_eq!(bands, [1, 2, 3]);
}

#[tokio::test]
async fn cells_of_overviews_are_larger() {
    let dataset = open_file(&data("made/masked.tif"), &[("overview", "1")]).await.unwrap();
    let (x, y) = (floats(&dataset, "x").await, floats(&dataset, "y").await);
    assert_eq!((x.len(), y.len()), (38, 35));
    let width = 750.0 / 38.0;
    assert!((x[0] - (500000.0 + width / 2.0)).abs() < 1e-9 && (x[37] - (500750.0 - width / 2.0)).abs() < 1e-9);
    assert_eq!(y[0], 5399980.0);
}

#[tokio::test]
async fn pictures_that_lie_askew_have_no_labels() {
    for name in ["made/turned.tif", "others/int64_full_range.tif"] {
        let dataset = open_file(&data(name), &[]).await.unwrap();
        assert!(dataset.index("x").is_none() && dataset.index("y").is_none(), "{name}");
    }
    let dataset = open_file(&data("made/turned.tif"), &[]).await.unwrap();
    assert_eq!(dataset.attributes["transform"], json!([100.0, 5.0, 1.0, 200.0, 1.0, -5.0]));
}

#[tokio::test]
async fn reference_systems() {
    let dataset = open_file(&data("made/masked.tif"), &[]).await.unwrap();
    assert_eq!(dataset.attributes["crs"], json!("EPSG:32633"));
    assert_eq!(dataset.attributes["overviews"], json!(2));
    let place = dataset.variable("spatial_ref").unwrap();
    let expected = json!({"crs": "EPSG:32633", "epsg": 32633, "GeoTransform": "500000 10 0 5400000 0 -20"});
    assert_eq!(json!(place.attributes), expected);
    let dataset = open_file(&data("others/compdcrs_no_citation.tif"), &[]).await.unwrap();
    assert_eq!(dataset.attributes["crs"], json!("EPSG:32617+3855"));
}

#[tokio::test]
async fn scenes_tell_what_they_have() {
    let path = data("made/scaled.tif");
    let file = SourceFile::open(path.to_str().unwrap(), &Default::default(), &AccessPolicy::everything()).unwrap();
    let scene = Scene::open(file).await.unwrap();
    let bands: Vec<_> = scene.bands.iter().map(|band| (band.description.as_deref(), band.scale, band.offset)).collect();
    assert_eq!(bands, [(Some("blue & green"), 0.1, 0.0), (Some("red"), 0.5, -10.0)]);
    assert_eq!((scene.epsg, scene.transform), (Some(32633), Some([500000.0, 10.0, 0.0, 5400000.0, 0.0, -20.0])));
    let shapes: Vec<_> = scene.levels.iter().map(|level| (level.height, level.width)).collect();
    assert_eq!(shapes, [(40, 37), (20, 19)]);
    assert_eq!(scene.transform_at(1).map(|transform| transform[5]), Some(-40.0));
}

#[tokio::test]
async fn reference_systems_without_a_code() {
    let sinusoidal = "+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs";
    let albers = "+proj=aea +lat_1=30 +lat_2=45.5 +lat_0=23 +lon_0=-96 +x_0=1 +y_0=2 +a=6378137 +rf=298.257222101 +units=m +no_defs";
    for (name, expected) in [("made/sinusoidal.tif", sinusoidal), ("made/albers.tif", albers)] {
        let dataset = open_file(&data(name), &[]).await.unwrap();
        assert_eq!(dataset.attributes["crs"], json!(expected), "{name}");
    }
}
