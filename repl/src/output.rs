//! Where results go: standard output, or a file that appears only when it is complete.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::args::Format;
use crate::failure::Failure;

/// A file written under another name in the same folder, renamed when it is complete. Dropped before that, it leaves
/// nothing behind.
#[derive(Debug)]
pub struct PendingFile {
    target: PathBuf,
    /// `None` for what is no ordinary file (`/dev/null`, a pipe): it is written directly.
    written: Option<PathBuf>,
    file: File,
}

impl PendingFile {
    /// Opens a file that is to become `target`.
    pub fn create(target: &Path) -> io::Result<Self> {
        // A link stays, what it points at is replaced.
        let target = target.canonicalize().unwrap_or_else(|_| target.to_path_buf());
        if let Ok(known) = target.metadata() {
            if known.is_dir() {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
            }
            if !known.is_file() {
                let file = OpenOptions::new().write(true).open(&target)?;
                return Ok(Self { target, written: None, file });
            }
        }
        let Some(name) = target.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file name"));
        };
        // The extension stays the last part of the name: the drawing library goes by it.
        let written = target.with_file_name(format!(".{}.{}", std::process::id(), name.to_string_lossy()));
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&written)?;
        Ok(Self { target, written: Some(written), file })
    }

    /// Where the bytes are for now.
    pub fn path(&self) -> &Path {
        self.written.as_deref().unwrap_or(&self.target)
    }

    /// Another handle on the file, at the same place in it.
    pub fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// The file is complete: gives it its name.
    pub fn commit(mut self) -> io::Result<()> {
        match self.written.take() {
            Some(written) => std::fs::rename(&written, &self.target).inspect_err(|_| {
                let _ = std::fs::remove_file(&written);
            }),
            None => Ok(()),
        }
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if let Some(written) = self.written.take() {
            // Best effort: there is nobody to tell.
            let _ = std::fs::remove_file(written);
        }
    }
}

/// A file that takes results, and how many it has.
#[derive(Debug)]
pub struct OutputFile {
    path: String,
    pending: PendingFile,
    results: Arc<AtomicUsize>,
}

/// What a statement needs to write its result to an [`OutputFile`].
#[derive(Debug)]
pub struct OutputSlot {
    file: File,
    path: String,
    results: Arc<AtomicUsize>,
}

impl OutputFile {
    /// A file for results, not there before [`OutputFile::commit`].
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        match PendingFile::create(path) {
            Ok(pending) => Ok(Self { path: name, pending, results: Arc::default() }),
            Err(error) => Err(Failure::Output { path: name, error }),
        }
    }

    /// For the next statement.
    pub fn slot(&self) -> Result<OutputSlot, Failure> {
        match self.pending.handle() {
            Ok(file) => Ok(OutputSlot { file, path: self.path.clone(), results: Arc::clone(&self.results) }),
            Err(error) => Err(Failure::Output { path: self.path.clone(), error }),
        }
    }

    /// Every statement has run: the file takes its place.
    pub fn commit(self) -> Result<(), Failure> {
        let path = self.path;
        self.pending.commit().map_err(|error| Failure::Output { path, error })
    }
}

impl OutputSlot {
    /// The file, unless it holds a result already that the format allows no other to follow.
    pub fn take(self, format: Format) -> Result<File, Failure> {
        let earlier = self.results.fetch_add(1, Ordering::Relaxed);
        match earlier > 0 && !format.can_be_joined() {
            true => Err(Failure::SecondResult(self.path)),
            false => Ok(self.file),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.csv");
        let pending = PendingFile::create(&target).unwrap();
        pending.handle().unwrap().write_all(b"a\n").unwrap();
        assert!(!target.exists());
        pending.commit().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"a\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_abandoned_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(PendingFile::create(&folder.path().join("out.csv")).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(PendingFile::create(folder.path()).is_err());
    }
}
