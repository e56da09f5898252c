//! Stores that are broken or mean harm: errors that name the array, never a panic.

use std::path::Path;

use quarray_engine::source::zarr::DecodeOptions;
use serde_json::{Value, json};

use super::reading::*;

/// A small generator of numbers that are always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Reads everything in a store; errors are fine.
async fn read_all(path: &Path) -> Result<(), String> {
    let dataset = open_path(path, &DecodeOptions::default()).await.map_err(|error| error.to_string())?;
    for variable in &dataset.variables {
        let chunks: u64 =
            variable.array.grid().chunk_counts().iter().try_fold(1u64, |a, &b| a.checked_mul(b)).unwrap_or(u64::MAX);
        let cells =
            variable.array.grid().chunk_shape().iter().try_fold(1u64, |a, &b| a.checked_mul(b)).unwrap_or(u64::MAX);
        if chunks < 100 && cells < 100_000 {
            self::chunks(variable).await.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// A value that a hostile writer would put somewhere.
fn hostile(numbers: &mut Numbers, document: &Value) -> Value {
    let values = [
        json!(null),
        json!(-1),
        json!(0),
        json!(u64::MAX),
        json!(1u64 << 62),
        json!(1e300),
        json!(""),
        json!("../../x"),
        json!("NaN"),
        json!("é"),
        json!([]),
        json!([0, 0]),
        json!([4294967296u64, 4294967296u64]),
        json!({}),
        json!({"name": "sharding_indexed"}),
        json!({"id": "delta", "dtype": "<f8"}),
        document.clone(),
    ];
    values[numbers.below(values.len())].clone()
}

/// The document with something in it changed: a value put in, left out or taken from elsewhere.
fn mutated(document: &Value, numbers: &mut Numbers) -> Value {
    let mut copy = document.clone();
    mutate(&mut copy, document, numbers, 0);
    copy
}

fn mutate(place: &mut Value, document: &Value, numbers: &mut Numbers, depth: usize) {
    let goes_on = depth == 0 || numbers.below(3) > 0;
    match place {
        Value::Object(map) if goes_on && !map.is_empty() => {
            let key = map.keys().nth(numbers.below(map.len())).cloned().unwrap();
            match numbers.below(12) {
                0 => drop(map.shift_remove(&key)),
                _ => mutate(&mut map[&key], document, numbers, depth + 1),
            }
        }
        Value::Array(list) if goes_on && !list.is_empty() => {
            let at = numbers.below(list.len());
            match numbers.below(12) {
                0 => drop(list.remove(at)),
                _ => mutate(&mut list[at], document, numbers, depth + 1),
            }
        }
        _ => *place = hostile(numbers, document),
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &to.join(entry.file_name())),
            false => {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn mutated_metadata() {
    let mut numbers = Numbers(7);
    let mut refused = 0;
    let stores = [
        "v2/f_order_big",
        "v2/scale_offset",
        "v2/blosc_lz4_1",
        "v2/texts_u",
        "v3/transpose",
        "v3/shard_zstd_start",
        "v3/texts",
        "v3/big_endian",
    ];
    for store in stores {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&data("zarr/made").join(store), folder.path());
        let name = if store.starts_with("v2") { ".zarray" } else { "zarr.json" };
        let document: Value = serde_json::from_slice(&std::fs::read(folder.path().join(name)).unwrap()).unwrap();
        for round in 0..260 {
            let mutant = mutated(&document, &mut numbers).to_string().into_bytes();
            // Now and then the text is cut or a byte of it is wrong.
            let mut text = mutant;
            if round % 8 == 0 {
                let at = numbers.below(text.len());
                text[at] = numbers.below(256) as u8;
            }
            std::fs::write(folder.path().join(name), &text).unwrap();
            refused += usize::from(read_all(folder.path()).await.is_err());
        }
    }
    println!("{refused} of {} refused", 260 * stores.len());
}

#[tokio::test]
async fn mutated_consolidated_metadata_and_attributes() {
    let mut numbers = Numbers(77);
    for (store, name) in [("cf2", ".zmetadata"), ("cf3", "zarr.json")] {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&data("zarr/made").join(store), folder.path());
        let document: Value = serde_json::from_slice(&std::fs::read(folder.path().join(name)).unwrap()).unwrap();
        for _ in 0..120 {
            let mutant = mutated(&document, &mut numbers);
            std::fs::write(folder.path().join(name), mutant.to_string()).unwrap();
            let _ = read_all(folder.path()).await;
        }
    }
}

#[tokio::test]
async fn mutated_chunks() {
    let mut numbers = Numbers(99);
    let cases = [
        ("v2/blosc_lz4_1", "0.0"),
        ("v2/blosc_zstd_2", "0.0"),
        ("v2/blosc_blosclz_0", "0.0"),
        ("v2/blosc_zlib_1", "0.0"),
        ("v2/gzip", "0.0"),
        ("v2/shuffle", "0.0.0"),
        ("v2/lz4", "0.0"),
        ("v2/lzma", "0.0"),
        ("v2/bz2", "0.0"),
        ("v2/packbits", "0"),
        ("v2/fletcher32", "0.0"),
        ("v2/texts_u", "0"),
        ("v3/blosc_tail", "c/0/0"),
        ("v3/transpose", "c/0/0/0"),
        ("v3/texts", "c/0/0"),
        ("v3/shard_zstd_start", "c/0/0"),
        ("v3/shard_bare_index", "c/0/0"),
        ("v3/shard_nested", "c/0/0"),
        ("v2/quantize", "0.0.0"),
    ];
    for (store, chunk) in cases {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&data("zarr/made").join(store), folder.path());
        let good = std::fs::read(folder.path().join(chunk)).unwrap();
        for round in 0..150 {
            let mut bytes = good.clone();
            match round {
                0 => bytes.clear(),
                1 => bytes.extend_from_slice(&[0; 100]),
                _ if round % 5 == 0 => bytes.truncate(numbers.below(good.len())),
                _ => {
                    for _ in 0..numbers.below(4) + 1 {
                        // Headers are where it hurts.
                        let reach = if numbers.below(2) == 0 { 24 } else { bytes.len() };
                        let at = numbers.below(reach.min(bytes.len()));
                        bytes[at] = [0, 0xff, 0x7f, 0x80, numbers.below(256) as u8][numbers.below(5)];
                    }
                }
            }
            std::fs::write(folder.path().join(chunk), &bytes).unwrap();
            let result = read_all(folder.path()).await;
            if round == 0 {
                let message = result.unwrap_err();
                assert!(message.contains("chunk [") || message.contains("expected bytes"), "{store}: {message}");
            }
        }
    }
}

/// The message for a version 2 array of which some fields are others.
async fn message_of(changes: Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut document = json!({
        "zarr_format": 2, "shape": [4, 4], "chunks": [2, 2], "dtype": "<i4", "order": "C", "fill_value": 0,
        "compressor": null, "filters": null
    });
    for (name, value) in changes.as_object().unwrap() {
        document[name] = value.clone();
    }
    std::fs::write(folder.path().join(".zarray"), document.to_string()).unwrap();
    match open_path(folder.path(), &DecodeOptions::default()).await {
        Ok(_) => "opened".to_string(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn errors_say_what_is_wrong() {
    let cases = [
        (json!({}), "opened"),
        (json!({"chunks": [0, 2]}), "chunk shape [0, 2], expected every length to be at least 1"),
        (json!({"chunks": [2]}), "chunks [2] do not have the dimensions of the shape [4, 4]"),
        (json!({"shape": [4294967296u64, 4294967296u64]}), "its bytes do not fit in 63 bits"),
        (json!({"chunks": [4294967296u64, 4]}), "a chunk of more than 17179869184 bytes"),
        (json!({"chunks": [u64::MAX, u64::MAX]}), "a chunk of more than"),
        (json!({"shape": vec![1; 33], "chunks": vec![1; 33]}), "33 dimensions, expected at most 32"),
        (json!({"shape": [-1, 4]}), "shape is [-1,4], expected a list of lengths"),
        (json!({"dtype": "<c8"}), "unsupported data type \"<c8\""),
        (json!({"dtype": [["a", "<i4"]]}), "unsupported data type [[\"a\",\"<i4\"]]"),
        (json!({"compressor": {"id": "made-up"}}), "unsupported codec made-up"),
        (json!({"filters": [{"id": "delta"}]}), "codec delta: dtype is null, expected a number type"),
        (json!({"fill_value": "x"}), "the fill value \"x\""),
        (json!({"zarr_format": 4}), "zarr_format is 4, expected 2"),
        (json!({"order": "K"}), "order is \"K\""),
    ];
    for (changes, expected) in cases {
        let found = message_of(changes).await;
        assert!(found.contains(expected), "{found}, expected {expected}");
    }
}

#[tokio::test]
async fn paths_that_lead_out_are_refused() {
    for key in ["../a/.zarray", "/a/.zarray", "a/../../b/.zarray", "a\u{0}/.zarray", "..", "a\\b/.zarray"] {
        let folder = tempfile::tempdir().unwrap();
        let document = json!({"zarr_consolidated_format": 1, "metadata": {".zgroup": {"zarr_format": 2}, key: {}}});
        std::fs::write(folder.path().join(".zmetadata"), document.to_string()).unwrap();
        let error = open_path(folder.path(), &DecodeOptions::default()).await.unwrap_err().to_string();
        assert!(error.contains("is not a path of an array inside the group"), "{error}");
    }
}

#[tokio::test]
async fn dimensions_that_disagree_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let array = |length: u64| {
        json!({"zarr_format": 2, "shape": [length], "chunks": [2], "dtype": "<i4", "order": "C", "fill_value": 0,
               "compressor": null, "filters": null})
    };
    let metadata = json!({"metadata": {
        ".zgroup": {"zarr_format": 2}, "a/.zarray": array(3), "a/.zattrs": {"_ARRAY_DIMENSIONS": ["x"]},
        "b/.zarray": array(4), "b/.zattrs": {"_ARRAY_DIMENSIONS": ["x"]}
    }});
    std::fs::write(folder.path().join(".zmetadata"), metadata.to_string()).unwrap();
    let error = open_path(folder.path(), &DecodeOptions::default()).await.unwrap_err().to_string();
    assert!(error.contains("/b: the dimension \"x\" has 4 cells, but 3 in ") && error.contains("/a"), "{error}");
    let unnamed = json!({"metadata": {".zgroup": {"zarr_format": 2}, "a/.zarray": array(3), "b/.zarray": array(4), "c/.zarray": array(3)}});
    std::fs::write(folder.path().join(".zmetadata"), unnamed.to_string()).unwrap();
    let dataset = open_path(folder.path(), &DecodeOptions::default()).await.unwrap();
    let names: Vec<&str> = dataset.variables.iter().map(|variable| variable.dimensions[0].as_str()).collect();
    assert_eq!(names, ["dim_0", "dim_1", "dim_0"]);
}
