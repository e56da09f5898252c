//! Datasets that are read in partitions of so many chunks: another cut, the same answers.

use arrow::array::{Array, AsArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type};
use arrow::record_batch::RecordBatch;
use quarray_engine::{Outcome, Session};

const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/rnz-bcsd.zarr");

/// The store in 12 × 4 × 5 chunks, in a folder of its own.
async fn in_small_chunks() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.zarr").display().to_string();
    let session = Session::builder().threads(2).build().unwrap();
    let query = format!("FROM '{STORE}' |> INTO '{path}' CHUNKS (time 1, latitude 10, longitude 20)");
    session.query(&query).await.unwrap();
    (folder, path)
}

async fn rows(session: &Session, query: &str) -> RecordBatch {
    let rows = session.query(query).await.unwrap_or_else(|error| panic!("{query}: {error}")).into_rows().unwrap();
    let schema = rows.schema();
    concat_batches(&schema, &rows.collect().await.unwrap()).unwrap()
}

async fn explained(session: &Session, query: &str) -> String {
    match session.query(&format!("EXPLAIN {query}")).await.unwrap() {
        Outcome::Explain(text) => text,
        _ => panic!("expected a plan"),
    }
}

/// Every value the same; sums of floats but for the order of their terms.
fn assert_same(found: &RecordBatch, expected: &RecordBatch, what: &str) {
    assert_eq!((found.num_rows(), found.schema()), (expected.num_rows(), expected.schema()), "{what}");
    for (found, expected) in found.columns().iter().zip(expected.columns()) {
        if !found.data_type().is_floating() {
            assert_eq!(found, expected, "{what}");
            continue;
        }
        let [found, expected] = [found, expected].map(|values| cast(values, &DataType::Float64).unwrap());
        for (found, expected) in found.as_primitive::<Float64Type>().iter().zip(expected.as_primitive::<Float64Type>())
        {
            let is_same = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() <= 1e-12 * expected.abs(),
                (found, expected) => found == expected,
            };
            assert!(is_same, "{what}: {found:?} {expected:?}");
        }
    }
}

const PARTITIONS: [&str; 8] = [
    "1",
    "7",
    "60",
    "100000",
    "'time: 5'",
    "'time: 4, longitude: 2'",
    "'latitude: 3, longitude: 1000'",
    "'longitude: 5, latitude: 4, time: 12'",
];

const QUERIES: [&str; 8] = [
    "|> REDUCE avg(tas), max(pr), count(tas) AS n ALONG time, latitude, longitude",
    "|> REDUCE avg(tas), min(tas) AS low ALONG latitude, longitude",
    "|> REDUCE sum(pr) ALONG time",
    "|> REDUCE quantile(tas, 0.3) AS q ALONG time, longitude",
    "|> AGGREGATE avg(tas) AS tas GROUP BY latitude, month(time) AS month",
    "|> SELECT time, latitude, longitude, tas, pr |> WHERE latitude > 35 AND tas > 20",
    "|> EXTEND avg(tas[time-2:time]) AS t |> SELECT time, latitude, longitude, t",
    "|> EXTEND tas - avg(tas) OVER (ALONG longitude) AS eddy |> REDUCE stddev(eddy) AS s ALONG time, longitude",
];

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_the_same_however_work_is_cut() {
    let (_folder, path) = in_small_chunks().await;
    let session = Session::builder().threads(2).build().unwrap();
    for query in QUERIES {
        let expected = rows(&session, &format!("FROM '{path}' {query}")).await;
        assert!(expected.num_rows() > 0, "{query}");
        for partition in PARTITIONS {
            let cut = format!("FROM '{path}' WITH (partition = {partition}) {query}");
            assert_same(&rows(&session, &cut).await, &expected, &cut);
        }
    }
    let selection = "[time[1:11:3], latitude = 34:36, longitude IN (-84.9375, -75.0625)]";
    let expected = rows(&session, &format!("FROM '{path}' {selection}")).await;
    for partition in PARTITIONS {
        session.query(&format!("ATTACH '{path}' AS s WITH (partition = {partition})")).await.unwrap();
        assert_same(&rows(&session, &format!("FROM s {selection}")).await, &expected, partition);
        session.query("DETACH s").await.unwrap();
    }
}

#[tokio::test]
async fn plans_tell_how_work_is_cut() {
    let (_folder, path) = in_small_chunks().await;
    let session = Session::builder().threads(2).build().unwrap();
    let check = async |partition: &str, query: &str, expected: usize, told: &str| {
        session.query(&format!("ATTACH '{path}' AS s WITH (partition = {partition})")).await.unwrap();
        let plan = explained(&session, &format!("FROM s {query}")).await;
        assert!(plan.contains(&format!("DataSourceExec: partitions={expected},")), "{partition} {query}: {plan}");
        assert!(plan.contains(&format!(", partitions of {told} chunks")), "{partition} {query}: {plan}");
        session.query("DETACH s").await.unwrap();
    };
    let all = "|> REDUCE max(tas) ALONG time, latitude, longitude";
    check("1", all, 240, "1").await;
    // Boxes of 2 × 4 × 5: as many as fit in 50.
    check("50", all, 6, "50").await;
    check("1000", all, 1, "1000").await;
    check("'time: 4, longitude: 2'", all, 36, "[time: 4, longitude: 2]").await;
    check("'time: 12'", all, 20, "[time: 12]").await;
    // Chunks without a selected cell are no work.
    check("10", "[time[3]] |> REDUCE max(tas) ALONG latitude, longitude", 2, "10").await;
    // Rows that are put in order are read from all partitions at the same time: 240 chunks, 4 of them in each.
    check("1", "|> SELECT time, latitude, longitude, tas", 60, "1").await;
    let plain = explained(&session, &format!("FROM '{path}' {all}")).await;
    assert!(!plain.contains("partitions of"), "{plain}");
}

#[tokio::test]
async fn what_is_no_number_of_chunks_is_refused() {
    let session = Session::builder().threads(2).build().unwrap();
    let refused = async |partition: &str| {
        let query = format!("FROM '{STORE}' WITH (partition = {partition}) |> REDUCE max(tas) ALONG time");
        let error = session.query(&query).await.unwrap_err();
        assert!(matches!(error, quarray_engine::Error::Source(_)), "{error:?}");
        error.to_string()
    };
    for found in ["0", "-3", "auto", "time: x"] {
        let message = refused(&format!("'{found}'")).await;
        let expected =
            "option `partition`: expected a number of chunks from 1 on, or one a dimension as `time: 4, y: 2`";
        assert!(message.ends_with(&format!("{expected}, found `{found}`")), "{message}");
    }
    let message = refused("'time: 2, lat: 1'").await;
    let expected = "option `partition`: expected dimensions of [time, latitude, longitude], found `lat`";
    assert!(message.ends_with(expected), "{message}");
    let attached = session.query(&format!("ATTACH '{STORE}' AS s WITH (partition = 1.5)")).await.unwrap_err();
    assert!(attached.to_string().contains("option `partition`: expected a number of chunks"), "{attached}");
}
