//! The end of the process that has started an executor, as the executor hears of it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::error::ClusterError;
use super::executor::STOPPED;
use super::work_dir::remove_directory;

/// When a process ends, its connections may end a moment before its pipes: who has lost the scheduler of such a process
/// knows after this that the process has ended.
const NEWS_PATIENCE: Duration = Duration::from_secs(1);

/// The process that has started this one, and holds the other end of its standard input.
#[derive(Debug)]
pub(super) struct Parent {
    /// Held from the parent's end on, while what it has left is removed.
    clearing: Arc<Mutex<()>>,
}

impl Parent {
    /// Ends this process when standard input ends, and removes what its parent has left: the directory that it has `given`.
    /// A thread of its own hears that even when all others are busy.
    pub(super) fn watch(given: PathBuf) -> Result<Self, ClusterError> {
        let clearing = Arc::new(Mutex::new(()));
        let parent = Self { clearing: Arc::clone(&clearing) };
        let wait = move || {
            let mut input = std::io::stdin().lock();
            let mut buffer = [0; 64];
            while input.read(&mut buffer).is_ok_and(|bytes| bytes > 0) {}
            let _held = clearing.lock();
            clear_away(&given);
            std::process::exit(STOPPED)
        };
        let thread = std::thread::Builder::new().name("parent".to_string()).spawn(wait);
        thread.map(|_| parent).map_err(ClusterError::system("start a thread"))
    }

    /// Comes back where the parent is there to remove what this process leaves. A scheduler that `is_lost` may have been the
    /// parent's: the news of that is waited for.
    pub(super) fn look_after(&self, is_lost: bool) {
        if is_lost {
            std::thread::sleep(NEWS_PATIENCE);
        }
        // Where the parent has ended, so does this process before the lock is free.
        drop(self.clearing.lock());
    }
}

/// Removes what a parent has made for a child. There is nobody to tell what cannot be removed.
fn clear_away(given: &Path) {
    let _ = std::fs::remove_file(log_of(given));
    let _ = remove_directory(given);
    // The last of several children finds their common place empty.
    let _ = given.parent().map(std::fs::remove_dir);
}

/// What a child with this work directory writes to standard error goes there.
pub(super) fn log_of(work_dir: &Path) -> PathBuf {
    work_dir.with_extension("log")
}
