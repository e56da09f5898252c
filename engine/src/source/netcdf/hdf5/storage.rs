//! The file as the HDF5 library sees it.

use std::sync::Arc;

use bytes::Bytes;
use hdf5_reader::error::Error;
use hdf5_reader::storage::DynStorage;
use hdf5_reader::{Storage, StorageBuffer};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::source::SourceError;
use crate::source::netcdf::blocks::BlockFile;
use crate::source::netcdf::guard::guarded;

/// Pieces that one description is read from, at most: one that leads in circles ends there.
const READS_MAX: usize = 1 << 20;

/// Reads what describes a file, on a thread for blocking work: the library asks for bytes and waits. Places are counted
/// from `base`.
pub(super) async fn parse<T: Send + 'static>(
    file: &Arc<BlockFile>,
    base: u64,
    work: impl FnOnce(DynStorage) -> Result<T, Error> + Send + 'static,
) -> Result<T, SourceError> {
    let uri = file.uri().to_string();
    let wrong = |message: String| SourceError::Metadata { array: uri, message };
    let state: Arc<Mutex<State>> = Arc::default();
    let storage =
        Arc::new(WaitingStorage { file: file.clone(), base, runtime: Handle::current(), state: state.clone() });
    let work = move || guarded(|| work(storage).map_err(|error| error.to_string()));
    let found = tokio::task::spawn_blocking(work).await;
    if let Some(failure) = state.lock().failure.take() {
        // What the store said, not what the library made of it.
        return Err(failure);
    }
    match found {
        Ok(found) => found.map_err(wrong),
        Err(error) => Err(wrong(error.to_string())),
    }
}

#[derive(Default)]
struct State {
    reads: usize,
    failure: Option<SourceError>,
}

/// A file whose bytes are waited for.
struct WaitingStorage {
    file: Arc<BlockFile>,
    base: u64,
    runtime: Handle,
    state: Arc<Mutex<State>>,
}

impl Storage for WaitingStorage {
    fn len(&self) -> u64 {
        self.file.size().saturating_sub(self.base)
    }

    fn read_range(&self, offset: u64, len: usize) -> Result<StorageBuffer, Error> {
        let start = offset.checked_add(self.base).ok_or(Error::OffsetOutOfBounds(offset))?;
        let end = start.checked_add(len as u64).ok_or(Error::OffsetOutOfBounds(offset))?;
        if end > self.file.size() {
            let available = self.len().saturating_sub(offset);
            return Err(Error::UnexpectedEof { offset, needed: len as u64, available });
        }
        let mut state = self.state.lock();
        state.reads += 1;
        if state.reads > READS_MAX {
            return Err(Error::ResourceLimit(format!("a description of more than {READS_MAX} pieces")));
        }
        drop(state);
        match self.runtime.block_on(self.file.read_blocks(start..end)) {
            Ok(bytes) => StorageBuffer::from_shared_owner(Arc::<Bytes>::new(bytes), 0, len),
            Err(error) => {
                let message = error.to_string();
                self.state.lock().failure = Some(error);
                Err(Error::Other(message))
            }
        }
    }
}
