//! A web server whose answers a test makes of the requests.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Lines of the head, in lower case.
    pub headers: Vec<String>,
    pub body: String,
}

/// An answer: status, lines of its head, body.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

/// What was asked for so far.
pub type Log = Arc<Mutex<Vec<Asked>>>;

impl Answer {
    pub fn json(value: &serde_json::Value) -> Self {
        Self { status: 200, headers: vec![], body: value.to_string().into_bytes() }
    }

    pub fn status(status: u16, headers: &[&str]) -> Self {
        Self { status, headers: headers.iter().map(ToString::to_string).collect(), body: vec![] }
    }
}

/// Serves on a free port until the runtime ends; the address is told to what makes answers.
pub async fn serve<F>(answer: F) -> (String, Log)
where
    F: Fn(&str, &Asked, usize) -> Answer + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (log, answer) = (Log::default(), Arc::new(answer));
    let (seen, own) = (log.clone(), address.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, seen, own) = (answer.clone(), seen.clone(), own.clone());
            tokio::spawn(async move { answer_all(stream, &own, &*answer, &seen).await });
        }
    });
    (address, log)
}

async fn answer_all<F>(stream: TcpStream, own: &str, answer: &F, log: &Log) -> Option<()>
where
    F: Fn(&str, &Asked, usize) -> Answer,
{
    let mut stream = BufReader::new(stream);
    loop {
        let mut head: Vec<String> = vec![];
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line).await {
                Ok(0) | Err(_) => return None,
                Ok(_) if line.trim().is_empty() => break,
                Ok(_) => head.push(line.trim().to_string()),
            }
        }
        let mut words = head.first()?.split(' ').map(str::to_string);
        let (method, path) = (words.next()?, words.next()?);
        let headers: Vec<String> = head[1..].iter().map(|line| line.to_ascii_lowercase()).collect();
        let length = headers.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let asked = Asked { method, path, headers, body: String::from_utf8(body).ok()? };
        let number = {
            let mut log = log.lock().unwrap();
            log.push(asked.clone());
            log.len()
        };
        let Answer { status, headers, body } = answer(own, &asked, number);
        let mut text = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n", body.len());
        headers.iter().for_each(|line| text += &format!("{line}\r\n"));
        text += "\r\n";
        stream.write_all(text.as_bytes()).await.ok()?;
        if asked.method != "HEAD" {
            stream.write_all(&body).await.ok()?;
        }
        stream.flush().await.ok()?;
    }
}
