//! Stores that the writer wrote, read back with the reader and, where there is one, with xarray.

use std::path::Path;
use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, TimeUnit};
use quarray_engine::array::Region;
use quarray_engine::dataset::{Dataset, Dimension, Role};
use quarray_engine::sink::zarr::{Codec, StoreSchema, VariableSchema, WriteSummary, ZarrWriter};
use quarray_engine::source::SourceError;
use quarray_engine::source::store::{Store, StoreOptions};
use quarray_engine::source::zarr::{DecodeOptions, open};
use serde_json::{Map, Value, json};

/// A variable of a schema.
pub fn variable(name: &str, dimensions: &[&str], data_type: DataType, chunk_shape: &[u64]) -> VariableSchema {
    VariableSchema {
        name: name.to_string(),
        dimensions: dimensions.iter().map(|name| name.to_string()).collect(),
        nan_is_missing: matches!(data_type, DataType::Float32 | DataType::Float64),
        data_type,
        chunk_shape: chunk_shape.to_vec(),
        attributes: Map::new(),
        calendar: None,
        coordinate: false,
        packing: None,
    }
}

/// A small store: two days, three rows, four columns.
pub fn small_schema(zarr_version: u8, codec: Codec) -> StoreSchema {
    let dimension = |name: &str, length| Dimension { name: name.to_string(), length };
    let mut schema = StoreSchema::new(vec![dimension("time", 2), dimension("y", 3), dimension("x", 4)]);
    let mut rain = variable("rain", &["time", "y", "x"], DataType::Float32, &[1, 2, 3]);
    rain.attributes = attributes(json!({"units": "mm", "scale_factor": 0.1, "_FillValue": -1, "coordinates": "old"}));
    let mut count = variable("count", &["y"], DataType::Int16, &[2]);
    count.attributes = attributes(json!({"_FillValue": -999}));
    let mut area = variable("area", &["y", "x"], DataType::Float64, &[3, 4]);
    area.coordinate = true;
    schema.variables = vec![
        variable("time", &["time"], DataType::Timestamp(TimeUnit::Microsecond, None), &[1]),
        variable("y", &["y"], DataType::Float64, &[3]),
        rain,
        count,
        variable("name", &["y"], DataType::Utf8, &[2]),
        variable("wet", &["y"], DataType::Boolean, &[3]),
        variable("ident", &["x"], DataType::UInt64, &[3]),
        variable("scalar", &[], DataType::Int32, &[]),
        area,
    ];
    schema.attributes = attributes(json!({"title": "a small store"}));
    schema.codec = codec;
    schema.zarr_version = zarr_version;
    schema
}

/// The values of [`small_schema`], by variable.
pub fn small_values() -> Vec<ArrayRef> {
    let day = 86_400_000_000;
    let rain: Vec<Option<f32>> = (0..24).map(|n| if n == 5 { None } else { Some(n as f32 / 4.0) }).collect();
    vec![
        Arc::new(TimestampMicrosecondArray::from(vec![10_957 * day, 10_958 * day])),
        Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5])),
        Arc::new(Float32Array::from(rain)),
        Arc::new(Int16Array::from(vec![Some(0), None, Some(-3)])),
        Arc::new(StringArray::from(vec!["", "bé", "a longer name"])),
        Arc::new(BooleanArray::from(vec![true, false, true])),
        Arc::new(UInt64Array::from(vec![0, 1, u64::MAX, 3])),
        Arc::new(Int32Array::from(vec![-7])),
        Arc::new(Float64Array::from_iter_values((0..12).map(f64::from))),
    ]
}

