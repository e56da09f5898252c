//! The seed's job, whole: `examples/daymet.sql` over a catalog, an endpoint of tokens that live for three seconds, and a
//! replica of sixty days in Azurite behind a slow line, so that tokens end while the query runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Float32Array, TimestampMicrosecondArray};
use quarray_engine::array::Region;
use quarray_engine::dataset::Dimension;
use quarray_engine::sink::zarr::{Codec, Shuffle, StoreSchema, ZarrWriter};
use quarray_engine::source::store::StoreOptions;

use super::replica::{COLUMNS, ROWS, heights, tmin, variable};
use super::{quarray, replica};

const ACCOUNT: &str = "daymeteuwest";
const DAYS: usize = 60;
const DAYS_OF_A_CHUNK: u64 = 5;
const TOKEN_SECONDS: &str = "3";
/// The replica has some 4.4 MB.
const BYTES_PER_SECOND: &str = "380000";
/// So little that only a few chunks are fetched ahead: the others are asked for while the query runs.
const MEMORY: &str = "24MB";
const MEMORY_OF_CLUSTER: &str = "48MB";
/// What xarray finds in the same store, day by day; made by `replica_means.py`.
const XARRAY_MEANS: &str = include_str!("replica_means.txt");
const QUERY: &str = include_str!("../../../examples/daymet.sql");
const HOST: &str = "https://planetarycomputer.microsoft.com";

/// The servers, which end with the test.
struct Servers {
    process: Child,
    catalog: String,
    line: String,
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_whole_job_goes_on_while_tokens_end() {
    let (Ok(azurite), Ok(key)) = (std::env::var("QUARRAY_TEST_AZURITE"), std::env::var("QUARRAY_TEST_AZURITE_KEY"))
    else {
        eprintln!("skipped: QUARRAY_TEST_AZURITE is not set (see .ci/servers)");
        return;
    };
    let port = azurite.rsplit(':').next().unwrap().split('/').next().unwrap().to_string();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(write_replica(&port, &key));
    let servers = start(&port, &key);
    let folder = tempfile::tempdir().unwrap();
    for executors in [None, Some("2")] {
        let (output, seconds, tokens) = run(&servers, &["daymet.sql"], executors, folder.path());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let picture = std::fs::read(folder.path().join("daymet.png")).unwrap();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 2000, "{} bytes", picture.len());
        std::fs::remove_file(folder.path().join("daymet.png")).unwrap();
        assert!(seconds >= 10.0 && tokens >= 3, "{executors:?}: {seconds} s, {tokens} tokens");
        let rows = QUERY.replace(HOST, &servers.catalog);
        let rows = rows.split("|> PLOT").next().unwrap();
        let (output, seconds, tokens) = run(&servers, &["-f", "csv", "-c", rows], executors, folder.path());
        check(&output);
        assert!(seconds >= 10.0 && tokens >= 3, "{executors:?}: {seconds} s, {tokens} tokens");
    }
}

/// Runs the command; its output, how long it took and how many tokens were fetched.
fn run(servers: &Servers, arguments: &[&str], executors: Option<&str>, folder: &Path) -> (Output, f64, u64) {
    std::fs::write(folder.join("daymet.sql"), QUERY.replace(HOST, &servers.catalog)).unwrap();
    let (before, start) = (tokens(servers), Instant::now());
    let mut command = quarray();
    match executors {
        Some(executors) => command.args(["--memory-limit", MEMORY_OF_CLUSTER, "--executors", executors]),
        None => command.args(["--memory-limit", MEMORY]),
    };
    let output = command
        .args(arguments)
        .current_dir(folder)
        .envs([("AZURE_STORAGE_ENDPOINT", servers.line.as_str()), ("AZURE_ALLOW_HTTP", "true")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output, start.elapsed().as_secs_f64(), tokens(servers) - before)
}

fn check(output: &Output) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let found: Vec<f64> = stdout.lines().skip(1).map(|line| line.split_once(',').unwrap().1.parse().unwrap()).collect();
    let expected: Vec<f64> = XARRAY_MEANS.lines().take(DAYS).map(|line| line.parse().unwrap()).collect();
    assert_eq!(found.len(), DAYS, "{stdout}");
    for (day, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(((found - expected) / expected).abs() < 1e-12, "day {day}: {found}, expected {expected}");
    }
}

