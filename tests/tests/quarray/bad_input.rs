//! Bad questions and bad stores: each is a typed error that says what was found and what was expected, never a panic.

use std::path::{Path, PathBuf};

use quarray_engine::{Error, Session};
use tempfile::TempDir;

use crate::run::{ALL_SETTINGS, Ending, Settings, attach, run};
use crate::store::{ArrayToWrite, Stored, write_store};

/// A store in a folder of its own, attached as `ds`.
struct Broken {
    folder: TempDir,
    version: u8,
}

impl Broken {
    /// A good store of 6 × 4 cells in chunks of 4 × 4, not broken yet.
    fn new(version: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let array =
            |name: &str, dimensions: &[&str], shape: Vec<usize>, chunk_shape: Vec<usize>, stored| ArrayToWrite {
                name: name.to_string(),
                dimensions: dimensions.iter().map(ToString::to_string).collect(),
                values: (0..shape.iter().product()).map(|cell| Some(cell as f64)).collect(),
                shape,
                chunk_shape,
                stored,
                attributes: String::new(),
            };
        let arrays = [
            array("y", &["y"], vec![6], vec![6], Stored::I4),
            array("x", &["x"], vec![4], vec![4], Stored::F8),
            array("v", &["y", "x"], vec![6, 4], vec![4, 4], Stored::F4),
            array("n", &["y", "x"], vec![6, 4], vec![4, 4], Stored::I2),
        ];
        write_store(&folder.path().join("ds.zarr"), version, false, &arrays);
        Self { folder, version }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("ds.zarr")
    }

    fn metadata(&self) -> PathBuf {
        self.store().join(if self.version == 2 { "v/.zarray" } else { "v/zarr.json" })
    }

    fn first_chunk(&self) -> PathBuf {
        self.store().join(if self.version == 2 { "v/0.0" } else { "v/c/0/0" })
    }

    fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.metadata()).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(self.metadata(), text.replace(from, to)).unwrap();
    }

    /// Attaching the store, or the query on it, fails in every setting with a message that holds the fragments.
    fn refuses(&self, query: &str, fragments: &[&str]) {
        for settings in ALL_SETTINGS {
            holds(&message_of(settings, &self.store(), query), fragments);
        }
    }
}

fn message_of(settings: Settings, store: &Path, query: &str) -> String {
    let session = settings.session();
    match attach(&session, "ds", store) {
        Err(message) => {
            assert!(!message.contains("panic") && !message.contains("internal error"), "{message}");
            message
        }
        Ok(()) => error_of(&session, query),
    }
}

/// The message of the error that a query gives; it may be neither a panic nor a fault of the engine's own.
fn error_of(session: &Session, query: &str) -> String {
    match run(session, query) {
        Ending::Error(Error::Internal(message)) => panic!("{}: internal error: {message}", start(query)),
        Ending::Error(error) => error.to_string(),
        Ending::Panic(message) => panic!("{}: panic: {message}", start(query)),
        other => panic!("{}: expected an error, found {other:?}", start(query)),
    }
}

fn start(query: &str) -> String {
    query.chars().take(120).collect()
}

fn holds(message: &str, fragments: &[&str]) {
    let missing = fragments.iter().find(|fragment| !message.contains(*fragment));
    assert!(missing.is_none(), "{missing:?} is not in: {message}");
}

const SUM: &str = "FROM ds |> REDUCE sum(v) AS s ALONG y, x";

#[test]
fn the_unbroken_store_can_be_read() {
    for version in [2, 3] {
        let broken = Broken::new(version);
        for settings in ALL_SETTINGS {
            let session = settings.session();
            attach(&session, "ds", &broken.store()).unwrap();
            let Ending::Rows(answer) = run(&session, SUM) else { panic!("no rows") };
            assert_eq!(answer.columns[0].cells, [crate::answer::Cell::Float(276.0)]);
        }
    }
}

#[test]
fn names_that_are_not_there() {
    let broken = Broken::new(3);
    broken.refuses("FROM ds[yy = 1] |> SELECT v", &["yy", "did you mean `y`"]);
    broken.refuses("SELECT vv FROM ds", &["vv"]);
    broken.refuses("FROM ds |> REDUCE avg(v) ALONG z", &["z", "y", "x"]);
    broken.refuses("SELECT avrage(v) FROM ds", &["avrage"]);
    broken.refuses("FROM ds[y = 99] |> SELECT x, v", &["99", "y"]);
    broken.refuses("SELECT 1 FROM dss", &["dss"]);
    broken.refuses("FROM (VALUES (1)) AS t(v) |> REDUCE avg(v) ALONG y", &["no dimension `y`: the result is no array"]);
}

#[test]
fn a_table_that_is_not_there_is_pointed_at() {
    let session = ALL_SETTINGS[0].session();
    for (query, place) in [
        ("FROM dss |> REDUCE avg(v) ALONG y, x", "dss"),
        ("FROM a.dss |> REDUCE avg(v) ALONG y, x", "a"),
        ("WITH c AS (SELECT 1 AS v) SELECT * FROM (FROM c, other) |> REDUCE avg(v) ALONG y", "other"),
    ] {
        let Ending::Error(error) = run(&session, query) else { panic!("{query}: no error") };
        assert!(error.to_string().starts_with("no dataset or table `"), "{query}: {error}");
        let span = error.diagnostics()[0].span.unwrap();
        assert_eq!(&query[span.start..span.end], place, "{query}");
    }
}