pub(crate) fn attributes(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// Writes the whole of each variable.
pub async fn write_small(uri: &str, options: &StoreOptions, overwrite: bool) -> Result<WriteSummary, SourceError> {
    write_all(uri, options, small_schema(3, Codec::default()), overwrite).await
}

pub(crate) async fn write_all(
    uri: &str,
    options: &StoreOptions,
    schema: StoreSchema,
    overwrite: bool,
) -> Result<WriteSummary, SourceError> {
    let shapes: Vec<Vec<u64>> = schema.variables.iter().map(|variable| shape_of(&schema, variable)).collect();
    let mut writer = ZarrWriter::create(uri, options, schema, overwrite).await?;
    for (number, values) in small_values().iter().enumerate() {
        writer.write(number, &Region::whole(&shapes[number]), values).await?;
    }
    assert_eq!(writer.buffered_bytes(), 0);
    writer.finish().await
}

pub(crate) fn shape_of(schema: &StoreSchema, variable: &VariableSchema) -> Vec<u64> {
    let length = |name: &String| schema.dimensions.iter().find(|d| d.name == *name).unwrap().length;
    variable.dimensions.iter().map(length).collect()
}

/// Reads a store and compares it with [`small_values`].
pub async fn check_small(uri: &str, options: &StoreOptions) {
    let decode = DecodeOptions { nan_as_null: true, ..DecodeOptions::default() };
    let dataset = open(Store::open(uri, options).unwrap(), &decode).await.unwrap();
    let schema = small_schema(3, Codec::default());
    for (variable, expected) in schema.variables.iter().zip(small_values()) {
        let found = read(&dataset, &variable.name).await;
        assert_eq!(found.len(), expected.len(), "{}", variable.name);
        let expected = arrow::compute::cast(&expected, found.data_type()).unwrap();
        for place in 0..expected.len() {
            let missing = is_missing(&found, place);
            assert_eq!(missing, is_missing(&expected, place), "{} {place}", variable.name);
            assert!(missing || found.slice(place, 1) == expected.slice(place, 1), "{} {place}", variable.name);
        }
    }
    assert_eq!(dataset.variable("area").unwrap().role, Role::Coordinate);
    assert_eq!(dataset.variable("rain").unwrap().units(), Some("mm"));
    assert_eq!(dataset.attributes["title"], json!("a small store"));
}

/// A null, or a NaN.
fn is_missing(values: &ArrayRef, place: usize) -> bool {
    let nan = match values.data_type() {
        DataType::Float32 => values.as_primitive::<arrow::datatypes::Float32Type>().value(place).is_nan(),
        DataType::Float64 => values.as_primitive::<arrow::datatypes::Float64Type>().value(place).is_nan(),
        _ => false,
    };
    values.is_null(place) || nan
}

/// All values of a variable, in C order.
async fn read(dataset: &Dataset, name: &str) -> ArrayRef {
    let variable = dataset.variable(name).unwrap();
    let grid = variable.array.grid();
    let mut cells: Vec<(u64, ArrayRef)> = vec![];
    let counts = grid.chunk_counts();
    for number in 0..counts.iter().product::<u64>() {
        let chunk = unravel(number, &counts);
        let region = grid.chunk_region(&chunk);
        let values = variable.array.fetch(&chunk).await.unwrap().read(&Region::whole(&region.shape)).unwrap();
        for cell in 0..values.len() {
            let inside = unravel(cell as u64, &region.shape);
            let along = |place: u64, d: usize| place * grid.shape()[d] + region.start[d] + inside[d];
            cells.push(((0..inside.len()).fold(0, along), values.slice(cell, 1)));
        }
    }
    cells.sort_by_key(|(place, _)| *place);
    let cells: Vec<&dyn Array> = cells.iter().map(|(_, cell)| cell.as_ref()).collect();
    arrow::compute::concat(&cells).unwrap()
}

fn unravel(mut number: u64, shape: &[u64]) -> Vec<u64> {
    let mut index = vec![0; shape.len()];
    for d in (0..shape.len()).rev() {
        index[d] = number % shape[d];
        number /= shape[d];
    }
    index
}

pub(crate) fn place(directory: &tempfile::TempDir, name: &str) -> String {
    directory.path().join(name).to_str().unwrap().to_string()
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) const NO_OPTIONS: StoreOptions = StoreOptions::new();

#[tokio::test]
async fn every_codec_and_both_versions_read_back() {
    let directory = tempfile::tempdir().unwrap();
    for version in [2, 3] {
        for codec in ["none", "zstd(3)", "gzip(5)", "lz4", "blosc(zstd, 3, bitshuffle)", "blosc(lz4hc, 1, noshuffle)"] {
            let uri = place(&directory, &format!("{version} {codec}"));
            let summary =
                write_all(&uri, &NO_OPTIONS, small_schema(version, codec.parse().unwrap()), false).await.unwrap();
            assert_eq!(summary.chunks, 20, "{uri}");
            check_small(&uri, &NO_OPTIONS).await;
        }
    }
    assert!(names(directory.path()).iter().all(|name| !name.starts_with('.')), "{:?}", names(directory.path()));
}

#[tokio::test]
async fn regions_come_in_any_order_and_size() {
    let directory = tempfile::tempdir().unwrap();
    let uri = place(&directory, "x");
    let schema = small_schema(3, Codec::default());
    let shapes: Vec<Vec<u64>> = schema.variables.iter().map(|variable| shape_of(&schema, variable)).collect();
    let mut writer = ZarrWriter::create(&uri, &NO_OPTIONS, schema, false).await.unwrap();
    for (number, values) in small_values().iter().enumerate() {
        // Cell by cell, from the last one to the first.
        for cell in (0..values.len()).rev() {
            let region = Region::new(unravel(cell as u64, &shapes[number]), vec![1; shapes[number].len()]);
            writer.write(number, &region, &values.slice(cell, 1)).await.unwrap();
        }
    }
    assert_eq!(writer.finish().await.unwrap().chunks, 20);
    check_small(&uri, &NO_OPTIONS).await;
}

#[tokio::test]
async fn nothing_is_there_before_the_end_nor_after_an_abort() {
    let directory = tempfile::tempdir().unwrap();
    let uri = place(&directory, "x");
    let schema = small_schema(3, Codec::default());
    let mut writer = ZarrWriter::create(&uri, &NO_OPTIONS, schema.clone(), false).await.unwrap();
    writer.write(1, &Region::whole(&[3]), &small_values()[1]).await.unwrap();
    assert!(!Path::new(&uri).exists());
    drop(writer);
    assert!(names(directory.path()).is_empty());

    let mut writer = ZarrWriter::create(&uri, &NO_OPTIONS, schema, false).await.unwrap();
    writer.write(1, &Region::whole(&[3]), &small_values()[1]).await.unwrap();
    let error = writer.finish().await.unwrap_err().to_string();
    assert!(error.ends_with("x/time: 1 of its chunks are incomplete: expected every cell to be written"), "{error}");
    assert!(names(directory.path()).is_empty());
}

#[tokio::test]
async fn a_store_is_replaced_only_when_told_and_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let uri = place(&directory, "x");
    write_all(&uri, &NO_OPTIONS, small_schema(2, Codec::default()), false).await.unwrap();
    let error = write_small(&uri, &NO_OPTIONS, false).await.unwrap_err();
    assert!(matches!(error, SourceError::AlreadyExists { .. }), "{error}");

    let writer = ZarrWriter::create(&uri, &NO_OPTIONS, small_schema(3, Codec::None), true).await.unwrap();
    check_small(&uri, &NO_OPTIONS).await;
    writer.abort().await.unwrap();
    check_small(&uri, &NO_OPTIONS).await;
    assert_eq!(names(directory.path()), ["x"]);

    write_small(&uri, &NO_OPTIONS, true).await.unwrap();
    check_small(&uri, &NO_OPTIONS).await;
    assert!(!Path::new(&uri).join(".zgroup").exists());
    assert_eq!(names(directory.path()), ["x"]);
}

