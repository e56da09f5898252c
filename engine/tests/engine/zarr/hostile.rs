//! Stores that are broken or mean harm: errors that name the array, never a panic.

use quarray_engine::source::zarr::DecodeOptions;
use serde_json::{Value, json};

use super::reading::*;
use super::scratch::*;

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
        "v2/zfpy_f4_accuracy_3d",
        "v3/shard_zfpy",
    ];
    for store in stores {
        let scratch = Scratch::of(store);
        let document = scratch.metadata();
        for round in 0..260 {
            let mutant = mutated(&document, &mut numbers).to_string().into_bytes();
            // Now and then the text is cut or a byte of it is wrong.
            let mut text = mutant;
            if round % 8 == 0 {
                let at = numbers.below(text.len());
                text[at] = numbers.below(256) as u8;
            }
            scratch.write(scratch.metadata_key(), &text);
            refused += usize::from(scratch.values().await.is_err());
        }
    }
    println!("{refused} of {} refused", 260 * stores.len());
}

#[tokio::test]
async fn mutated_consolidated_metadata_and_attributes() {
    let mut numbers = Numbers(77);
    for (store, name) in [("cf2", ".zmetadata"), ("cf3", "zarr.json")] {
        let scratch = Scratch::of(store);
        let document: Value = serde_json::from_slice(&scratch.read(name)).unwrap();
        for _ in 0..120 {
            let mutant = mutated(&document, &mut numbers);
            scratch.write(name, mutant.to_string());
            let _ = scratch.values().await;
        }
    }
}

/// The message for an array of which some fields are others, without the array's address, which it begins with.
async fn message_of(mut document: Value, changes: &Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        document[name] = value.clone();
    }
    let group = folder.path().join("group");
    let key = if document.get("chunks").is_some() { ".zarray" } else { "zarr.json" };
    std::fs::create_dir_all(group.join("t2m")).unwrap();
    std::fs::write(group.join("t2m").join(key), document.to_string()).unwrap();
    let (key, document) = match key {
        ".zarray" => (".zgroup", json!({"zarr_format": 2})),
        _ => (key, json!({"zarr_format": 3, "node_type": "group"})),
    };
    std::fs::write(group.join(key), document.to_string()).unwrap();
    match open_path(&group, &DecodeOptions::default()).await {
        Ok(_) => "opened".to_string(),
        Err(error) => {
            let message = error.to_string();
            let address = format!("{}/t2m: ", group.display());
            message.split_once(&address).unwrap_or_else(|| panic!("{message} does not name {address}")).1.to_string()
        }
    }
}

async fn check_messages(document: Value, cases: &[(Value, &str)]) {
    for (changes, expected) in cases {
        let found = message_of(document.clone(), changes).await;
        assert!(found.starts_with(expected), "{found}, expected {expected}");
    }
}

#[tokio::test]
async fn errors_of_version_2_say_what_is_wrong() {
    let array = json!({
        "zarr_format": 2, "shape": [4, 4], "chunks": [2, 2], "dtype": "<i4", "order": "C", "fill_value": 0,
        "compressor": null, "filters": null
    });
    let zfpy = json!({"id": "zfpy", "mode": 2, "rate": 8});
    let cases = [
        (json!({}), "opened"),
        (json!({"chunks": [0, 2]}), "chunk shape [0, 2], expected every length to be at least 1"),
        (json!({"chunks": [2]}), "chunks [2] do not have the dimensions of the shape [4, 4]"),
        (json!({"chunks": [2, -2]}), "chunks is [2,-2], expected a list of lengths"),
        (
            json!({"shape": [4294967296u64, 4294967296u64]}),
            "shape [4294967296, 4294967296]: its bytes do not fit in 63 bits",
        ),
        (json!({"chunks": [4294967296u64, 4]}), "chunk shape [4294967296, 4]: a chunk of more than 17179869184 bytes"),
        (
            json!({"chunks": [u64::MAX, u64::MAX]}),
            "chunk shape [18446744073709551615, 18446744073709551615]: a chunk of more than",
        ),
        (json!({"shape": vec![1; 33], "chunks": vec![1; 33]}), "33 dimensions, expected at most 32"),
        (json!({"shape": [-1, 4]}), "shape is [-1,4], expected a list of lengths"),
        (json!({"shape": 1e30}), "shape is 1e+30, expected a list of lengths"),
        (json!({"dtype": "<c8"}), "unsupported data type \"<c8\""),
        (json!({"dtype": [["a", "<i4"]]}), "unsupported data type [[\"a\",\"<i4\"]]"),
        (json!({"compressor": {"id": "made-up"}}), "unsupported codec made-up"),
        (json!({"compressor": {"level": 1}}), "the codec {\"level\":1} has no id"),
        (json!({"filters": [{"id": "delta"}]}), "codec delta: dtype is null, expected a number type"),
        (json!({"filters": [{"id": "made-up"}]}), "unsupported codec made-up"),
        (json!({"fill_value": "x"}), "the fill value \"x\""),
        (json!({"zarr_format": 4}), "zarr_format is 4, expected 2"),
        (json!({"order": "K"}), "order is \"K\""),
        (json!({"compressor": zfpy, "dtype": "<i2"}), "codec zfpy: cannot hold Number(Int16), expected int32"),
        (json!({"compressor": zfpy, "dtype": ">i4"}), "codec zfpy: cannot hold numbers with the highest byte first"),
        (
            json!({"compressor": zfpy, "shape": vec![1; 5], "chunks": vec![1; 5]}),
            "codec zfpy: 5 dimensions, expected 1 to 4",
        ),
    ];
    check_messages(array, &cases).await;
}

