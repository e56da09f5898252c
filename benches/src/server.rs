//! A web server for files that is as slow as it is told to be.

use std::fs;
use std::io::{BufRead, BufReader, Error, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What is between the server and its clients.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Before each answer.
    pub wait: Duration,
    /// Over all connections together.
    pub bytes_per_second: f64,
}

/// Bytes that are sent at a time.
const PIECE: usize = 64 << 10;

/// A server, which ends with the process.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    folder: PathBuf,
    line: Line,
    /// When the line will have sent what it was given so far.
    free_at: Mutex<Instant>,
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

impl Server {
    /// Serves the files of a folder.
    pub fn start(folder: &Path, line: Line) -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let state = Arc::new(State {
            folder: folder.to_path_buf(),
            line,
            free_at: Mutex::new(Instant::now()),
            requests: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        });
        let server = Self { address: listener.local_addr()?, state: Arc::clone(&state) };
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                // A client that goes away is no failure.
                thread::spawn(move || state.answer_all(connection).ok());
            }
        });
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests and bytes of all answers so far.
    pub fn served(&self) -> (usize, usize) {
        (self.state.requests.load(Ordering::Relaxed), self.state.bytes.load(Ordering::Relaxed))
    }
}

impl State {
    fn answer_all(&self, connection: TcpStream) -> Result<(), Error> {
        connection.set_nodelay(true)?;
        let mut reader = BufReader::new(connection.try_clone()?);
        let mut writer = connection;
        loop {
            let mut request = String::new();
            if reader.read_line(&mut request)? == 0 {
                return Ok(());
            }
            loop {
                let mut header = String::new();
                if reader.read_line(&mut header)? <= 2 {
                    break;
                }
            }
            let mut words = request.split_whitespace();
            let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or("/"));
            self.answer(&mut writer, method, path)?;
        }
    }

    fn answer(&self, writer: &mut TcpStream, method: &str, path: &str) -> Result<(), Error> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        thread::sleep(self.line.wait);
        let is_inside = !path.split('/').any(|part| part == "..");
        let found = if is_inside { fs::read(self.folder.join(path.trim_start_matches('/'))).ok() } else { None };
        let Some(bytes) = found else {
            return writer.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        };
        let modified = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT";
        write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{modified}\r\n\r\n", bytes.len())?;
        if method == "HEAD" {
            return Ok(());
        }
        for piece in bytes.chunks(PIECE) {
            self.take_turn(piece.len());
            writer.write_all(piece)?;
            self.bytes.fetch_add(piece.len(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Waits until the line has room for so many bytes.
    fn take_turn(&self, bytes: usize) {
        let until = {
            let Ok(mut free_at) = self.free_at.lock() else { return };
            let start = (*free_at).max(Instant::now());
            *free_at = start + Duration::from_secs_f64(bytes as f64 / self.line.bytes_per_second);
            *free_at
        };
        thread::sleep(until.saturating_duration_since(Instant::now()));
    }
}
