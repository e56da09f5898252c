//! Hundreds of files with wrong bits, wrong bytes and missing ends: errors or values, never a panic, never much memory or
//! time.
//!
//! They are read in a process of their own, whose memory nothing else takes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use quarray_engine::array::Region;

use super::reading::*;
use crate::zarr::scratch::Numbers;

/// Set in the process of their own.
const INSIDE: &str = "QUARRAY_TEST_TIFF_MUTANTS";

const FILES_MIN: usize = 700;
const MEMORY_MAX_KIB: u64 = 64 << 10;
const TIME_MAX: Duration = Duration::from_secs(1);

/// Chunks of one file that are read, and cells of one that are asked for.
const CHUNKS_MAX: u64 = 24;
const CELLS_MAX: u64 = 1 << 18;

/// A file with something wrong in it, mostly in its directories.
fn mutant(good: &[u8], round: usize, numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = good.to_vec();
    if round == 0 {
        bytes.truncate(numbers.below(good.len()));
        return bytes;
    }
    let is_little = bytes[0] == b'I';
    let number = |bytes: &[u8]| {
        let four: [u8; 4] = bytes.try_into().unwrap();
        if is_little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) }
    };
    // Where the first directory is, as files of four gigabytes at most have it.
    let directory = (number(&bytes[4..8]) as usize).min(bytes.len() - 1);
    for _ in 0..numbers.below(3) + 1 {
        let (start, reach) = match numbers.below(4) {
            0 => (0, bytes.len()),
            1 => (0, 16.min(bytes.len())),
            _ => (directory, 240.min(bytes.len() - directory)),
        };
        let at = start + numbers.below(reach);
        bytes[at] = numbers.spoilt(bytes[at]);
    }
    bytes
}

/// The files of the project that are small, so that a wrong byte is likely to matter.
fn files() -> Vec<PathBuf> {
    let folders = ["made", "others"].map(data);
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.metadata().unwrap().len() < 24 << 10);
    files.sort();
    files
}

/// Opens a file and reads the first chunks of it, as far as a query would read each at a time.
async fn read_some(path: PathBuf, overview: usize) -> Result<(), String> {
    let overview = overview.to_string();
    let dataset = open_file(&path, &[("overview", &overview)]).await.map_err(|error| error.to_string())?;
    for variable in &dataset.variables {
        let grid = variable.array.grid();
        let counts = grid.chunk_counts();
        let count = counts.iter().fold(1u64, |count, &along| count.saturating_mul(along));
        for number in 0..count.min(CHUNKS_MAX) {
            let index = index_of(number, &counts);
            let chunk = variable.array.fetch(&index).await.map_err(|error| error.to_string())?;
            let mut piece = Region::whole(&grid.chunk_region(&index).shape);
            while piece.cells().is_none_or(|cells| cells > CELLS_MAX) {
                let longest = (0..piece.rank()).max_by_key(|&d| piece.shape[d]).unwrap();
                piece.shape[longest] = piece.shape[longest].div_ceil(2);
            }
            chunk.read(&piece).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// The most memory that this process has had since it was last forgotten.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn read_all() {
    let folder = tempfile::tempdir().unwrap();
    let (mut numbers, mut read, mut refused) = (Numbers(2026), 0, 0);
    let files = files();
    let rounds = FILES_MIN.div_ceil(files.len());
    for file in &files {
        let good = std::fs::read(file).unwrap();
        for round in 0..rounds {
            let bytes = mutant(&good, round, &mut numbers);
            let path = folder.path().join("mutant.tif");
            std::fs::write(&path, &bytes).unwrap();
            std::fs::write("/proc/self/clear_refs", "5").unwrap();
            let (before, begun) = (peak_kib(), Instant::now());
            let ending = tokio::spawn(read_some(path.clone(), round % 2 * numbers.below(2))).await;
            let told = || format!("{}, round {round}: {:02x?}", file.display(), &bytes[..bytes.len().min(400)]);
            match ending.unwrap_or_else(|_| panic!("it panicked: {}", told())) {
                Ok(()) => read += 1,
                Err(message) => {
                    refused += 1;
                    assert!(message.contains("mutant.tif"), "{message}");
                }
            }
            let (taken, time) = (peak_kib().saturating_sub(before), begun.elapsed());
            assert!(taken <= MEMORY_MAX_KIB, "{taken} KiB: {}", told());
            assert!(time <= TIME_MAX, "{time:?}: {}", told());
        }
    }
    println!("{read} mutants read, {refused} refused");
    assert!(read + refused >= FILES_MIN && refused > FILES_MIN / 4 && read > FILES_MIN / 10);
}

#[tokio::test]
async fn mutants() {
    if std::env::var_os(INSIDE).is_some() {
        return read_all().await;
    }
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "tiff::mutants::mutants", "--nocapture"];
    let output = Command::new(Path::new(&program)).args(arguments).env(INSIDE, "1").output().unwrap();
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{told}");
    assert!(output.status.success() && told.contains("mutants read"), "{told}\n{errors}");
}
