//! Whether the scheduler is there: a connection on which nothing is said, and which ends with it.
//!
//! Heartbeats would tell only after some of them were lost, and nothing at all where another scheduler has taken the place
//! of the first between two of them.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, ToSocketAddrs};

/// The first pause between two tries to connect, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What a scheduler says on a connection on which nothing was asked is not looked at.
const IGNORED_BYTES: usize = 1024;

/// Connects as soon as that is possible. `tell` hears why it is not, each reason once in a row.
pub(super) async fn reach<Connection, Wrong: Display, Connecting>(
    mut connect: impl FnMut() -> Connecting,
    mut tell: impl FnMut(&str),
) -> Connection
where
    Connecting: Future<Output = Result<Connection, Wrong>>,
{
    let (mut pause, longest) = PAUSES;
    let mut told = String::new();
    loop {
        match connect().await {
            Ok(connection) => return connection,
            Err(error) => {
                let reason = error.to_string();
                if reason != told {
                    tell(&reason);
                    told = reason;
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// Connects to a scheduler.
pub(super) async fn connect(place: impl ToSocketAddrs) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(place).await?;
    // Where nobody listens on a port that the system gives to clients, it may give that very port to the one who calls it.
    match stream.local_addr()? == stream.peer_addr()? {
        true => Err(io::ErrorKind::ConnectionRefused.into()),
        false => Ok(stream),
    }
}

/// Waits until the other side of a connection is gone; how that showed.
pub(super) async fn lost(stream: TcpStream) -> String {
    let mut ignored = [0; IGNORED_BYTES];
    loop {
        if let Err(error) = stream.readable().await {
            return error.to_string();
        }
        match stream.try_read(&mut ignored) {
            Ok(0) => return "it has closed the connection".to_string(),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, Result, Write};
    use std::net::TcpListener;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_scheduler_is_waited_for_and_its_end_is_noticed() -> Result<()> {
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let server = tokio::task::spawn_blocking(move || -> Result<_> {
            std::thread::sleep(Duration::from_millis(200));
            let (mut stream, _) = TcpListener::bind(free)?.accept()?;
            stream.write_all(b"whatever")?;
            Ok(stream)
        });
        let mut told = Vec::new();
        let stream = reach(|| connect(free), |reason| told.push(reason.to_string())).await;
        assert_eq!(told.len(), 1, "{told:?}");
        let server = server.await??;
        let lost = tokio::spawn(lost(stream));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!lost.is_finished());
        drop(server);
        let ended = tokio::time::timeout(Duration::from_secs(5), lost).await.map_err(Error::other)?;
        ended.map_err(Error::other)?;
        Ok(())
    }
}
