//! The same cells in other chunks, read in other blocks by other threads: the answers are the same.

use std::path::Path;

use crate::answer::{Answer, Cell};
use crate::run::{Ending, Settings, attach, run};
use crate::store::{ArrayToWrite, Stored, write_store};

const SHAPE: [usize; 3] = [130, 40, 37];

/// Whole; slabs as files often have them; tiles; series.
pub const CHUNKINGS: [[usize; 3]; 4] = [[130, 40, 37], [10, 40, 37], [31, 13, 16], [130, 3, 5]];

/// A block of part of a slab, of some slabs, of everything.
const BLOCK_BYTES: [u64; 4] = [4 << 10, 64 << 10, 1 << 20, 64 << 20];

const THREADS: [usize; 4] = [1, 2, 3, 7];

/// Reductions along every side, groups, masks, arithmetic of two arrays, windows, anomalies, order statistics.
pub const QUERIES: [&str; 12] = [
    "FROM ds |> REDUCE avg(a) ALONG y, x",
    "FROM ds |> REDUCE avg(a) AS m, stddev(b) AS s, min(a) AS low, max(b) AS high ALONG t",
    "FROM ds |> AGGREGATE avg(a) AS v, sum(b) AS s GROUP BY y, x, t % 12 AS month",
    "FROM ds |> REDUCE avg((a + b) / 2) AS v ALONG y, x",
    "FROM ds[t[20:90], y[5:30], x[3:20]] |> REDUCE avg(a), count(b) ALONG t",
    "FROM ds |> REDUCE count(b) FILTER (WHERE b > 10) AS hot, first(a), last(b) ALONG t",
    "FROM ds |> EXTEND avg(a[t-6:t]) AS week |> REDUCE max(week) AS week ALONG t",
    "FROM ds |> EXTEND a - avg(a) OVER (PARTITION BY y, x, t % 12) AS anomaly |> REDUCE stddev_pop(anomaly) AS spread ALONG t",
    "FROM ds |> REDUCE quantile(a, 0.9) AS q, median(b) AS m ALONG t",
    "FROM ds |> COARSEN max(a) AS v BY t 10, y 4",
    "FROM ds |> REDUCE sum(a) AS s, var_pop(b) AS v, argmax(b) AS k ALONG x",
    "FROM ds |> REDUCE sum(a) AS s, count(b) AS n, median(a) AS m ALONG t, y, x",
];

#[test]
fn answers_do_not_depend_on_chunks_blocks_or_threads() {
    let folder = tempfile::tempdir().unwrap();
    let stores: Vec<_> = CHUNKINGS.iter().map(|chunking| write_chunks_of(folder.path(), *chunking)).collect();
    for query in QUERIES {
        let expected = answer(&stores[0], query, 1, 1 << 20);
        for store in &stores {
            for block_bytes in BLOCK_BYTES {
                let alone = answer(store, query, 1, block_bytes);
                let what = format!("{query}\n{} in blocks of {block_bytes} bytes", store.display());
                same(&expected, &alone, 1e-11, &what);
                // Larger blocks are one block, which one thread reads.
                let others = if block_bytes > 64 << 10 { &[][..] } else { &THREADS[1..] };
                for threads in others {
                    same(
                        &alone,
                        &answer(store, query, *threads, block_bytes),
                        0.0,
                        &format!("{what}, {threads} threads"),
                    );
                }
            }
        }
    }
}

