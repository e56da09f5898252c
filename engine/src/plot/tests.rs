//! What is drawn of which results.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampSecondArray};

use super::*;
use crate::labelled::test_rows as rows_of;
use crate::outcome::{AxisLabels, Palette};

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

async fn chart(dimensions: &[&str], columns: &[(&str, ArrayRef)], options: &[(&str, &str)]) -> Result<Chart, String> {
    let options: Vec<(String, String)> = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let spec = plot(rows_of(dimensions, columns), None, &options).await;
    spec.map(|spec| spec.chart).map_err(|error| error.to_string())
}

#[tokio::test]
async fn one_dimension_is_lines() {
    let time: ArrayRef = Arc::new(TimestampSecondArray::from(vec![0, 60]));
    let columns = [("time", time), ("a", floats(&[1.0, 2.0])), ("b", floats(&[3.0, 4.0]))];
    let Ok(Chart::Line { x, y_label, series }) = chart(&["time"], &columns, &[]).await else { panic!("no line") };
    assert_eq!(x.labels, AxisLabels::Times(vec![0, 60_000_000]));
    assert_eq!((x.label.as_str(), y_label.as_str()), ("time", "a, b"));
    assert_eq!(series, [("a".to_string(), vec![1.0, 2.0]), ("b".to_string(), vec![3.0, 4.0])]);
}

#[tokio::test]
async fn two_dimensions_are_a_heat_map() {
    let columns = [("y", ints(&[1, 1, 2, 2])), ("x", ints(&[5, 6, 5, 6])), ("v", floats(&[0.0, 1.0, 2.0, 3.0]))];
    let options = [("robust", "TRUE"), ("colours", "Diverging"), ("max", "2.5")];
    let Ok(Chart::HeatMap { x, y, values, colours, map, .. }) = chart(&["y", "x"], &columns, &options).await else {
        panic!("no map")
    };
    let expected = ColourOptions { palette: Palette::Diverging, robust: true, min: None, max: Some(2.5) };
    assert_eq!((colours, map), (expected, None));
    assert_eq!((x.labels, y.labels), (AxisLabels::Numbers(vec![5.0, 6.0]), AxisLabels::Numbers(vec![1.0, 2.0])));
    assert_eq!(values, [0.0, 1.0, 2.0, 3.0]);
}

#[tokio::test]
async fn other_shapes_are_refused() {
    let columns = [("t", ints(&[1])), ("y", ints(&[1])), ("x", ints(&[1])), ("v", floats(&[0.0]))];
    let found = chart(&["t", "y", "x"], &columns, &[]).await.unwrap_err();
    assert!(found.starts_with("a drawing has one or two dimensions, found 3: [t, y, x]; reduce"), "{found}");
    let found = chart(&["t", "y"], &columns, &[("kind", "line")]).await.unwrap_err();
    assert!(found.starts_with("a line has one dimension, found 2: [t, y]"), "{found}");
    let found = chart(&[], &[("v", floats(&[1.0]))], &[]).await.unwrap_err();
    assert!(found.starts_with("a drawing has one dimension, found none; keep"), "{found}");
}

#[tokio::test]
async fn dimensions_of_one_label_are_left_out() {
    let columns = [("t", ints(&[7, 7])), ("y", ints(&[1, 2])), ("x", ints(&[1, 1])), ("v", floats(&[3.0, 4.0]))];
    let mut rows = rows_of(&["t", "y", "x"], &columns);
    rows.labels = Some(vec![("t".to_string(), ints(&[7]))]);
    let Chart::HeatMap { y, values, .. } = plot(rows, None, &[]).await.unwrap().chart else { panic!("no map") };
    assert_eq!((y.labels, values), (AxisLabels::Numbers(vec![1.0, 2.0]), vec![3.0, 4.0]));
}

#[tokio::test]
async fn a_relation_is_drawn_over_its_first_column() {
    let columns = [("x", ints(&[3, 1, 2])), ("v", floats(&[0.3, 0.1, 0.2]))];
    let Ok(Chart::Line { x, series, .. }) = chart(&[], &columns, &[]).await else { panic!("no line") };
    assert_eq!((x.labels, &series[0].1[..]), (AxisLabels::Numbers(vec![1.0, 2.0, 3.0]), &[0.1, 0.2, 0.3][..]));
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let found = chart(&[], &[("name", names), ("v", floats(&[0.3, 0.1, 0.2]))], &[]).await.unwrap_err();
    assert!(found.starts_with("expected numbers or times to draw over, found `name` (Utf8)"), "{found}");
}

#[tokio::test]
async fn values_are_counted_in_bins() {
    let columns = [("x", ints(&[1, 2, 3, 4, 5])), ("v", floats(&[0.0, 1.0, 1.5, f64::NAN, 2.0]))];
    let options = [("kind", "histogram"), ("bins", "2")];
    let Ok(Chart::Histogram { edges, counts, .. }) = chart(&["x"], &columns, &options).await else { panic!("no bins") };
    assert_eq!((edges, counts), (vec![0.0, 1.0, 2.0], vec![1, 3]));
    let Ok(Chart::Histogram { counts, .. }) = chart(&["x"], &columns, &options[..1]).await else { panic!("no bins") };
    assert_eq!((counts.len(), counts.iter().sum::<u64>()), (64, 4));
}

#[tokio::test]
async fn options_are_checked() {
    let columns = [("x", ints(&[1])), ("v", floats(&[0.0]))];
    let found = chart(&["x"], &columns, &[("widht", "3")]).await.unwrap_err();
    assert_eq!(
        found,
        "PLOT has no option `widht`: expected one of width, height, title, kind, bins, colours, robust, min, max; \
         did you mean `width`?"
    );
    let found = chart(&["x"], &columns, &[("kind", "histgram")]).await.unwrap_err();
    assert_eq!(found, "PLOT has no kind `histgram`: expected line, heatmap or histogram; did you mean `histogram`?");
    assert!(chart(&["x"], &columns, &[("width", "-1")]).await.is_err());
    let found = chart(&["x"], &columns, &[("colours", "divergent")]).await.unwrap_err();
    let expected =
        "PLOT has no colours `divergent`: expected automatic, sequential or diverging; did you mean `diverging`?";
    assert_eq!(found, expected);
    for (name, value, expected) in [
        ("robust", "yes", "robust: expected true or false, found yes"),
        ("min", "low", "min: expected a number, found low"),
        ("max", "inf", "max: expected a number, found inf"),
    ] {
        assert_eq!(chart(&["x"], &columns, &[(name, value)]).await.unwrap_err(), expected);
    }
    let found = chart(&["x"], &columns, &[("max", "1"), ("min", "1")]).await.unwrap_err();
    assert_eq!(found, "expected a min below max, found 1 and 1");
    let found = plot(rows_of(&["x"], &columns), Some("a.pgn".to_string()), &[]).await.unwrap_err().to_string();
    assert_eq!(found, "cannot draw to `a.pgn`: expected a name that ends in .png or .svg; did you mean `png`?");
}
