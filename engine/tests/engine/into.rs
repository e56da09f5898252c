//! `INTO` from end to end: what stands in the new store.

use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use quarray_engine::labelled::Labelled;
use quarray_engine::source::store::Store;
use quarray_engine::source::zarr::{DecodeOptions, open};
use quarray_engine::{Error, Outcome, Session};

use super::zarr_writer::{NO_OPTIONS, check_small, names, place, write_small};

const CLIMATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/rnz-bcsd.zarr");

/// A store of nothing but metadata: every cell of `v` over `a`, `b`, … is a 5, and none of them is on the disk.
pub fn constant_store(path: &Path, shape: &[u64], chunk_shape: &[u64]) {
    let names: Vec<String> = ["a", "b", "c", "d"][..shape.len()].iter().map(|name| name.to_string()).collect();
    let array = serde_json::json!({
        "zarr_format": 3, "node_type": "array", "shape": shape, "data_type": "uint8", "fill_value": 5,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk_shape}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "codecs": [{"name": "bytes"}], "dimension_names": names, "attributes": {},
    });
    std::fs::create_dir_all(path.join("v")).unwrap();
    std::fs::write(path.join("zarr.json"), r#"{"zarr_format": 3, "node_type": "group"}"#).unwrap();
    std::fs::write(path.join("v/zarr.json"), array.to_string()).unwrap();
}

/// A folder and a session with stores of it.
struct Bench {
    folder: tempfile::TempDir,
    session: Session,
}

impl Bench {
    fn new() -> Self {
        Self::with_memory(1 << 30)
    }

    fn with_memory(bytes: usize) -> Self {
        let session = Session::builder().threads(2).memory_limit(bytes).build().unwrap();
        Self { folder: tempfile::tempdir().unwrap(), session }
    }

    async fn climate() -> Self {
        let bench = Self::new();
        bench.session.attach("climate", CLIMATE, &NO_OPTIONS).await.unwrap();
        bench
    }

    /// Runs `query |> INTO 'name' rest`.
    async fn store(&self, query: &str, name: &str, rest: &str) -> Result<String, Error> {
        self.done(&format!("{query} |> INTO '{}' {rest}", self.path(name))).await
    }

    async fn done(&self, query: &str) -> Result<String, Error> {
        match self.session.query(query).await? {
            Outcome::Done(report) => Ok(report),
            other => panic!("expected a report, found {other:?}"),
        }
    }

    fn path(&self, name: &str) -> String {
        place(&self.folder, name)
    }

    async fn labelled(&self, query: &str) -> Labelled {
        Labelled::collect(self.session.query(query).await.unwrap().into_rows().unwrap()).await.unwrap()
    }

    /// Columns of a query, as text.
    async fn text(&self, query: &str) -> String {
        let batches = self.session.query(query).await.unwrap().into_rows().unwrap().collect().await.unwrap();
        arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string()
    }

    /// Writes a result, reads it back, and compares it with the result.
    async fn check(&self, query: &str, name: &str) {
        self.store(query, name, "").await.unwrap_or_else(|error| panic!("{query}: {error}"));
        let (expected, found) =
            (self.labelled(query).await, self.labelled(&format!("SELECT * FROM '{}'", self.path(name))).await);
        assert_eq!(found.dimensions.len(), expected.dimensions.len(), "{query}");
        for (found, expected) in found.dimensions.iter().zip(&expected.dimensions) {
            assert_eq!((&found.name, &found.labels), (&expected.name, &expected.labels), "{query}");
        }
        assert_eq!(found.variables.len(), expected.variables.len(), "{query}");
        for variable in &expected.variables {
            let bits = |labelled: &Labelled| -> Vec<u64> {
                labelled.values_f64(&variable.name).unwrap().iter().map(|value| value.to_bits()).collect()
            };
            assert_eq!(bits(&found), bits(&expected), "{query} {}", variable.name);
        }
    }
}

