//! Chunks that are cut, changed, absent or of another size: an error that names the array, or what was written; never
//! other values where the codec can tell, never a panic.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::scratch::*;

/// An array and one chunk of it for each codec.
const CHUNKS: [(&str, &str); 40] = [
    ("v2/blosc_lz4_1", "0.0"),
    ("v2/blosc_lz4hc_0", "0.0"),
    ("v2/blosc_zstd_2", "0.0"),
    ("v2/blosc_blosclz_0", "0.0"),
    ("v2/blosc_zlib_1", "0.0"),
    ("v2/blosc_memcpy", "0.0"),
    ("v3/blosc_tail", "c/0/0"),
    ("v2/f_order", "0.0.0"),
    ("v2/f_order_big", "0.0.0"),
    ("v2/gzip", "0.0"),
    ("v2/slashes", "0/0"),
    ("v2/lz4", "0.0"),
    ("v2/lzma", "0.0"),
    ("v2/bz2", "0.0"),
    ("v2/shuffle", "0.0.0"),
    ("v2/delta_f8", "0.0.0"),
    ("v2/delta_big", "0"),
    ("v2/scale_offset", "0.0"),
    ("v2/quantize", "0.0.0"),
    ("v2/packbits", "0"),
    ("v2/crc32", "0.0"),
    ("v2/crc32c", "0.0"),
    ("v2/adler32", "0.0"),
    ("v2/fletcher32", "0.0"),
    ("v2/texts_s", "0"),
    ("v2/texts_u", "0"),
    ("v3/texts", "c/0/0"),
    ("v3/transpose", "c/0/0/0"),
    ("v3/big_endian", "c/0/0"),
    ("v3/dots", "c.0.0"),
    ("v3/bool", "c/0/0"),
    ("v3/shard_plain_start", "c/0/0"),
    ("v3/shard_zstd_start", "c/0/0"),
    ("v3/shard_blosc_end", "c/0/0"),
    ("v3/shard_nested", "c/0/0"),
    ("v3/shard_gzip_around", "c/0/0"),
    ("v3/shard_zfpy", "c/0/0"),
    ("v2/zfpy_i8_accuracy_4d", "0.0.0.0"),
    ("v2/zfpy_f4_rate_4d", "0.0.0.0"),
    ("v3/zfpy", "c/0/0"),
];

/// Where a checksum or a hash covers the chunk.
const CHECKED: [(&str, &str); 8] = [
    ("v2/crc32", "0.0"),
    ("v2/crc32c", "0.0"),
    ("v2/adler32", "0.0"),
    ("v2/fletcher32", "0.0"),
    ("v2/gzip", "0.0"),
    ("v2/slashes", "0/0"),
    ("v2/lzma", "0.0"),
    ("v3/big_endian", "c/0/0"),
];

/// At most that many numbers below `limit`, evenly spread.
fn spread(limit: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..limit).step_by(limit.div_ceil(count).max(1))
}

#[tokio::test]
async fn cut_chunks_are_refused() {
    for (store, key) in CHUNKS {
        let scratch = Scratch::of(store);
        let good = scratch.read(key);
        let last_bytes = good.len().saturating_sub(9)..good.len();
        for length in spread(good.len(), 60).chain(last_bytes) {
            scratch.write(key, &good[..length]);
            let message = match scratch.values().await {
                Err(message) => message,
                Ok(_) => panic!("{store}: {length} of {} bytes are read", good.len()),
            };
            assert!(message.contains(scratch.path().to_str().unwrap()), "{store}, {length} bytes: {message}");
        }
    }
}

