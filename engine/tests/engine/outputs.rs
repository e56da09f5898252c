//! Results on their way out: the example programs, `INTO` and `PLOT`.

use quarray_engine::outcome::{AxisLabels, Chart};
use quarray_engine::provider::dataset_tables;
use quarray_engine::{Labelled, Outcome, Session};

#[path = "../../examples/mean_space.rs"]
#[allow(dead_code, reason = "its `main` is the program's, and is not called here")]
mod mean_space;
#[path = "../../examples/plain_datafusion.rs"]
#[allow(dead_code, reason = "its `main` is the program's, and is not called here")]
mod plain_datafusion;
#[path = "../../examples/stream_batches.rs"]
#[allow(dead_code, reason = "its `main` is the program's, and is not called here")]
mod stream_batches;

const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/rnz-bcsd.zarr");

async fn labelled(query: &str) -> Labelled {
    let session = Session::builder().threads(2).build().unwrap();
    session.attach("climate", STORE, &Default::default()).await.unwrap();
    Labelled::collect(session.query(query).await.unwrap().into_rows().unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_mean_over_space_is_an_ndarray() {
    let mean = mean_space::mean_over_space(STORE).await.unwrap();
    assert_eq!(mean.shape(), [12]);
    let whole = labelled("FROM climate |> SELECT time, latitude, longitude, tas").await;
    assert_eq!(whole.shape(), [12, 33, 81]);
    let cells = whole.values_f64("tas").unwrap();
    for (month, found) in mean.values_f64("tas").unwrap().iter().enumerate() {
        let of_month = cells.index_axis(ndarray::Axis(0), month);
        let present: Vec<f64> = of_month.iter().copied().filter(|value| !value.is_nan()).collect();
        let expected = present.iter().sum::<f64>() / present.len() as f64;
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }
}

#[tokio::test]
async fn a_subset_streams() {
    let mut rows = stream_batches::warm_cells(STORE).await.unwrap();
    let mut count = 0;
    while let Some(batch) = rows.next().await.unwrap() {
        count += batch.num_rows();
    }
    let cells = labelled("FROM climate[time[0:6]] |> SELECT time, latitude, longitude, tas").await;
    let warm = cells.values_f64("tas").unwrap().iter().filter(|&&value| value > 10.0).count();
    assert!(warm > 0);
    assert_eq!(count, warm);
}

#[tokio::test]
async fn plain_datafusion_has_the_same_answers() {
    let batches = plain_datafusion::mean_by_latitude(STORE).await.unwrap().collect().await.unwrap();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 33);
    let context = datafusion::prelude::SessionContext::new();
    for (name, table) in dataset_tables("climate", STORE, &Default::default()).await.unwrap() {
        assert!(table.schema().fields().iter().all(|field| !field.name().contains('[')));
        context.register_table(name, table).unwrap();
    }
    let count = |query: &'static str| async { context.sql(query).await.unwrap().count().await.unwrap() };
    assert_eq!(count("SELECT * FROM climate").await, 12 * 33 * 81);
    assert_eq!(count("SELECT DISTINCT time FROM climate WHERE latitude > 36").await, 12);
    assert_eq!(count("SELECT tas FROM climate WHERE latitude > 36").await, 12 * 9 * 81);
    assert_eq!(
        count("SELECT a.tas FROM climate a JOIN climate b USING (time, latitude, longitude)").await,
        12 * 33 * 81
    );
    assert_eq!(count("SELECT * FROM climate ORDER BY time DESC, longitude LIMIT 7").await, 7);
}

#[tokio::test]
async fn a_result_is_written_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("mean.zarr").display().to_string();
    let session = Session::builder().threads(2).build().unwrap();
    session.attach("climate", STORE, &Default::default()).await.unwrap();
    let query = "FROM climate |> REDUCE avg(tas), max(pr) ALONG time";
    let into = format!("{query} |> INTO '{target}' CHUNKS (latitude 10) WITH (codec = 'zstd(1)')");
    let Outcome::Done(report) = session.query(&into).await.unwrap() else { panic!("expected a report") };
    assert!(report.starts_with("wrote tas, pr (latitude 33, longitude 81) to "), "{report}");
    let (written, expected) = (labelled(&format!("SELECT * FROM '{target}'")).await, labelled(query).await);
    for name in ["tas", "pr"] {
        let bits = |labelled: &Labelled| -> Vec<String> {
            labelled.values_f64(name).unwrap().iter().map(f64::to_string).collect()
        };
        assert_eq!(bits(&written), bits(&expected));
        assert_eq!(&written.dimension("latitude").unwrap().labels, &expected.dimension("latitude").unwrap().labels);
    }
    let error = session.query(&into).await.unwrap_err().to_string();
    assert!(error.contains("there is a Zarr store already"), "{error}");
}

#[tokio::test]
async fn results_are_drawn() {
    let session = Session::builder().threads(2).build().unwrap();
    session.attach("climate", STORE, &Default::default()).await.unwrap();
    let chart = |query: &'static str| async {
        match session.query(query).await {
            Ok(Outcome::Plot(spec)) => Ok(spec),
            Ok(_) => panic!("expected a drawing"),
            Err(error) => Err(error.to_string()),
        }
    };
    let spec =
        chart("FROM climate |> REDUCE avg(tas) ALONG latitude, longitude |> PLOT WITH (title = 'T', width = 12)");
    let spec = spec.await.unwrap();
    assert_eq!((spec.title.as_str(), spec.width, spec.height), ("T", 12.0, 5.0));
    let Chart::Line { x, series, .. } = spec.chart else { panic!("expected a line") };
    assert!(matches!(&x.labels, AxisLabels::Times(times) if times.len() == 12));
    assert_eq!((series.len(), series[0].1.len()), (1, 12));
    let map = chart("FROM climate[time[0]] |> SELECT latitude, longitude, tas |> PLOT").await.unwrap().chart;
    assert!(matches!(map, Chart::HeatMap { values, .. } if values.len() == 33 * 81));
    let bins = chart("FROM climate |> SELECT time, latitude, longitude, tas |> PLOT WITH (kind = 'histogram')").await;
    assert!(matches!(bins.unwrap().chart, Chart::Histogram { counts, .. } if counts.len() == 64));
    let error = chart("FROM climate |> SELECT time, latitude, longitude, tas |> PLOT").await.unwrap_err();
    assert!(error.starts_with("a drawing has one or two dimensions, found 3: [time, latitude, longitude]"), "{error}");
}
