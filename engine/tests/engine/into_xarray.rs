//! Copies of stores against their sources, as xarray reads both.

use std::path::{Path, PathBuf};
use std::process::Command;

use quarray_engine::Session;

use super::zarr_writer::place;

/// A Python with xarray, zarr and cftime, where `QUARRAY_TEST_PYTHON` names one.
fn python() -> Option<Command> {
    let python = std::env::var("QUARRAY_TEST_PYTHON");
    if python.is_err() {
        eprintln!("skipped: QUARRAY_TEST_PYTHON does not name a Python with xarray, zarr and cftime");
    }
    let mut command = Command::new(python.ok()?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/check_copy.py"));
    Some(command)
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Steps of a query, what else INTO says, and the same in xarray.
const RICH: [(&str, &str, &str); 12] = [
    ("", "", "ds"),
    ("", "WITH (zarr_version = 2)", "ds"),
    ("", "CHUNKS (time 4, y 5, x 2) WITH (codec = 'blosc(zstd, 3, bitshuffle)')", "ds"),
    ("[time[2:7], y[1:6:2]]", "", "ds.isel(time=slice(2, 7), y=slice(1, 6, 2))"),
    ("[time[3]]", "", "ds.isel(time=3)"),
    ("[x = 1000:3000]", "", "ds.sel(x=slice(1000, 3000))"),
    (" |> WHERE y > 1 AND x < 3000", "", "ds.isel(y=slice(0, 3), x=slice(0, 3))"),
    (" |> DROP tas, lat, site", "", "ds.drop_vars(['tas', 'lat', 'site'])"),
    (" |> RENAME tas AS t2m", "", "ds.rename(tas='t2m')"),
    (" |> EXTEND tas * 2 AS twice", "", "ds.assign(twice=(ds.tas * np.float32(2)).drop_attrs(deep=False))"),
    (
        " |> EXTEND lat * x AS area |> DROP tas, pr",
        "",
        "ds.assign(area=(ds.lat * ds.x).drop_attrs(deep=False)).drop_vars(['tas', 'pr'])",
    ),
    (
        " |> DROP flag, count, site, wet, bare |> MASK lat > 0.5",
        "WITH (zarr_version = 2)",
        "ds.drop_vars(['flag', 'count', 'site', 'wet', 'bare']).map(lambda v: v.where(ds.lat > 0.5) if 'y' in v.dims and 'x' in v.dims else v, keep_attrs=True)",
    ),
];

#[tokio::test]
async fn copies_equal_their_sources() {
    let (Some(mut make), Some(mut compare)) = (python(), python()) else { return };
    let directory = tempfile::tempdir().unwrap();
    succeed(make.arg("make").arg(directory.path()));
    compare.arg("compare");
    let session = Session::builder().threads(2).build().unwrap();
    for version in [2, 3] {
        let source = place(&directory, &format!("rich{version}.zarr"));
        for (number, (steps, rest, expected)) in RICH.iter().enumerate() {
            let copy = place(&directory, &format!("copy{version}_{number}.zarr"));
            let query = format!("FROM '{source}'{steps} |> INTO '{copy}' {rest}");
            session.query(&query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
            compare.args([&source, &copy, *expected]);
        }
    }
    succeed(&mut compare);
}

#[tokio::test]
async fn copies_of_the_conventions_equal_their_sources() {
    let Some(mut compare) = python() else { return };
    compare.arg("compare");
    let directory = tempfile::tempdir().unwrap();
    let session = Session::builder().threads(2).build().unwrap();
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
    for source in ["zarr/made/cf2", "zarr/made/cf3", "rnz-bcsd.zarr"] {
        for version in [2, 3] {
            let copy = place(&directory, &format!("{}_{version}", source.replace('/', "_")));
            let source = data.join(source).display().to_string();
            let query = format!("FROM '{source}' |> INTO '{copy}' WITH (zarr_version = {version})");
            session.query(&query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
            compare.args([source.as_str(), copy.as_str(), "ds"]);
        }
    }
    succeed(&mut compare);
}
