//! Schemas that make no sense are refused before anything is touched.

use std::path::Path;

use arrow::datatypes::DataType;
use quarray_engine::sink::zarr::{Codec, StoreSchema, ZarrWriter};

use super::zarr_writer::*;

#[tokio::test]
async fn a_schema_that_makes_no_sense_is_refused_before_anything_is_touched() {
    let directory = tempfile::tempdir().unwrap();
    type Change = (&'static str, fn(&mut StoreSchema));
    let changes: [Change; 8] = [
        ("is there twice", |s| s.variables.push(s.variables[0].clone())),
        ("dimension `z` is not one of the store", |s| s.variables[1].dimensions = vec!["z".to_string()]),
        ("expected a chunk shape", |s| s.variables[1].chunk_shape = vec![0]),
        ("expected a chunk shape", |s| s.variables[1].chunk_shape = vec![]),
        ("is refused", |s| s.variables[1].name = "../x".to_string()),
        ("cannot be that of an array", |s| s.variables[1].name = "zarr.json".to_string()),
        ("expected version 2 or 3", |s| s.zarr_version = 4),
        ("cannot be stored in a Zarr array", |s| s.variables[1].data_type = DataType::Binary),
    ];
    for (expected, change) in changes {
        let mut schema = small_schema(3, Codec::default());
        change(&mut schema);
        let error = ZarrWriter::create(&place(&directory, "x"), &NO_OPTIONS, schema, false).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(names(directory.path()).is_empty());
}

/// Runs where `QUARRAY_TEST_PYTHON` names a Python that has xarray and zarr.
#[tokio::test]
async fn xarray_reads_what_was_written() {
    let Ok(python) = std::env::var("QUARRAY_TEST_PYTHON") else {
        eprintln!("skipped: QUARRAY_TEST_PYTHON does not name a Python with xarray and zarr");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(&python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/check_small.py"));
    for version in [2, 3] {
        for codec in ["none", "zstd", "gzip", "lz4", "blosc(zstd, 3, bitshuffle)"] {
            let uri = place(&directory, &format!("{version} {codec}"));
            write_all(&uri, &NO_OPTIONS, small_schema(version, codec.parse().unwrap()), false).await.unwrap();
            command.arg(&uri);
        }
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
