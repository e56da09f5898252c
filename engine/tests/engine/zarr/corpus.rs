//! Arrays that others wrote, against what zarr-python reads in them.
//!
//! `tests/data/zarr/others` is a part of a wider corpus (see the README there), which is read as well where the
//! environment variable `QUARRAY_SHARED_DATA` names its folder; `made` was written for these tests.

use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::datatypes::*;
use quarray_engine::dataset::Variable;
use quarray_engine::source::zarr::DecodeOptions;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::reading::*;

/// What became of an array.
#[derive(Debug, PartialEq)]
enum Verdict {
    Same,
    Refused(String),
    Wrong(String),
}

/// Arrays of the wide corpus that are refused; zarr-python reads none of them either.
const REFUSED: [&str; 3] = [
    "zarrita.js/v2/data.zarr/1d.contiguous.json2.O#v2",
    "zarrs/v3/array_optional.zarr/array#v3",
    "zarrs/v3/array_optional_nested.zarr/array#v3",
];

fn hash(bytes: &[u8]) -> String {
    in_hex(&Sha256::digest(bytes))
}

fn in_hex(digest: &[u8]) -> String {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The hash of the cells as the corpus has it.
async fn hash_of(variable: &Variable, dtype: &str) -> Result<String, String> {
    let stored_type = &variable.encoding.stored_type;
    if !matches!(variable.data_type, DataType::Utf8 | DataType::Binary) {
        let mut digest = Sha256::new();
        each_row_of_chunks(variable, |values| stored_bytes(values, stored_type), |bytes| digest.update(bytes))
            .await
            .map_err(|e| e.to_string())?;
        return Ok(in_hex(&digest.finalize()));
    }
    let cells = cells(variable, texts).await.map_err(|e| e.to_string())?;
    let fixed = dtype.trim_start_matches(['<', '>', '|']);
    if let Some(width) = fixed.strip_prefix('U').and_then(|width| width.parse::<usize>().ok()) {
        let mut bytes = Vec::new();
        for text in &cells {
            let words = text.chars().map(u32::from).chain(std::iter::repeat(0)).take(width);
            bytes.extend(words.flat_map(u32::to_le_bytes));
        }
        return Ok(hash(&bytes));
    }
    if let Some(width) = fixed.strip_prefix('S').and_then(|width| width.parse::<usize>().ok()) {
        let padded = |text: &String| text.bytes().chain(std::iter::repeat(0)).take(width).collect::<Vec<u8>>();
        return Ok(hash(&cells.iter().flat_map(padded).collect::<Vec<u8>>()));
    }
    Ok(hash(python_list(&cells).as_bytes()))
}

/// The texts as Python's `json.dumps` writes a list of them.
fn python_list(texts: &[String]) -> String {
    let quoted = |text: &String| {
        let escaped: String = serde_json::to_string(text)
            .unwrap()
            .encode_utf16()
            .map(|unit| if unit < 128 { char::from(unit as u8).to_string() } else { format!("\\u{unit:04x}") })
            .collect();
        escaped
    };
    format!("[{}]", texts.iter().map(quoted).collect::<Vec<_>>().join(", "))
}

async fn verdict(path: &Path, golden: &Value) -> Verdict {
    let variable = match open_array(path).await {
        Ok(variable) => variable,
        Err(error) => return Verdict::Refused(error.to_string()),
    };
    let dtype = golden["dtype"].as_str().unwrap_or_default();
    match hash_of(&variable, dtype).await {
        Err(error) => Verdict::Refused(error),
        Ok(found) if golden["h"] == found.as_str() => Verdict::Same,
        // zarr-python cannot read it: there is nothing to compare with.
        Ok(_) if golden.get("h").is_none() => Verdict::Same,
        Ok(found) => {
            Verdict::Wrong(format!("{found}, expected {} of {dtype}, {}", golden["h"], variable.encoding.codecs))
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

/// Whether the type that the corpus names is a number, a span of time or a truth.
fn is_numeric(dtype: &str) -> bool {
    let name = dtype.trim_start_matches(['<', '>', '|']).split('[').next().unwrap();
    ["bool", "int", "uint", "float", "timedelta", "i", "u", "f"]
        .iter()
        .any(|kind| name.strip_prefix(kind).is_some_and(|bits| bits.chars().all(|digit| digit.is_ascii_digit())))
}

/// Every array that zarr-python reads gives the same cells; of numbers and truths, at least 97 of 100 do. What is refused
/// says why, and is on the list.
async fn check_corpus(root: &Path, golden: &Map<String, Value>) {
    let copies = tempfile::tempdir().unwrap();
    let (mut same, mut numeric, mut numeric_same) = (0, 0, 0);
    for (key, expected) in golden {
        let (path, version) = key.rsplit_once('#').unwrap();
        let dtype = expected["dtype"].as_str().unwrap_or_default();
        // Their ticks are others than ours: see `datetimes_are_instants`.
        if dtype.starts_with("datetime") {
            continue;
        }
        let counts = expected.get("h").is_some() && is_numeric(dtype);
        numeric += usize::from(counts);
        match verdict(&in_version(&root.join(path), version, copies.path()), expected).await {
            Verdict::Same => {
                same += 1;
                numeric_same += usize::from(counts);
            }
            Verdict::Refused(message) => {
                println!("refused: {key}: {message}");
                let names_it = ["unsupported codec ", "unsupported data type "].iter().any(|why| message.contains(why));
                assert!(names_it && REFUSED.contains(&key.as_str()), "{key}: {message}");
            }
            Verdict::Wrong(message) => panic!("{key}: {message}"),
        }
    }
    println!("{same} arrays the same, {numeric_same} of {numeric} of numbers and truths");
    assert!(numeric_same > 0 && numeric_same * 100 >= numeric * 97, "{numeric_same} of {numeric} are the same");
}

fn json(path: &Path) -> Map<String, Value> {
    match serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() {
        Value::Object(map) => map,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn what_others_wrote() {
    check_corpus(&data("zarr/others"), &json(&data("zarr/others.json"))).await;
}

#[tokio::test]
async fn the_whole_corpus() {
    let Some(root) = shared_data("zarr") else { return };
    check_corpus(&root, &json(&root.join("zarr_golden.json"))).await;
}

#[tokio::test]
async fn what_was_made_for_us() {
    let made = json(&data("zarr/made.json"));
    for (path, expected) in made["arrays"].as_object().unwrap() {
        let variable = open_array(&data("zarr/made").join(path)).await.unwrap();
        let found = hash_of(&variable, "").await.unwrap();
        assert_eq!(found, expected.as_str().unwrap(), "{path}: {:?}", variable.encoding);
    }
    for (path, expected) in made["texts"].as_object().unwrap() {
        let variable = open_array(&data("zarr/made").join(path)).await.unwrap();
        let found = cells(&variable, texts).await.unwrap();
        assert_eq!(Value::from(found), *expected, "{path}");
    }
}

#[tokio::test]
async fn datetimes_are_instants() {
    let day = 1_107_388_800_000_000;
    let cases = [
        ("Y", 1_104_537_600_000_000, 1_104_537_600_000_000),
        ("W", day, day),
        ("D", day, day),
        ("h", day, 1_107_403_200_000_000),
        ("m", day, 1_107_403_500_000_000),
        ("s", day, 1_107_403_506_000_000),
        ("ms", day, 1_107_403_506_000_000),
        ("10us", day, 1_107_403_506_000_000),
        ("us", day, 1_107_403_506_000_000),
    ];
    for (unit, third, fifth) in cases {
        let path = data(&format!("zarr/others/zarrs/zarr_python_compat/datetime64[{unit}].zarr"));
        let variable = open_array(&path).await.unwrap();
        let values =
            |values: &arrow::array::ArrayRef| values.as_primitive::<TimestampMicrosecondType>().iter().collect();
        let found: Vec<Option<i64>> = cells(&variable, values).await.unwrap();
        assert_eq!(
            (found[0], found[1], found[2], found[4], found[5]),
            (Some(0), None, Some(third), Some(fifth), None),
            "{unit}"
        );
    }
}

#[tokio::test]
async fn codecs_in_words() {
    for (path, expected) in [
        ("v2/blosc_lz4_1", "blosc(lz4, 5, shuffle)"),
        ("v2/delta_f4", "delta(<f4, <f4) + zlib(1)"),
        ("v2/f_order_big", "transpose(F) + big endian + blosc(lz4, 5, shuffle)"),
        ("v3/shard_zstd_end", "zstd(0)"),
        ("v2/empty", "uncompressed"),
    ] {
        let variable = open_array(&data("zarr/made").join(path)).await.unwrap();
        assert_eq!(variable.encoding.codecs, expected, "{path}");
    }
    let sharded = open_array(&data("zarr/made/v3/shard_zstd_end")).await.unwrap();
    assert_eq!(sharded.encoding.shard_shape, Some(vec![8, 10]));
    assert_eq!(sharded.array.grid().chunk_shape(), [4, 5]);
}

#[tokio::test]
async fn groups_that_are_not_consolidated_are_listed() {
    let dataset = open_path(&data("zarr/made/v2"), &DecodeOptions::default()).await.unwrap_err();
    assert!(dataset.to_string().contains("no Zarr there"), "{dataset}");
    let Some(root) = shared_data("zarr/zarrs/hierarchy.zarr/a") else { return };
    let dataset = open_path(&root, &DecodeOptions::default()).await.unwrap();
    let names: Vec<&str> = dataset.variables.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(names, ["baz", "foo"]);
    assert_eq!(dataset.variables[0].dimensions, ["rows", "columns"]);
}
