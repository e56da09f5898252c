//! `FROM stack(…)`: scenes of two UTM zones as GDAL takes them to one grid, the bytes that it costs, and broken scenes.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use quarray_engine::Session;
use serde_json::Value;

use crate::file_server::{Manners, serve_measured};

/// What stands for a missing cell in golden cells that are copied.
const MISSING: i16 = -32768;

/// The bytes that a file may cost beyond its tiles: what is read to know where these are.
const HEADER_BYTES: u64 = 64 << 10;

fn data() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/stack")
}

fn session() -> Session {
    Session::builder().threads(2).build().unwrap()
}

fn golden() -> Value {
    serde_json::from_slice(&std::fs::read(data().join("golden.json")).unwrap()).unwrap()
}

/// The case of that name.
fn case<'a>(golden: &'a Value, list: &str, name: &str) -> &'a Value {
    golden[list].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap()
}

fn list(value: &Value) -> String {
    value.to_string().replace('"', "'")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// What a case asks of the items of a document; `more` are arguments beside.
fn stack(items: &str, case: &Value, more: &str) -> String {
    let mut search = String::new();
    for name in ["datetime", "ids"] {
        if case[name] != Value::Null {
            search += &format!(", {name} => {}", list(&case[name]));
        }
    }
    let place = if case["bbox"] == Value::Null { "bounds" } else { "bbox" };
    format!(
        "stack(stac('{items}'{search}), assets => {}, crs => '{}', resolution => {}, {place} => {}, resampling => '{}', \
         mosaic => '{}', group => '{}'{more})",
        list(&case["assets"]),
        text(&case["crs"]),
        case["resolution"],
        list(&case[place]),
        text(&case["resampling"]),
        text(&case["mosaic"]),
        text(&case["group"]),
    )
}

/// All cells of a cube, in the order of (time, band, y, x); missing ones are NaN.
async fn cells(session: &Session, stack: &str, case: &Value) -> Result<Vec<f64>, String> {
    let (row, column) = if case["crs"] == "EPSG:4326" { ("lat", "lon") } else { ("y", "x") };
    let query = format!("FROM {stack} |> SELECT time, band, {row} AS y, {column} AS x, band_data AS value");
    let outcome = session.query(&query).await.map_err(|error| error.to_string())?;
    let batches = outcome.into_rows().unwrap().collect().await.map_err(|error| error.to_string())?;
    let places = Places::of(case);
    let mut found: Vec<Option<f64>> = vec![None; places.shape.iter().product()];
    for batch in &batches {
        let (time, band) = (column_of(batch, "time"), column_of(batch, "band"));
        let (y, x, value) = (floats(batch, "y"), floats(batch, "x"), floats(batch, "value"));
        let time = arrow::compute::cast(&time, &DataType::Timestamp(TimeUnit::Microsecond, None)).unwrap();
        let time = arrow::compute::cast(&time, &DataType::Int64).unwrap();
        let time = time.as_primitive::<Int64Type>();
        let band = arrow::compute::cast(&band, &DataType::Utf8).unwrap();
        for cell in 0..batch.num_rows() {
            let place = places.find(time.value(cell), band.as_string::<i32>().value(cell), y[cell], x[cell])?;
            if found[place].replace(value[cell]).is_some() {
                return Err(format!("cell {place} is there twice"));
            }
        }
    }
    let absent = found.iter().filter(|cell| cell.is_none()).count();
    found.into_iter().collect::<Option<Vec<f64>>>().ok_or(format!("{absent} of {:?} cells are not there", places.shape))
}

fn column_of(batch: &RecordBatch, name: &str) -> arrow::array::ArrayRef {
    batch.column_by_name(name).unwrap_or_else(|| panic!("{name}: {:?}", batch.schema())).clone()
}

fn floats(batch: &RecordBatch, name: &str) -> Vec<f64> {
    let values = arrow::compute::cast(&column_of(batch, name), &DataType::Float64).unwrap();
    let values = values.as_primitive::<Float64Type>();
    (0..values.len()).map(|row| if values.is_null(row) { f64::NAN } else { values.value(row) }).collect()
}

/// Where the cells of a case lie.
struct Places {
    shape: Vec<usize>,
    times: Vec<i64>,
    bands: Vec<String>,
    transform: Vec<f64>,
}

impl Places {
    fn of(case: &Value) -> Self {
        let numbers = |name: &str| case[name].as_array().unwrap().clone();
        Self {
            shape: numbers("shape").iter().map(|length| length.as_u64().unwrap() as usize).collect(),
            times: numbers("times").iter().map(|time| time.as_i64().unwrap()).collect(),
            bands: numbers("assets").iter().map(|name| text(name).to_string()).collect(),
            transform: numbers("transform").iter().map(|number| number.as_f64().unwrap()).collect(),
        }
    }

    fn find(&self, time: i64, band: &str, y: f64, x: f64) -> Result<usize, String> {
        let unknown = || format!("expected no cell at {time}, {band}, {y}, {x}: {:?} {:?}", self.times, self.transform);
        let step = self.times.iter().position(|&known| known == time).ok_or_else(unknown)?;
        let number = self.bands.iter().position(|known| known == band).ok_or_else(unknown)?;
        let along = |place: f64, first: f64, size: f64, length: usize| {
            let place = (place - first) / size - 0.5;
            let cell = place.round();
            ((place - cell).abs() < 1e-6 && cell >= 0.0 && cell < length as f64).then_some(cell as usize)
        };
        let row = along(y, self.transform[3], self.transform[5], self.shape[2]).ok_or_else(unknown)?;
        let column = along(x, self.transform[0], self.transform[1], self.shape[3]).ok_or_else(unknown)?;
        Ok(((step * self.shape[1] + number) * self.shape[2] + row) * self.shape[3] + column)
    }
}

/// A golden file: whole numbers, whose low bytes come first.
fn unpacked<const SIZE: usize>(name: &str) -> Vec<[u8; SIZE]> {
    let packed = std::fs::read(data().join("golden").join(name)).unwrap();
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
    let count = bytes.len() / SIZE;
    (0..count).map(|number| std::array::from_fn(|byte| bytes[byte * count + number])).collect()
}

/// How cells differ from those of GDAL; nothing if they do not.
fn differences(case: &Value, found: &[f64]) -> Vec<String> {
    let name = text(&case["name"]);
    let flags: Vec<u8> = unpacked::<1>(&format!("{name}.flags")).into_iter().map(|[byte]| byte).collect();
    assert_eq!(flags.len(), found.len(), "{name}");
    let (is_there, is_sure) = (|cell: usize| flags[cell] & 1 == 1, |cell: usize| flags[cell] & 2 == 2);
    let mut wrong = Vec::new();
    let missing: Vec<usize> = (0..found.len()).filter(|&cell| found[cell].is_nan() == is_there(cell)).collect();
    if let Some(first) = missing.first() {
        let sure = missing.iter().filter(|&&cell| is_sure(cell)).count();
        wrong
            .push(format!("{} cells are missing in one ({sure} away from edges), the first is {first}", missing.len()));
    }
    let stride = case["stride"].as_u64().unwrap() as usize;
    let expected: Vec<f64> = match stride {
        1 => unpacked(&format!("{name}.values")).into_iter().map(i16::from_le_bytes).map(copied).collect(),
        _ => {
            unpacked(&format!("{name}.values")).into_iter().map(|bytes| f64::from(f32::from_le_bytes(bytes))).collect()
        }
    };
    assert_eq!(expected.len(), found.len().div_ceil(stride), "{name}");
    let tolerance = case["tolerance"].as_f64().unwrap();
    // Where a cell reaches beyond a scene, GDAL counts what is outside as more of the last cell.
    let averages = case["resampling"] == "average";
    let (mut apart, mut largest) = ([Vec::new(), Vec::new()], 0.0f64);
    for (cell, &expected) in (0..).step_by(stride).zip(&expected) {
        if averages && !is_sure(cell) {
            continue;
        }
        let difference = (found[cell] - expected).abs() / expected.abs().max(1.0);
        if difference > tolerance {
            apart[usize::from(is_sure(cell))].push(cell);
            largest = largest.max(difference);
        }
    }
    for (cells, place) in apart.iter().zip(["near edges", "away from edges"]) {
        if let Some(&first) = cells.first() {
            let (here, there) = (found[first], expected[first / stride]);
            wrong.push(format!(
                "{} of {} cells differ {place} by up to {largest:.1e}, the first is {first}: {here}, expected {there}",
                cells.len(),
                expected.len()
            ));
        }
    }
    let plane_length = found.len() / case["planes"].as_array().unwrap().len();
    for (number, plane) in case["planes"].as_array().unwrap().iter().enumerate() {
        let cells = number * plane_length..(number + 1) * plane_length;
        let sure: Vec<f64> = cells.filter(|&cell| is_there(cell) && is_sure(cell)).map(|cell| found[cell]).collect();
        let (count, sum) = (plane[0].as_u64().unwrap() as usize, plane[1].as_f64().unwrap());
        assert_eq!(sure.len(), count, "{name}");
        let here: f64 = sure.iter().sum();
        let is_near = (here - sum).abs() <= tolerance * sum.abs().max(count as f64);
        if !is_near {
            wrong.push(format!("plane {number}: the sum is {here}, expected {sum}"));
        }
    }
    wrong
}

fn copied(value: i16) -> f64 {
    if value == MISSING { f64::NAN } else { f64::from(value) }
}

/// Runs cases over the items of a document.
async fn check(names: &[&str]) {
    let (golden, session, mut wrong) = (golden(), session(), Vec::new());
    let items = data().join("items.json");
    for name in names {
        let case = case(&golden, "cases", name);
        let query = stack(items.to_str().unwrap(), case, "");
        match cells(&session, &query, case).await {
            Ok(found) => wrong.extend(differences(case, &found).into_iter().map(|told| format!("{name}: {told}"))),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn nearest_cells_are_those_of_gdal() {
    check(&["nearest_33", "nearest_32", "nearest_mercator", "nearest_degrees", "nearest_night"]).await;
}

#[tokio::test]
async fn cells_that_lie_on_each_other_are_copied() {
    check(&["nearest_pasted", "nearest_coarser"]).await;
}

#[tokio::test]
async fn cells_of_several_types_are_of_one_that_holds_all() {
    check(&["nearest_types"]).await;
}

#[tokio::test]
async fn bilinear_cells_are_those_of_gdal() {
    check(&["bilinear_33", "bilinear_mercator", "bilinear_coarser", "bilinear_temperature"]).await;
}

#[tokio::test]
async fn cubic_cells_are_those_of_gdal() {
    check(&["cubic_32", "cubic_finer", "cubic_coarser"]).await;
}

#[tokio::test]
async fn averages_are_those_of_gdal() {
    check(&["average_33", "average_zone"]).await;
}

#[tokio::test]
async fn steps_are_in_rising_order_of_time() {
    let golden = golden();
    for name in ["nearest_33", "nearest_32"] {
        let case = case(&golden, "cases", name);
        let from = stack(data().join("items.json").to_str().unwrap(), case, "");
        let query = format!("FROM {from} |> REDUCE count(band_data) AS n KEEP time");
        let mut rows = session().query(&query).await.unwrap().into_rows().unwrap();
        let mut times = Vec::new();
        while let Some(batch) = rows.next().await.unwrap() {
            let time =
                arrow::compute::cast(&column_of(&batch, "time"), &DataType::Timestamp(TimeUnit::Microsecond, None));
            let time = arrow::compute::cast(&time.unwrap(), &DataType::Int64).unwrap();
            times.extend(time.as_primitive::<Int64Type>().values().iter().copied());
        }
        let expected: Vec<i64> = case["times"].as_array().unwrap().iter().map(|time| time.as_i64().unwrap()).collect();
        assert_eq!(times, expected, "{name}");
    }
}

#[tokio::test]
async fn broken_scenes_are_named_or_left_out() {
    let golden = golden();
    let items = data().join("items_broken.json");
    let items = items.to_str().unwrap();
    let mut of_day = case(&golden, "cases", "nearest_skipped").clone();
    for (scene, file) in [("a-32-2", "missing.tif"), ("a-33-1", "cut_tiles.tif"), ("a-33-4", "cut_directories.tif")] {
        // The first scene is looked at when the cube is opened, another one when its cells are read.
        for ids in [serde_json::json!([scene]), serde_json::json!(["a-33-0", "a-32-3", scene])] {
            of_day["ids"] = ids;
            let error = cells(&session(), &stack(items, &of_day, ""), &of_day).await.expect_err(scene);
            assert!(error.contains(scene) && error.contains(file), "{scene}: {error}");
        }
    }
    of_day["ids"] = Value::Null;
    cells(&session(), &stack(items, &of_day, ", on_error => 'fail'"), &of_day)
        .await
        .expect_err("three scenes are broken");
    let found = cells(&session(), &stack(items, &of_day, ", on_error => 'skip'"), &of_day).await.unwrap();
    assert_eq!(differences(&of_day, &found), Vec::<String>::new());
}

/// Unpacks the wide scenes into a folder.
fn unpack_wide(folder: &Path) {
    for entry in std::fs::read_dir(data().join("wide")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        match name.strip_suffix(".gz") {
            None => drop(std::fs::copy(&path, folder.join(name)).unwrap()),
            Some(name) => {
                let mut packed = flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap());
                std::io::copy(&mut packed, &mut std::fs::File::create(folder.join(name)).unwrap()).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn few_bytes_beside_the_tiles_are_fetched() {
    let golden = golden();
    let folder = tempfile::tempdir().unwrap();
    unpack_wide(folder.path());
    for case in golden["bytes"].as_array().unwrap() {
        let (address, requests, sent) = serve_measured(folder.path(), Manners::default()).await;
        let from = stack(&format!("{address}/items.json"), case, "");
        let query = format!("FROM {from} |> REDUCE count(band_data) AS n");
        let batches = session().query(&query).await.unwrap().into_rows().unwrap().collect().await.unwrap();
        let count: f64 = batches.iter().flat_map(|batch| floats(batch, "n")).sum();
        assert!(count > 0.0, "{query}");
        let sent: BTreeMap<String, u64> = sent.lock().unwrap().clone();
        let of_tiles = |path: &str| {
            let id = path.trim_start_matches('/').trim_end_matches(".tif");
            case["scenes"][id]["bytes"].as_u64()
        };
        let files: Vec<(&String, u64, Option<u64>)> = sent
            .iter()
            .filter(|(path, _)| path.ends_with(".tif"))
            .map(|(path, sent)| (path, *sent, of_tiles(path)))
            .collect();
        let told = format!("{}: sent and of tiles: {files:?}; {:?}", text(&case["name"]), requests.lock().unwrap());
        let fetched: u64 = files.iter().map(|(_, sent, _)| sent).sum();
        let tiles = case["bytes"].as_u64().unwrap();
        assert!(fetched >= tiles, "{told}");
        assert!(fetched * 10 <= tiles * 12, "{told}");
        for (path, sent, tiles) in &files {
            let tiles = tiles.unwrap_or(0);
            assert!(*sent * 10 <= tiles * 12 + 10 * HEADER_BYTES, "{path}: {told}");
        }
    }
}
