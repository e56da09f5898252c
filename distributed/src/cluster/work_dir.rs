//! The directory of an executor: shuffled data, and what does not fit into memory.
//!
//! It is removed at the end. One whose executor was killed is removed by the next executor that looks for a place beside
//! it: an executor holds a lock on its directory for as long as it lives, however it ends.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::error::ClusterError;

/// How the names of such directories begin.
const PREFIX: &str = "quarray-work-";

/// A directory is removed in so many tries.
const REMOVAL_TRIES: usize = 20;

/// The pause between two of them.
const REMOVAL_PAUSE: Duration = Duration::from_millis(10);

/// A new directory may be taken for an abandoned one before it is locked; so often another is made.
const CREATION_TRIES: usize = 10;

/// A directory of this process.
#[derive(Debug)]
pub(super) struct WorkDir {
    directory: TempDir,
    _lock: File,
}

impl WorkDir {
    /// Makes a directory in `parent`, and removes those that nobody uses any more.
    pub(super) fn create(parent: &Path) -> Result<Self, ClusterError> {
        let wrong = || ClusterError::system("create the work directory");
        std::fs::create_dir_all(parent).map_err(wrong())?;
        remove_abandoned(parent);
        for _ in 0..CREATION_TRIES {
            let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).map_err(wrong())?;
            if let Some(lock) = lock(directory.path()) {
                return Ok(Self { directory, _lock: lock });
            }
        }
        Err(wrong()(std::io::Error::new(std::io::ErrorKind::ResourceBusy, "others remove it each time")))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Removes it.
    pub(super) fn remove(self) -> Result<(), ClusterError> {
        remove_directory(self.path()).map_err(ClusterError::system("remove the work directory"))
    }
}

/// Removes the directories of executors that were killed.
fn remove_abandoned(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_one = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_one && let Some(_lock) = lock(&entry.path()) {
            // What cannot be removed now is tried again by the next.
            let _ = remove_directory(&entry.path());
        }
    }
}

/// The lock of a directory that is there, unless somebody else has it.
fn lock(directory: &Path) -> Option<File> {
    let file = File::open(directory).ok()?;
    file.try_lock().ok()?;
    // It may have been removed, and perhaps made anew, before it was locked.
    let (locked, there) = (file.metadata().ok()?, std::fs::metadata(directory).ok()?);
    (locked.is_dir() && locked.ino() == there.ino() && locked.dev() == there.dev()).then_some(file)
}

/// Removes a directory in which a thread may still be making files.
pub(super) fn remove_directory(path: &Path) -> std::io::Result<()> {
    let mut tries = 0;
    loop {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(_) if tries < REMOVAL_TRIES => std::thread::sleep(REMOVAL_PAUSE),
            ended => return ended,
        }
        tries += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn abandoned_directories_are_removed_and_others_are_not() -> TestResult {
        let parent = tempfile::tempdir()?;
        let abandoned = parent.path().join("quarray-work-dead");
        std::fs::create_dir_all(abandoned.join("job-1"))?;
        std::fs::write(abandoned.join("job-1/data.arrow"), "x")?;
        let other = parent.path().join("something-else");
        std::fs::create_dir(&other)?;
        let first = WorkDir::create(parent.path())?;
        assert!(!abandoned.exists() && other.exists());
        let second = WorkDir::create(parent.path())?;
        assert!(first.path().exists() && first.path() != second.path());
        let (first_path, second_path) = (first.path().to_path_buf(), second.path().to_path_buf());
        first.remove()?;
        drop(second);
        assert!(!first_path.exists() && !second_path.exists());
        Ok(())
    }

    #[test]
    fn a_lock_ends_with_its_holder() -> TestResult {
        let directory = tempfile::tempdir()?;
        let held = lock(directory.path()).ok_or("it is free")?;
        assert!(lock(directory.path()).is_none());
        drop(held);
        assert!(lock(directory.path()).is_some());
        Ok(())
    }
}
