//! The same answers on executors that are processes of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use quarray_distributed::backend::ClusterBackend;
use quarray_distributed::cluster::{ExecutorShape, LocalCluster, LocalClusterSettings, Program};
use quarray_distributed::codec::WireCodec;
use quarray_engine::Session;

use crate::golden::check_all_cases;
use crate::layouts::{CHUNKINGS, QUERIES, same, write_chunks_of};
use crate::run::{Ending, Settings, attach, here, run, runtime};

/// Many partitions, in arrays and in rows.
const WAYS: [Settings; 2] =
    [Settings { grid: true, threads: 3, block_bytes: 400 }, Settings { grid: false, threads: 2, block_bytes: 1000 }];

/// Little enough for what does not need to be held to show if it is.
const MEMORY: u64 = 48 << 20;

/// The command, which is built beside the tests.
pub fn program() -> Program {
    let tests = std::env::current_exe().expect("this program's file");
    let folder = tests.parent().and_then(|folder| folder.parent()).expect("the folder of programs");
    let path: PathBuf = folder.join("quarray");
    assert!(path.exists(), "{} is not there: build the whole workspace", path.display());
    Program { path, arguments: Vec::new() }
}

fn cluster(executors: usize) -> LocalCluster {
    cluster_in(executors, None)
}

/// Executors of one core whose files lie in a folder.
pub fn cluster_in(executors: usize, folder: Option<&Path>) -> LocalCluster {
    let settings = LocalClusterSettings {
        executors,
        shape: ExecutorShape { cores: 1, memory: MEMORY },
        program: program(),
        codec: Arc::new(WireCodec::default()),
        directory: folder.map(Path::to_path_buf),
    };
    runtime().block_on(LocalCluster::start(settings)).expect("a cluster")
}

/// Sends the queries of sessions there.
pub fn send_to(backend: &ClusterBackend) -> impl Fn(&Session) + use<> {
    let backend = Arc::new(backend.clone());
    move |session| session.set_backend(Arc::clone(&backend) as _)
}

/// On two executors, or on as many as `QUARRAY_GOLDEN_EXECUTORS` says, one number after the other: `1 2 4`.
#[test]
fn golden_cases_on_executors() {
    let counts = std::env::var("QUARRAY_GOLDEN_EXECUTORS").unwrap_or_else(|_| "2".to_string());
    assert!(!counts.trim().is_empty(), "expected numbers of executors");
    for count in counts.split_whitespace() {
        let cluster = cluster(count.parse().expect("a number of executors"));
        check_all_cases(&WAYS, &send_to(&cluster.backend()));
        runtime().block_on(cluster.shut_down());
        eprintln!("golden cases on {count} executors");
    }
}

/// In arrays the states of partitions are merged in their order: to the last bit.
#[test]
fn answers_do_not_depend_on_executors() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { grid: true, threads: 2, block_bytes: 4 << 10 };
    for executors in [1, 2, 4] {
        let cluster = cluster(executors);
        let send = send_to(&cluster.backend());
        for chunking in [CHUNKINGS[0], CHUNKINGS[3]] {
            let store = write_chunks_of(folder.path(), chunking);
            for query in QUERIES {
                let (alone, sent) = (settings.session(), settings.session());
                send(&sent);
                let answers = [&alone, &sent].map(|session| {
                    attach(session, "ds", &store).unwrap();
                    match run(session, query) {
                        Ending::Rows(answer) => answer,
                        other => panic!("{query}: expected rows, found {other:?}"),
                    }
                });
                same(&answers[0], &answers[1], 0.0, &format!("{query} on {executors} executors"));
            }
        }
        runtime().block_on(cluster.shut_down());
    }
}