/// A time that numpy keeps as the least of 64-bit integers, and a dimension without any label.
#[test]
fn times_that_are_none_and_dimensions_of_nothing() {
    let array = |name: &str, dimension: &str, values: &[f64], stored, attributes: &str| ArrayToWrite {
        name: name.to_string(),
        dimensions: vec![dimension.to_string()],
        values: values.iter().copied().map(Some).collect(),
        shape: vec![values.len()],
        chunk_shape: vec![values.len().max(1)],
        stored,
        attributes: attributes.to_string(),
    };
    let arrays = [
        array("y", "y", &[1.0, 2.0], Stored::I4, ""),
        array("seen", "y", &[i64::MIN as f64, 86_400.0], Stored::I8, "\"units\": \"seconds since 2000-01-01\""),
        array("x", "x", &[], Stored::F8, ""),
    ];
    let folder = tempfile::tempdir().unwrap();
    for version in [2, 3] {
        let store = folder.path().join(format!("{version}.zarr"));
        write_store(&store, version, false, &arrays);
        for settings in ALL_SETTINGS {
            let session = settings.session();
            attach(&session, "ds", &store).unwrap();
            let query = "SELECT count(seen) AS n, CAST(max(seen) AS TEXT) AS last FROM ds";
            let Ending::Rows(answer) = run(&session, query) else { panic!("{query}: no rows") };
            let last = crate::answer::Cell::Text("2000-01-02T00:00:00".to_string());
            assert_eq!(
                (&answer.columns[0].cells[0], &answer.columns[1].cells[0]),
                (&crate::answer::Cell::Integer(1), &last)
            );
            let query = "FROM ds[x = 1] |> SELECT x";
            let Ending::Error(error) = run(&session, query) else { panic!("{query}: no error") };
            assert!(error.to_string().contains("no label 1 in x"), "{error}");
        }
    }
}

#[test]
fn slices_that_hold_nothing() {
    let broken = Broken::new(3);
    for settings in ALL_SETTINGS {
        let session = settings.session();
        attach(&session, "ds", &broken.store()).unwrap();
        for query in [
            "FROM ds[y[3:3]] |> SELECT y, x, v",
            "FROM ds[y[4:2]] |> SELECT y, x, v",
            "FROM ds[x = 1.2:1.8] |> SELECT y, x, v",
        ] {
            let Ending::Rows(answer) = run(&session, query) else { panic!("{query}: no rows") };
            assert_eq!(answer.rows(), 0, "{query}");
        }
        // A reversed range of labels is the same range.
        let Ending::Rows(answer) = run(&session, "FROM ds[y = 4:1] |> SELECT y, x, v") else { panic!("no rows") };
        assert_eq!(answer.rows(), 16);
    }
}

#[test]
fn types_that_do_not_fit() {
    let broken = Broken::new(3);
    broken.refuses("SELECT v + 'a' FROM ds", &["a"]);
    broken.refuses("FROM ds |> MASK v", &["MASK"]);
    broken.refuses("SELECT sum('x') FROM ds", &["sum"]);
    broken.refuses("FROM ds[y = 'north'] |> SELECT v", &["north"]);
}

#[test]
fn stores_that_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.zarr");
    holds(&message_of(ALL_SETTINGS[0], &absent, SUM), &["absent.zarr"]);
    std::fs::create_dir(folder.path().join("empty.zarr")).unwrap();
    holds(&message_of(ALL_SETTINGS[0], &folder.path().join("empty.zarr"), SUM), &["empty.zarr"]);
    let session = ALL_SETTINGS[0].session();
    holds(&error_of(&session, &format!("FROM '{}' |> SELECT 1", absent.display())), &["absent.zarr"]);
    holds(&error_of(&session, "ATTACH 'nowhere://x/y.zarr' AS d"), &["nowhere"]);
}

#[test]
fn metadata_that_is_no_json() {
    for version in [2, 3] {
        let broken = Broken::new(version);
        std::fs::write(broken.metadata(), "{\"zarr_format\": ").unwrap();
        broken.refuses(SUM, &["v"]);
    }
}

#[test]
fn codecs_and_types_that_are_unknown() {
    let broken = Broken::new(2);
    broken.edit("\"compressor\":null", "\"compressor\":{\"id\":\"squash\",\"level\":3}");
    broken.refuses(SUM, &["squash", "v"]);
    let broken = Broken::new(3);
    broken.edit("\"codecs\":[{\"name\":\"bytes\"", "\"codecs\":[{\"name\":\"squash\"},{\"name\":\"bytes\"");
    broken.refuses(SUM, &["squash", "v"]);
    let broken = Broken::new(2);
    broken.edit("<f4", "<q4");
    broken.refuses(SUM, &["q4", "v"]);
    let broken = Broken::new(3);
    broken.edit("float32", "float33");
    broken.refuses(SUM, &["float33", "v"]);
}

