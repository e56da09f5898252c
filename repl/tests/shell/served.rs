//! A year of data behind each kind of server: the same means everywhere, by the command and by the engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use quarray_engine::source::store::{Store, StoreOptions};
use quarray_engine::{Labelled, Session};

use super::file_server::{Manners, serve};
use super::{quarray, replica};

const QUERY: &str = "FROM daymet |> REDUCE avg(tmin) ALONG y, x";

/// What xarray finds in the same store, day by day; made by `replica_means.py`.
const XARRAY_MEANS: &str = include_str!("replica_means.txt");

/// A store and the ways to its credentials.
struct Place {
    uri: String,
    options: StoreOptions,
    environment: BTreeMap<&'static str, String>,
}

#[test]
fn every_server_gives_the_means_that_xarray_finds() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_guard, folder) = folder();
    runtime.block_on(replica::write(&folder.join("replica.zarr")));
    let expected: Vec<f64> = XARRAY_MEANS.lines().map(|line| line.parse().unwrap()).collect();
    check("one cell after the other", &replica::means(), &expected);
    check_local(&folder, &expected);
    runtime.block_on(async {
        check_web(&folder, &expected).await;
        for place in [azurite(), moto()].into_iter().flatten() {
            check_cloud(&folder, place, &expected).await;
        }
    });
}

/// Where the store is made: a folder to look at when the environment names one.
fn folder() -> (Option<tempfile::TempDir>, PathBuf) {
    match std::env::var_os("QUARRAY_TEST_REPLICA") {
        Some(folder) => (None, folder.into()),
        None => {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().to_path_buf();
            (Some(folder), path)
        }
    }
}

fn check_local(folder: &Path, expected: &[f64]) {
    let attachment = format!("daymet={}", folder.join("replica.zarr").display());
    check("the command on a folder", &command(&["--attach", &attachment, "-c", QUERY], &BTreeMap::new()), expected);
}

async fn check_web(folder: &Path, expected: &[f64]) {
    let address = serve(folder, Manners::default()).await;
    let uri = format!("{address}/replica.zarr");
    let attachment = format!("daymet={uri}");
    let found = on_a_thread(move || command(&["--attach", &attachment, "-c", QUERY], &BTreeMap::new())).await;
    check("the command on a web server", &found, expected);
    check("the engine on a web server", &engine(&uri, &StoreOptions::new()).await, expected);
}

/// Credentials in the environment, in `WITH (…)` and as options of the engine.
async fn check_cloud(folder: &Path, place: Place, expected: &[f64]) {
    let Place { uri, options, environment } = place;
    let store = Store::open(&uri, &options).unwrap();
    let files = files(&folder.join("replica.zarr"));
    for (key, path) in &files {
        store.put(key, std::fs::read(path).unwrap().into()).await.unwrap();
    }
    let attachment = format!("daymet={uri}");
    let found = on_a_thread(move || command(&["--attach", &attachment, "-c", QUERY], &environment)).await;
    check(&format!("{uri}: the environment"), &found, expected);
    let attach = attach_statement(&uri, &options);
    let found = on_a_thread(move || command(&["-c", &attach, "-c", QUERY], &BTreeMap::new())).await;
    check(&format!("{uri}: WITH"), &found, expected);
    check(&format!("{uri}: the engine"), &engine(&uri, &options).await, expected);
    store.delete_prefix("").await.unwrap();
}

fn attach_statement(uri: &str, options: &StoreOptions) -> String {
    let options: Vec<String> = options.iter().map(|(name, value)| format!("{name} = '{value}'")).collect();
    format!("ATTACH '{uri}' AS daymet WITH ({})", options.join(", "))
}

/// Azurite, with a SAS.
fn azurite() -> Option<Place> {
    let (endpoint, sas) = (server("QUARRAY_TEST_AZURITE")?, server("QUARRAY_TEST_AZURITE_SAS")?);
    let account = endpoint.rsplit('/').next().unwrap().to_string();
    Some(Place {
        uri: format!("az://quarray-test/replica-{}/replica.zarr", std::process::id()),
        options: options(&[("endpoint", &endpoint), ("allow_http", "true"), ("account", &account), ("sas", &sas)]),
        environment: BTreeMap::from([
            ("AZURE_STORAGE_ENDPOINT", endpoint),
            ("AZURE_ALLOW_HTTP", "true".to_string()),
            ("AZURE_STORAGE_ACCOUNT_NAME", account),
            ("AZURE_STORAGE_SAS_TOKEN", sas),
        ]),
    })
}

/// moto, with keys.
fn moto() -> Option<Place> {
    let endpoint = server("QUARRAY_TEST_MOTO")?;
    let (key, secret, region) = ("quarray-test", "quarray-test-secret", "us-east-1");
    let pairs = [
        ("endpoint", endpoint.as_str()),
        ("allow_http", "true"),
        ("region", region),
        ("access_key_id", key),
        ("secret_access_key", secret),
    ];
    Some(Place {
        uri: format!("s3://quarray-test/replica-{}/replica.zarr", std::process::id()),
        options: options(&pairs),
        environment: BTreeMap::from([
            ("AWS_ENDPOINT_URL", endpoint.clone()),
            ("AWS_ALLOW_HTTP", "true".to_string()),
            ("AWS_REGION", region.to_string()),
            ("AWS_ACCESS_KEY_ID", key.to_string()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_string()),
        ]),
    })
}

/// The value of an environment variable; without it the test says what it leaves out.
fn server(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok();
    if value.is_none() {
        eprintln!("skipped: {variable} is not set (see .ci/servers)");
    }
    value
}

fn options(pairs: &[(&str, &str)]) -> StoreOptions {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// The files below a folder, by their keys.
fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path()).into_iter().map(|(key, path)| (format!("{name}/{key}"), path))),
            false => found.push((name, entry.path())),
        }
    }
    found
}

async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// The means that the command prints.
fn command(arguments: &[&str], environment: &BTreeMap<&str, String>) -> Vec<f64> {
    let output = quarray().args(["-f", "csv"]).args(arguments).envs(environment).stdin(Stdio::null()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    // The query takes a while, and yet there is no word of its progress: standard error is no terminal.
    let expected = if arguments.contains(&"--attach") { "" } else { "attached daymet\n" };
    assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), expected));
    let mut lines = stdout.lines();
    assert_eq!(lines.next(), Some("time,tmin"));
    let (times, means): (Vec<&str>, Vec<f64>) = lines
        .map(|line| line.split_once(',').map(|(time, mean)| (time, mean.parse::<f64>().unwrap())).unwrap())
        .unzip();
    assert_eq!(
        (times[0], times[59], times[364]),
        ("1980-01-01T12:00:00", "1980-02-29T12:00:00", "1980-12-30T12:00:00")
    );
    assert!(times.is_sorted_by(|earlier, later| earlier < later));
    means
}

async fn engine(uri: &str, options: &StoreOptions) -> Vec<f64> {
    let session = Session::builder().build().unwrap();
    session.attach("daymet", uri, options).await.unwrap();
    let rows = session.query(QUERY).await.unwrap().into_rows().unwrap();
    Labelled::collect(rows).await.unwrap().values_f64("tmin").unwrap().iter().copied().collect()
}

fn check(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!((found.len(), expected.len()), (replica::DAYS, replica::DAYS), "{what}");
    for (day, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(((found - expected) / expected).abs() < 1e-12, "{what}, day {day}: {found}, expected {expected}");
    }
}
