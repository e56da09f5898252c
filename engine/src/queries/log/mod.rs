//! The log of statements on disk: a line of JSON each, in files that are replaced by new ones when they are full.
//!
//! A thread of its own writes; statements never wait for it. A new process reads the last records when it starts.

mod files;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::record::QueryRecord;
use files::LogFiles;

/// Records that wait to be written; of more, the latest are lost.
const WAITING_MAX: usize = 4096;

/// Where the log is, and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryLogSettings {
    /// The directory of its files, which is made where it is not there.
    pub directory: PathBuf,
    /// A file that has so many bytes is followed by another.
    pub file_bytes_max: u64,
    /// Files that are kept.
    pub files_max: usize,
}

impl QueryLogSettings {
    /// Eight files of 16 MiB in a directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), file_bytes_max: 16 << 20, files_max: 8 }
    }
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum QueryLogError {
    /// Another process writes it.
    #[error("the query log in {directory} is in use by another process")]
    InUse {
        /// Its directory.
        directory: String,
    },
    /// A file cannot be read or written.
    #[error("query log: cannot {action} {path}: {error}")]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
}

/// A log that is written. What it was given is on disk when it is dropped.
pub(super) struct QueryLog {
    records: Option<SyncSender<Arc<QueryRecord>>>,
    writer: Option<JoinHandle<()>>,
    lost: Arc<AtomicU64>,
}

impl QueryLog {
    /// Begins to write, and gives the last records that there are, the latest last.
    pub(super) fn open(settings: &QueryLogSettings, limit: usize) -> Result<(Self, Vec<QueryRecord>), QueryLogError> {
        let (files, last) = LogFiles::open(settings, limit)?;
        let (records, waiting) = sync_channel(WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        let writer = std::thread::Builder::new().name("query log".to_string());
        let writer = writer.spawn(move || write(files, &waiting, &counter)).map_err(|error| QueryLogError::File {
            action: "start a thread for",
            path: settings.directory.display().to_string(),
            error,
        })?;
        Ok((Self { records: Some(records), writer: Some(writer), lost }, last))
    }

    /// Has a record written, soon.
    pub(super) fn append(&self, record: &Arc<QueryRecord>) {
        let sent = self.records.as_ref().map(|records| records.try_send(Arc::clone(record)));
        if !matches!(sent, Some(Ok(()))) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records that could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for QueryLog {
    fn drop(&mut self) {
        self.records = None;
        if let Some(writer) = self.writer.take() {
            // A writer that broke off has nothing more to write.
            let _ = writer.join();
        }
    }
}

fn write(mut files: LogFiles, waiting: &Receiver<Arc<QueryRecord>>, lost: &AtomicU64) {
    while let Ok(record) = waiting.recv() {
        let mut line = record.to_json().to_string();
        line.push('\n');
        if files.write(line.as_bytes()).is_err() {
            // There is nobody to tell: a full disk ends no queries. The next record tries again.
            lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}
