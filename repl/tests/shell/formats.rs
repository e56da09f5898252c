//! Every format of results on the same eight cells of real data, one of four a missing one.

use std::fs::File;
use std::path::Path;
use std::process::{Output, Stdio};

use arrow::array::{Array, AsArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float32Type, Float64Type, TimeUnit, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{STORE, quarray};

const QUERY: &str = "FROM climate[time[0:2], latitude[0:2], longitude[44:46]] \
    |> SELECT time, latitude, longitude, tas, CAST(tas AS DOUBLE) AS wide, month(time) AS month";

/// Time, latitude, longitude, the value in both widths unless it is missing, the month.
type Cell = (&'static str, &'static str, &'static str, Option<(f32, f64)>, i32);

/// What xarray reads there.
const CELLS: [Cell; 8] = [
    ("1999-01-31T00:00:00", "33.0625", "-79.4375", Some((10.916451, 10.916451454162598)), 1),
    ("1999-01-31T00:00:00", "33.0625", "-79.3125", None, 1),
    ("1999-01-31T00:00:00", "33.1875", "-79.4375", Some((11.100645, 11.100645065307617)), 1),
    ("1999-01-31T00:00:00", "33.1875", "-79.3125", Some((11.274516, 11.274516105651855)), 1),
    ("1999-02-28T00:00:00", "33.0625", "-79.4375", Some((10.864285, 10.864285469055176)), 2),
    ("1999-02-28T00:00:00", "33.0625", "-79.3125", None, 2),
    ("1999-02-28T00:00:00", "33.1875", "-79.4375", Some((11.021786, 11.021785736083984)), 2),
    ("1999-02-28T00:00:00", "33.1875", "-79.3125", Some((11.174643, 11.174642562866211)), 2),
];

fn run(arguments: &[&str]) -> Output {
    let attachment = format!("climate={STORE}");
    let mut command = quarray();
    command.args(["--attach", &attachment, "-c", QUERY]).args(arguments).stdin(Stdio::null());
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), ""));
    output
}

fn check_text(format: &str, expected: &str) {
    let output = run(&["-f", format]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{format}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("cells.{format}"));
    assert_eq!(run(&["-o", path.to_str().unwrap()]).stdout, b"");
    assert_eq!(std::fs::read_to_string(path).unwrap(), expected, "{format} by the name of the file");
}

#[test]
fn csv() {
    let mut expected = "time,latitude,longitude,tas,wide,month\n".to_string();
    for (time, latitude, longitude, value, month) in CELLS {
        let (narrow, wide) = value.map(|(narrow, wide)| (narrow.to_string(), wide.to_string())).unwrap_or_default();
        expected.push_str(&format!("{time},{latitude},{longitude},{narrow},{wide},{month}\n"));
    }
    check_text("csv", &expected);
}

#[test]
fn json_and_lines_of_it() {
    let objects = CELLS.map(|(time, latitude, longitude, value, month)| {
        let missing = || ("null".to_string(), "null".to_string());
        let (narrow, wide) = value.map_or_else(missing, |(narrow, wide)| (narrow.to_string(), wide.to_string()));
        format!(
            r#"{{"time":"{time}","latitude":{latitude},"longitude":{longitude},"tas":{narrow},"wide":{wide},"month":{month}}}"#
        )
    });
    check_text("json", &format!("[{}]\n", objects.join(",")));
    check_text("jsonl", &format!("{}\n", objects.join("\n")));
}

#[test]
fn table() {
    let found = String::from_utf8(run(&[]).stdout).unwrap();
    let expected = "\
tas, wide, month[time: 2, latitude: 2, longitude: 2]
┌─────────────────────┬───────────────┬──────────────┬───────────┬────────────────────┬───────┐
│ time                │      latitude │    longitude │       tas │               wide │ month │
│                     │ degrees_north │ degrees_east │         C │                  C │       │
├─────────────────────┼───────────────┼──────────────┼───────────┼────────────────────┼───────┤
│ 1999-01-31T00:00:00 │       33.0625 │     -79.4375 │ 10.916451 │ 10.916451454162598 │     1 │
│ 1999-01-31T00:00:00 │       33.0625 │     -79.3125 │      NULL │               NULL │     1 │
│ 1999-01-31T00:00:00 │       33.1875 │     -79.4375 │ 11.100645 │ 11.100645065307617 │     1 │
│ 1999-01-31T00:00:00 │       33.1875 │     -79.3125 │ 11.274516 │ 11.274516105651855 │     1 │
│ 1999-02-28T00:00:00 │       33.0625 │     -79.4375 │ 10.864285 │ 10.864285469055176 │     2 │
│ 1999-02-28T00:00:00 │       33.0625 │     -79.3125 │      NULL │               NULL │     2 │
│ 1999-02-28T00:00:00 │       33.1875 │     -79.4375 │ 11.021786 │ 11.021785736083984 │     2 │
│ 1999-02-28T00:00:00 │       33.1875 │     -79.3125 │ 11.174643 │ 11.174642562866211 │     2 │
└─────────────────────┴───────────────┴──────────────┴───────────┴────────────────────┴───────┘
8 rows
";
    assert_eq!(found, expected, "got:\n{found}");
}

