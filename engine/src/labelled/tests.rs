//! Labelled arrays from rows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{Field, Float32Type, Float64Type, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;

use super::*;

/// Rows in batches of two, so that every test crosses batches.
pub(crate) fn rows_of(dimensions: &[&str], columns: &[(&str, ArrayRef)]) -> Rows {
    let fields: Vec<Field> =
        columns.iter().map(|(name, values)| Field::new(*name, values.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch =
        RecordBatch::try_new(Arc::clone(&schema), columns.iter().map(|(_, values)| Arc::clone(values)).collect())
            .unwrap();
    let starts = (0..batch.num_rows()).step_by(2);
    let batches: Vec<_> = starts.map(|start| Ok(batch.slice(start, 2.min(batch.num_rows() - start)))).collect();
    let rows = RecordBatchStreamAdapter::new(schema, stream::iter(batches));
    Rows::new(Box::pin(rows), dimensions.iter().map(|name| name.to_string()).collect(), None)
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

/// What the labels of `y` are, for rows with the labels `x` and `y`; the values are 0, 1, 2 …
async fn check(x: &[i64], y: &[i64], labels: &[i64], cells: &[f64]) {
    let values: Vec<f64> = (0..x.len()).map(|row| row as f64).collect();
    let rows = rows_of(&["x", "y"], &[("x", ints(x)), ("y", ints(y)), ("v", floats(&values))]);
    let labelled = Labelled::collect(rows).await.unwrap();
    assert_eq!(&labelled.dimension("y").unwrap().labels, &ints(labels));
    let found: Vec<String> = labelled.values_f64("v").unwrap().iter().map(f64::to_string).collect();
    assert_eq!(found, cells.iter().map(f64::to_string).collect::<Vec<_>>());
}

#[tokio::test]
async fn labels_keep_the_order_of_the_rows() {
    const NONE: f64 = f64::NAN;
    check(&[1, 1, 2, 2], &[5, 6, 5, 6], &[5, 6], &[0.0, 1.0, 2.0, 3.0]).await;
    check(&[1, 1, 2, 2], &[6, 5, 6, 5], &[6, 5], &[0.0, 1.0, 2.0, 3.0]).await;
    // Neither ascending nor descending, but the same in every row of cells.
    check(&[1, 1, 1, 2, 2, 2], &[6, 5, 7, 6, 5, 7], &[6, 5, 7], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).await;
    // The first label comes late: a gap.
    check(&[1, 2, 2], &[6, 5, 6], &[5, 6], &[NONE, 0.0, 1.0, 2.0]).await;
    check(&[1, 2, 2], &[5, 6, 5], &[6, 5], &[NONE, 0.0, 1.0, 2.0]).await;
    // No order.
    check(&[1, 1, 2, 2], &[6, 5, 5, 6], &[5, 6], &[1.0, 0.0, 2.0, 3.0]).await;
}

#[tokio::test]
async fn two_rows_of_a_cell_are_an_error() {
    let rows = rows_of(&["x"], &[("x", ints(&[1, 2, 1])), ("v", floats(&[0.0, 1.0, 2.0]))]);
    let error = Labelled::collect(rows).await.unwrap_err();
    assert_eq!(error.to_string(), "expected one row a cell, found two at x = 1");
}

#[tokio::test]
async fn the_number_of_cells_is_bounded() {
    let columns = [("x", ints(&[1, 2, 3])), ("y", ints(&[1, 2, 3])), ("v", floats(&[0.0; 3]))];
    let error = rows_of(&["x", "y"], &columns).into_labelled(8).await.unwrap_err();
    let expected = "the result has 3 × 3 cells, more than the 8 that are held in memory: \
                    reduce it, select a part of it, or write it with INTO";
    assert_eq!(error.to_string(), expected);
    assert!(matches!(rows_of(&["x", "y"], &columns).into_labelled(2).await, Err(Error::Resources(_))));
}

#[tokio::test]
async fn known_labels_are_all_there() {
    let mut rows = rows_of(&["x"], &[("x", ints(&[2])), ("v", floats(&[7.0]))]);
    rows.labels = Some(vec![("x".to_string(), ints(&[3, 2, 1]))]);
    let labelled = Labelled::collect(rows).await.unwrap();
    assert_eq!(&labelled.dimension("x").unwrap().labels, &ints(&[3, 2, 1]));
    assert_eq!(labelled.mask("v").unwrap().as_slice(), Some(&[true, false, true][..]));
    assert_eq!(labelled.array::<Float64Type>("v").unwrap().as_slice(), Some(&[0.0, 7.0, 0.0][..]));
}

#[tokio::test]
async fn one_row_without_dimensions_is_a_number() {
    let labelled = Labelled::collect(rows_of(&[], &[("v", floats(&[7.0]))])).await.unwrap();
    assert_eq!(labelled.values_f64("v").unwrap().into_iter().collect::<Vec<_>>(), [7.0]);
    let error = Labelled::collect(rows_of(&[], &[("v", floats(&[7.0, 8.0]))])).await.unwrap_err();
    assert!(error.to_string().starts_with("expected an array, found rows without dimensions"), "{error}");
}

#[tokio::test]
async fn types_and_names_are_checked() {
    let values = Arc::new(Float32Array::from(vec![Some(1.0), None]));
    let names = Arc::new(StringArray::from(vec!["a", "b"]));
    let labelled =
        Labelled::collect(rows_of(&["x"], &[("x", ints(&[1, 2])), ("temp", values), ("name", names)])).await.unwrap();
    assert_eq!(labelled.array::<Float32Type>("temp").unwrap().len(), 2);
    let message = |error: Error| error.to_string();
    assert_eq!(
        message(labelled.values_f64("temq").unwrap_err()),
        "no variable `temq` among [temp, name]; did you mean `temp`?"
    );
    assert_eq!(
        message(labelled.values_f64("name").unwrap_err()),
        "`name`: expected numbers, found values of type Utf8"
    );
    let found = message(labelled.array::<Float64Type>("temp").unwrap_err());
    assert_eq!(found, "`temp`: expected Float64, found values of type Float32");
}

#[tokio::test]
async fn no_rows_are_no_cells() {
    let labelled = Labelled::collect(rows_of(&["x"], &[("x", ints(&[])), ("v", floats(&[]))])).await.unwrap();
    assert_eq!((labelled.shape(), labelled.values_f64("v").unwrap().len()), (vec![0], 0));
}
