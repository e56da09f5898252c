//! Files that others wrote, with the values that are stored, the place on the ground and the overviews.
//!
//! `tests/data/tiff` has a part of a wider corpus (see the README there), which is read as well where the environment
//! variable `QUARRAY_SHARED_DATA` names its folder.

use std::path::{Path, PathBuf};

use quarray_engine::dataset::Dataset;
use quarray_engine::source::SourceError;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::reading::*;

/// What became of a file.
#[derive(Debug, PartialEq)]
enum Verdict {
    Same,
    Refused(String),
    Wrong(String),
}

/// Files whose keys name a code while GDAL, which compares what else the keys say with it, gives none.
const NAMED: [(&str, &str); 2] =
    [("epsg_2193_override.tif", "EPSG:2193"), ("inconsistent_invflattening.tif", "EPSG:28992")];

/// A file whose reference system has no code among its keys: GDAL finds it by the name that ESRI has for it.
const UNNAMED: &str = "esri_pcs_gcs_ellipsoid_names.tif";

/// What is refused though GDAL reads it: complex numbers, and inks, which GDAL makes colours of.
const REFUSED: [&str; 3] = ["cint32_big_endian.tif", "complex_non_zero_real_zero_imag.tif", "jpeg_cmyk.tif"];

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn verdict(path: &Path, golden: &Value) -> Verdict {
    match compared(path, golden).await {
        Ok(problems) if golden.get("error").is_some() => {
            Verdict::Wrong(format!("read, {problems:?}, but GDAL does not"))
        }
        Ok(problems) if problems.is_empty() => Verdict::Same,
        Ok(problems) => Verdict::Wrong(problems.join("; ")),
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(path.to_str().unwrap()), "{message} does not name {path:?}");
            Verdict::Refused(message)
        }
    }
}

/// What is other than GDAL has it.
async fn compared(path: &Path, golden: &Value) -> Result<Vec<String>, SourceError> {
    let mut problems = Vec::new();
    let dataset = open_stored(path, 0).await?;
    let variable = dataset.variable("band_data").unwrap();
    let bytes = bytes_of(variable).await?;
    if golden.get("error").is_some() {
        return Ok(problems);
    }
    let mut expect = |what: &str, found: String, expected: String| {
        if found != expected {
            problems.push(format!("{what}: {found}, expected {expected}"));
        }
    };
    let shape = ["count", "height", "width"].map(|name| golden[name].as_u64().unwrap());
    expect("shape", format!("{:?}", variable.shape()), format!("{shape:?}"));
    let type_name = format!("{}", variable.data_type).to_lowercase();
    expect("type", type_name, golden["dtypes"][0].as_str().unwrap().to_string());
    expect("nodata", nodata_of(&dataset), golden_nodata(golden));
    expect("reference system", crs_of(&dataset), golden_crs(path, golden));
    expect("transform", format!("{:?}", transform_of(&dataset)), format!("{:?}", golden_numbers(&golden["transform"])));
    let is_lossy = golden["lossy"] == true;
    match is_lossy {
        false => expect("cells", hash(&bytes), golden["sha256_bands_le"].as_str().unwrap().to_string()),
        true => {
            let length = bytes.len() / shape[0] as usize;
            for (band, mean) in golden_numbers(&golden["mean"]).into_iter().enumerate() {
                let cells = &bytes[band * length..(band + 1) * length];
                let found = cells.iter().map(|&cell| f64::from(cell)).sum::<f64>() / length as f64;
                expect("mean within 0.5", ((found - mean).abs() < 0.5).to_string(), "true".to_string());
            }
        }
    }
    let overviews = golden["overviews"].as_array().unwrap();
    expect("overviews", dataset.attributes["overviews"].to_string(), overviews.len().to_string());
    for (level, overview) in overviews.iter().enumerate() {
        let dataset = open_stored(path, level + 1).await?;
        let variable = dataset.variable("band_data").unwrap();
        let shape = golden_numbers(&overview["shape"]);
        expect("its shape", format!("{:?}", &variable.shape()[1..]), format!("{:?}", shape.map_whole()));
        let found = hash(&bytes_of(variable).await?);
        if !is_lossy {
            expect("its cells", found, overview["sha256"].as_str().unwrap().to_string());
        }
    }
    Ok(problems)
}

trait MapWhole {
    fn map_whole(&self) -> Vec<u64>;
}

impl MapWhole for Vec<f64> {
    fn map_whole(&self) -> Vec<u64> {
        self.iter().map(|&number| number as u64).collect()
    }
}