fn start(port: &str, key: &str) -> Servers {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut process = Command::new("python3")
        .arg(here.join("tests/shell/seed_servers.py"))
        .arg(here.join("../tests/data/stac/daymet-daily-hi.json"))
        .args([port, key, TOKEN_SECONDS, BYTES_PER_SECOND])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (catalog, slow) = line.trim().split_once(' ').unwrap();
    let (catalog, line) = (format!("http://127.0.0.1:{catalog}"), format!("http://127.0.0.1:{slow}/{ACCOUNT}"));
    Servers { process, catalog, line }
}

/// How many tokens there were.
fn tokens(servers: &Servers) -> u64 {
    let mut stream = TcpStream::connect(servers.catalog.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"GET /told HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (_, rest) = text.split_once("\"tokens\": ").unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}

/// Writes the first days of the made-up year where the collection says that the data are.
async fn write_replica(port: &str, key: &str) {
    let endpoint = format!("http://127.0.0.1:{port}/{ACCOUNT}");
    let pairs = [("endpoint", endpoint.as_str()), ("allow_http", "true"), ("account", ACCOUNT), ("key", key)];
    let options: StoreOptions = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let uri = "az://daymet-zarr/daily/hi.zarr";
    let mut writer = ZarrWriter::create(uri, &options, schema(), true).await.unwrap();
    let times = (0..DAYS as i64).map(|day| 315_576_000_000_000 + day * 86_400_000_000);
    let floats = |values: &mut dyn Iterator<Item = f32>| Arc::new(Float32Array::from_iter_values(values)) as ArrayRef;
    let coordinates = [
        Arc::new(TimestampMicrosecondArray::from_iter_values(times)) as ArrayRef,
        floats(&mut (0..ROWS).map(|row| -39_000.0 - 1000.0 * row as f32)),
        floats(&mut (0..COLUMNS).map(|column| -5_802_250.0 + 1000.0 * column as f32)),
    ];
    for (number, (values, length)) in coordinates.iter().zip([DAYS, ROWS, COLUMNS]).enumerate() {
        writer.write(number, &Region::whole(&[length as u64]), values).await.unwrap();
    }
    let heights = heights();
    for day in 0..DAYS {
        let cell = |(cell, height): (usize, &Option<i64>)| height.map_or(f32::NAN, |height| tmin(day, cell, height));
        let values = floats(&mut heights.iter().enumerate().map(cell));
        let region = Region::new(vec![day as u64, 0, 0], vec![1, ROWS as u64, COLUMNS as u64]);
        writer.write(3, &region, &values).await.unwrap();
    }
    writer.finish().await.unwrap();
}

fn schema() -> StoreSchema {
    let dimension = |name: &str, length: usize| Dimension { name: name.to_string(), length: length as u64 };
    let mut schema = StoreSchema::new(vec![dimension("time", DAYS), dimension("y", ROWS), dimension("x", COLUMNS)]);
    let (rows, columns) = (ROWS as u64, COLUMNS as u64);
    schema.variables = vec![
        variable("time", &["time"], &[DAYS as u64], "days since 1980-01-01 12:00:00"),
        variable("y", &["y"], &[rows], "m"),
        variable("x", &["x"], &[columns], "m"),
        variable("tmin", &["time", "y", "x"], &[DAYS_OF_A_CHUNK, rows, columns], "degrees C"),
    ];
    schema.codec = Codec::Blosc { cname: "lz4".to_string(), level: 5, shuffle: Shuffle::Byte };
    schema.zarr_version = 2;
    schema
}

#[test]
fn the_days_are_those_of_the_replica() {
    assert!(DAYS < replica::DAYS && replica::DAYS == XARRAY_MEANS.lines().count());
}
