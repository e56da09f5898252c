//! Where results go: standard output, or a file that appears only when it is complete.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file written under another name in the same folder, renamed when it is complete. Dropped before that, it leaves
/// nothing behind.
#[derive(Debug)]
pub struct PendingFile {
    target: PathBuf,
    written: PathBuf,
    file: Option<File>,
}

impl PendingFile {
    /// Opens a file that is to become `target`.
    pub fn create(target: &Path) -> io::Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} is no file name", target.display())));
        };
        if target.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, format!("{} is a folder", target.display())));
        }
        // The extension stays the last part of the name: writers choose their format by it.
        let written = target.with_file_name(format!(".{}.{}", std::process::id(), name.to_string_lossy()));
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&written)?;
        Ok(Self { target: target.to_path_buf(), written, file: Some(file) })
    }

    /// Where the bytes are for now.
    pub fn written_path(&self) -> &Path {
        &self.written
    }

    /// Another handle on the file, at the same place in it.
    pub fn handle(&self) -> io::Result<File> {
        match &self.file {
            Some(file) => file.try_clone(),
            None => Err(io::Error::other("the file is complete")),
        }
    }

    /// The file is complete: gives it its name.
    pub fn commit(mut self) -> io::Result<()> {
        if let Some(mut file) = self.file.take() {
            file.flush()?;
        }
        std::fs::rename(&self.written, &self.target).inspect_err(|_| {
            let _ = std::fs::remove_file(&self.written);
        })
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Best effort: there is nobody to tell.
            let _ = std::fs::remove_file(&self.written);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
