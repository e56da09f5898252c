//! Rows into stores, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, TimestampMicrosecondArray};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use tempfile::TempDir;

use super::*;
use crate::dataset::Dataset;
use crate::labelled::{numbers, test_rows};
use crate::scan::read_whole;
use crate::source::store::{Store, StoreOptions};
use crate::source::zarr::{DecodeOptions, open};

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn floats(values: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

/// Rows of two times and three places, one cell without a row; with the labels known before or not.
fn some_rows(known: bool) -> Rows {
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, 0, 0, 86_400_000_000, 86_400_000_000]));
    let values = floats(&[Some(0.0), Some(1.0), None, Some(3.0), Some(4.0)]);
    let mut rows = test_rows(&["time", "x"], &[("time", times), ("x", ints(&[7, 8, 9, 7, 8])), ("v", values)]);
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, 86_400_000_000]));
    rows.labels = known.then(|| vec![("time".to_string(), times), ("x".to_string(), ints(&[7, 8, 9]))]);
    rows
}

async fn write(
    rows: Vec<Rows>,
    directory: &TempDir,
    chunks: &[(&str, u64)],
    options: &[(&str, &str)],
) -> Result<String, String> {
    let target = directory.path().join("out.zarr").display().to_string();
    let chunks: Vec<_> = chunks.iter().map(|(name, cells)| (name.to_string(), *cells)).collect();
    let options: Vec<_> = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let written = write_dataset(rows, &target, &chunks, &options, &IntoMode::New).await;
    written.map_err(|error| error.to_string())
}

async fn read(directory: &TempDir) -> Dataset {
    let target = directory.path().join("out.zarr").display().to_string();
    open(Store::open(&target, &StoreOptions::new()).unwrap(), &DecodeOptions::default()).await.unwrap()
}

async fn values(dataset: &Dataset, name: &str) -> Vec<String> {
    let values = read_whole(dataset.variable(name).unwrap()).await.unwrap();
    numbers(&values).unwrap().iter().map(f64::to_string).collect()
}

#[tokio::test]
async fn rows_are_written_with_labels_known_or_not() {
    for (known, version) in [(true, "3"), (false, "3"), (true, "2"), (false, "2")] {
        let directory = tempfile::tempdir().unwrap();
        let options = [("zarr_version", version), ("codec", "gzip(1)")];
        let report = write(vec![some_rows(known)], &directory, &[("x", 2)], &options).await.unwrap();
        assert!(report.starts_with("wrote v (time 2, x 3) to "), "{report}");
        let dataset = read(&directory).await;
        assert_eq!(values(&dataset, "v").await, ["0", "1", "NaN", "3", "4", "NaN"]);
        assert_eq!(values(&dataset, "x").await, ["7", "8", "9"]);
        let time = dataset.index("time").unwrap();
        assert!(matches!(time.data_type, arrow::datatypes::DataType::Timestamp(..)));
        assert_eq!(dataset.variable("v").unwrap().array.grid().chunk_shape(), [2, 2]);
    }
}

#[tokio::test]
async fn arrays_share_dimensions() {
    let directory = tempfile::tempdir().unwrap();
    let area = || test_rows(&["x"], &[("x", ints(&[7, 8, 9])), ("area", floats(&[Some(0.5), Some(1.5), Some(2.5)]))]);
    let number = test_rows(&[], &[("mean", floats(&[Some(6.5)]))]);
    let report = write(vec![some_rows(true), area(), number], &directory, &[], &[]).await.unwrap();
    assert!(report.starts_with("wrote v, area, mean (time 2, x 3)"), "{report}");
    let dataset = read(&directory).await;
    assert_eq!(dataset.variable("area").unwrap().dimensions, ["x"]);
    assert_eq!(values(&dataset, "area").await, ["0.5", "1.5", "2.5"]);
    assert_eq!(values(&dataset, "mean").await, ["6.5"]);
    let other = test_rows(&["x"], &[("x", ints(&[1, 2])), ("w", floats(&[None, None]))]);
    let found = write(vec![area(), other], &tempfile::tempdir().unwrap(), &[], &[]).await.unwrap_err();
    assert!(found.starts_with("dimension `x` has other labels in one variable than in another"), "{found}");
}

#[tokio::test]
async fn a_store_is_replaced_only_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    write(vec![some_rows(true)], &directory, &[], &[]).await.unwrap();
    let other = || test_rows(&["x"], &[("x", ints(&[1])), ("w", floats(&[Some(1.0)]))]);
    let found = write(vec![other()], &directory, &[], &[]).await.unwrap_err();
    assert!(found.ends_with("there is a Zarr store already: WITH (overwrite = true) replaces it"), "{found}");
    assert!(read(&directory).await.variable("v").is_some());
    write(vec![other()], &directory, &[], &[("overwrite", "true")]).await.unwrap();
    let dataset = read(&directory).await;
    assert!(dataset.variable("v").is_none() && dataset.variable("w").is_some());
}

/// The message of what is refused, which leaves nothing behind.
async fn error(rows: Rows, chunks: &[(&str, u64)], options: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let written = write(vec![rows], &directory, chunks, options).await;
    assert!(std::fs::read_dir(directory.path()).unwrap().next().is_none());
    written.unwrap_err()
}

#[tokio::test]
async fn what_cannot_be_written_is_refused() {
    let found = error(some_rows(true), &[("tim", 3)], &[]).await;
    assert_eq!(found, "CHUNKS: no dimension `tim` in the result [time, x]; did you mean `time`?");
    let found = error(some_rows(true), &[], &[("codecs", "zstd")]).await;
    assert_eq!(found, "INTO has no option `codecs`; did you mean `codec`?");
    assert!(error(some_rows(true), &[], &[("zarr_version", "4")]).await.starts_with("zarr_version: expected 2 or 3"));
    let relation = test_rows(&[], &[("v", floats(&[None, None]))]);
    let found = error(relation, &[], &[]).await;
    assert!(found.starts_with("expected an array, found rows without dimensions; name the columns"), "{found}");
    let twice = || test_rows(&["x"], &[("x", ints(&[1, 2, 1])), ("v", floats(&[None, None, Some(1.0)]))]);
    assert_eq!(error(twice(), &[], &[]).await, "expected one row a cell, found two at x = 1");
    let mut known = twice();
    known.labels = Some(vec![("x".to_string(), ints(&[1, 2, 3]))]);
    assert!(error(known, &[], &[]).await.contains("was written twice"));
    let mut small = some_rows(true);
    small.memory_pool = Some(Arc::new(GreedyMemoryPool::new(8)));
    assert!(error(small, &[], &[]).await.contains("CHUNKS (time 1)"));
}

#[tokio::test]
async fn appending_is_not_there_yet() {
    let found = write_rows(some_rows(true), "out.zarr", &[], &[], &IntoMode::Region).await.unwrap_err();
    assert_eq!(found.to_string(), "INTO … REGION is not there yet; write a new store: INTO 'path.zarr'");
}