/// Executors open a picture by its address, and read the tiles of their own partitions.
#[test]
fn pictures_on_two_executors() {
    let cluster = cluster(2);
    let send = send_to(&cluster.backend());
    for (name, query) in [
        ("strips", "FROM ds |> REDUCE sum(band_data) AS s, count(band_data) AS n ALONG x"),
        ("masked", "FROM ds |> REDUCE avg(band_data) AS a, count(band_data) AS n ALONG y, x"),
        ("scaled", "FROM ds |> REDUCE avg(band_data) AS a ALONG band"),
        (
            "masked",
            "FROM ds |> WARP TO 'EPSG:3857' USING cubic |> REDUCE sum(band_data) AS s, count(band_data) AS n ALONG x",
        ),
        ("strips", "FROM ds |> WARP TO 'EPSG:4326' RESOLUTION 0.001 |> REDUCE count(band_data) AS n ALONG lon"),
        ("sparse", "FROM ds |> WHERE band_data > 5 |> REDUCE count(band_data) AS n ALONG y"),
    ] {
        let path = here().join(format!("data/tiff/made/{name}.tif"));
        for settings in WAYS {
            let (alone, sent) = (settings.session(), settings.session());
            send(&sent);
            let answers = [&alone, &sent].map(|session| {
                attach(session, "ds", &path).unwrap();
                match run(session, query) {
                    Ending::Rows(answer) => answer,
                    other => panic!("{query}: expected rows, found {other:?}"),
                }
            });
            same(&answers[0], &answers[1], 1e-12, &format!("{query} of {name}"));
        }
    }
    runtime().block_on(cluster.shut_down());
}

/// Executors open a cube from what the session wrote down of its scenes; no catalog is asked again.
#[test]
fn stacks_on_two_executors() {
    let cluster = cluster(2);
    let send = send_to(&cluster.backend());
    let items = here().join("data/stack/items.json");
    let catalog = items.display();
    for (arguments, step) in [
        ("crs => 'EPSG:32633', resolution => 60, resampling => 'cubic', mosaic => 'mean'", "ALONG y, x"),
        ("crs => 'EPSG:32632', resolution => 80, group => 'solar_day'", "ALONG time, band"),
    ] {
        let query = format!(
            "FROM stack(stac('{catalog}'), assets => ['red', 'nir'], {arguments}) \
             |> REDUCE sum(band_data) AS s, count(band_data) AS n {step}"
        );
        for settings in WAYS {
            let (alone, sent) = (settings.session(), settings.session());
            send(&sent);
            let answers = [&alone, &sent].map(|session| match run(session, &query) {
                Ending::Rows(answer) => answer,
                other => panic!("{query}: expected rows, found {other:?}"),
            });
            assert!(answers[0].rows() > 1, "{query}");
            same(&answers[0], &answers[1], 1e-12, &query);
        }
    }
    runtime().block_on(cluster.shut_down());
}

/// Executors open the files again, from the address and the options alone.
#[test]
fn netcdf_on_two_executors() {
    let data = here().join("data/netcdf");
    let cluster = cluster(2);
    let send = send_to(&cluster.backend());
    let settings = Settings { grid: true, threads: 2, block_bytes: 64 };
    let cases = [
        ("nc4.nc", "FROM ds |> REDUCE avg(packed), max(unsigned) AS u ALONG x"),
        ("cdf2.nc", "FROM ds |> REDUCE sum(flux) ALONG time"),
        ("nc4.nc/deep/er", "SELECT sum(cells) AS s FROM ds"),
        ("newer.h5", "SELECT sum(btree2) AS s, max(extensible) AS m FROM ds"),
        ("part_{1,2,3}.nc", "FROM ds |> REDUCE avg(heat), count(land) AS n ALONG y"),
    ];
    for (file, query) in cases {
        let (alone, sent) = (settings.session(), settings.session());
        send(&sent);
        let answers = [&alone, &sent].map(|session| {
            attach(session, "ds", &data.join(file)).unwrap();
            match run(session, query) {
                Ending::Rows(answer) => answer,
                other => panic!("{file}: {query}: expected rows, found {other:?}"),
            }
        });
        assert!(answers[0].rows() > 0, "{file}: {query}");
        same(&answers[0], &answers[1], 0.0, &format!("{file}: {query}"));
    }
    runtime().block_on(cluster.shut_down());
}
