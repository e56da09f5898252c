//! A connection to a service behind another host's gate.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::error::LinkError;
use super::greeting::{Answer, binding, read_answer, send_hello};
use super::identity::Identity;
use super::proof::Service;
use super::sockets::prepare;

/// A gate answers in this time, or it is not there.
const PATIENCE: Duration = Duration::from_secs(4);

/// A connection on which nothing is said.
#[derive(Debug)]
pub struct Connection(pub(super) TlsStream<TcpStream>);

impl Connection {
    /// Waits until the other side is gone; how that showed.
    pub async fn ended(self) -> String {
        let mut stream = self.0;
        // What somebody says whom nothing was asked is not looked at.
        let mut ignored = [0; 1024];
        loop {
            match stream.read(&mut ignored).await {
                Ok(0) => return "it has closed the connection".to_string(),
                Ok(_) => {}
                Err(error) => return error.to_string(),
            }
        }
    }
}

/// Connects to a service of a host, and does so only if both sides have proved themselves.
pub(super) async fn dial(
    identity: &Identity,
    (host, port): (&str, u16),
    service: Service,
) -> Result<TlsStream<TcpStream>, LinkError> {
    let connected = tokio::time::timeout(PATIENCE, connect(identity, (host, port), service)).await;
    connected.unwrap_or_else(|_| Err(LinkError::Silent { address: shown(host, port), seconds: PATIENCE.as_secs() }))
}

async fn connect(
    identity: &Identity,
    (host, port): (&str, u16),
    service: Service,
) -> Result<TlsStream<TcpStream>, LinkError> {
    let address = shown(host, port);
    let foreign = |error: io::Error| LinkError::Foreign { address: address.clone(), reason: error.to_string() };
    let stream = TcpStream::connect((host, port)).await;
    let stream = stream.map_err(|error| LinkError::Unreachable { address: address.clone(), error })?;
    prepare(&stream);
    let mut stream = identity.connector.connect(identity.name.clone(), stream).await.map_err(foreign)?;
    let binding = binding(stream.get_ref().1).map_err(foreign)?;
    send_hello(&mut stream, &identity.prover, service, &binding).await.map_err(foreign)?;
    let answer = read_answer(&mut stream, &identity.prover, service, &binding).await.map_err(foreign)?;
    match answer {
        Some(Answer::Welcome) => Ok(stream),
        Some(Answer::Refused) => Err(LinkError::Refused { address }),
        Some(Answer::NotHere) => Err(LinkError::NotHere { address, service: service.name() }),
        Some(Answer::Unavailable) => Err(LinkError::Unavailable { address, service: service.name() }),
        None => Err(LinkError::Unproven { address }),
    }
}

fn shown(host: &str, port: u16) -> String {
    // The colons of an address are no port.
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
