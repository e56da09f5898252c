//! A store with 20,000 chunks of 50 KB: what a chunk costs beyond reading and decoding it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use blosc_src::{blosc_compress_ctx, blosc_decompress_ctx};

use super::error::Error;
use super::process::{Run, run};
use super::setting::{default_data, quarray};
use super::table::Figures;

const CHUNKS: usize = 20_000;
const ROWS: usize = 125;
const COLUMNS: usize = 100;
const CHUNK_BYTES: usize = ROWS * COLUMNS * 4;

/// The mean of each chunk by Quarray and by a bare loop, alternately; gives the figures as text.
pub fn small_chunks(data: Option<&Path>, rounds: usize) -> Result<String, Error> {
    let folder = data.map_or_else(default_data, Path::to_path_buf);
    let store = folder.join("small-chunks.zarr");
    let scratch = folder.join("scratch");
    fs::create_dir_all(&scratch)
        .and_then(|()| write_store(&store))
        .map_err(|error| Error::File { path: store.clone(), error })?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let (mut ours, mut bare) = (Figures::default(), Figures::default());
    for _ in 0..rounds {
        let query = format!("FROM '{}' |> REDUCE avg(v) ALONG y, x", store.display());
        let mut command = Command::new(quarray()?);
        ours.add(&run(command.args(["--format", "csv", "-c", &query]), &scratch)?);
        let start = Instant::now();
        let total = read_and_decode(&store, threads);
        bare.add(&Run { seconds: start.elapsed().as_secs_f64(), peak_megabytes: 0.0, output: total.to_string() });
    }
    let (ours_seconds, bare_seconds) = (ours.median().unwrap_or(0.0), bare.median().unwrap_or(0.0));
    let overhead = (ours_seconds - bare_seconds) / CHUNKS as f64 * 1e6;
    Ok(format!(
        "{CHUNKS} chunks of {CHUNK_BYTES} bytes, {threads} threads: Quarray {ours_seconds:.3} s (whole process, {:.0} MB), reading and \
         decoding alone {bare_seconds:.3} s: {overhead:.1} µs a chunk more",
        ours.peak_megabytes()
    ))
}

/// Reads and decodes every chunk, and adds it up.
fn read_and_decode(store: &Path, threads: usize) -> f64 {
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut total, mut decoded) = (0.0, vec![0f32; ROWS * COLUMNS]);
        loop {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            if chunk >= CHUNKS {
                return total;
            }
            let Ok(encoded) = fs::read(chunk_path(store, chunk)) else { return f64::NAN };
            // SAFETY: the buffer was written below by blosc; `decoded` has the room that is told.
            unsafe { blosc_decompress_ctx(encoded.as_ptr().cast(), decoded.as_mut_ptr().cast(), CHUNK_BYTES, 1) };
            total += decoded.iter().map(|&value| f64::from(value)).sum::<f64>();
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(f64::NAN)).sum()
    })
}

fn chunk_path(store: &Path, chunk: usize) -> PathBuf {
    store.join("v").join(format!("{chunk}.0.0"))
}

fn write_store(store: &Path) -> Result<(), std::io::Error> {
    if store.join(".zmetadata").exists() {
        return Ok(());
    }
    eprintln!("making {CHUNKS} chunks");
    fs::create_dir_all(store.join("v"))?;
    let mut encoded = vec![0u8; CHUNK_BYTES + 16];
    for chunk in 0..CHUNKS {
        // Smooth in the high bits, noise in the low ones, as measurements are.
        let cells: Vec<f32> = (0..ROWS * COLUMNS)
            .map(|cell| {
                let noise = (cell.wrapping_mul(2_654_435_761).wrapping_add(chunk * 40_503) % 1_000) as f32;
                (chunk % 365) as f32 * 0.1 + (cell / COLUMNS) as f32 * 0.05 + noise * 1e-3
            })
            .collect();
        // SAFETY: source and target are as long as is told, and the name of the codec ends with a NUL.
        let size = unsafe {
            let (from, to) = (cells.as_ptr().cast(), encoded.as_mut_ptr().cast());
            blosc_compress_ctx(5, 1, 4, CHUNK_BYTES, from, to, encoded.len(), c"lz4".as_ptr(), 0, 1)
        };
        fs::write(chunk_path(store, chunk), &encoded[..usize::try_from(size).unwrap_or(0)])?;
    }
    let metadata = format!(
        r#"{{"zarr_consolidated_format":1,"metadata":{{".zgroup":{{"zarr_format":2}},"v/.zarray":{{"zarr_format":2,"shape":[{CHUNKS},{ROWS},{COLUMNS}],"chunks":[1,{ROWS},{COLUMNS}],"dtype":"<f4","compressor":{{"id":"blosc","cname":"lz4","clevel":5,"shuffle":1,"blocksize":0}},"fill_value":"NaN","order":"C","filters":null}},"v/.zattrs":{{"_ARRAY_DIMENSIONS":["t","y","x"]}}}}}}"#
    );
    fs::write(store.join(".zmetadata"), metadata)
}
