//! Zarr arrays that others wrote, against what zarr-python reads in them.
//!
//! `tests/data/zarr` holds a small part of the corpus; the whole is read where the environment variable
//! `QUARRAY_SHARED_DATA` names its folder.

use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::*;
use quarray_engine::array::Region;
use quarray_engine::dataset::Variable;
use quarray_engine::source::SourceError;
use quarray_engine::source::store::Store;
use quarray_engine::source::zarr::{DecodeOptions, open};
use serde_json::Value;
use sha2::{Digest, Sha256};

const AS_STORED: DecodeOptions = DecodeOptions { decode_cf: false, nan_as_null: true };

/// All cells of a variable, chunk by chunk, as one array in C order of native bytes.
async fn read_bytes(variable: &Variable) -> Result<Vec<u8>, SourceError> {
    let grid = variable.array.grid();
    let strides: Vec<u64> = (0..grid.shape().len()).map(|d| grid.shape()[d + 1..].iter().product()).collect();
    let mut bytes = Vec::new();
    let counts = grid.chunk_counts();
    for number in 0..counts.iter().product::<u64>() {
        let mut rest = number;
        let mut index = vec![0; counts.len()];
        for d in (0..counts.len()).rev() {
            index[d] = rest % counts[d];
            rest /= counts[d];
        }
        let region = grid.chunk_region(&index);
        let chunk = variable.array.fetch(&index).await?;
        let values = chunk.read(&Region::whole(&region.shape))?;
        assert_eq!(values.data_type(), &variable.data_type);
        let cells = bytes_of(&values, &variable.encoding.stored_type);
        let size = cells.len() / (region.cells().unwrap() as usize).max(1);
        let total = grid.shape().iter().product::<u64>() as usize * size;
        bytes.resize(total, 0);
        let row = *region.shape.last().unwrap_or(&1) as usize;
        for (r, run) in cells.chunks_exact((row * size).max(1)).enumerate() {
            let mut rest = r as u64;
            let mut at = region.start.last().copied().unwrap_or(0);
            for d in (0..region.rank().saturating_sub(1)).rev() {
                at += (region.start[d] + rest % region.shape[d]) * strides[d];
                rest /= region.shape[d];
            }
            bytes[at as usize * size..at as usize * size + run.len()].copy_from_slice(run);
        }
    }
    Ok(bytes)
}

/// The little-endian bytes of numbers, as stored.
fn bytes_of(values: &ArrayRef, stored_type: &str) -> Vec<u8> {
    match values.data_type() {
        DataType::Boolean => values.as_boolean().values().iter().map(u8::from).collect(),
        DataType::Float32 if stored_type.ends_with("16") || stored_type.ends_with("f2") => {
            let halves = values.as_primitive::<Float32Type>().values().iter();
            halves.flat_map(|&v| <Float16Type as ArrowPrimitiveType>::Native::from_f32(v).to_le_bytes()).collect()
        }
        _ => {
            let data = values.to_data();
            let width = values.data_type().primitive_width().unwrap();
            data.buffers()[0].as_slice()[data.offset() * width..][..data.len() * width].to_vec()
        }
    }
}

/// The variable of an array at that path.
async fn open_array(path: &Path) -> Result<Variable, SourceError> {
    let store = Store::open(path.to_str().unwrap(), &Default::default())?;
    let dataset = open(store, &AS_STORED).await?;
    assert_eq!(dataset.variables.len(), 1);
    Ok(dataset.variables[0].clone())
}

/// What became of an array of the corpus.
#[derive(Debug, PartialEq)]
enum Verdict {
    Same,
    Refused(String),
    Wrong(String),
    NotCompared,
}

