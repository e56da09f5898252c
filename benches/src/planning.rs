//! A store with a million chunks, of which nothing but metadata and labels exists: what opening, planning and pruning it
//! cost beside a query of nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::error::Error;
use super::process::run;
use super::setting::{default_data, quarray};
use super::table::Figures;

const SHAPE: [usize; 3] = [100_000, 1_000, 1_000];
const CHUNK_SHAPE: [usize; 3] = [100, 100, 10];

/// Planned only, with and without a box; then run, over a box of two chunks.
const QUERIES: [&str; 3] = [
    "EXPLAIN FROM cells |> REDUCE avg(v) ALONG y, x",
    "EXPLAIN FROM cells[t[5000:9000], y[100:200], x[:25]] |> REDUCE avg(v) ALONG t",
    "FROM cells[t[150], y[150], x[5:15]] |> REDUCE count(v) ALONG x",
];

/// Runs the queries; gives a table.
pub fn planning(data: Option<&Path>, rounds: usize) -> Result<String, Error> {
    let folder = data.map_or_else(default_data, Path::to_path_buf).join("scratch");
    let store = folder.join("million.zarr");
    write_store(&store).map_err(|error| Error::File { path: store.clone(), error })?;
    let attach = format!("ATTACH '{}' AS cells", store.display());
    let program = quarray()?;
    let mut rows: Vec<(&str, Figures)> =
        ["SELECT 1"].into_iter().chain(QUERIES).map(|query| (query, Figures::default())).collect();
    for _ in 0..rounds {
        for (query, figures) in &mut rows {
            let mut command = Command::new(&program);
            if *query != "SELECT 1" {
                command.args(["-c", &attach]);
            }
            figures.add(&run(command.args(["-c", query]), &folder)?);
        }
    }
    let chunks: usize = SHAPE.iter().zip(CHUNK_SHAPE).map(|(cells, chunk)| cells.div_ceil(chunk)).product();
    let mut text = format!(
        "{chunks} chunks\n\n| query | median ms | more than SELECT 1 | peak MB | more |\n|---|---|---|---|---|\n"
    );
    let (_, nothing) = &rows[0];
    let (base_seconds, base_megabytes) = (nothing.median().unwrap_or(0.0), nothing.peak_megabytes());
    for (query, figures) in &rows {
        let (seconds, megabytes) = (figures.median().unwrap_or(0.0), figures.peak_megabytes());
        let query = query.replace('|', "\\|");
        let _ = writeln!(
            text,
            "| `{query}` | {:.0} | {:.0} | {megabytes:.0} | {:.0} |",
            seconds * 1e3,
            (seconds - base_seconds) * 1e3,
            megabytes - base_megabytes
        );
    }
    Ok(text)
}

/// Metadata and the labels of every dimension; the cells are absent chunks.
fn write_store(store: &Path) -> Result<(), std::io::Error> {
    let array = |shape: &[usize], chunks: &[usize], kind: &str| {
        format!(
            r#"{{"zarr_format":2,"shape":{shape:?},"chunks":{chunks:?},"dtype":"{kind}","compressor":null,"fill_value":null,"order":"C","filters":null}}"#
        )
    };
    let mut documents = vec![
        (
            "v/.zarray".to_string(),
            array(&SHAPE, &CHUNK_SHAPE, "<f4").replace(r#""fill_value":null"#, r#""fill_value":1.0"#),
        ),
        ("v/.zattrs".to_string(), r#"{"_ARRAY_DIMENSIONS":["t","y","x"]}"#.to_string()),
    ];
    for (name, length) in ["t", "y", "x"].into_iter().zip(SHAPE) {
        fs::create_dir_all(store.join(name))?;
        documents.push((format!("{name}/.zarray"), array(&[length], &[length], "<i8")));
        documents.push((format!("{name}/.zattrs"), format!(r#"{{"_ARRAY_DIMENSIONS":["{name}"]}}"#)));
        let labels: Vec<u8> = (0..length as i64).flat_map(i64::to_le_bytes).collect();
        fs::write(store.join(name).join("0"), labels)?;
    }
    let entries: Vec<String> = documents.iter().map(|(key, document)| format!("{key:?}:{document}")).collect();
    let group = r#"".zgroup":{"zarr_format":2}"#;
    let text = format!(r#"{{"zarr_consolidated_format":1,"metadata":{{{group},{}}}}}"#, entries.join(","));
    fs::write(store.join(".zmetadata"), text)
}