#[test]
fn shapes_that_overflow() {
    for version in [2, 3] {
        let broken = Broken::new(version);
        broken.edit("[6, 4]", "[9223372036854775807, 9223372036854775807]");
        broken.refuses(SUM, &["v"]);
        let broken = Broken::new(version);
        broken.edit("[4, 4]", "[0, 4]");
        broken.refuses(SUM, &["v", "chunk"]);
        let broken = Broken::new(version);
        broken.edit("[4, 4]", "[4294967296, 4294967296]");
        broken.refuses(SUM, &["v"]);
    }
}

#[test]
fn chunks_that_are_cut_off_or_too_long() {
    for version in [2, 3] {
        let broken = Broken::new(version);
        std::fs::write(broken.first_chunk(), [0u8; 10]).unwrap();
        broken.refuses(SUM, &["v", "chunk [0, 0]", "10", "64"]);
        let broken = Broken::new(version);
        std::fs::write(broken.first_chunk(), [0u8; 100]).unwrap();
        broken.refuses(SUM, &["v", "chunk [0, 0]", "100", "64"]);
        let broken = Broken::new(version);
        std::fs::write(broken.first_chunk(), []).unwrap();
        broken.refuses(SUM, &["v", "chunk [0, 0]"]);
    }
}

#[test]
fn chunks_that_are_no_compressed_data() {
    for codec in ["zlib", "gzip", "zstd", "blosc", "lz4"] {
        let broken = Broken::new(2);
        // All chunks are none: any of them may be the first to be read.
        broken.edit("\"compressor\":null", &format!("\"compressor\":{{\"id\":\"{codec}\",\"level\":3}}"));
        std::fs::write(broken.first_chunk(), [255u8; 64]).unwrap();
        broken.refuses(SUM, &["v", "chunk ["]);
    }
}

#[test]
fn chunks_that_are_absent_are_missing_cells() {
    for version in [2, 3] {
        let broken = Broken::new(version);
        std::fs::remove_file(broken.first_chunk()).unwrap();
        for settings in ALL_SETTINGS {
            let session = settings.session();
            attach(&session, "ds", &broken.store()).unwrap();
            let Ending::Rows(answer) = run(&session, "FROM ds |> REDUCE count(v) AS n ALONG y, x") else {
                panic!("no rows")
            };
            assert_eq!(answer.columns[0].cells, [crate::answer::Cell::Integer(8)]);
        }
    }
}

#[test]
fn names_of_arrays_that_leave_the_store() {
    let broken = Broken::new(3);
    let secret = broken.folder.path().join("secret");
    std::fs::create_dir_all(&secret).unwrap();
    std::fs::copy(broken.metadata(), secret.join("zarr.json")).unwrap();
    let root = r#"{"zarr_format":3,"node_type":"group","consolidated_metadata":{"kind":"inline","must_understand":false,"metadata":{"../secret":METADATA}}}"#;
    let metadata = std::fs::read_to_string(broken.metadata()).unwrap();
    std::fs::write(broken.store().join("zarr.json"), root.replace("METADATA", &metadata)).unwrap();
    broken.refuses("SELECT \"../secret\" FROM ds", &["../secret"]);
}

#[test]
fn memory_that_does_not_suffice() {
    let broken = Broken::new(3);
    let session = Session::builder().memory_limit(16).threads(1).build().unwrap();
    attach(&session, "ds", &broken.store()).unwrap();
    match run(&session, SUM) {
        Ending::Error(Error::Resources(message)) => holds(&message, &["16"]),
        other => panic!("expected an error about memory, found {other:?}"),
    }
}

#[test]
fn long_texts() {
    let session = ALL_SETTINGS[0].session();
    let sum = format!("SELECT 1{}", "+1".repeat(20_000));
    let ors = format!("SELECT 1 WHERE {}", vec!["1 = 2"; 50_000].join(" OR "));
    let unions = vec!["SELECT 1"; 20_000].join(" UNION ALL ");
    let brackets = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    for query in [sum, ors, unions, brackets] {
        match run(&session, &query) {
            Ending::Rows(_) => {}
            Ending::Error(Error::Internal(message)) => panic!("{}: internal error: {message}", start(&query)),
            Ending::Error(error) => assert!(!error.to_string().is_empty()),
            Ending::Panic(message) => panic!("{}: panic: {message}", start(&query)),
            Ending::Other(text) => panic!("{}: {text}", start(&query)),
        }
    }
    // The session is still of use.
    assert!(matches!(run(&session, "SELECT 1"), Ending::Rows(_)));
}

#[test]
fn stores_are_not_written_over() {
    let broken = Broken::new(3);
    let before = std::fs::read(broken.first_chunk()).unwrap();
    let query = format!("FROM ds |> INTO '{}'", broken.store().display());
    broken.refuses(&query, &["ds.zarr", "overwrite"]);
    assert_eq!(std::fs::read(broken.first_chunk()).unwrap(), before);
}
