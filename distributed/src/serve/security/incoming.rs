//! Connections of clients, encrypted or not.
//!
//! Encryption begins on tasks of its own: a client that is slow about it, or says nothing at all, holds up no other. There
//! are no more connections at one time than the server has files for.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use futures::stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::tls::ServerTls;

/// Connections at one time; of more, the next one waits to be accepted.
const CONNECTIONS_MAX: usize = 4096;

/// Connections that are beginning to be encrypted.
const BEGINNING_MAX: usize = 256;

/// Encryption has begun in this time, or the client is turned away.
const PATIENCE: Duration = Duration::from_secs(10);

/// When there are too many files, accepting waits for better times.
const PAUSE: Duration = Duration::from_millis(50);

/// The connection of a client.
pub(in crate::serve) struct Incoming {
    stream: Bytes,
    peer: Option<SocketAddr>,
    _room: OwnedSemaphorePermit,
}

enum Bytes {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// The connections that a listener accepts.
pub(in crate::serve) fn incoming(
    listener: TcpListener,
    tls: Option<&ServerTls>,
) -> impl Stream<Item = io::Result<Incoming>> + Send + use<> {
    let (sender, receiver) = mpsc::channel(16);
    // It ends with its receiver, which is what the stream is made of.
    tokio::spawn(accept(listener, tls.map(|tls| tls.0.clone()), sender));
    stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|next| (Ok(next), receiver)) })
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, sender: mpsc::Sender<Incoming>) {
    let (room, beginning) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), Arc::new(Semaphore::new(BEGINNING_MAX)));
    loop {
        let next = async {
            let room = Arc::clone(&room).acquire_owned().await;
            let turn = Arc::clone(&beginning).acquire_owned().await;
            (room, turn, listener.accept().await)
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            () = sender.closed() => return,
        };
        let (room, turn, (stream, peer)) = match accepted {
            (Ok(room), Ok(turn), Ok(stream)) => (room, turn, stream),
            (Ok(_), Ok(_), Err(_)) => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            // Nobody closes them.
            _ => return,
        };
        let (tls, sender) = (tls.clone(), sender.clone());
        tokio::spawn(async move {
            // Without it every small answer waits for the next one.
            let _ = stream.set_nodelay(true);
            let stream = match tls {
                None => Some(Bytes::Plain(stream)),
                Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => Some(Bytes::Encrypted(Box::new(stream))),
                    // Strangers who speak something else are nothing to tell of.
                    Ok(Err(_)) | Err(_) => None,
                },
            };
            drop(turn);
            if let Some(stream) = stream {
                // A server that ends takes no one in any more.
                let _ = sender.send(Incoming { stream, peer: Some(peer), _room: room }).await;
            }
        });
    }
}

impl Incoming {
    /// The other side.
    pub(in crate::serve) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }
}

impl Connected for Incoming {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        TcpConnectInfo { local_addr: None, remote_addr: self.peer }
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Bytes::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Bytes::Encrypted(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Bytes::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Bytes::Encrypted(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Bytes::Plain(stream) => Pin::new(stream).poll_flush(context),
            Bytes::Encrypted(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Bytes::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Bytes::Encrypted(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Bytes::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Bytes::Encrypted(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Bytes::Plain(stream) => stream.is_write_vectored(),
            Bytes::Encrypted(stream) => stream.is_write_vectored(),
        }
    }
}
