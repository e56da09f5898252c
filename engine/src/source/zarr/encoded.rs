//! The encoded bytes of a chunk, wherever they are.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::source::SourceError;
use crate::source::store::{Arriving, LocalFile, Object};

/// The encoded bytes of a chunk: in memory, in a file of which only what is decoded is read, or on their way.
///
/// A chunk of a file is never in memory as a whole: its bytes go from the page cache into the processor's, a piece at a
/// time, and no memory is taken (and cleared by the system first) for tens of megabytes of them.
#[derive(Debug)]
pub(super) enum Encoded {
    /// All of them.
    Memory(Bytes),
    /// Those of a whole file.
    File(LocalFile),
    /// Those that have come, of which the first are decoded while the others are coming.
    Arriving(Arriving),
}

impl Encoded {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File(file) => usize::try_from(file.size()).unwrap_or(usize::MAX),
            Self::Arriving(object) => object.size(),
        }
    }

    /// Waits until those before `end` are there.
    pub async fn wait(&self, end: usize) -> Result<(), SourceError> {
        match self {
            Self::Arriving(object) => object.wait(end).await,
            Self::Memory(_) | Self::File(_) => Ok(()),
        }
    }

    /// How many of them are in memory.
    pub fn memory_size(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File(_) => 0,
            Self::Arriving(object) => object.size(),
        }
    }

    /// The bytes of a range, which may be an error to ask for.
    pub fn part(&self, range: Range<usize>) -> Result<Cow<'_, [u8]>, String> {
        let outside = || format!("bytes {range:?} are not there: it has {} of them", self.len());
        let missing = || format!("bytes {range:?} have not come");
        if range.start > range.end || range.end > self.len() {
            return Err(outside());
        }
        match self {
            Self::Memory(bytes) => bytes.get(range.clone()).map(Cow::Borrowed).ok_or_else(outside),
            Self::File(file) => {
                let read = file.read(range.start as u64..range.end as u64);
                read.map(Cow::Owned).map_err(|error| error.to_string())
            }
            Self::Arriving(object) => object.part(range.clone()).map(Cow::Owned).ok_or_else(missing),
        }
    }

    /// All of them, in memory.
    pub fn into_memory(self) -> Result<Bytes, String> {
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::File(file) => file.read(0..file.size()).map(Bytes::from).map_err(|error| error.to_string()),
            Self::Arriving(object) => {
                let bytes = object.part(0..object.size()).map(Bytes::from);
                bytes.ok_or_else(|| format!("{} bytes have not all come", object.size()))
            }
        }
    }
}

impl From<Object> for Encoded {
    fn from(object: Object) -> Self {
        match object {
            Object::Bytes(bytes) => Self::Memory(bytes),
            Object::File(file) => Self::File(file),
            Object::Arriving(object) => Self::Arriving(object),
        }
    }
}

impl From<Bytes> for Encoded {
    fn from(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }
}
