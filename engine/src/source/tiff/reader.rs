//! The parts of a file that describe it, read in few requests.

use bytes::Bytes;

use crate::source::SourceError;
use crate::source::file::SourceFile;

/// Bytes of the first request: the directories of most files lie in them.
const START_BYTES: u64 = 64 << 10;

/// Bytes of what a file says of itself, at most: files that say more are not worth the memory.
const TOLD_BYTES_MAX: u64 = 32 << 20;

/// A file of which the beginning has been read.
#[derive(Debug)]
pub(super) struct Reader {
    /// The file.
    pub file: SourceFile,
    /// Its address, for messages.
    pub uri: String,
    /// Its bytes, all of them.
    pub size: u64,
    start: Bytes,
    /// What was read last: where it begins, and its bytes. Directories lie near each other.
    last: (u64, Bytes),
    told: u64,
}

impl Reader {
    /// Reads the beginning of a file.
    pub async fn open(file: SourceFile) -> Result<Self, SourceError> {
        let size = file.size().await?;
        let start = file.read(0..START_BYTES.min(size)).await?;
        Ok(Self { uri: file.uri.clone(), file, size, start, last: (0, Bytes::new()), told: 0 })
    }

    /// The bytes of a range, which the file may not have.
    pub async fn bytes(&mut self, offset: u64, length: u64) -> Result<Bytes, SourceError> {
        let end = offset.checked_add(length).filter(|&end| end <= self.size);
        let Some(end) = end else {
            return Err(self.wrong(&format!("{length} bytes at {offset}: the file has {} of them", self.size)));
        };
        self.told = self.told.saturating_add(length);
        if self.told > TOLD_BYTES_MAX {
            return Err(self.wrong(&format!("more than {TOLD_BYTES_MAX} bytes of tags")));
        }
        if let Some(bytes) = part(0, &self.start, offset, end).or_else(|| part(self.last.0, &self.last.1, offset, end))
        {
            return Ok(bytes);
        }
        let ahead = end.max(offset.saturating_add(START_BYTES)).min(self.size);
        self.last = (offset, self.file.read(offset..ahead).await?);
        part(offset, &self.last.1, offset, end).ok_or_else(|| self.wrong("the file was cut while it was read"))
    }

    /// An error of what the file says of itself.
    pub fn wrong(&self, message: &str) -> SourceError {
        SourceError::Metadata { array: self.uri.clone(), message: message.to_string() }
    }
}

fn part(start: u64, bytes: &Bytes, from: u64, to: u64) -> Option<Bytes> {
    let from = usize::try_from(from.checked_sub(start)?).ok()?;
    let to = usize::try_from(to.checked_sub(start)?).ok()?;
    (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
}
