//! `WARP TO`: the steps of the language, and files as GDAL warps them.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;
use quarray_engine::Session;
use serde_json::Value;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data");

fn session() -> Session {
    Session::builder().threads(2).build().unwrap()
}

/// The numbers of a column of a query.
async fn numbers(session: &Session, query: &str, column: &str) -> Vec<f64> {
    let mut rows = session.query(query).await.unwrap_or_else(|e| panic!("{query}: {e}")).into_rows().unwrap();
    let mut found = Vec::new();
    while let Some(batch) = rows.next().await.unwrap() {
        let values = batch.column_by_name(column).unwrap_or_else(|| panic!("{query}: {:?}", batch.schema()));
        let values = arrow::compute::cast(values, &arrow::datatypes::DataType::Float64).unwrap();
        let values = values.as_primitive::<Float64Type>();
        found.extend((0..values.len()).map(|row| if values.is_null(row) { f64::NAN } else { values.value(row) }));
    }
    found
}

async fn refused(session: &Session, query: &str) -> String {
    session.query(query).await.err().unwrap_or_else(|| panic!("{query}: expected an error")).to_string()
}

#[tokio::test]
async fn files_are_warped_as_gdal_does() {
    let golden = std::fs::read_to_string(format!("{DATA}/warp/golden.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    let session = session();
    for case in golden["files"].as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap();
        let warped =
            format!("FROM '{DATA}/tiff/{}' |> WARP TO '{}' USING {}", text("file"), text("crs"), text("method"));
        let means = numbers(&session, &format!("{warped} |> REDUCE avg(band_data) AS m KEEP band"), "m").await;
        let expected: Vec<f64> = case["means"].as_array().unwrap().iter().map(|mean| mean.as_f64().unwrap()).collect();
        assert_eq!(means.len(), expected.len(), "{warped}");
        for (found, expected) in means.iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{warped}: {found}, expected {expected}");
        }
    }
}

#[tokio::test]
async fn a_warp_is_a_way_to_open() {
    let session = session();
    let store = format!("{DATA}/rnz-bcsd.zarr");
    session.attach("climate", &store, &Default::default()).await.unwrap();
    let rest = "|> REDUCE avg(tas) AS m ALONG y, x";
    let attached = numbers(&session, &format!("FROM climate |> WARP TO 'EPSG:3857' USING bilinear {rest}"), "m").await;
    let by_path = numbers(&session, &format!("FROM '{store}' |> WARP TO 'EPSG:3857' USING bilinear {rest}"), "m").await;
    let option = r#"WITH (warp = '{"to":"EPSG:3857","using":"bilinear"}')"#;
    let by_option = numbers(&session, &format!("FROM '{store}' {option} {rest}"), "m").await;
    assert!(attached.len() > 1 && attached.iter().all(|mean| mean.is_finite()), "{attached:?}");
    assert_eq!((&attached, &attached), (&by_path, &by_option));
    // Another size of cells, and the same dataset unwarped in one query.
    let joined = "SELECT (SELECT avg(tas) FROM climate) AS a, b.m FROM \
        (FROM climate |> WARP TO 'EPSG:3857' RESOLUTION 40000 |> REDUCE avg(tas) AS m ALONG time, y, x) AS b";
    let means = (numbers(&session, joined, "a").await[0], numbers(&session, joined, "m").await[0]);
    assert!((means.0 - means.1).abs() < 1.0, "{means:?}");
    // Labels are those of the other system.
    let labels =
        numbers(&session, "FROM climate |> WARP TO 'EPSG:3857' RESOLUTION 40000 |> SELECT x, y, tas |> LIMIT 3", "x")
            .await;
    assert!(labels.iter().all(|x| x.abs() > 1e6), "{labels:?}");
    // In a view, and from brackets after it.
    session.query("CREATE VIEW warped AS FROM climate |> WARP TO 'EPSG:3857' USING bilinear").await.unwrap();
    assert_eq!(numbers(&session, &format!("FROM warped {rest}"), "m").await, attached);
    let first = format!("FROM climate |> WARP TO 'EPSG:3857' USING bilinear |> SEL time[0] {rest}");
    assert_eq!(numbers(&session, &first, "m").await, attached[..1]);
}

#[tokio::test]
async fn what_cannot_be_warped_is_told() {
    let session = session();
    session.attach("climate", &format!("{DATA}/rnz-bcsd.zarr"), &Default::default()).await.unwrap();
    let cases = [
        ("FROM climate |> WARP TO 'EPSG:99'", "EPSG:99"),
        ("FROM climate |> WARP TO 'EPSG:3857' USING best", "`best`"),
        ("FROM climate |> WARP TO 'EPSG:3857' RESOLUTION 0", "RESOLUTION"),
        ("FROM climate[time[0]] |> WARP TO 'EPSG:3857'", "directly after FROM"),
        ("FROM climate |> SEL time[0] |> WARP TO 'EPSG:3857'", "directly after FROM"),
        ("FROM (FROM climate) AS c |> WARP TO 'EPSG:3857'", "directly after FROM"),
        ("FROM nothing |> WARP TO 'EPSG:3857'", "`nothing`"),
        ("FROM climate WITH (warp = 'EPSG:3857') |> WARP TO 'EPSG:3857'", "warped already"),
    ];
    for (query, expected) in cases {
        let message = refused(&session, query).await;
        assert!(message.contains(expected), "{query}: {message}");
    }
    let file = format!("{DATA}/tiff/others/sparse_tiled_contig.tif");
    let message = refused(&session, &format!("FROM '{file}' |> WARP TO 'EPSG:3857'")).await;
    assert!(message.contains("sparse_tiled_contig.tif") && message.contains("reference system"), "{message}");
}
