//! Copies of arrays, for tests that break them.

use std::path::{Path, PathBuf};

use arrow::array::ArrayRef;
use quarray_engine::source::zarr::DecodeOptions;
use serde_json::Value;
use tempfile::TempDir;

use super::reading::*;

/// A small generator of numbers that are always the same.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    /// Another byte in place of one, of those that hurt most.
    pub fn spoilt(&mut self, byte: u8) -> u8 {
        match self.below(6) {
            0 => 0,
            1 => 0xff,
            2 => 0x7f,
            3 => self.below(256) as u8,
            _ => byte ^ 1 << self.below(8),
        }
    }
}

/// A copy of a store that is gone with the test.
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// A copy of an array or a group under `tests/data/zarr/made`.
    pub fn of(store: &str) -> Self {
        Self::of_folder(&data("zarr/made").join(store))
    }

    /// A copy of any folder.
    pub fn of_folder(folder: &Path) -> Self {
        let scratch = Self { folder: tempfile::tempdir().unwrap() };
        copy_folder(folder, scratch.path());
        scratch
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn read(&self, key: &str) -> Vec<u8> {
        std::fs::read(self.path().join(key)).unwrap_or_else(|error| panic!("{key}: {error}"))
    }

    pub fn write(&self, key: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(key), bytes).unwrap();
    }

    pub fn remove(&self, key: &str) {
        std::fs::remove_file(self.path().join(key)).unwrap();
    }

    /// The name of the array's metadata.
    pub fn metadata_key(&self) -> &'static str {
        if self.path().join("zarr.json").exists() { "zarr.json" } else { ".zarray" }
    }

    /// The array's metadata.
    pub fn metadata(&self) -> Value {
        serde_json::from_slice(&self.read(self.metadata_key())).unwrap()
    }

    /// All values, or the message of the first error.
    pub async fn values(&self) -> Result<Vec<ArrayRef>, String> {
        read_all(self.path().to_path_buf()).await
    }
}

/// All values of a store, but of arrays that are too large for a test; or the message of the first error.
pub async fn read_all(path: PathBuf) -> Result<Vec<ArrayRef>, String> {
    let dataset = open_path(&path, &DecodeOptions::default()).await.map_err(|error| error.to_string())?;
    let mut values = Vec::new();
    for variable in &dataset.variables {
        let product = |lengths: &[u64]| lengths.iter().try_fold(1u64, |a, &b| a.checked_mul(b)).unwrap_or(u64::MAX);
        let grid = variable.array.grid();
        if product(&grid.chunk_counts()) < 100 && product(grid.chunk_shape()) < 100_000 {
            let chunks = chunks(variable).await.map_err(|error| error.to_string())?;
            values.extend(chunks.into_iter().map(|(_, values)| values));
        }
    }
    Ok(values)
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &to.join(entry.file_name())),
            false => {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
}
