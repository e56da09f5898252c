//! A directory that appears under its name whole, or not at all.
//!
//! Files are written into a hidden directory beside the target (`.name.quarray-<process>-<random>`), which takes the
//! target's name when all is there. Its owner holds a lock on it, so that what a killed process left behind is told from
//! what a living one is writing.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

/// What makes a directory a Zarr store.
const ROOT_DOCUMENTS: [&str; 4] = ["zarr.json", ".zgroup", ".zarray", ".zmetadata"];

/// Files and directories that are synchronized one by one; of more of them, the whole file system is.
const SINGLE_SYNCS_MAX: usize = 1_000;

/// The hidden directory of a target.
#[derive(Debug)]
pub(super) struct Staging {
    target: PathBuf,
    directory: PathBuf,
    lock: File,
    /// Whether files may be written; whoever writes one holds it, so that nothing appears after an abort.
    open: Arc<RwLock<bool>>,
    /// Whether it is to go: then a commit that is under way ends.
    is_discarded: AtomicBool,
}

/// What is under the name of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, or an empty directory.
    Nothing,
    /// A Zarr store.
    Store,
    /// Something that is not ours to replace.
    Other,
}

/// What is there under a name.
pub(super) fn look(target: &Path) -> io::Result<Found> {
    match target.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
        Ok(_) if !target.is_dir() => return Ok(Found::Other),
        Ok(_) => {}
    }
    if ROOT_DOCUMENTS.iter().any(|name| target.join(name).is_file()) {
        return Ok(Found::Store);
    }
    Ok(if std::fs::read_dir(target)?.next().is_none() { Found::Nothing } else { Found::Other })
}

impl Staging {
    /// Makes room for `target`: what dead processes left beside it is cleared away. This may take its time; nothing of
    /// it needs to be undone.
    pub(super) fn prepare(target: &Path) -> io::Result<()> {
        let target = resolved(target);
        let (parent, name) = parent_and_name(&target)?;
        std::fs::create_dir_all(parent)?;
        clear_stale(parent, &prefix_of(name));
        Ok(())
    }

    /// Begins to write `target`. At once: a directory that is being made when its maker goes away would stay.
    pub(super) fn begin(target: &Path) -> io::Result<Self> {
        let target = resolved(target);
        let (parent, name) = parent_and_name(&target)?;
        let prefix = prefix_of(name);
        let directory = tempfile::Builder::new()
            .prefix(&format!("{prefix}{}-", std::process::id()))
            // The umask takes away what others shall not do, as in any directory.
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .tempdir_in(parent)?
            .keep();
        let lock = File::open(&directory)?;
        lock_now(&lock);
        let (open, is_discarded) = (Arc::new(RwLock::new(true)), AtomicBool::new(false));
        Ok(Self { target, directory, lock, open, is_discarded })
    }

