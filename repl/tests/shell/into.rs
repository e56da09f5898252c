//! `INTO` when the process is killed or interrupted, or when there is no room: a whole store under the name, or nothing.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::quarray;

/// A folder with a store of 24 × 100 × 100 cells that are all 5, none of which is on the disk.
struct Bench {
    folder: tempfile::TempDir,
}

const CELLS: u64 = 24 * 100 * 100;

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let array = r#"{"zarr_format": 3, "node_type": "array", "shape": [24, 100, 100], "data_type": "uint8",
            "fill_value": 5, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 100, 100]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": [{"name": "bytes"}], "dimension_names": ["a", "b", "c"], "attributes": {}}"#;
        let store = folder.path().join("five");
        std::fs::create_dir_all(store.join("v")).unwrap();
        std::fs::write(store.join("zarr.json"), r#"{"zarr_format": 3, "node_type": "group"}"#).unwrap();
        std::fs::write(store.join("v/zarr.json"), array).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_string()
    }

    /// A process that copies the store, in many files.
    fn copying(&self, options: &str) -> Command {
        let (source, target) = (self.path("five"), self.path("copy"));
        let mut command = quarray();
        command.args(["-c", &format!("FROM '{source}' |> INTO '{target}' CHUNKS (a 1, b 25, c 25) {options}")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The folder in which the copy is made.
    fn staging(&self) -> Option<PathBuf> {
        self.names().iter().find(|name| name.starts_with(".copy.")).map(|name| self.folder.path().join(name))
    }

    /// Waits until the copy that is being made has so many files, or is done.
    fn wait_for(&self, files: usize, child: &mut Child) {
        let started = Instant::now();
        while self.staging().is_none_or(|staging| count_files(&staging) < files) {
            if child.try_wait().unwrap().is_some() {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{:?}", self.names());
        }
    }

    /// Whether there is a copy; half of one is none, and a failure.
    fn has_copy(&self) -> bool {
        let target = self.path("copy");
        if !Path::new(&target).exists() {
            return false;
        }
        let query = format!("SELECT count(v) AS n, min(v) AS low, max(v) AS high FROM '{target}'");
        let output = quarray().args(["-f", "csv", "-c", &query]).output().unwrap();
        let found = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(found, format!("n,low,high\n{CELLS},5,5\n"), "{}", String::from_utf8_lossy(&output.stderr));
        true
    }
}

fn count_files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    // What vanishes meanwhile is none.
    entries.flatten().map(|entry| if entry.path().is_dir() { count_files(&entry.path()) } else { 1 }).sum()
}

fn send(child: &Child, signal: i32) {
    // SAFETY: sends a signal to a child of ours that has not been waited for.
    unsafe { libc::kill(i32::try_from(child.id()).unwrap(), signal) };
}

#[test]
fn a_killed_writer_leaves_a_whole_store_or_none() {
    let bench = Bench::new();
    let started = Instant::now();
    assert!(bench.copying("").status().unwrap().success());
    let whole = started.elapsed();
    assert!(bench.has_copy());
    let mut killed_midway = 0;
    // By the files there are, and by the time that a copy takes, its end included.
    let by_files = [0, 1, 20, 100, 200, 300, 380, 384, 385, 386].map(|files| (Some(files), Duration::ZERO));
    let by_time = (1..=10).map(|part| (None, whole * part / 9));
    for (files, time) in by_files.into_iter().chain(by_time) {
        let _ = std::fs::remove_dir_all(bench.path("copy"));
        let mut child = bench.copying("").spawn().unwrap();
        match files {
            Some(files) => bench.wait_for(files, &mut child),
            None => std::thread::sleep(time),
        }
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let left = bench.staging();
        killed_midway += usize::from(status.signal() == Some(libc::SIGKILL) && left.is_some());
        let is_there = bench.has_copy();
        assert!(is_there || status.signal() == Some(libc::SIGKILL), "{status} {:?}", bench.names());
        // The next one works, and clears away what was left.
        let next = format!("SELECT 1 AS one |> INTO '{}' WITH (overwrite = true)", bench.path("copy"));
        let next = quarray().args(["-c", &next]).output().unwrap();
        assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stderr));
        assert_eq!(bench.names(), ["copy", "five"], "after {files:?} files or {time:?}");
    }
    assert!(killed_midway >= 8, "only {killed_midway} were killed while they wrote");
}

#[test]
fn a_store_that_is_replaced_is_the_old_one_or_the_new_one() {
    let bench = Bench::new();
    assert!(bench.copying("").status().unwrap().success());
    for files in [0, 50, 300, 385, 386] {
        let mut child = bench.copying("WITH (overwrite = true, codec = 'none')").spawn().unwrap();
        bench.wait_for(files, &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(bench.has_copy(), "after {files} files");
    }
}

#[test]
fn an_interrupted_writer_leaves_nothing() {
    let bench = Bench::new();
    for signal in [libc::SIGINT, libc::SIGTERM] {
        for files in [0, 40, 150] {
            let mut child = bench.copying("").spawn().unwrap();
            bench.wait_for(files, &mut child);
            send(&child, signal);
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(bench.names(), ["five"], "{signal} after {files} files");
        }
    }
}

#[test]
fn no_room_is_an_error_that_leaves_nothing() {
    let bench = Bench::new();
    let mut command = bench.copying("WITH (codec = 'none')");
    // SAFETY: nothing but two system calls between fork and exec.
    unsafe {
        command.pre_exec(|| {
            let limit = libc::rlimit { rlim_cur: 500, rlim_max: 500 };
            // Without the signal, a write past the limit is an error.
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            match libc::setrlimit(libc::RLIMIT_FSIZE, &limit) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("no room: File too large"), "{stderr}");
    assert_eq!(bench.names(), ["five"]);
}
