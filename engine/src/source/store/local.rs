//! Files of this machine, read and written on the threads for blocking work.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use std::sync::Arc;

use bytes::Bytes;

use super::Object;
use crate::access::Roots;

/// A file of this machine, opened: its bytes are read where they are needed, without a copy of the whole.
#[derive(Debug)]
pub struct LocalFile {
    file: File,
    size: u64,
}

/// A path, and the directories that it must be in, if there are any.
pub(super) struct LocalPath {
    pub(super) path: PathBuf,
    pub(super) roots: Option<Arc<Roots>>,
}

impl LocalPath {
    /// The path without links, where it must be in some directories.
    fn located(&self) -> io::Result<PathBuf> {
        self.roots.as_ref().map_or_else(|| Ok(self.path.clone()), |roots| roots.locate(&self.path))
    }

    /// The same for what is under the name itself, be it a link.
    fn located_entry(&self) -> io::Result<PathBuf> {
        self.roots.as_ref().map_or_else(|| Ok(self.path.clone()), |roots| roots.locate_entry(&self.path))
    }

    fn opened(&self) -> io::Result<File> {
        match &self.roots {
            Some(roots) => roots.open_file(&self.path),
            // Without O_NONBLOCK a named pipe would hold the thread for ever.
            None => OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&self.path),
        }
    }
}

/// Which bytes of a file.
pub(super) enum Part {
    Whole,
    Range(Range<u64>),
    Suffix(u64),
}

/// The bytes of a file, or `None` when there is no file of that name (a directory is none). A range is cut off at the
/// end of the file.
pub(super) async fn read(path: LocalPath, part: Part) -> io::Result<Option<Bytes>> {
    on_blocking_thread(move || read_part(&path, &part).map(|bytes| bytes.map(Bytes::from)).or_else(none_if_absent))
        .await
}

/// Bytes of a file, or `None` when there is no file of that name.
pub(super) async fn size(path: LocalPath) -> io::Result<Option<u64>> {
    on_blocking_thread(move || open_file(&path).map(|file| file.map(|file| file.size)).or_else(none_if_absent)).await
}

/// The file, opened where it has at least `opened_min` bytes, read whole where it has fewer; `None` when there is no file
/// of that name (a directory is none).
///
/// What the system has in its cache is read at once: to wake another thread for it would take longer. Only what must
/// come from a disk is left to that one.
pub(super) async fn open(path: LocalPath, opened_min: u64) -> io::Result<Option<Object>> {
    match open_file(&path).or_else(none_if_absent)? {
        Some(file) if file.size < opened_min => {
            let bytes = match read_cached(&file)? {
                Some(bytes) => bytes,
                None => on_blocking_thread(move || file.read(0..file.size)).await?,
            };
            Ok(Some(Object::Bytes(bytes.into())))
        }
        file => Ok(file.map(Object::File)),
    }
}

/// All of a file, unless it would have to be waited for.
#[cfg(target_os = "linux")]
fn read_cached(file: &LocalFile) -> io::Result<Option<Vec<u8>>> {
    use std::os::fd::AsRawFd;

    let size = capacity(file.size)?;
    let mut bytes: Vec<u8> = Vec::with_capacity(size);
    let part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: size };
    // SAFETY: the one part is memory of the vector, as long as is told.
    let read = unsafe { libc::preadv2(file.file.as_raw_fd(), &part, 1, 0, libc::RWF_NOWAIT) };
    if usize::try_from(read) != Ok(size) {
        return Ok(None);
    }
    // SAFETY: so many bytes were written.
    unsafe { bytes.set_len(size) };
    Ok(Some(bytes))
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &LocalFile) -> io::Result<Option<Vec<u8>>> {
    Ok(None)
}

impl LocalFile {
    /// Bytes it had when it was opened.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of a range; one that reaches beyond the end is an error.
    pub fn read(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        if range.end > self.size {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        read_range(&self.file, range)
    }
}

/// The names in a directory, sorted; none when there is no such directory.
pub(super) async fn list(directory: LocalPath) -> io::Result<Vec<String>> {
    on_blocking_thread(move || {
        let entries = match directory.located().and_then(std::fs::read_dir) {
            Ok(entries) => entries,
            Err(error) if is_absence(&error) => return Ok(vec![]),
            Err(error) => return Err(error),
        };
        let mut names = vec![];
        for entry in entries {
            // A name that is not UTF-8 cannot be a key.
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    })
    .await
}

/// Whether there is something of that name, a broken link included.
pub(super) async fn exists(path: LocalPath) -> io::Result<bool> {
    on_blocking_thread(move || match path.located_entry().and_then(|path| path.symlink_metadata()) {
        Ok(_) => Ok(true),
        Err(error) if is_absence(&error) => Ok(false),
        Err(error) => Err(error),
    })
    .await
}

/// Writes a file under a temporary name and renames it: readers see the old one or the new one, whole.
pub(super) async fn write(path: LocalPath, bytes: Bytes) -> io::Result<()> {
    on_blocking_thread(move || {
        let path = path.located_entry()?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(directory)?;
        let mut file = tempfile::Builder::new()
            .prefix(".quarray-put-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(directory)?;
        file.write_all(&bytes)?;
        file.persist(&path).map_err(|e| e.error)?;
        Ok(())
    })
    .await
}

/// Deletes a file, or a directory with all that is in it; links are deleted, not followed.
pub(super) async fn delete(path: LocalPath) -> io::Result<()> {
    on_blocking_thread(move || {
        let path = path.located_entry()?;
        let deleted = match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(&path),
            Ok(_) => std::fs::remove_file(&path),
            Err(error) => Err(error),
        };
        match deleted {
            Err(error) if is_absence(&error) => Ok(()),
            deleted => deleted,
        }
    })
    .await
}

fn open_file(path: &LocalPath) -> io::Result<Option<LocalFile>> {
    let file = path.opened()?;
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then(|| LocalFile { file, size: metadata.len() }))
}

fn read_part(path: &LocalPath, part: &Part) -> io::Result<Option<Vec<u8>>> {
    let Some(LocalFile { mut file, size }) = open_file(path)? else { return Ok(None) };
    match part {
        Part::Whole => {
            let mut bytes = Vec::with_capacity(capacity(size)?);
            file.read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        }
        Part::Range(range) => read_range(&file, range.start.min(size)..range.end.min(size)).map(Some),
        Part::Suffix(length) => read_range(&file, size.saturating_sub(*length)..size).map(Some),
    }
}

fn read_range(file: &File, range: Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; capacity(range.end.saturating_sub(range.start))?];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes)
}

fn capacity(size: u64) -> io::Result<usize> {
    usize::try_from(size).map_err(|_| io::Error::from(ErrorKind::FileTooLarge))
}

fn none_if_absent<T>(error: io::Error) -> io::Result<Option<T>> {
    if is_absence(&error) { Ok(None) } else { Err(error) }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}

async fn on_blocking_thread<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