fn golden_numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn golden_nodata(golden: &Value) -> String {
    match golden["nodata"].as_str().unwrap() {
        "None" => "none".to_string(),
        number => format!("{:?}", number.parse::<f64>().unwrap() as f32),
    }
}

fn nodata_of(dataset: &Dataset) -> String {
    let attribute = dataset.variable("band_data").unwrap().attributes.get("_FillValue");
    match attribute {
        None => "none".to_string(),
        Some(Value::String(text)) => format!("{:?}", text.parse::<f64>().unwrap() as f32),
        Some(number) => format!("{:?}", number.as_f64().unwrap() as f32),
    }
}

fn golden_crs(path: &Path, golden: &Value) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    if let Some((_, named)) = NAMED.iter().find(|(file, _)| *file == name) {
        return named.to_string();
    }
    match golden["epsg"].as_u64() {
        Some(code) if name != UNNAMED => format!("EPSG:{code}"),
        _ => "none".to_string(),
    }
}

/// A system with another for heights has no one code.
fn crs_of(dataset: &Dataset) -> String {
    let crs = dataset
        .attributes
        .get("crs")
        .and_then(Value::as_str)
        .filter(|crs| crs.starts_with("EPSG:") && !crs.contains('+'));
    crs.unwrap_or("none").to_string()
}

/// In the order of rasterio; cells of length 1 where there is none.
fn transform_of(dataset: &Dataset) -> Vec<f64> {
    let Some(list) = dataset.attributes.get("transform") else { return vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0] };
    let numbers = golden_numbers(list);
    [1, 2, 0, 4, 5, 3].map(|place| numbers[place]).to_vec()
}

/// Compares the files of a folder; the names and messages of those that are refused.
async fn check(folder: &Path, golden_file: &Path) -> (usize, Vec<(String, String)>) {
    let (mut same, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    for (name, golden) in golden(golden_file) {
        let name = name.as_str();
        match verdict(&folder.join(name), &golden).await {
            Verdict::Same => same += 1,
            Verdict::Refused(message) if golden.get("error").is_none() => refused.push((name.to_string(), message)),
            Verdict::Refused(_) => {}
            Verdict::Wrong(message) => wrong.push(format!("{name}: {message}")),
        }
    }
    println!("{same} files read alike, {} refused that GDAL reads, {} wrong", refused.len(), wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    (same, refused)
}

fn is_named(name: &str, among: &[&str]) -> bool {
    among.iter().any(|known| name.ends_with(known))
}

#[tokio::test]
async fn files_of_the_project() {
    let (same, refused) = check(&data(""), &data("golden.json")).await;
    assert!(refused.iter().all(|(name, _)| is_named(name, &REFUSED)), "{refused:#?}");
    assert!(same >= 55, "{same}");
}

#[tokio::test]
async fn files_of_the_wide_corpus() {
    let folder = std::env::var_os("QUARRAY_SHARED_DATA").map(|folder| PathBuf::from(folder).join("tiff"));
    let Some(folder) = folder else {
        println!("skipped: QUARRAY_SHARED_DATA is not set");
        return;
    };
    let (same, refused) = check(&folder, &folder.join("golden_gdal3.10.3.json")).await;
    assert!(refused.iter().all(|(name, _)| is_named(name, &REFUSED)), "{refused:#?}");
    assert!(same >= 141, "{same}");
}

#[tokio::test]
async fn what_is_not_read_is_named() {
    let cases = [
        ("others/unsupported_codec_jp2000.tif", "unsupported compression JPEG 2000"),
        ("others/unsupported_codec_unknown.tif", "unsupported compression code 44510"),
        ("others/cint32_big_endian.tif", "unsupported data type complex integers of 64 bits"),
        ("made/jpeg_cmyk.tif", "unsupported photometric interpretation CMYK"),
    ];
    for (name, expected) in cases {
        let message = open_stored(&data(name), 0).await.unwrap_err().to_string();
        assert!(message.ends_with(expected) && message.contains(name), "{message}");
    }
    let dataset = open_stored(&data("others/missing_tilebytecounts_and_offsets.tif"), 0).await.unwrap();
    let message = bytes_of(dataset.variable("band_data").unwrap()).await.unwrap_err().to_string();
    assert!(message.ends_with("offsets.tif: expected bytes 2147483647..2147483663, found 0 of them"), "{message}");
    let message = open_stored(&data("made/masked.tif"), 3).await.unwrap_err().to_string();
    assert!(message.ends_with("overview 3: expected at most 2, the overviews that there are"), "{message}");
}
