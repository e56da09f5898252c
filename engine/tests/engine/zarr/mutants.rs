//! Thousands of chunks with wrong bits, wrong bytes and missing ends: errors or values, never a panic.

use std::path::{Path, PathBuf};

use super::reading::data;
use super::scratch::*;

/// A chunk with something wrong in it.
fn mutant(good: &[u8], round: usize, numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = good.to_vec();
    match round {
        _ if bytes.is_empty() => bytes.push(numbers.below(256) as u8),
        0 => bytes.truncate(numbers.below(good.len())),
        1 => bytes.extend_from_slice(&[0; 100]),
        _ if round.is_multiple_of(7) => bytes.truncate(numbers.below(good.len())),
        _ => {
            for _ in 0..numbers.below(4) + 1 {
                // Headers are where it hurts.
                let reach = [24, 64, bytes.len(), bytes.len()][numbers.below(4)];
                let at = numbers.below(reach.min(bytes.len()));
                bytes[at] = numbers.spoilt(bytes[at]);
            }
        }
    }
    bytes
}

/// What became of mutants.
#[derive(Debug, Default)]
struct Tally {
    read: usize,
    refused: usize,
    panicked: Vec<String>,
}

impl Tally {
    /// Reads as many mutants of a chunk.
    async fn add(&mut self, scratch: &Scratch, name: &str, key: &str, rounds: usize, numbers: &mut Numbers) {
        let good = scratch.read(key);
        for round in 0..rounds {
            let bytes = mutant(&good, round, numbers);
            scratch.write(key, &bytes);
            match tokio::spawn(read_all(scratch.path().to_path_buf())).await {
                Ok(Ok(_)) => self.read += 1,
                Ok(Err(_)) => self.refused += 1,
                Err(_) => self.panicked.push(format!("{name}/{key}: {bytes:02x?}")),
            }
        }
        scratch.write(key, good);
    }

    fn check(&self, at_least: usize) {
        let Self { read, refused, panicked } = self;
        println!("{read} mutants read, {refused} refused, {} panicked", panicked.len());
        assert!(panicked.is_empty(), "{panicked:#?}");
        assert!(read + refused >= at_least && *refused > 0, "{read} read, {refused} refused");
    }
}

/// The folders of arrays at and under a folder.
fn arrays(folder: &Path, found: &mut Vec<PathBuf>) {
    let metadata = [".zarray", "zarr.json"].map(|name| std::fs::read_to_string(folder.join(name)).unwrap_or_default());
    if metadata.iter().any(|text| text.contains("\"shape\"") && !text.contains("\"consolidated_metadata\"")) {
        return found.push(folder.to_path_buf());
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.iter().filter(|path| path.is_dir()).for_each(|path| arrays(path, found));
}

/// The keys of the chunks at and under a folder that have at most so many bytes.
fn chunk_keys(root: &Path, folder: &Path, max_bytes: u64, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() {
            chunk_keys(root, &path, max_bytes, found);
        } else if !name.starts_with(".z") && name != "zarr.json" && entry.metadata().unwrap().len() <= max_bytes {
            found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_string());
        }
    }
    found.sort();
}

#[tokio::test]
async fn every_small_chunk() {
    let (mut numbers, mut tally) = (Numbers(4711), Tally::default());
    let mut folders = Vec::new();
    arrays(&data("zarr"), &mut folders);
    for folder in &folders {
        let scratch = Scratch::of_folder(folder);
        let mut keys = Vec::new();
        chunk_keys(scratch.path(), scratch.path(), 4096, &mut keys);
        // All chunks of an array are alike but for the last.
        let last = keys.len().saturating_sub(1);
        for key in [0, last / 2, last].iter().filter_map(|&at| keys.get(at)) {
            tally.add(&scratch, &folder.display().to_string(), key, 5, &mut numbers).await;
        }
    }
    tally.check(3000);
}

#[tokio::test]
async fn every_codec_in_depth() {
    let (mut numbers, mut tally) = (Numbers(99), Tally::default());
    let mut folders = Vec::new();
    arrays(&data("zarr/made/v2"), &mut folders);
    arrays(&data("zarr/made/v3"), &mut folders);
    arrays(&data("zarr/others/zarrs/v3"), &mut folders);
    let in_depth = [
        "blosc", "zstd", "gzip", "lz", "bz2", "shuffle", "packbits", "crc", "fletcher", "pcodec", "zfpy", "shard",
        "texts",
    ];
    for folder in &folders {
        let name = folder.file_name().unwrap().to_str().unwrap();
        if in_depth.iter().any(|part| name.contains(part)) {
            let scratch = Scratch::of_folder(folder);
            let mut keys = Vec::new();
            chunk_keys(scratch.path(), scratch.path(), 32 << 10, &mut keys);
            if let Some(key) = keys.first() {
                tally.add(&scratch, name, key, 60, &mut numbers).await;
            }
        }
    }
    tally.check(3000);
}
