//! The files of a log: `queries-000001.jsonl` and those after it.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{QueryLogError, QueryLogSettings};
use crate::queries::record::QueryRecord;

/// Bytes of a line: longer ones are not of records.
const LINE_BYTES_MAX: u64 = 256 << 10;

const BEFORE_NUMBER: &str = "queries-";
const AFTER_NUMBER: &str = ".jsonl";
const LOCK: &str = "queries.lock";

/// The files of a log that is written.
pub(super) struct LogFiles {
    settings: QueryLogSettings,
    number: u64,
    bytes: u64,
    /// The last file, unless it could not be written.
    file: Option<File>,
    /// Tells other processes that the log is written.
    _lock: File,
}

impl LogFiles {
    /// Takes hold of the log, and reads its last records, the latest last.
    pub(super) fn open(settings: &QueryLogSettings, limit: usize) -> Result<(Self, Vec<QueryRecord>), QueryLogError> {
        let directory = &settings.directory;
        std::fs::create_dir_all(directory).map_err(wrong("make", directory))?;
        let path = directory.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(wrong("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(QueryLogError::InUse { directory: directory.display().to_string() });
            }
            Err(TryLockError::Error(error)) => return Err(wrong("lock", &path)(error)),
        }
        let files = files(directory).map_err(wrong("read", directory))?;
        let mut last: VecDeque<QueryRecord> = VecDeque::new();
        for (_, path) in files.iter().rev() {
            let records = last_records(path, limit - last.len()).map_err(wrong("read", path))?;
            records.into_iter().rev().for_each(|record| last.push_front(record));
            if last.len() == limit {
                break;
            }
        }
        let number = files.last().map_or(1, |(number, _)| *number);
        let mut opened = Self { settings: settings.clone(), number, bytes: 0, file: None, _lock: lock };
        let path = opened.path(number);
        opened.reopen().map_err(wrong("open", &path))?;
        Ok((opened, last.into()))
    }

    /// Writes a line, after those before it.
    pub(super) fn write(&mut self, line: &[u8]) -> std::io::Result<()> {
        if self.bytes > 0 && self.bytes.saturating_add(line.len() as u64) > self.settings.file_bytes_max {
            self.file = None;
            self.number += 1;
            self.remove_old()?;
        }
        if self.file.is_none() {
            self.reopen()?;
        }
        let written = match &mut self.file {
            Some(file) => file.write_all(line),
            None => Err(std::io::ErrorKind::NotFound.into()),
        };
        match written {
            Ok(()) => self.bytes += line.len() as u64,
            // What was written of the line is ended when the file is opened again.
            Err(_) => self.file = None,
        }
        written
    }

    /// Opens the last file at its end, which is the end of a line.
    fn reopen(&mut self) -> std::io::Result<()> {
        let path = self.path(self.number);
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut bytes = file.seek(SeekFrom::End(0))?;
        if bytes > 0 {
            let mut end = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut end)?;
            if end != [b'\n'] {
                file.write_all(b"\n")?;
                bytes += 1;
            }
        }
        (self.file, self.bytes) = (Some(file), bytes);
        Ok(())
    }

    fn remove_old(&self) -> std::io::Result<()> {
        let kept = self.settings.files_max.max(1) as u64;
        for (number, path) in files(&self.settings.directory)? {
            if number.saturating_add(kept) <= self.number {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.settings.directory.join(format!("{BEFORE_NUMBER}{number:06}{AFTER_NUMBER}"))
    }
}

/// The files of a log and their numbers, in their order.
fn files(directory: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(BEFORE_NUMBER)?.strip_suffix(AFTER_NUMBER));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The last records of a file. Lines that are none are passed over: a process may have ended while it wrote.
fn last_records(path: &Path, limit: usize) -> std::io::Result<VecDeque<QueryRecord>> {
    let mut lines = BufReader::new(File::open(path)?);
    let mut last = VecDeque::new();
    let mut line = Vec::new();
    let mut is_rest = false;
    loop {
        line.clear();
        if lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(last);
        }
        let is_whole = line.ends_with(b"\n");
        let record = serde_json::from_slice::<Value>(&line).ok().filter(|_| !is_rest && is_whole);
        if let Some(record) = record.as_ref().and_then(QueryRecord::of_json) {
            if last.len() == limit {
                last.pop_front();
            }
            last.push_back(record);
        }
        // A line that is too long comes in parts.
        is_rest = !is_whole;
    }
}

fn wrong(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> QueryLogError {
    let path = path.display().to_string();
    move |error| QueryLogError::File { action, path: path.clone(), error }
}
