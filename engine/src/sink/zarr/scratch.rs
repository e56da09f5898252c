//! A file for cells that wait on the disk: it has no name, and goes with the process however that ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A file that is written once and read once.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    file: Option<File>,
    end: u64,
}

/// Bytes of a scratch file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    offset: u64,
    length: usize,
}

impl Scratch {
    /// Writes bytes to the end.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<Extent> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile()?),
        };
        file.write_all_at(bytes, self.end)?;
        let extent = Extent { offset: self.end, length: bytes.len() };
        self.end += bytes.len() as u64;
        Ok(extent)
    }

    /// Reads bytes that were written.
    pub(super) fn read(&self, extent: Extent) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; extent.length];
        match &self.file {
            Some(file) => file.read_exact_at(&mut bytes, extent.offset)?,
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        Ok(bytes)
    }
}
