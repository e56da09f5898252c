//! Files with wrong bits, wrong bytes and missing ends: errors or values, never a panic, and neither much time nor memory.

use std::process::Command;
use std::time::{Duration, Instant};

use quarray_engine::array::Region;
use quarray_engine::source::SourceError;

use super::reading::open;
use crate::zarr::reading::data;
use crate::zarr::scratch::Numbers;

const FILES: [(&str, &str); 10] = [
    ("cdf1.nc", ""),
    ("cdf2.nc", ""),
    ("cdf5.nc", ""),
    ("one_record.nc", ""),
    ("calendar_360_day.nc", ""),
    ("nc4.nc", ""),
    ("nc4.nc", "/deep/er"),
    ("newer.h5", ""),
    ("older.h5", ""),
    ("user_block.h5", ""),
];
/// Set in the process that reads them.
const INSIDE: &str = "QUARRAY_TEST_NETCDF_MUTANTS";

const ROUNDS: usize = 75;
const CELLS_MAX: u64 = 1 << 20;
const MEMORY_MAX: u64 = 64 << 20;
const TIME_MAX: Duration = Duration::from_secs(1);

fn mutant(good: &[u8], round: usize, numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = good.to_vec();
    if round.is_multiple_of(9) {
        bytes.truncate(numbers.below(good.len()));
        return bytes;
    }
    for _ in 0..numbers.below(6) + 1 {
        // What describes a file is where it hurts.
        let reach = [64, 1024, 4096, bytes.len()][numbers.below(4)];
        let at = numbers.below(reach.min(bytes.len()));
        bytes[at] = numbers.spoilt(bytes[at]);
    }
    bytes
}

/// The first and the last chunk of every variable, as many cells as an operator would want at once.
async fn read(address: String) -> Result<(), SourceError> {
    let dataset = open(&address, &[]).await?;
    for variable in &dataset.variables {
        let grid = variable.array.grid();
        let counts = grid.chunk_counts();
        if counts.contains(&0) {
            continue;
        }
        let last: Vec<u64> = counts.iter().map(|count| count - 1).collect();
        for index in [vec![0; counts.len()], last] {
            let mut region = Region::whole(&grid.chunk_region(&index).shape);
            for dimension in 0..region.rank() {
                let others = region.cells().map_or(u64::MAX, |cells| cells / region.shape[dimension].max(1)).max(1);
                let fit = (CELLS_MAX / others).max(1);
                region.shape[dimension] = region.shape[dimension].min(fit);
            }
            let Ok(chunk) = variable.array.fetch(&index).await else { continue };
            let _ = chunk.read(&region);
        }
    }
    Ok(())
}

fn memory(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes << 10
}

async fn read_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(2718);
    let before = memory("VmRSS");
    let (mut read_count, mut refused) = (0, 0);
    let mut slow = Vec::new();
    for (file, group) in FILES {
        let good = std::fs::read(data("netcdf").join(file)).unwrap();
        for round in 0..ROUNDS {
            let path = folder.path().join(file);
            std::fs::write(&path, mutant(&good, round, &mut numbers)).unwrap();
            let begun = Instant::now();
            let address = format!("{}{group}", path.display());
            // A panic of our own code ends the test; those of the library are errors.
            match tokio::spawn(read(address)).await.unwrap_or_else(|error| panic!("{file} {round}: {error}")) {
                Ok(()) => read_count += 1,
                Err(_) => refused += 1,
            }
            if begun.elapsed() > TIME_MAX {
                slow.push(format!("{file}, round {round}: {:?}", begun.elapsed()));
            }
        }
    }
    let grown = memory("VmHWM").saturating_sub(before);
    println!("{read_count} mutants read, {refused} refused, {} MiB at most", grown >> 20);
    assert!(slow.is_empty(), "{slow:#?}");
    assert!(grown <= MEMORY_MAX, "{} MiB", grown >> 20);
    assert!(refused > 100 && read_count > 100, "{read_count} read, {refused} refused");
}

/// They are read in a process of their own, whose memory nothing else takes.
#[tokio::test]
async fn mutants() {
    if std::env::var_os(INSIDE).is_some() {
        return read_all().await;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let ended = command.env(INSIDE, "1").args(["--exact", "netcdf::hostile::mutants", "--nocapture"]).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    println!("{told}");
    let failures = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && told.contains("1 passed"), "{told}\n{failures}");
}
