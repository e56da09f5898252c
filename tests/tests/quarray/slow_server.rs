//! A web server of a folder of Zarr stores, which takes its time over chunks, and can be told to refuse.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};

/// A server that runs as long as this program.
pub struct SlowServer {
    address: String,
    manners: Arc<Manners>,
}

/// How the server behaves; changed while it runs.
#[derive(Default)]
struct Manners {
    /// Before each chunk.
    pause_ms: AtomicU64,
    /// Requests for metadata that are still to be refused.
    refusals: AtomicU64,
}

impl SlowServer {
    /// Serves a folder. Stores are described in one document, since a web server lists nothing.
    pub fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let manners = Arc::new(Manners::default());
        let (folder, shared) = (folder.to_path_buf(), Arc::clone(&manners));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, manners) = (folder.clone(), Arc::clone(&shared));
                std::thread::spawn(move || answer_all(stream, &folder, &manners));
            }
        });
        Self { address, manners }
    }

    /// The address of a store in the folder.
    pub fn uri(&self, store: &str) -> PathBuf {
        PathBuf::from(format!("{}/{store}", self.address))
    }

    /// Takes so long over each chunk from now on.
    pub fn pause(&self, pause: Duration) {
        self.manners.pause_ms.store(pause.as_millis() as u64, Ordering::Relaxed);
    }

    /// Refuses the next requests for metadata.
    pub fn refuse(&self, requests: u64) {
        self.manners.refusals.store(requests, Ordering::Relaxed);
    }
}

/// Describes a store of version 2 in one document.
pub fn consolidate(store: &Path) {
    let mut documents = Map::new();
    documents.insert(".zgroup".to_string(), json!({"zarr_format": 2}));
    for entry in std::fs::read_dir(store).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let name = entry.file_name().into_string().unwrap();
        for document in [".zarray", ".zattrs"] {
            let text = std::fs::read_to_string(entry.path().join(document)).unwrap();
            documents.insert(format!("{name}/{document}"), serde_json::from_str::<Value>(&text).unwrap());
        }
    }
    let whole = json!({"zarr_consolidated_format": 1, "metadata": documents});
    std::fs::write(store.join(".zmetadata"), whole.to_string()).unwrap();
}

fn answer_all(stream: TcpStream, folder: &Path, manners: &Manners) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line.trim().is_empty() => break,
                Ok(_) => head.push(line.trim().to_string()),
            }
        }
        let answer = answer(&head, folder, manners);
        if writer.write_all(&answer).and_then(|()| writer.flush()).is_err() {
            return;
        }
    }
}

/// The bytes of an answer.
fn answer(head: &[String], folder: &Path, manners: &Manners) -> Vec<u8> {
    let mut words = head.first().map(|line| line.split(' ')).into_iter().flatten();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.trim_start_matches('/');
    let plain = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").into_bytes();
    let name = path.rsplit('/').next().unwrap_or_default();
    if name.starts_with(".z") {
        let refuse = |left: u64| left.checked_sub(1);
        if manners.refusals.fetch_update(Ordering::Relaxed, Ordering::Relaxed, refuse).is_ok() {
            return plain("400 Bad Request");
        }
    } else {
        std::thread::sleep(Duration::from_millis(manners.pause_ms.load(Ordering::Relaxed)));
    }
    let Ok(bytes) = std::fs::read(folder.join(path)) else { return plain("404 Not Found") };
    let size = bytes.len();
    let range =
        head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_string));
    let bounds = range.as_deref().and_then(|range| range.split_once('-')).map(|(start, end)| match start {
        "" => (size.saturating_sub(end.parse().unwrap_or(0)), size),
        start => (start.parse().unwrap_or(size), end.parse::<usize>().map_or(size, |end| (end + 1).min(size))),
    });
    let (start, end) = bounds.unwrap_or((0, size));
    if start > end || (range.is_some() && start >= size) {
        return plain("416 Range Not Satisfiable");
    }
    let status = match range {
        Some(_) => format!("206 Partial Content\r\ncontent-range: bytes {start}-{}/{size}", end - 1),
        None => "200 OK".to_string(),
    };
    let mut answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", end - start).into_bytes();
    if method != "HEAD" {
        answer.extend_from_slice(&bytes[start..end]);
    }
    answer
}