#[test]
fn arrow_in_a_stream_and_in_a_file() {
    let stream = run(&["-f", "arrow"]).stdout;
    let reader = arrow::ipc::reader::StreamReader::try_new(stream.as_slice(), None).unwrap();
    check_batches(reader.map(Result::unwrap).collect());
    in_a_file("cells.arrow", |file| {
        arrow::ipc::reader::FileReader::try_new(file, None).unwrap().map(Result::unwrap).collect()
    });
}

#[test]
fn parquet() {
    in_a_file("cells.parquet", |file| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        reader.map(Result::unwrap).collect()
    });
}

fn in_a_file(name: &str, read: impl Fn(File) -> Vec<RecordBatch>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    assert_eq!(run(&["-o", path.to_str().unwrap()]).stdout, b"");
    check_batches(read(File::open(path).unwrap()));
}

fn check_batches(batches: Vec<RecordBatch>) {
    let schema = batches[0].schema();
    let all = concat_batches(&schema, &batches).unwrap();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["time", "latitude", "longitude", "tas", "wide", "month"]);
    assert_eq!(schema.field(3).metadata().get("units").map(String::as_str), Some("C"));
    let times = cast(all.column(0), &DataType::Timestamp(TimeUnit::Microsecond, None)).unwrap();
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let (latitudes, longitudes) = (all.column(1).as_primitive::<Float32Type>(), all.column(2).as_primitive());
    let (narrow, wide) = (all.column(3).as_primitive::<Float32Type>(), all.column(4).as_primitive::<Float64Type>());
    let longitudes: &arrow::array::Float32Array = longitudes;
    let months = cast(all.column(5), &DataType::Int32).unwrap();
    let months = months.as_primitive::<arrow::datatypes::Int32Type>();
    assert_eq!(all.num_rows(), CELLS.len());
    for (row, (time, latitude, longitude, value, month)) in CELLS.into_iter().enumerate() {
        let labels = (latitudes.value(row).to_string(), longitudes.value(row).to_string(), months.value(row));
        assert_eq!(times.value_as_datetime(row).unwrap().format("%Y-%m-%dT%H:%M:%S").to_string(), time);
        assert_eq!(labels, (latitude.to_string(), longitude.to_string(), month));
        let found = narrow.is_valid(row).then(|| (narrow.value(row), wide.value(row)));
        assert_eq!((found, wide.is_valid(row)), (value, value.is_some()), "row {row}");
    }
}

#[test]
fn a_reader_that_takes_one_line_is_no_error_in_any_format() {
    for format in ["table", "csv", "json", "jsonl", "arrow"] {
        let mut child = quarray()
            .args(["-f", format, "-c", "SELECT value, value * 2 AS twice FROM range(0, 3000000)"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The other end is closed before the first byte.
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{format}");
    }
}

#[test]
fn files_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let check = |target: &Path, reason: &str| {
        let target = target.to_str().unwrap();
        let output = quarray().args(["-c", "SELECT 1 AS a", "-o", target]).stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let start = format!("error: cannot write {target}: ");
        assert!(stderr.starts_with(&start) && stderr.contains(reason) && stderr.lines().count() == 1, "{stderr}");
        assert_eq!(output.stdout, b"");
    };
    check(&folder.path().join("no/such/folder.csv"), "No such file or directory");
    check(folder.path(), "it is a folder");
    std::fs::write(folder.path().join("file"), "").unwrap();
    check(&folder.path().join("file/below.csv"), "Not a directory");
    check(Path::new("/proc/out.csv"), "");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_query_that_fails_after_its_first_rows_leaves_no_file_and_the_old_one_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let query = "SELECT value, 10 / (2000000 - value) AS x FROM range(0, 3000000)";
    for name in ["x.csv", "x.jsonl", "x.json", "x.arrow", "x.parquet"] {
        let path = folder.path().join(name);
        std::fs::write(&path, "as it was").unwrap();
        let command = ["-c", query, "-o", path.to_str().unwrap()];
        let output = quarray().args(command).stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
        assert!(stderr.to_lowercase().contains("divide by zero"), "{name}: {stderr}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "as it was", "{name}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5);
}