#[tokio::test]
async fn what_is_no_store_is_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("home")).unwrap();
    std::fs::write(directory.path().join("home/precious"), "x").unwrap();
    for name in ["home", "home/precious"] {
        for overwrite in [false, true] {
            let error = write_small(&place(&directory, name), &NO_OPTIONS, overwrite).await.unwrap_err();
            assert!(matches!(error, SourceError::AlreadyExists { .. }), "{error}");
        }
    }
    assert_eq!(names(&directory.path().join("home")), ["precious"]);
    std::fs::create_dir(directory.path().join("empty")).unwrap();
    write_small(&place(&directory, "empty"), &NO_OPTIONS, false).await.unwrap();
    std::os::unix::fs::symlink("empty", directory.path().join("link")).unwrap();
    write_small(&place(&directory, "link"), &NO_OPTIONS, true).await.unwrap();
    assert!(directory.path().join("link").is_symlink());
    assert!(write_small("/", &NO_OPTIONS, true).await.is_err());
    let error = write_small("http://127.0.0.1:1/x", &NO_OPTIONS, false).await.unwrap_err();
    assert!(matches!(error, SourceError::Unsupported { .. }), "{error}");
}

#[tokio::test]
async fn what_a_killed_writer_left_is_cleared_and_what_a_living_one_writes_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let uri = place(&directory, "x");
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead = child.id();
    child.wait().unwrap();
    std::fs::create_dir_all(directory.path().join(format!(".x.quarray-{dead}-abc/rain"))).unwrap();
    std::fs::create_dir_all(directory.path().join(format!(".x.quarray-{}-abc", std::process::id()))).unwrap();
    let writer = ZarrWriter::create(&uri, &NO_OPTIONS, small_schema(3, Codec::None), false).await.unwrap();
    write_small(&uri, &NO_OPTIONS, false).await.unwrap();
    let left = names(directory.path());
    assert!(!left.contains(&format!(".x.quarray-{dead}-abc")), "{left:?}");
    assert_eq!(left.len(), 3, "{left:?}");
    drop(writer);
    assert_eq!(names(directory.path()), [format!(".x.quarray-{}-abc", std::process::id()), "x".to_string()]);
    check_small(&uri, &NO_OPTIONS).await;
}

