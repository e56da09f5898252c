//! Directories that a session may reach, and nothing outside of them, whatever links lead there.

use std::ffi::{CString, OsStr};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::AccessError;

/// What is said of every path that is not to be reached.
pub(super) const REFUSED: &str = "not in a directory that the server gives access to";

/// What the system makes up is no data, wherever the roots are.
const NEVER: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Directories that a session may reach.
#[derive(Debug)]
pub struct Roots {
    roots: Vec<Root>,
}

#[derive(Debug)]
struct Root {
    /// Without links.
    path: PathBuf,
    /// The directory itself: what is opened is found from here, so that no link that appears meanwhile leads out.
    directory: File,
}

impl Roots {
    /// Opens the directories.
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self, AccessError> {
        let open = |path: &PathBuf| {
            let opened = path.canonicalize().and_then(|path| {
                let directory = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(&path)?;
                Ok(Root { path, directory })
            });
            opened.map_err(|error| AccessError::Root { path: path.display().to_string(), error })
        };
        Ok(Self { roots: paths.iter().map(open).collect::<Result<_, _>>()? })
    }

    /// The directories themselves.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.roots.iter().map(|root| root.path.clone()).collect()
    }

    /// The path without links, if it is in one of the directories; there need not be anything under its name yet.
    pub fn locate(&self, wanted: &Path) -> io::Result<PathBuf> {
        let real = real_path(&self.absolute(wanted)?)?;
        match self.root_of(&real) {
            Some(_) => Ok(real),
            None => Err(refused()),
        }
    }

    /// The same for what is at the path itself, be it a link.
    pub(crate) fn locate_entry(&self, wanted: &Path) -> io::Result<PathBuf> {
        match (wanted.parent(), wanted.file_name()) {
            (Some(parent), Some(name)) => Ok(self.locate(parent)?.join(name)),
            _ => self.locate(wanted),
        }
    }

    /// The directory of a file, in the first of the directories that has the file.
    pub(crate) fn locate_directory(&self, directory: &Path, file: &str) -> io::Result<PathBuf> {
        match self.absolute(&directory.join(file))?.parent() {
            Some(directory) => self.locate(directory),
            None => Err(refused()),
        }
    }

    /// Opens a file (or a directory) for reading.
    pub fn open_file(&self, wanted: &Path) -> io::Result<File> {
        let found = match self.open_beneath(&self.absolute(wanted)?) {
            // A link that leads out, or one that is written from the root of the disk and may well lead back.
            Err(error) if leads_out(&error) => self.open_beneath(&self.locate(wanted)?),
            found => found,
        };
        found.map_err(|error| if leads_out(&error) { refused() } else { error })
    }

    fn absolute(&self, wanted: &Path) -> io::Result<PathBuf> {
        if wanted.is_absolute() {
            return Ok(wanted.to_path_buf());
        }
        let is_there = |path: &PathBuf| path.symlink_metadata().is_ok();
        let mut places = self.roots.iter().map(|root| root.path.join(wanted));
        let first = places.next().ok_or_else(refused)?;
        if is_there(&first) {
            return Ok(first);
        }
        Ok(places.find(is_there).unwrap_or(first))
    }

    fn root_of(&self, real: &Path) -> Option<&Root> {
        let root = self.roots.iter().find(|root| real.starts_with(&root.path))?;
        let is_made_up = NEVER.iter().any(|place| real.starts_with(place) && !root.path.starts_with(place));
        (!is_made_up).then_some(root)
    }

    fn open_beneath(&self, path: &Path) -> io::Result<File> {
        let root = self.root_of(path).ok_or_else(refused)?;
        let below = path.strip_prefix(&root.path).map_err(|_| refused())?;
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        match open_below(&root.directory, below) {
            Err(error) if is_unknown_call(&error) => {
                let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
                OpenOptions::new().read(true).custom_flags(flags).open(self.locate(path)?)
            }
            opened => opened,
        }
    }
}

/// Opens what is below a directory, by no link that leads out of it.
fn open_below(directory: &File, below: &Path) -> io::Result<File> {
    let name = CString::new(below.as_os_str().as_bytes())?;
    // SAFETY: a structure of three numbers, of which zero is one.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    // Without O_NONBLOCK a named pipe would hold the thread for ever.
    how.flags = (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK) as u64;
    how.resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;
    // SAFETY: the name is a NUL-terminated string and the structure is of the size that is told; both live until the call
    // returns.
    let descriptor = unsafe {
        libc::syscall(libc::SYS_openat2, directory.as_raw_fd(), name.as_ptr(), &how, std::mem::size_of_val(&how))
    };
    let descriptor = i32::try_from(descriptor).map_err(io::Error::other)?;
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was opened just now, and nobody else has it.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

/// The path without links; what does not exist is taken as written, if that leads nowhere else.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    let mut missing: Vec<&OsStr> = Vec::new();
    let mut existing = path;
    loop {
        match existing.canonicalize() {
            Ok(real) => return Ok(missing.iter().rev().fold(real, |real, name| real.join(name))),
            // A link to nothing is there, and would be written through.
            Err(error) if is_absence(&error) && existing.symlink_metadata().is_err() => {}
            Err(_) => return Err(refused()),
        }
        // `..` is no name: behind something that does not exist it means nothing.
        let (Some(name), Some(parent)) = (existing.file_name(), existing.parent()) else { return Err(refused()) };
        missing.push(name);
        existing = parent;
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn leads_out(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EXDEV | libc::ELOOP))
}

/// Old systems do not have the call; some sandboxes say that nobody may make it.
fn is_unknown_call(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM | libc::EINVAL))
}

fn refused() -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, REFUSED)
}