#[tokio::test]
async fn what_a_checksum_covers_is_right_or_refused() {
    let mut refused = 0;
    for (store, key) in CHECKED {
        let scratch = Scratch::of(store);
        let (good, values) = (scratch.read(key), scratch.values().await.unwrap());
        for bit in spread(good.len() * 8, 400) {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            scratch.write(key, &bytes);
            match scratch.values().await {
                Ok(found) => assert!(found == values, "{store}: bit {bit} of {} is changed", good.len() * 8),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

/// The same array with other chunk lengths in its metadata; the lengths of chunks inside shards, where it has shards.
fn resized(document: &Value, change: impl Fn(u64) -> u64) -> Value {
    let mut document = document.clone();
    let lengths = [
        "/chunks",
        "/codecs/0/configuration/codecs/0/configuration/chunk_shape",
        "/codecs/0/configuration/chunk_shape",
        "/chunk_grid/configuration/chunk_shape",
    ];
    let pointer = lengths.into_iter().find(|pointer| document.pointer(pointer).is_some()).unwrap();
    let last = document.pointer_mut(pointer).unwrap().as_array_mut().unwrap().last_mut().unwrap();
    *last = json!(change(last.as_u64().unwrap()));
    document
}

#[tokio::test]
async fn chunks_of_another_size_are_refused() {
    type Change = (&'static str, fn(u64) -> u64);
    let changes: [Change; 4] =
        [("one more", |n| n + 1), ("one less", |n| (n - 1).max(1)), ("twice", |n| n * 2), ("much", |n| n * 1000)];
    for (store, _) in CHUNKS {
        let scratch = Scratch::of(store);
        let document = scratch.metadata();
        for (name, change) in changes {
            let changed = resized(&document, change);
            if changed == document {
                continue;
            }
            scratch.write(scratch.metadata_key(), changed.to_string());
            let message = match read_all_of_any_size(scratch.path().to_path_buf()).await {
                Err(message) => message,
                Ok(()) => panic!("{store}, {name}: read"),
            };
            assert!(message.contains(scratch.path().to_str().unwrap()), "{store}, {name}: {message}");
        }
    }
}

/// The first chunk of an array, however large its metadata say it is.
async fn read_all_of_any_size(path: PathBuf) -> Result<(), String> {
    let variable = super::reading::open_array(&path).await.map_err(|error| error.to_string())?;
    let first = vec![0; variable.shape().len()];
    let region = quarray_engine::array::Region::whole(&variable.array.grid().chunk_region(&first).shape);
    let chunk = variable.array.fetch(&first).await.map_err(|error| error.to_string())?;
    chunk.read(&region).map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn an_absent_chunk_is_fill() {
    for (store, key) in CHUNKS {
        let scratch = Scratch::of(store);
        let values = scratch.values().await.unwrap();
        scratch.remove(key);
        let found = scratch.values().await.unwrap();
        assert_eq!(values.len(), found.len(), "{store}");
        assert!(values.iter().zip(&found).all(|(a, b)| a.len() == b.len()), "{store}");
        assert!(values != found, "{store}: the values are still there");
    }
}

#[tokio::test]
async fn places_in_a_shard_that_lie_outside_are_refused() {
    let scratch = Scratch::of("v3/shard_bare_index");
    let good = scratch.read("c/0/0");
    // Offset and size of four chunks, highest byte first, without a checksum.
    let index = good.len() - 4 * 16;
    let end = good.len() as u64;
    for (offset, size) in
        [(end, 1), (0, end + 1), (u64::MAX - 1, 80), (1 << 62, 1 << 62), (0, u64::MAX), (0, 79), (0, 0)]
    {
        let mut bytes = good.clone();
        bytes[index..index + 8].copy_from_slice(&u64::to_be_bytes(offset));
        bytes[index + 8..index + 16].copy_from_slice(&u64::to_be_bytes(size));
        scratch.write("c/0/0", &bytes);
        let message = scratch.values().await.unwrap_err();
        assert!(message.contains(scratch.path().to_str().unwrap()), "{offset}, {size}: {message}");
    }
}

#[tokio::test]
async fn a_zfp_header_of_another_array_is_refused() {
    let cases = [
        ("v2/zfpy_f4_rate_4d", "v2/zfpy_f8_precision_4d", "the header tells of double"),
        ("v2/zfpy_i4_rate_2d", "v2/zfpy_i4_accuracy_1d", "the header tells of int32 [10], expected int32 [6, 7]"),
    ];
    for (store, other, expected) in cases {
        let (scratch, other) = (Scratch::of(store), Scratch::of(other));
        let zeros = |scratch: &Scratch| vec!["0"; scratch.metadata()["shape"].as_array().unwrap().len()].join(".");
        scratch.write(&zeros(&scratch), other.read(&zeros(&other)));
        let message = scratch.values().await.unwrap_err();
        assert!(message.contains(expected) && message.contains("chunk [0, 0"), "{message}");
    }
    // A header that tells of the array, of no blocks and no words behind it.
    let scratch = Scratch::of("v2/zfpy_i4_rate_2d");
    let good = scratch.read("0.0");
    scratch.write("0.0", &good[..16]);
    let message = scratch.values().await.unwrap_err();
    assert!(message.contains("bitstream is truncated"), "{message}");
    scratch.write("0.0", [&good[..], &[0; 8]].concat());
    let message = scratch.values().await.unwrap_err();
    assert!(message.contains(&format!("the cells end behind {} bytes", good.len())), "{message}");
    scratch.write("0.0", b"zfp\x04");
    assert!(scratch.values().await.unwrap_err().contains("4 bytes are no whole number of 8-byte words"));
    scratch.write("0.0", [b"zfp\x04", &good[4..]].concat());
    assert!(scratch.values().await.unwrap_err().contains("invalid ZFP header magic"));
}
