//! Bad questions from the outside: exit status 1, nothing on standard output, and what is wrong on standard error.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use super::quarray;

/// The store that comes with the sources: tas and pr on (time, latitude, longitude).
fn store() -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    folder.parent().unwrap().join("tests/data/rnz-bcsd.zarr").display().to_string()
}

fn ask(arguments: &[&str], query: &str) -> Output {
    quarray().args(arguments).args(["-c", query]).stdin(Stdio::null()).output().unwrap()
}

fn refuses_with(arguments: &[&str], query: &str, fragments: &[&str]) {
    let start: String = query.chars().take(100).collect();
    let output = ask(arguments, query);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{start}: {stderr}");
    assert!(output.stdout.is_empty(), "{start}: something on standard output");
    let missing = fragments.iter().find(|fragment| !stderr.contains(*fragment));
    assert!(missing.is_none(), "{start}: {missing:?} is not in: {stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("internal error"), "{start}: {stderr}");
}

/// The question, with `ds` for the store, is refused; the caret stands under the place.
fn refuses(query: &str, fragments: &[&str]) {
    refuses_with(&[], &query.replace("ds", &format!("'{}'", store())), fragments);
}

#[test]
fn names_that_are_not_there() {
    refuses("FROM ds[latitud = 35] |> SELECT tas", &["latitud", "did you mean `latitude`", "^"]);
    refuses("FROM ds |> REDUCE avg(tas) ALONG longitud", &["longitud", "did you mean `longitude`", "^"]);
    refuses("FROM ds |> REDUCE avg(tass) ALONG time", &["tass", "did you mean `tas`", "^"]);
    refuses("SELECT tass FROM ds", &["tass", "did you mean `tas`", "^"]);
    refuses("SELECT avgg(tas) FROM ds", &["avgg", "avg"]);
    refuses("FROM ds |> REDUCE avgg(tas) ALONG time", &["avgg", "avg"]);
    refuses(
        "FROM ds |> EXTEND avgg(tas[time-1:time]) AS v |> SELECT time, latitude, longitude, v",
        &["avgg", "avg", "^"],
    );
    refuses("SELECT a FROM nowhere", &["nowhere"]);
    refuses("FROM ds |> REDUSE avg(tas)", &["REDUSE", "REDUCE", "^"]);
}

#[test]
fn labels_that_are_not_there() {
    refuses("FROM ds[latitude = 35.01] |> SELECT tas", &["35.01", "nearest", "^"]);
    refuses("FROM ds[time = '1066-10'] |> SELECT tas", &["1066-10", "1999", "^"]);
    refuses("FROM ds[latitude[10000]] |> SELECT tas", &["10000", "latitude", "^"]);
    refuses("FROM ds[latitude[0:10:-1]] |> SELECT tas", &["step", "-1", "^"]);
    refuses("FROM ds[latitude = nearest(80, 1)] |> SELECT tas", &["80", "within 1", "^"]);
}

#[test]
fn types_that_do_not_fit() {
    refuses("FROM ds[latitude = 'north'] |> SELECT tas", &["north", "latitude", "^"]);
    refuses("SELECT tas + 'a' FROM ds", &["a"]);
    refuses("FROM ds |> MASK tas", &["MASK"]);
    refuses("FROM ds |> REDUCE avg(tas) ALONG 3", &["3", "^"]);
    refuses("FROM ds |> RESAMPLE avg(tas) TO time '1 fortnight'", &["fortnight"]);
    refuses("FROM ds |> EXTEND avg(tas[time - 'a' : time]) AS v |> SELECT time, v", &["'a'", "^"]);
}

#[test]
fn reversed_slices_are_slices() {
    // Labels in either direction are the same range; positions that run backwards are none.
    let count = |brackets: &str| {
        let query = format!("FROM '{}'[{brackets}] |> REDUCE count(*) AS n, count(tas) AS t", store());
        String::from_utf8(ask(&["-f", "csv"], &query).stdout).unwrap()
    };
    assert_eq!(count("latitude = 36:35, time[0]"), count("latitude = 35:36, time[0]"));
    assert_eq!(count("latitude[9:3]"), "n,t\n0,0\n");
}

#[test]
fn results_that_are_too_large_to_print() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("big.zarr");
    std::fs::create_dir_all(home.join("v")).unwrap();
    std::fs::write(home.join("zarr.json"), r#"{"zarr_format":3,"node_type":"group"}"#).unwrap();
    let array = r#"{"zarr_format":3,"node_type":"array","shape":[100000,100000],"data_type":"float64","chunk_grid":{"name":"regular","configuration":{"chunk_shape":[1000,1000]}},"chunk_key_encoding":{"name":"default","configuration":{"separator":"/"}},"fill_value":"NaN","codecs":[{"name":"bytes","configuration":{"endian":"little"}}],"dimension_names":["y","x"],"attributes":{}}"#;
    std::fs::write(home.join("v/zarr.json"), array).unwrap();
    let from = format!("FROM '{}'", home.display());
    for query in [format!("{from} |> SELECT y, x, v"), format!("{from} |> SELECT *"), from.clone()] {
        refuses_with(&[], &query, &["1.0e10 cells", "80 GB", "LIMIT"]);
    }
    // The first cells are all that is read for them.
    for few in [format!("{from} |> LIMIT 2"), format!("SELECT y, x, v {from} LIMIT 2")] {
        assert_eq!(String::from_utf8_lossy(&ask(&["-f", "csv"], &few).stdout), "y,x,v\n0,0,\n0,1,\n");
    }
    let later = ask(&["-f", "csv"], &format!("{from} |> SELECT y, x, v |> LIMIT 2 OFFSET 199999"));
    assert_eq!(String::from_utf8_lossy(&later.stdout), "y,x,v\n1,99999,\n2,0,\n");
}

#[test]
fn memory_that_does_not_suffice() {
    let query = format!("FROM '{}' |> REDUCE avg(tas) ALONG time", store());
    refuses_with(&["--memory-limit", "20kB"], &query, &["GridReduce", "allocate"]);
    let sort = format!("SELECT tas FROM '{}' ORDER BY tas", store());
    refuses_with(&["--memory-limit", "20kB"], &sort, &["allocate"]);
}

#[test]
fn long_texts() {
    let sum = format!("SELECT 1{} AS n", "+1".repeat(20_000));
    let ors = format!("SELECT count(*) AS n FROM range(3) WHERE {}", vec!["value = 2"; 50_000].join(" OR "));
    let unions = vec!["SELECT 1 AS n"; 20_000].join(" UNION ALL ");
    let folder = tempfile::tempdir().unwrap();
    for (name, query) in [("sum", sum), ("ors", ors), ("unions", unions)] {
        let file = folder.path().join(format!("{name}.sql"));
        std::fs::write(&file, query).unwrap();
        let output = quarray().args(["-f", "csv"]).arg(&file).stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let shown: String = stderr.chars().take(300).collect();
        match output.status.code() {
            Some(0) => assert!(output.stdout.starts_with(b"n\n"), "{name}"),
            code => {
                assert_eq!(code, Some(1), "{name}: {shown}");
                assert!(output.stdout.is_empty() && stderr.starts_with("error: "), "{name}: {shown}");
                assert!(stderr.len() < 2_000 && !stderr.contains("panicked"), "{name}: {shown}");
            }
        }
    }
}