#[tokio::test]
async fn errors_of_version_3_say_what_is_wrong() {
    let grid = |lengths: Value| json!({"name": "regular", "configuration": {"chunk_shape": lengths}});
    let sharding = |lengths: Value, codecs: Value| {
        let configuration = json!({"chunk_shape": lengths, "codecs": codecs, "index_codecs": [{"name": "bytes"}]});
        json!({"codecs": [{"name": "sharding_indexed", "configuration": configuration}]})
    };
    let array = json!({
        "zarr_format": 3, "node_type": "array", "shape": [4, 4], "data_type": "int32", "chunk_grid": grid(json!([2, 2])),
        "chunk_key_encoding": {"name": "default"}, "fill_value": 0, "codecs": [{"name": "bytes"}]
    });
    let bytes = json!([{"name": "bytes"}]);
    let cases = [
        (json!({}), "opened"),
        (json!({"chunk_grid": grid(json!([0, 2]))}), "chunk shape [0, 2], expected every length to be at least 1"),
        (json!({"chunk_grid": {"name": "rectangular"}}), "unsupported chunk grid rectangular"),
        (
            json!({"shape": [4294967296u64, 4294967296u64]}),
            "shape [4294967296, 4294967296]: its bytes do not fit in 63 bits",
        ),
        (
            json!({"chunk_grid": grid(json!([u64::MAX, 2]))}),
            "chunk shape [18446744073709551615, 2]: a chunk of more than",
        ),
        (json!({"data_type": "complex64"}), "unsupported data type \"complex64\""),
        (json!({"data_type": {"name": "optional"}}), "unsupported data type {\"name\":\"optional\"}"),
        (json!({"codecs": [{"name": "bytes"}, {"name": "made-up"}]}), "unsupported codec made-up"),
        (json!({"codecs": []}), "the codecs [] do not make bytes of Number(Int32)"),
        (json!({"codecs": {}}), "codecs is {}, expected a list"),
        (sharding(json!([2, 2]), bytes.clone()), "opened"),
        (sharding(json!([3, 2]), bytes.clone()), "codec sharding_indexed: its chunk_shape does not divide the shards"),
        (sharding(json!([0, 2]), bytes), "codec sharding_indexed: its chunk_shape does not divide the shards"),
        (sharding(json!([2, 2]), json!([{"name": "made-up"}])), "unsupported codec made-up"),
        (
            json!({"codecs": [{"name": "numcodecs.zfpy"}], "data_type": "uint8"}),
            "codec zfpy: cannot hold Number(UInt8)",
        ),
        (json!({"shards": 1}), "unsupported metadata field shards"),
    ];
    check_messages(array, &cases).await;
}

#[tokio::test]
async fn metadata_that_is_no_json_is_refused() {
    let deep = "[".repeat(100_000);
    let texts = ["", "{", "{\"shape\": [1,}", "\u{0}\u{0}", "[1, 2]", "\"text\"", "NaN", &deep];
    for (store, key) in [("v2/gzip", ".zarray"), ("v3/dots", "zarr.json"), ("cf2", ".zmetadata"), ("cf3", "zarr.json")]
    {
        let scratch = Scratch::of(store);
        for text in texts {
            scratch.write(key, text);
            let message = scratch.values().await.unwrap_err();
            assert!(message.contains(scratch.path().to_str().unwrap()), "{store} {text:.20}: {message}");
        }
        scratch.write(key, b"\xff\xfe{}");
        assert!(scratch.values().await.unwrap_err().contains("not JSON"), "{store}");
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
    for name in ["..", "../a", "a/../../b", "/a", ".", "", "a\\b", "a\u{7}"] {
        let folder = tempfile::tempdir().unwrap();
        let array = Scratch::of("v3/dots").metadata();
        let nodes = json!({"kind": "inline", "must_understand": false, "metadata": {name: array}});
        let document = json!({"zarr_format": 3, "node_type": "group", "consolidated_metadata": nodes});
        std::fs::write(folder.path().join("zarr.json"), document.to_string()).unwrap();
        let error = open_path(folder.path(), &DecodeOptions::default()).await.unwrap_err().to_string();
        assert!(error.contains("is not a path of an array inside the group"), "{error}");
    }
}

#[tokio::test]
async fn escaped_paths_that_lead_out_are_refused() {
    for name in ["%2e%2e", "%2E%2e%2fa", "a%5c..%5cb"] {
        let folder = tempfile::tempdir().unwrap();
        let array = Scratch::of("v3/dots").metadata();
        let nodes = json!({"kind": "inline", "must_understand": false, "metadata": {name: array}});
        let document = json!({"zarr_format": 3, "node_type": "group", "consolidated_metadata": nodes});
        std::fs::write(folder.path().join("zarr.json"), document.to_string()).unwrap();
        let error = read_all(folder.path().to_path_buf()).await.unwrap_err();
        assert!(error.contains("expected no percent-encoded dot"), "{error}");
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