#[tokio::test]
async fn a_dataset_stays_one() {
    let bench = Bench::new();
    write_small(&bench.path("small"), &NO_OPTIONS, false).await.unwrap();
    let query = format!("FROM '{}'", bench.path("small"));
    bench.store(&query, "copy", "").await.unwrap();
    check_small(&bench.path("copy"), &NO_OPTIONS).await;
    bench.store(&query, "two", "CHUNKS (time 1, x 3) WITH (zarr_version = 2, codec = 'gzip(1)')").await.unwrap();
    check_small(&bench.path("two"), &NO_OPTIONS).await;
    let dataset = open(Store::open(&bench.path("two"), &NO_OPTIONS).unwrap(), &DecodeOptions::default()).await.unwrap();
    let chunks = |name: &str| dataset.variable(name).unwrap().array.grid().chunk_shape().to_vec();
    assert_eq!((chunks("rain"), chunks("area"), chunks("count")), (vec![1, 3, 3], vec![3, 3], vec![2]));
    assert_eq!(dataset.variable("rain").unwrap().encoding.codecs, "gzip(1)");
    assert!(Path::new(&bench.path("two")).join(".zmetadata").exists());
    bench.store(&format!("{query} |> DROP rain, count"), "less", "").await.unwrap();
    let less = open(Store::open(&bench.path("less"), &NO_OPTIONS).unwrap(), &DecodeOptions::default()).await.unwrap();
    assert!(less.variable("rain").is_none() && less.variable("time").is_some() && less.variable("area").is_some());
    assert_eq!(names(bench.folder.path()), ["copy", "less", "small", "two"]);
}

#[tokio::test]
async fn steps_before_are_in_the_copy() {
    let bench = Bench::climate().await;
    let query = "FROM climate[time[2:8:2], latitude = 34:36] |> EXTEND tas + pr AS both |> MASK latitude > 35 \
                 |> WHERE longitude < -80 AND month(time) <> 5 |> RENAME pr AS rain";
    bench.store(query, "part", "").await.unwrap();
    bench.session.attach("part", &bench.path("part"), &NO_OPTIONS).await.unwrap();
    let summary = bench.session.describe("part").await.unwrap();
    let shapes: Vec<_> = summary.variables.iter().map(|v| (v.name.as_str(), v.shape.clone())).collect();
    let rows = bench.text("SELECT count(DISTINCT time), count(DISTINCT longitude), count(*) FROM part").await;
    assert!(rows.contains("| 2 ") && rows.contains(" 1280 "), "{rows} {shapes:?}");
    assert!(["tas", "rain", "both"].iter().all(|name| shapes.contains(&(name, vec![2, 16, 40]))), "{shapes:?}");
    let sums = "sum(tas), sum(rain), sum(both), count(both), min(time), max(latitude), max(longitude)";
    let expected = bench.text(&format!("{query} |> AGGREGATE {sums}")).await;
    assert_eq!(bench.text(&format!("SELECT {sums} FROM part")).await, expected);
    assert_eq!(summary.variables.iter().find(|v| v.name == "rain").unwrap().units.as_deref(), Some("mm/m"));
}

#[tokio::test]
async fn every_array_result_is_written() {
    let bench = Bench::climate().await;
    let queries = [
        "FROM climate |> REDUCE avg(tas), max(pr) AS wettest ALONG time",
        "FROM climate |> REDUCE avg(tas) ALONG latitude, longitude",
        "FROM climate |> REDUCE avg(tas)",
        "FROM climate |> AGGREGATE avg(tas) AS tas GROUP BY latitude, longitude, month(time) AS month",
        "FROM climate |> AGGREGATE sum(pr) AS pr GROUP BY bin(time, '3 months') AS quarter, latitude",
        "SELECT latitude, bin(longitude, 2.5) AS lon, count(tas) AS n FROM climate WHERE time < '1999-07' GROUP BY 1, 2",
        "FROM climate |> RESAMPLE avg(tas) TO time '2 months'",
        "FROM climate |> COARSEN avg(tas) BY longitude 3, time 2",
        "FROM climate |> COARSEN max(tas) BY longitude 10 USING trim",
        "FROM climate[time[3]] |> SELECT latitude, longitude, tas",
        "SELECT time, latitude, longitude, tas FROM climate WHERE latitude > 36",
        "SELECT time, latitude, longitude, tas FROM climate WHERE tas > 24",
        "SELECT time, latitude, longitude, tas FROM climate LIMIT 5000",
        "FROM climate |> REDUCE avg(tas) ALONG time |> EXTEND tas + 1 AS more",
        "FROM climate |> REDUCE avg(tas) ALONG time |> WHERE latitude > 36",
        "FROM climate |> AGGREGATE avg(tas) AS tas GROUP BY latitude, month(time) AS m |> REDUCE max(tas) ALONG m",
        "SELECT month(time) AS m, avg(tas) AS tas FROM climate GROUP BY m HAVING avg(tas) > 20",
    ];
    for (number, query) in queries.iter().enumerate() {
        bench.check(query, &number.to_string()).await;
    }
}

