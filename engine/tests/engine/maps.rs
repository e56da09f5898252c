//! What is known of the place of a result: maps.

use quarray_engine::outcome::{Axis, AxisLabels, Chart, MapSystem, MapUnits};
use quarray_engine::{Outcome, Session};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data");

/// A heat map, as far as its place matters.
#[derive(Debug, PartialEq)]
struct Found {
    x: Axis,
    y: Axis,
    long_name: String,
    values: Vec<f64>,
    map: Option<MapSystem>,
}

async fn drawn(query: &str) -> Found {
    let session = Session::builder().threads(2).build().unwrap();
    session.attach("climate", &format!("{DATA}/rnz-bcsd.zarr"), &Default::default()).await.unwrap();
    match session.query(&format!("{query} |> PLOT")).await {
        Ok(Outcome::Plot(spec)) => match spec.chart {
            Chart::HeatMap { x, y, long_name, values, map, .. } => Found { x, y, long_name, values, map },
            other => panic!("{query}: expected a heat map, found {other:?}"),
        },
        other => panic!("{query}: expected a drawing, found {other:?}"),
    }
}

fn system(name: &str, units: MapUnits) -> Option<MapSystem> {
    Some(MapSystem { name: name.to_string(), units })
}

fn length(axis: &Axis) -> usize {
    match &axis.labels {
        AxisLabels::Numbers(numbers) => numbers.len(),
        _ => 0,
    }
}

#[tokio::test]
async fn latitudes_and_longitudes_stay_a_map() {
    let check = async |query: &str, shape: (usize, usize), long_name: &str| {
        let found = drawn(query).await;
        assert_eq!(found.map, system("EPSG:4326", MapUnits::Degrees), "{query}");
        assert_eq!((length(&found.y), length(&found.x)), shape, "{query}");
        assert_eq!((found.y.label.as_str(), found.x.label.as_str()), ("latitude", "longitude"), "{query}");
        assert_eq!(found.long_name, long_name, "{query}");
    };
    let name = "monthly_avg_tas";
    check("FROM climate |> REDUCE avg(tas) ALONG time", (33, 81), name).await;
    check("FROM climate[time[6]] |> SELECT latitude, longitude, tas", (33, 81), name).await;
    check("FROM climate |> MASK pr > 50 |> REDUCE max(tas) ALONG time", (33, 81), name).await;
    // Under another name, or another measure, it is not what the name in the source says.
    check("FROM climate |> REDUCE max(tas) AS hottest ALONG time", (33, 81), "").await;
    check("FROM climate |> REDUCE stddev(tas) ALONG time", (33, 81), "").await;
    check("FROM climate |> COARSEN avg(tas) BY latitude 3, longitude 9 |> REDUCE avg(tas) ALONG time", (11, 9), name)
        .await;
    check("SELECT latitude, longitude, avg(tas) AS tas FROM climate GROUP BY latitude, longitude", (33, 81), name)
        .await;
    check("FROM (FROM climate |> REDUCE avg(tas) ALONG time) |> EXTEND tas * 2 AS twice |> DROP tas", (33, 81), "")
        .await;
    check(
        "FROM climate |> EXTEND tas - avg(tas) OVER (ALONG time) AS anom |> REDUCE max(anom) ALONG time",
        (33, 81),
        "",
    )
    .await;
}

#[tokio::test]
async fn columns_are_never_upright() {
    let found = drawn("FROM climate |> REDUCE avg(tas) AS t ALONG time").await;
    let query = "SELECT longitude, latitude, avg(tas) AS t FROM climate GROUP BY longitude, latitude";
    let turned = drawn(query).await;
    assert_eq!((&turned.x, &turned.y, &turned.map), (&found.x, &found.y, &found.map));
    // Sums but for the order of their terms.
    let is_same = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-9 || (a.is_nan() && b.is_nan());
    assert!(turned.values.iter().zip(&found.values).all(is_same) && found.values.iter().any(|value| value.is_finite()));
    assert_eq!(turned.values.len(), found.values.len());
}

#[tokio::test]
async fn projected_maps_have_lengths() {
    let found = drawn("FROM climate |> WARP TO 'EPSG:32617' |> REDUCE avg(tas) ALONG time").await;
    assert_eq!((found.map, found.y.label.as_str()), (system("EPSG:32617", MapUnits::Metres), "y"));
    let picture = format!("FROM '{DATA}/tiff/made/float16.tif'[band = 1] |> SELECT y, x, band_data");
    let found = drawn(&picture).await;
    assert_eq!(found.map, system("EPSG:32633", MapUnits::Metres));
    assert_eq!((length(&found.y), length(&found.x)), (40, 37));
}

#[tokio::test]
async fn other_dimensions_are_no_map() {
    for query in [
        "FROM climate |> REDUCE avg(tas) ALONG latitude".to_string(),
        // A picture without a reference system, and one that lies askew.
        format!("FROM '{DATA}/tiff/others/sparse_tiled_contig.tif'[band = 1] |> SELECT y, x, band_data"),
        format!("FROM '{DATA}/tiff/made/turned.tif'[band = 1] |> SELECT y, x, band_data"),
    ] {
        assert_eq!(drawn(&query).await.map, None, "{query}");
    }
}
