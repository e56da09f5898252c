//! Connections, each with a number: a client that shows no token has the session of its connection.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

use crate::serve::sessions::Sessions;

/// What a call knows of the connection that it came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) struct ConnectionInfo {
    /// No other connection of the server ever has it.
    pub(in crate::serve) number: u64,
    /// Where it comes from.
    pub(in crate::serve) peer: Option<IpAddr>,
}

/// A stream of bytes to and from a client; when it ends, the session that it had without a token ends with it.
pub(in crate::serve) struct Connection<S> {
    stream: S,
    info: ConnectionInfo,
    sessions: Arc<Sessions>,
}

impl<S> Connection<S> {
    /// The next connection.
    pub(in crate::serve) fn new(stream: S, peer: Option<SocketAddr>, sessions: Arc<Sessions>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let info = ConnectionInfo { number: NEXT.fetch_add(1, Ordering::Relaxed), peer: peer.map(|peer| peer.ip()) };
        Self { stream, info, sessions }
    }
}

impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        self.sessions.connection_ended(self.info.number);
    }
}

impl<S> Connected for Connection<S> {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.info
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