#[tokio::test]
async fn labels_that_repeat_stay_apart() {
    let bench = Bench::new();
    write_small(&bench.path("small"), &NO_OPTIONS, false).await.unwrap();
    // `x` without labels, `y` with labels in no order.
    let y = Path::new(&bench.path("small")).join("y");
    let text = std::fs::read_to_string(y.join("zarr.json")).unwrap().replace("zstd", "none");
    assert!(text.contains("none"));
    bench
        .done(&format!(
            "FROM '{}' |> DROP area, rain |> INTO '{}' WITH (codec = 'none')",
            bench.path("small"),
            bench.path("plain")
        ))
        .await
        .unwrap();
    let labels = Path::new(&bench.path("plain")).join("y/c/0");
    assert_eq!(std::fs::read(&labels).unwrap().len(), 24);
    std::fs::write(&labels, [0.5f64, 2.5, 0.5].iter().flat_map(|label| label.to_le_bytes()).collect::<Vec<_>>())
        .unwrap();
    bench.store(&format!("FROM '{}'", bench.path("plain")), "copy", "WITH (codec = 'none')").await.unwrap();
    let copied = Path::new(&bench.path("copy")).join("y/c/0");
    assert_eq!(std::fs::read(copied).unwrap(), std::fs::read(&labels).unwrap());
    for name in ["plain", "copy"] {
        let counts = bench.labelled(&format!("SELECT y, \"count\" FROM '{}' WHERE y > 1", bench.path(name))).await;
        assert_eq!(counts.variables[0].values.len(), 1);
        assert!(counts.variables[0].values.is_null(0));
    }
    assert!(!Path::new(&bench.path("copy")).join("x").exists());
}

#[tokio::test]
async fn what_is_no_array_is_refused() {
    let bench = Bench::climate().await;
    for query in
        ["SELECT tas FROM climate", "SELECT DISTINCT month(time) FROM climate", "SELECT 1 AS a UNION ALL SELECT 2"]
    {
        let error = bench.store(query, "x", "").await.unwrap_err();
        assert!(matches!(&error, Error::Bind(_)), "{error:?}");
        assert!(error.to_string().starts_with("expected an array, found rows without dimensions"), "{error}");
    }
    assert!(names(bench.folder.path()).is_empty());
}

#[tokio::test]
async fn names_are_those_of_attached_stores() {
    let bench = Bench::climate().await;
    bench.store("FROM climate |> REDUCE avg(tas) ALONG time", "mean", "").await.unwrap();
    bench.done(&format!("ATTACH '{}' AS mean", bench.path("mean"))).await.unwrap();
    bench.done("CREATE VIEW seen AS FROM climate[time[0]]").await.unwrap();
    let query = "FROM climate |> REDUCE max(pr) ALONG time, longitude |> INTO";
    let error = bench.done(&format!("{query} Mean")).await.unwrap_err().to_string();
    assert!(error.contains("mean: there is a Zarr store already: WITH (overwrite = true) replaces it"), "{error}");
    let error = bench.done(&format!("{query} men")).await.unwrap_err().to_string();
    assert_eq!(error, "nothing is attached as `men`; name a new store in quotes: INTO 'men.zarr'");
    let error = bench.done(&format!("{query} seen")).await.unwrap_err().to_string();
    assert!(error.starts_with("`seen` is a view, no store"), "{error}");
    for tail in ["APPEND ALONG time", "REGION"] {
        let error = bench.done(&format!("{query} mean {tail}")).await.unwrap_err().to_string();
        assert!(error.contains("is not there yet"), "{error}");
    }
    let unchanged = bench.text("SELECT count(tas) AS n FROM (FROM climate |> REDUCE avg(tas) ALONG time)").await;
    assert_eq!(bench.text("SELECT count(tas) AS n FROM mean").await, unchanged);
    bench.done(&format!("{query} mean WITH (overwrite = true)")).await.unwrap();
    // The name stands for the new store.
    assert!(bench.text("SELECT count(pr) FROM mean").await.contains("| 33 "));
    // Onto itself.
    bench.done("FROM mean |> EXTEND pr * 2 AS twice |> INTO mean WITH (overwrite = true)").await.unwrap();
    assert!(bench.text("SELECT count(*) FROM mean WHERE twice = pr * 2").await.contains("| 33 "));
    assert_eq!(names(bench.folder.path()), ["mean"]);
}

