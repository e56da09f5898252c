//! Gates and links, and those who should not come through.

mod attacks;
mod passing;
mod secrets;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::outward::Target;
use super::*;

type TestResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A refusal is told this soon.
const SOON: Duration = Duration::from_secs(5);

fn identity(secret: &[u8]) -> TestResult<Identity> {
    Ok(Identity::new(&Secret::new(secret)?)?)
}

/// A service that says what it hears, behind a gate.
struct Guarded {
    gate: Gate,
    address: SocketAddr,
    directory: TempDir,
}

impl Guarded {
    async fn start() -> TestResult<Self> {
        let echo = TcpListener::bind("127.0.0.1:0").await?;
        let target = echo.local_addr()?;
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = echo.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        Self::before(target).await
    }

    async fn before(target: SocketAddr) -> TestResult<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let gate = Gate::open(vec![Door { listener, service: Service::Data, target }], &identity(SECRET)?);
        Ok(Self { gate, address, directory: TempDir::new()? })
    }

    fn links(&self, secret: &[u8]) -> TestResult<Arc<Links>> {
        Ok(Links::new(&identity(secret)?, self.directory.path())?)
    }

    /// A socket that leads to the service.
    fn socket(&self, links: &Links) -> TestResult<PathBuf> {
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        Ok(links.socket(Target { host, port, service: Service::Data })?)
    }

    /// Whoever knows the secret is served, and at once.
    async fn serves(&self) -> TestResult {
        let links = self.links(SECRET)?;
        let start = Instant::now();
        said_back(&self.socket(&links)?, b"are you there?").await?;
        let took = start.elapsed();
        if took < Duration::from_secs(2) { Ok(()) } else { Err(format!("it took {took:?}").into()) }
    }

    async fn call(&self, secret: &[u8], service: Service) -> TestResult<Result<(), LinkError>> {
        let links = self.links(secret)?;
        let host = self.address.ip().to_string();
        Ok(links.call((&host, self.address.port()), service, Duration::ZERO).await)
    }

    /// Waits until so many connections were refused.
    async fn has_refused(&self, expected: u64) -> TestResult {
        let start = Instant::now();
        while self.gate.counts().refused < expected {
            if start.elapsed() > SOON {
                return Err(format!("expected {expected} refusals, found {:?}", self.gate.counts()).into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

async fn said_back(socket: &std::path::Path, words: &[u8]) -> TestResult {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(words).await?;
    stream.shutdown().await?;
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await?;
    if heard == words { Ok(()) } else { Err(format!("said {} bytes, heard {}", words.len(), heard.len()).into()) }
}

/// Sends these bytes as they are, and waits for the end.
async fn throw(address: SocketAddr, bytes: &[u8]) -> TestResult<(Vec<u8>, Duration)> {
    let start = Instant::now();
    let mut stream = TcpStream::connect(address).await?;
    // It may end before it has heard everything.
    let _ = stream.write_all(bytes).await;
    let mut heard = Vec::new();
    let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut heard)).await?;
    Ok((heard, start.elapsed()))
}