async fn verdict(path: &Path, golden: &Value) -> Verdict {
    let variable = match open_array(path).await {
        Ok(variable) => variable,
        Err(error) => return Verdict::Refused(error.to_string()),
    };
    let dtype = golden["dtype"].as_str().unwrap_or_default();
    let is_text = matches!(variable.data_type, DataType::Utf8 | DataType::Binary);
    if golden.get("h").is_none() || is_text || dtype.starts_with("datetime") {
        return Verdict::NotCompared;
    }
    match read_bytes(&variable).await {
        Err(error) => Verdict::Refused(error.to_string()),
        Ok(bytes) => {
            let hash: String = Sha256::digest(&bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            match golden["h"] == hash.as_str() {
                true => Verdict::Same,
                false => Verdict::Wrong(format!("{hash}, expected {} {}", golden["h"], variable.encoding.codecs)),
            }
        }
    }
}

/// The folder of an array, alone in the version asked for where it is stored in both.
fn in_version(folder: &Path, version: &str, copies: &Path) -> PathBuf {
    if version == "v3" || !folder.join("zarr.json").exists() {
        return folder.to_path_buf();
    }
    let copy = copies.join(folder.file_name().unwrap());
    std::fs::create_dir_all(&copy).unwrap();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != "zarr.json")
    {
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    copy
}

async fn check_corpus(root: &Path, golden: &serde_json::Map<String, Value>) {
    let copies = tempfile::tempdir().unwrap();
    let (mut same, mut refused) = (0, Vec::new());
    for (key, expected) in golden {
        let (path, version) = key.rsplit_once('#').unwrap();
        let folder = in_version(&root.join(path), version, copies.path());
        match verdict(&folder, expected).await {
            Verdict::Same => same += 1,
            Verdict::Refused(message) => refused.push((key, message, expected.get("h").is_some())),
            Verdict::Wrong(message) => panic!("{key}: {message}"),
            Verdict::NotCompared => println!("not compared: {key}"),
        }
    }
    for (key, message, is_readable) in &refused {
        println!("refused{}: {key}: {message}", if *is_readable { " (zarr-python reads it)" } else { "" });
    }
    let lost = refused.iter().filter(|(_, _, is_readable)| *is_readable).count();
    println!("{same} arrays the same, {lost} refused");
    assert!(same * 100 >= (same + lost) * 97, "{same} the same, {lost} refused");
}

#[tokio::test]
async fn the_whole_corpus() {
    let Some(shared) = std::env::var_os("QUARRAY_SHARED_DATA") else {
        println!("skipped: QUARRAY_SHARED_DATA is not set");
        return;
    };
    let root = PathBuf::from(shared).join("zarr");
    let golden: Value = serde_json::from_slice(&std::fs::read(root.join("zarr_golden.json")).unwrap()).unwrap();
    check_corpus(&root, golden.as_object().unwrap()).await;
}

/// A year of the Daymet replica, where `QUARRAY_DAYMET` names it: the main variable read a day at a time.
#[tokio::test]
async fn a_year_of_daymet() {
    let Some(uri) = std::env::var_os("QUARRAY_DAYMET") else {
        println!("skipped: QUARRAY_DAYMET is not set");
        return;
    };
    let store = Store::open(uri.to_str().unwrap(), &Default::default()).unwrap();
    let dataset = open(store, &DecodeOptions::default()).await.unwrap();
    for variable in &dataset.variables {
        println!(
            "{:?} {} {:?} {:?} {:?} {:?}",
            variable.role,
            variable.name,
            variable.dimensions,
            variable.data_type,
            variable.encoding,
            variable.nan_is_missing
        );
    }
    let tmin = dataset.variable("tmin").unwrap();
    let start = std::time::Instant::now();
    let chunk = tmin.array.fetch(&[0, 0, 0]).await.unwrap();
    let mut sum = 0.0;
    for day in 0..365 {
        let values = chunk.read(&Region::new(vec![day, 0, 0], vec![1, 584, 284])).unwrap();
        let (mut total, mut count) = (0.0, 0);
        for value in values.as_primitive::<Float32Type>().values().iter().filter(|value| !value.is_nan()) {
            total += f64::from(*value);
            count += 1;
        }
        sum += total / f64::from(count);
    }
    println!("{:?}, sum of daily means {sum:.9}", start.elapsed());
    let time = dataset.variable("time").unwrap();
    let times = time.array.fetch(&[0]).await.unwrap().read(&Region::whole(&[365])).unwrap();
    assert_eq!(times.data_type(), &DataType::Timestamp(TimeUnit::Microsecond, None));
    assert_eq!(times.as_primitive::<TimestampMicrosecondType>().value(0), 315_576_000_000_000);
}