#[tokio::test]
async fn missing_cells_need_something_that_stands_for_them() {
    let directory = tempfile::tempdir().unwrap();
    let dimensions = vec![Dimension { name: "x".to_string(), length: 3 }];
    let cases: [(DataType, Option<Value>, ArrayRef, &str); 6] = [
        (DataType::Int32, None, Arc::new(Int32Array::from(vec![Some(1), None, None])), "2 of its values are missing"),
        (DataType::Boolean, None, Arc::new(BooleanArray::from(vec![Some(true), None, None])), "are missing"),
        (DataType::Utf8, None, Arc::new(StringArray::from(vec![Some("a"), None, None])), "are missing"),
        (DataType::UInt8, Some(json!(-1)), Arc::new(UInt8Array::from(vec![1, 2, 3])), "expected a _FillValue that is"),
        (DataType::Int32, Some(json!(2)), Arc::new(Int32Array::from(vec![1, 2, 3])), "stands for a missing cell"),
        (
            DataType::Int32,
            None,
            Arc::new(Int64Array::from(vec![1, 2, 3])),
            "expected values of type Int32, found Int64",
        ),
    ];
    for (data_type, fill, values, expected) in cases {
        let mut schema = StoreSchema::new(dimensions.clone());
        schema.variables = vec![variable("v", &["x"], data_type, &[2])];
        schema.variables[0].attributes.extend(fill.map(|fill| ("_FillValue".to_string(), fill)));
        let written = async {
            let mut writer = ZarrWriter::create(&place(&directory, "v"), &NO_OPTIONS, schema, false).await?;
            writer.write(0, &Region::whole(&[3]), &values).await
        };
        let error = written.await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(names(directory.path()).is_empty());
}

#[tokio::test]
async fn the_rest_is_filled_when_told() {
    let directory = tempfile::tempdir().unwrap();
    for version in [2, 3] {
        let uri = place(&directory, &version.to_string());
        let mut schema = StoreSchema::new(vec![Dimension { name: "time".to_string(), length: 5 }]);
        schema.zarr_version = version;
        schema.variables = vec![
            variable("v", &["time"], DataType::Float64, &[2]),
            variable("time", &["time"], DataType::Timestamp(TimeUnit::Second, None), &[2]),
        ];
        let mut writer = ZarrWriter::create(&uri, &NO_OPTIONS, schema, false).await.unwrap();
        writer.write(0, &Region::new(vec![1], vec![1]), &(Arc::new(Float64Array::from(vec![1.0])) as _)).await.unwrap();
        let time: ArrayRef = Arc::new(TimestampSecondArray::from(vec![Some(7_200), None]));
        writer.write(1, &Region::new(vec![0], vec![2]), &time).await.unwrap();
        writer.fill_rest().await.unwrap();
        writer.finish().await.unwrap();
        let dataset = open(Store::open(&uri, &NO_OPTIONS).unwrap(), &DecodeOptions::default()).await.unwrap();
        let values = read(&dataset, "v").await;
        assert_eq!((0..5).map(|place| is_missing(&values, place)).collect::<Vec<_>>(), [true, false, true, true, true]);
        let times = read(&dataset, "time").await;
        assert_eq!(times.null_count(), 4, "{times:?}");
        assert_eq!(dataset.variable("time").unwrap().attributes["units"], json!("hours since 1970-01-01"));
    }
}

#[tokio::test]
async fn cells_are_written_once_and_inside_the_array() {
    let directory = tempfile::tempdir().unwrap();
    let schema = small_schema(3, Codec::default());
    let mut writer = ZarrWriter::create(&place(&directory, "x"), &NO_OPTIONS, schema, false).await.unwrap();
    let values = &small_values()[1];
    writer.write(1, &Region::new(vec![1], vec![1]), &values.slice(0, 1)).await.unwrap();
    for (region, expected) in [
        (Region::new(vec![0], vec![2]), "was written twice"),
        (Region::new(vec![2], vec![2]), "expected a region inside [3], found [2] cells from [2]"),
        (Region::new(vec![u64::MAX], vec![2]), "expected a region inside"),
        (Region::new(vec![0, 0], vec![1, 2]), "expected a region inside"),
        (Region::new(vec![0], vec![3]), "expected values of a region of [3] cells, found 2"),
    ] {
        let error = writer.write(1, &region, &values.slice(0, 2)).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(writer.write(99, &Region::whole(&[3]), values).await.is_err());
}
