//! The encrypted way of a client to its server.
//!
//! The connections of a Flight client are made by its own library, which is built without TLS. So it connects to a Unix
//! socket, in a directory that only this user may enter, and what it says there is carried to the server by TLS.

use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls::ClientTls;

/// When there are too many files, accepting waits for better times.
const PAUSE: Duration = Duration::from_millis(50);

/// A way to a server, for as long as it is held.
pub(in crate::serve) struct Outgoing {
    address: String,
    carrier: JoinHandle<()>,
    _directory: TempDir,
}

#[derive(Clone)]
struct Target {
    connector: TlsConnector,
    name: ServerName<'static>,
    address: Arc<str>,
}

impl Outgoing {
    /// Connects once, to know whom it is with; what is carried after that has connections of its own.
    pub(in crate::serve) async fn to(address: &str, tls: &ClientTls) -> io::Result<Self> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_string();
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        let target = Target { connector: tls.0.clone(), name, address: Arc::from(address) };
        drop(connect(&target).await?);
        let only_mine = std::fs::Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix("quarray-tls-").permissions(only_mine).tempdir()?;
        let socket = directory.path().join("server");
        let listener = UnixListener::bind(&socket)?;
        let carrier = tokio::spawn(carry(listener, target));
        Ok(Self { address: format!("unix:{}", socket.display()), carrier, _directory: directory })
    }

    /// Where a client connects to.
    pub(in crate::serve) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Outgoing")
    }
}

async fn connect(target: &Target) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(target.address.as_ref()).await?;
    stream.set_nodelay(true)?;
    target.connector.connect(target.name.clone(), stream).await
}

async fn carry(listener: UnixListener, target: Target) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(lead(stream, target.clone()))),
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection. Whatever ends it, both sides notice by its end.
async fn lead(mut here: UnixStream, target: Target) {
    if let Ok(mut there) = connect(&target).await {
        let _ = copy_bidirectional(&mut here, &mut there).await;
    }
}
