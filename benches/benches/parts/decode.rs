//! Chunks out of memory into blocks of cells.

use std::error::Error;
use std::ffi::CStr;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use divan::Bencher;
use divan::counter::BytesCount;
use quarray_engine::array::Region;
use quarray_engine::source::store::Store;
use quarray_engine::source::zarr::{self, DecodeOptions};
use tokio::runtime::Runtime;

/// Rows of a chunk and of a block.
const ROWS: usize = 4096;
const BLOCK_ROWS: usize = 256;
const COLUMNS: usize = 1536;
const BYTES: usize = 4 * ROWS * COLUMNS;

/// How the chunk is encoded.
#[derive(Debug, Clone, Copy)]
enum Codec {
    Uncompressed,
    BloscLz4,
    BloscZstd,
    Zstd,
    Lz4,
}

const CODECS: [Codec; 5] = [Codec::Uncompressed, Codec::BloscLz4, Codec::BloscZstd, Codec::Zstd, Codec::Lz4];

impl Codec {
    /// As the array's metadata name it.
    fn compressor(self) -> &'static str {
        match self {
            Self::Uncompressed => "null",
            Self::BloscLz4 => r#"{"id":"blosc","cname":"lz4","clevel":5,"shuffle":1,"blocksize":0}"#,
            Self::BloscZstd => r#"{"id":"blosc","cname":"zstd","clevel":5,"shuffle":1,"blocksize":0}"#,
            Self::Zstd => r#"{"id":"zstd","level":3}"#,
            Self::Lz4 => r#"{"id":"lz4","acceleration":1}"#,
        }
    }

    fn encode(self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        Ok(match self {
            Self::Uncompressed => bytes.to_vec(),
            Self::BloscLz4 => packed(bytes, c"lz4"),
            Self::BloscZstd => packed(bytes, c"zstd"),
            Self::Zstd => zstd::encode_all(bytes, 3)?,
            Self::Lz4 => lz4_flex::compress_prepend_size(bytes),
        })
    }
}

#[divan::bench]
fn memcpy(bencher: Bencher<'_, '_>) {
    let (source, mut target) = (cells(), vec![0u8; BYTES]);
    bencher.counter(BytesCount::new(BYTES)).bench_local(|| black_box(&mut target).copy_from_slice(&source));
}

/// One chunk of 25 MB, opened and decoded block by block.
#[divan::bench(args = CODECS, sample_count = 20)]
fn chunk(bencher: Bencher<'_, '_>, codec: Codec) {
    let prepared = tempfile::tempdir().and_then(|folder| {
        write_store(folder.path(), codec.compressor(), &codec.encode(&cells())?)?;
        Ok((folder, Runtime::new()?))
    });
    match prepared {
        Ok((folder, runtime)) => bencher.counter(BytesCount::new(BYTES)).bench_local(|| {
            let read = read(folder.path(), &runtime);
            assert!(read.is_ok(), "{read:?}");
        }),
        Err(error) => unreachable!("no store: {error}"),
    }
}

/// Reads the chunk a block at a time.
fn read(folder: &Path, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let store = Store::open(&folder.to_string_lossy(), &Default::default())?;
    let dataset = runtime.block_on(zarr::open(store, &DecodeOptions::default()))?;
    let variable = dataset.variables.first().ok_or("no variable")?;
    let chunk = runtime.block_on(variable.array.fetch(&[0, 0]))?;
    for start in (0..ROWS).step_by(BLOCK_ROWS) {
        chunk.read(&Region::new(vec![start as u64, 0], vec![BLOCK_ROWS as u64, COLUMNS as u64]))?;
    }
    Ok(())
}

/// Smooth in the high bits, noise in the low ones, as measurements are.
fn cells() -> Vec<u8> {
    let noise = |cell: usize| (cell.wrapping_mul(2_654_435_761) % 1000) as f32 * 1e-3;
    let value = |cell: usize| (cell / COLUMNS) as f32 * 0.01 + (cell % COLUMNS) as f32 * 0.02 + noise(cell);
    (0..ROWS * COLUMNS).flat_map(|cell| value(cell).to_le_bytes()).collect()
}

fn packed(bytes: &[u8], codec: &CStr) -> Vec<u8> {
    let mut encoded = vec![0u8; bytes.len() + 16];
    // SAFETY: source and target are as long as is told, and the name of the codec ends with a NUL.
    let size = unsafe {
        let (from, to) = (bytes.as_ptr().cast(), encoded.as_mut_ptr().cast());
        blosc_src::blosc_compress_ctx(5, 1, 4, bytes.len(), from, to, encoded.len(), codec.as_ptr(), 0, 1)
    };
    encoded.truncate(usize::try_from(size).unwrap_or(0));
    encoded
}

fn write_store(folder: &Path, compressor: &str, chunk: &[u8]) -> Result<(), std::io::Error> {
    let array = format!(
        r#"{{"zarr_format":2,"shape":[{ROWS},{COLUMNS}],"chunks":[{ROWS},{COLUMNS}],"dtype":"<f4","compressor":{compressor},"fill_value":"NaN","order":"C","filters":null}}"#
    );
    fs::create_dir_all(folder.join("v"))?;
    fs::write(folder.join("v/0.0"), chunk)?;
    fs::write(
        folder.join(".zmetadata"),
        format!(
            r#"{{"zarr_consolidated_format":1,"metadata":{{".zgroup":{{"zarr_format":2}},"v/.zarray":{array},"v/.zattrs":{{"_ARRAY_DIMENSIONS":["y","x"]}}}}}}"#
        ),
    )
}
