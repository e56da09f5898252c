//! Units of results, and the order in which a dataset shows its dimensions.

use quarray_engine::Session;
use quarray_engine::outcome::Chart;

const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/rnz-bcsd.zarr");

async fn session() -> Session {
    let session = Session::builder().threads(2).build().unwrap();
    session.attach("climate", STORE, &Default::default()).await.unwrap();
    session
}

/// Each column with its units, in the schema and in every batch.
async fn columns(query: &str) -> String {
    let mut rows = session().await.query(query).await.unwrap().into_rows().unwrap();
    let schema = rows.schema();
    while let Some(batch) = rows.next().await.unwrap() {
        assert_eq!(batch.schema(), schema);
    }
    let text = |field: &arrow::datatypes::Field| match field.metadata().get("units") {
        Some(units) => format!("{} [{units}]", field.name()),
        None => field.name().clone(),
    };
    schema.fields().iter().map(|field| text(field)).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn units_survive_what_keeps_them() {
    let check = async |query: &str, expected: &str| assert_eq!(columns(query).await, expected, "{query}");
    check("FROM climate |> REDUCE avg(tas), max(pr) ALONG latitude, longitude", "time, tas [C], pr [mm/m]").await;
    check("FROM climate |> REDUCE quantile(tas, 0.9) AS q ALONG time, latitude", "longitude [degrees_east], q [C]")
        .await;
    check("FROM climate |> MASK pr > 50 |> REDUCE sum(pr) ALONG time, latitude", "longitude [degrees_east], pr [mm/m]")
        .await;
    check("SELECT avg(t) AS mean FROM (SELECT tas AS t FROM climate) AS s", "mean [C]").await;
    check("FROM climate |> AGGREGATE avg(tas) AS tas GROUP BY month(time) AS month", "month, tas [C]").await;
    check(
        "SELECT time, tas FROM (SELECT time, avg(tas) AS tas FROM climate GROUP BY time) ORDER BY tas LIMIT 2",
        "time, tas [C]",
    )
    .await;
}

#[tokio::test]
async fn units_do_not_survive_what_changes_them() {
    let check = async |query: &str, expected: &str| assert_eq!(columns(query).await, expected, "{query}");
    check("SELECT count(tas) AS n, var_pop(tas) AS v, avg(tas * tas) AS s FROM climate", "n, v, s").await;
    check("SELECT CASE WHEN tas > 1 THEN tas ELSE pr END AS x FROM climate LIMIT 1", "x").await;
    let places = "latitude [degrees_north], longitude [degrees_east], place";
    check("FROM climate |> REDUCE argmax(tas) AS place ALONG time", places).await;
}

#[tokio::test]
async fn drawings_name_units() {
    let session = session().await;
    let query = "FROM climate |> REDUCE avg(tas), avg(pr) ALONG latitude, longitude |> PLOT";
    let quarray_engine::Outcome::Plot(spec) = session.query(query).await.unwrap() else { panic!("expected a drawing") };
    assert!(matches!(spec.chart, Chart::Line { y_label, .. } if y_label == "tas [C], pr [mm/m]"));
    // The label of the one latitude that was selected is no variable.
    let query = "FROM climate[latitude[4]] |> SELECT latitude, time, longitude, tas |> PLOT";
    let quarray_engine::Outcome::Plot(spec) = session.query(query).await.unwrap() else { panic!("expected a drawing") };
    assert!(matches!(spec.chart, Chart::HeatMap { value_label, .. } if value_label == "tas [C]"));
}

#[tokio::test]
async fn dimensions_come_in_the_order_of_the_data() {
    let session = session().await;
    let summary = session.describe("climate").await.unwrap();
    let dimensions =
        [("time", 12), ("latitude", 33), ("longitude", 81)].map(|(name, length)| (name.to_string(), length));
    assert_eq!(summary.dimensions, dimensions);
    let variables: Vec<&str> = summary.variables.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(variables, ["time", "latitude", "longitude", "pr", "tas"]);
    assert_eq!(
        summary.variables[0].preview.as_deref(),
        Some("1999-01-31 1999-02-28 1999-03-31 … 1999-10-31 1999-11-30 1999-12-31")
    );
    let tables = session.tables();
    let columns: Vec<&str> = tables[0].columns.iter().map(|column| column.0.as_str()).collect();
    assert_eq!(columns, ["time", "latitude", "longitude", "pr", "tas"]);
}