/// Copies `planes` × 1000 × 1000 cells into chunks of other shapes, in memory for a few of them.
async fn check_many_cells(planes: u64, memory: usize) {
    let bench = Bench::with_memory(memory);
    constant_store(&bench.folder.path().join("five"), &[planes, 1000, 1000], &[1, 1000, 1000]);
    let query = format!("FROM '{}'", bench.path("five"));
    for (name, chunks) in [("flat", "CHUNKS (a 3, b 500, c 1000)"), ("deep", "CHUNKS (a 1000, b 100, c 100)")] {
        bench.store(&query, name, chunks).await.unwrap();
        let counts = format!("FROM '{}' |> REDUCE count(v) AS n, min(v) AS low, max(v) AS high", bench.path(name));
        let counted = bench.labelled(&counts).await;
        let number = |name: &str| counted.values_f64(name).unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!((number("n"), number("low"), number("high")), (vec![planes as f64 * 1e6], vec![5.0], vec![5.0]));
    }
}

#[tokio::test]
async fn little_memory_is_enough() {
    check_many_cells(4, 3 << 20).await;
}

#[tokio::test]
async fn more_cells_than_are_ever_held_are_written() {
    check_many_cells(51, 16 << 20).await;
}

#[tokio::test]
async fn a_query_that_is_dropped_leaves_nothing() {
    let bench = Bench::new();
    constant_store(&bench.folder.path().join("five"), &[4000, 500, 500], &[1, 500, 500]);
    let query = format!("FROM '{}' |> INTO '{}' CHUNKS (a 1, b 100, c 100)", bench.path("five"), bench.path("copy"));
    let (session, folder) = (bench.session.clone(), bench.folder.path().to_path_buf());
    let running = tokio::spawn(async move { session.query(&query).await.map(drop) });
    let started = std::time::Instant::now();
    while names(&folder).len() < 2 || files_below(&folder) < 20 {
        assert!(!running.is_finished() && started.elapsed().as_secs() < 60, "{:?}", names(&folder));
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    let started = std::time::Instant::now();
    while names(&folder) != ["five"] {
        assert!(started.elapsed().as_secs() < 20, "{:?}", names(&folder));
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(names(&folder), ["five"]);
}

/// The files of stores that are being written.
fn files_below(folder: &Path) -> usize {
    let staged = names(folder).into_iter().find(|name| name.starts_with('.'));
    staged.map_or(0, |name| std::fs::read_dir(folder.join(name).join("v/c")).map_or(0, |entries| entries.count()))
}

#[tokio::test]
async fn the_number_of_cells_of_an_unlabelled_dimension_stays() {
    let bench = Bench::new();
    constant_store(&bench.folder.path().join("five"), &[7, 3], &[2, 2]);
    bench.store(&format!("FROM '{}'[a[2:6]]", bench.path("five")), "copy", "").await.unwrap();
    let copy = bench.labelled(&format!("SELECT a, b, v FROM '{}'", bench.path("copy"))).await;
    assert_eq!(copy.shape(), [4, 3]);
    assert_eq!(copy.dimensions[0].labels.as_primitive::<Int64Type>().values(), &[0, 1, 2, 3]);
}