pub fn write_chunks_of(folder: &Path, chunk_shape: [usize; 3]) -> std::path::PathBuf {
    let path = folder.join(chunk_shape.map(|length| length.to_string()).join("x"));
    let cells: usize = SHAPE.iter().product();
    // Cells far from each other in size, with missing ones among them, and a column of nothing else.
    let value = |k: usize, seed: usize| {
        let random = (k * 2_654_435_761 + seed * 40_503) % 10_007;
        let is_missing = random.is_multiple_of(11) || k % SHAPE[2] == 4;
        let outlier = if random.is_multiple_of(97) { 1e5 } else { 0.0 };
        (!is_missing).then_some(random as f64 * 0.0123 - 30.0 + outlier)
    };
    let array = |name: &str, stored, seed| ArrayToWrite {
        name: name.to_string(),
        dimensions: ["t", "y", "x"].map(str::to_string).to_vec(),
        shape: SHAPE.to_vec(),
        chunk_shape: chunk_shape.to_vec(),
        stored,
        values: (0..cells).map(|k| value(k, seed)).collect(),
        attributes: String::new(),
    };
    write_store(&path, 2, true, &[array("a", Stored::F4, 1), array("b", Stored::F8, 2)]);
    path
}

fn answer(store: &Path, query: &str, threads: usize, block_bytes: u64) -> Answer {
    let session = Settings { grid: true, threads, block_bytes }.session();
    attach(&session, "ds", store).unwrap();
    match run(&session, query) {
        Ending::Rows(answer) => answer,
        other => panic!("{query}: expected rows, found {other:?}"),
    }
}

/// Fails unless both are the same, floats up to a share of their size.
pub fn same(expected: &Answer, found: &Answer, allowed: f64, what: &str) {
    assert_eq!(expected.rows(), found.rows(), "{what}");
    for (wanted, column) in expected.columns.iter().zip(&found.columns) {
        assert_eq!(wanted.name, column.name, "{what}");
        for (row, pair) in wanted.cells.iter().zip(&column.cells).enumerate() {
            let is_same = match pair {
                (Cell::Float(a), Cell::Float(b)) if allowed > 0.0 => (a - b).abs() <= allowed * a.abs().max(1.0),
                (a, b) => a == b,
            };
            assert!(is_same, "{what}\n{} in row {row}: expected {:?}, found {:?}", wanted.name, pair.0, pair.1);
        }
    }
}

/// Infinities make NaNs that are values: they are told from missing cells in blocks as they are in rows.
#[test]
fn a_nan_that_is_a_result_is_no_missing_cell() {
    let folder = tempfile::tempdir().unwrap();
    let values = [Some(f64::INFINITY), Some(f64::NEG_INFINITY), None, Some(1.0), Some(2.0), Some(4.0)];
    let array = ArrayToWrite {
        name: "a".to_string(),
        dimensions: vec!["t".to_string()],
        shape: vec![values.len()],
        chunk_shape: vec![2],
        stored: Stored::F8,
        values: values.to_vec(),
        attributes: String::new(),
    };
    write_store(folder.path(), 2, false, &[array]);
    let missing = || Cell::Missing;
    let nan = || Cell::Float(f64::NAN);
    for (query, expected) in [
        (
            "FROM ds |> EXTEND sum(a[t-1:t]) AS v |> SELECT t, v",
            vec![missing(), nan(), missing(), missing(), Cell::Float(3.0), Cell::Float(6.0)],
        ),
        (
            "FROM ds |> EXTEND avg(a) OVER (PARTITION BY t < 2) AS v |> SELECT t, v",
            vec![
                nan(),
                nan(),
                Cell::Float(7.0 / 3.0),
                Cell::Float(7.0 / 3.0),
                Cell::Float(7.0 / 3.0),
                Cell::Float(7.0 / 3.0),
            ],
        ),
        (
            "FROM ds |> EXTEND a - avg(a) OVER (PARTITION BY t) AS v |> SELECT t, v",
            vec![nan(), nan(), missing(), Cell::Float(0.0), Cell::Float(0.0), Cell::Float(0.0)],
        ),
    ] {
        for (grid, block_bytes) in [(true, 8), (true, 1 << 20), (false, 1 << 20)] {
            let session = Settings { grid, threads: 2, block_bytes }.session();
            attach(&session, "ds", folder.path()).unwrap();
            let Ending::Rows(answer) = run(&session, query) else { panic!("{query}: no rows") };
            let found = &answer.column("v").unwrap().cells;
            // As text, in which a NaN is the same as another.
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{query}, grid: {grid}, blocks of {block_bytes}");
        }
    }
}
