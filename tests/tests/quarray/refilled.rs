//! Stores that are filled or written in place between queries, and one that is slow to open: executors answer as the
//! session's own process does.

use std::path::Path;
use std::time::Duration;

use quarray_distributed::cluster::LocalCluster;
use quarray_engine::Session;
use serde_json::json;

use crate::answer::Answer;
use crate::executors::{cluster_in, send_to};
use crate::layouts::same;
use crate::run::{Ending, Settings, attach, run, runtime};
use crate::slow_server::{SlowServer, consolidate};
use crate::wire::write_series;

const ARRAYS: Settings = Settings { grid: true, threads: 2, block_bytes: 64 };

fn rows(session: &Session, query: &str) -> Answer {
    match run(session, query) {
        Ending::Rows(answer) => answer,
        other => panic!("{query}: expected rows, found {other:?}"),
    }
}

/// The text of an answer, to tell answers apart.
fn shown(answer: &Answer) -> String {
    format!("{answer:?}")
}

/// An array of eight cells in two shards of two chunks each, described whole; no shard is there.
fn describe_shards(store: &Path) {
    let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
    let sharding = json!({"name": "sharding_indexed", "configuration": {
        "chunk_shape": [2], "codecs": [bytes.clone()], "index_codecs": [bytes], "index_location": "end",
    }});
    let array = json!({
        "zarr_format": 3, "node_type": "array", "shape": [8], "data_type": "float64", "fill_value": 0.0,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "codecs": [sharding], "dimension_names": ["t"], "attributes": {},
    });
    std::fs::create_dir_all(store.join("a/c")).unwrap();
    std::fs::write(store.join("zarr.json"), json!({"zarr_format": 3, "node_type": "group"}).to_string()).unwrap();
    std::fs::write(store.join("a/zarr.json"), array.to_string()).unwrap();
}

/// Writes a shard of four cells behind so many bytes of nothing.
fn write_shard(store: &Path, shard: usize, cells: [f64; 4], before: u64) {
    let mut bytes = vec![0; before as usize];
    bytes.extend(cells.iter().flat_map(|cell| cell.to_le_bytes()));
    bytes.extend([before, 16, before + 16, 16].iter().flat_map(|word| word.to_le_bytes()));
    std::fs::write(store.join(format!("a/c/{shard}")), bytes).unwrap();
}

/// A file of the classic format with four cells of `a` along `t`.
fn write_classic(file: &Path, cells: [f64; 4]) {
    let mut bytes = b"CDF\x01".to_vec();
    let mut words = |words: &[u32]| bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    let (t, a) = (u32::from_be_bytes(*b"t\0\0\0"), u32::from_be_bytes(*b"a\0\0\0"));
    // No records; a dimension of four; no attributes; a variable of doubles on it, without attributes, in 32 bytes.
    words(&[0, 0x0a, 1, 1, t, 4, 0, 0, 0x0b, 1, 1, a, 1, 0, 0, 0, 6, 32, 80]);
    bytes.extend(cells.iter().flat_map(|cell| cell.to_be_bytes()));
    std::fs::write(file, bytes).unwrap();
}

/// What a session on executors answers, which must be what a new one in this process does.
fn checked(cluster: &LocalCluster, session: &Session, query: &str) -> String {
    send_to(&cluster.backend())(session);
    let (alone, sent) = (rows(&ARRAYS.session(), query), rows(session, query));
    same(&alone, &sent, 0.0, query);
    shown(&sent)
}

#[test]
fn a_store_that_is_filled_in_place_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("filled.zarr");
    describe_shards(&store);
    write_shard(&store, 0, [1.0, 2.0, 3.0, 4.0], 0);
    let cluster = cluster_in(1, None);
    let session = ARRAYS.session();
    let query = format!("FROM '{}' |> REDUCE sum(a) AS s, max(a) AS m ALONG t", store.display());
    let begun = cluster.scheduler().job_counts().begun();
    let half = checked(&cluster, &session, &query);
    write_shard(&store, 1, [10.0, 20.0, 30.0, 40.0], 0);
    let whole = checked(&cluster, &session, &query);
    write_shard(&store, 0, [5.0, 6.0, 7.0, 8.0], 48);
    let moved = checked(&cluster, &session, &query);
    assert!(half != whole && whole != moved, "{half}, {whole}, {moved}");
    // An attached dataset is another one once it is attached anew.
    let attached = "FROM ds |> REDUCE sum(a) AS s, max(a) AS m ALONG t";
    attach(&session, "ds", &store).unwrap();
    assert_eq!(shown(&rows(&session, attached)), moved);
    write_shard(&store, 1, [11.0, 21.0, 31.0, 41.0], 16);
    attach(&session, "ds", &store).unwrap();
    assert_eq!(shown(&rows(&session, attached)), checked(&cluster, &session, &query));
    assert_eq!(cluster.scheduler().job_counts().begun() - begun, 6);
    runtime().block_on(cluster.shut_down());
}

#[test]
fn a_file_that_is_written_anew_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.nc");
    let cluster = cluster_in(1, None);
    let session = ARRAYS.session();
    let query = format!("FROM '{}' |> REDUCE sum(a) AS s ALONG t", file.display());
    write_classic(&file, [1.0, 2.0, 3.0, 4.0]);
    let before = checked(&cluster, &session, &query);
    write_classic(&file, [10.0, 20.0, 30.0, 40.0]);
    assert_ne!(checked(&cluster, &session, &query), before);
    runtime().block_on(cluster.shut_down());
}

/// An executor whose store takes longer to open than a scheduler waits for an answer (20 s) is not taken for lost.
#[test]
fn a_store_that_is_slow_to_open_costs_no_executor() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("slow.zarr");
    write_series(&store, (0..50).map(f64::from));
    consolidate(&store);
    let server = SlowServer::start(folder.path());
    let cluster = cluster_in(1, None);
    let session = ARRAYS.session();
    send_to(&cluster.backend())(&session);
    attach(&session, "ds", &server.uri("slow.zarr")).unwrap();
    let before = cluster_names(&cluster);
    server.pause(Duration::from_secs(23));
    let query = "FROM ds |> AGGREGATE sum(a) AS s GROUP BY t % 7 AS k";
    let sent = std::thread::scope(|scope| {
        let sent = scope.spawn(|| rows(&session, query));
        // By then the executor has asked for the labels; the cells come at once.
        std::thread::sleep(Duration::from_secs(8));
        server.pause(Duration::ZERO);
        sent.join().unwrap()
    });
    let alone = ARRAYS.session();
    attach(&alone, "ds", &store).unwrap();
    same(&rows(&alone, query), &sent, 0.0, query);
    assert_eq!(cluster_names(&cluster), before);
    runtime().block_on(cluster.shut_down());
}

fn cluster_names(cluster: &LocalCluster) -> Vec<String> {
    let members = runtime().block_on(cluster.scheduler().cores());
    members.into_iter().map(|cores| cores.id).collect()
}