    /// Stores a file.
    pub(super) async fn put(&self, key: &str, bytes: bytes::Bytes) -> io::Result<()> {
        let (path, open) = (self.directory.join(key), self.open.clone());
        let write = move || {
            let open = open.read();
            if !*open {
                return Err(io::Error::from(ErrorKind::Interrupted));
            }
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, &bytes)
        };
        tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
    }

    /// Gives the directory the target's name, once its bytes are on the disk. The one that had the name goes when
    /// `replace` says so, in one step with the new one's coming; otherwise the name must be free.
    pub(super) fn commit(&self, replace: bool) -> io::Result<()> {
        // Held to the end: who discards it meanwhile waits, and then there is nothing left to discard.
        let mut open = self.open.write();
        *open = false;
        self.synchronize()?;
        self.expect_wanted()?;
        self.take_name(replace)?;
        let (parent, _) = parent_and_name(&self.target)?;
        File::open(parent)?.sync_all()?;
        // Under the hidden name is the old directory now, if anything.
        let _ = std::fs::remove_dir_all(&self.directory);
        Ok(())
    }

    /// Takes away all that was written; what is still being written will not be.
    pub(super) fn discard(&self) {
        self.is_discarded.store(true, Ordering::Relaxed);
        *self.open.write() = false;
        let _ = std::fs::remove_dir_all(&self.directory);
    }

    fn expect_wanted(&self) -> io::Result<()> {
        match self.is_discarded.load(Ordering::Relaxed) {
            true => Err(ErrorKind::Interrupted.into()),
            false => Ok(()),
        }
    }

    /// Waits until all is on the disk: file by file, or, where there are many, the whole file system at once.
    fn synchronize(&self) -> io::Result<()> {
        let mut paths = vec![self.directory.clone()];
        let mut next = 0;
        while let Some(path) = paths.get(next).cloned() {
            next += 1;
            if path.is_dir() {
                for entry in std::fs::read_dir(&path)? {
                    paths.push(entry?.path());
                }
            }
            if paths.len() > SINGLE_SYNCS_MAX {
                // SAFETY: the descriptor is that of an open directory.
                let status = unsafe { libc::syncfs(self.lock.as_raw_fd()) };
                return if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
            }
        }
        paths.iter().rev().try_for_each(|path| self.expect_wanted().and_then(|()| File::open(path)?.sync_all()))
    }

    fn take_name(&self, replace: bool) -> io::Result<()> {
        // An empty directory is as good as none.
        let _ = std::fs::remove_dir(&self.target);
        match rename(&self.directory, &self.target, libc::RENAME_NOREPLACE) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && replace => {
                if look(&self.target)? == Found::Other {
                    return Err(error);
                }
                rename(&self.directory, &self.target, libc::RENAME_EXCHANGE)
            }
            // A file system without these: a plain rename refuses a directory that is not empty.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) => {
                self.take_name_plainly(replace)
            }
            renamed => renamed,
        }
    }

    fn take_name_plainly(&self, replace: bool) -> io::Result<()> {
        match look(&self.target)? {
            Found::Nothing => std::fs::rename(&self.directory, &self.target),
            Found::Store if replace => {
                let aside = self.directory.with_extension("old");
                std::fs::rename(&self.target, &aside)?;
                std::fs::rename(&self.directory, &self.target)?;
                std::fs::remove_dir_all(aside)
            }
            _ => Err(ErrorKind::AlreadyExists.into()),
        }
    }
}

impl Drop for Staging {
    /// Leaves nothing behind, whether the directory is one that was never finished or the one that was replaced.
    fn drop(&mut self) {
        self.discard();
    }
}

/// Through a link, the directory itself is replaced and the link stays.
fn resolved(target: &Path) -> PathBuf {
    target.canonicalize().unwrap_or_else(|_| target.to_path_buf())
}

fn prefix_of(name: &str) -> String {
    format!(".{name}.quarray-")
}

fn parent_and_name(target: &Path) -> io::Result<(&Path, &str)> {
    let name = target.file_name().and_then(|name| name.to_str());
    match (target.parent(), name) {
        (Some(parent), Some(name)) => Ok((parent, name)),
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "expected a path that ends in a name")),
    }
}

fn rename(from: &Path, to: &Path, flags: libc::c_uint) -> io::Result<()> {
    let [from, to] = [CString::new(from.as_os_str().as_bytes())?, CString::new(to.as_os_str().as_bytes())?];
    // SAFETY: both names are NUL-terminated strings that live until the call returns.
    let status = unsafe { libc::renameat2(libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), flags) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Locks an open directory until it is closed; false when another process has it.
fn lock_now(directory: &File) -> bool {
    // SAFETY: the descriptor is that of an open directory.
    unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
}

/// Removes the directories that processes which are no more left beside a target.
fn clear_stale(parent: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(prefix)) else { continue };
        let process = rest.split('-').next().and_then(|process| process.parse::<libc::pid_t>().ok());
        // Both must say that it is dead: the lock may come a moment after the directory, and a number of a process is
        // not the same in every container.
        let is_dead = process.is_some_and(|process| !is_alive(process));
        let is_free = || File::open(entry.path()).is_ok_and(|directory| lock_now(&directory));
        if is_dead && is_free() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn is_alive(process: libc::pid_t) -> bool {
    // SAFETY: signal 0 only asks whether the process is there.
    let found = unsafe { libc::kill(process, 0) == 0 };
    found || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}
