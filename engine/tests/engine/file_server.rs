//! A web server of a folder, with the manners that a test wants.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How the server behaves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manners {
    /// Answers a range with the whole file.
    pub ignores_ranges: bool,
    /// Refuses ranges from the end, as Azure does.
    pub refuses_suffixes: bool,
    /// Answers 403 for what is not there.
    pub hides_missing: bool,
    /// Sends half of the body and hangs up.
    pub hangs_up: bool,
    /// Sends half of the body and no more.
    pub stalls: bool,
    /// Takes requests and never answers.
    pub is_silent: bool,
    /// Answers every request with this status.
    pub refuses_with: Option<&'static str>,
}

/// What was asked for so far: `GET path`.
pub type Requests = Arc<Mutex<Vec<String>>>;

/// Serves a folder on a free port until the runtime ends; gives the address.
pub async fn serve(folder: &Path, manners: Manners) -> String {
    serve_counted(folder, manners).await.0
}

/// The bytes of the bodies that were sent so far, by path.
pub type Sent = Arc<Mutex<BTreeMap<String, u64>>>;

/// Serves a folder, and writes down what is asked for.
pub async fn serve_counted(folder: &Path, manners: Manners) -> (String, Requests) {
    let (address, requests, _) = serve_measured(folder, manners).await;
    (address, requests)
}

/// Serves a folder, and writes down what is asked for and how many bytes the answers have.
pub async fn serve_measured(folder: &Path, manners: Manners) -> (String, Requests, Sent) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let folder = Arc::new(folder.to_path_buf());
    let (requests, sent) = (Requests::default(), Sent::default());
    let seen = (requests.clone(), sent.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_all(stream, folder.clone(), manners, seen.clone()));
        }
    });
    (address, requests, sent)
}

async fn answer_all(stream: TcpStream, folder: Arc<PathBuf>, manners: Manners, (requests, sent): (Requests, Sent)) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = vec![];
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) if line.trim().is_empty() => break,
                Ok(_) => head.push(line.trim().to_string()),
            }
        }
        requests.lock().unwrap().push(head[0].trim_end_matches(" HTTP/1.1").to_string());
        if manners.is_silent {
            let _ = stream.read_u8().await;
            return;
        }
        let (response, body, keep) = answer(&head, &folder, manners);
        let path = head[0].split(' ').nth(1).unwrap().to_string();
        *sent.lock().unwrap().entry(path).or_default() += body.len() as u64;
        let sending = async {
            stream.write_all(response.as_bytes()).await?;
            stream.write_all(&body).await?;
            stream.flush().await
        };
        if sending.await.is_err() {
            return;
        }
        if manners.stalls && !keep {
            let _ = stream.read_u8().await;
        }
        if !keep {
            return;
        }
    }
}

/// The head and the body of an answer, and whether more may follow.
fn answer(head: &[String], folder: &Path, manners: Manners) -> (String, Vec<u8>, bool) {
    let mut words = head[0].split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let path = path.split('?').next().unwrap().trim_start_matches('/');
    let path = percent_encoding::percent_decode_str(path).decode_utf8().unwrap().into_owned();
    let plain = |status: &str| (format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"), vec![], true);
    if let Some(status) = manners.refuses_with {
        return plain(status);
    }
    let Ok(bytes) = std::fs::read(folder.join(&path)) else {
        return plain(if manners.hides_missing { "403 Forbidden" } else { "404 Not Found" });
    };
    let range =
        head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_string));
    let range = range.filter(|_| !manners.ignores_ranges);
    if manners.refuses_suffixes && range.as_ref().is_some_and(|range| range.starts_with('-')) {
        return plain("416 Range Not Satisfiable");
    }
    let size = bytes.len();
    let (start, end) = match range.as_deref().and_then(|range| range.split_once('-')) {
        None => (0, size),
        Some(("", length)) => (size.saturating_sub(length.parse().unwrap()), size),
        Some((start, end)) => (start.parse().unwrap(), end.parse::<usize>().map_or(size, |end| (end + 1).min(size))),
    };
    if start >= size && range.is_some() {
        return plain("416 Range Not Satisfiable");
    }
    let mut body = bytes[start..end].to_vec();
    let status = match range {
        Some(_) => format!("206 Partial Content\r\ncontent-range: bytes {start}-{}/{size}", end - 1),
        None => "200 OK".to_string(),
    };
    let response = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
    if method == "HEAD" {
        body.clear();
    }
    if (manners.hangs_up || manners.stalls) && !body.is_empty() {
        body.truncate(body.len() / 2);
        return (response, body, false);
    }
    (response, body, true)
}
