//! An object on its way: what has come of it can be read while the rest is still coming.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use parking_lot::RwLock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::source::SourceError;

/// An object on its way. Dropped before it is whole, the request ends.
#[derive(Debug)]
pub struct Arriving {
    size: usize,
    pieces: Arc<RwLock<Pieces>>,
    state: watch::Receiver<State>,
    request: JoinHandle<()>,
}

/// What has come so far: pieces that follow each other, and where each of them ends.
#[derive(Debug, Default)]
struct Pieces {
    bytes: Vec<Bytes>,
    ends: Vec<usize>,
}

/// How far the request is.
#[derive(Debug, Clone)]
enum State {
    /// So many bytes have come.
    Received(usize),
    /// No more will.
    Failed(SourceError),
}

impl Arriving {
    /// An object of `size` bytes that come as `body`; `shorter` makes the error of one that ends before (or goes on).
    pub fn new(
        size: usize,
        body: impl Stream<Item = Result<Bytes, SourceError>> + Send + 'static,
        shorter: impl Fn(usize) -> SourceError + Send + 'static,
    ) -> Self {
        let pieces = Arc::new(RwLock::new(Pieces::default()));
        let (tell, state) = watch::channel(State::Received(0));
        let kept = Arc::clone(&pieces);
        let request = tokio::spawn(async move {
            let mut body = std::pin::pin!(body);
            let mut received = 0usize;
            while let Some(piece) = body.next().await {
                match piece {
                    Ok(piece) => {
                        received = received.saturating_add(piece.len());
                        kept.write().push(piece);
                        // The last bytes are only told of once it is known that they are the last.
                        if received < size {
                            tell.send_replace(State::Received(received));
                        }
                    }
                    Err(error) => {
                        tell.send_replace(State::Failed(error));
                        return;
                    }
                }
            }
            let is_whole = received == size;
            tell.send_replace(if is_whole { State::Received(size) } else { State::Failed(shorter(received)) });
        });
        Self { size, pieces, state, request }
    }

    /// Bytes it will have.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Waits until the bytes before `end` are there.
    pub async fn wait(&self, end: usize) -> Result<(), SourceError> {
        let mut state = self.state.clone();
        let is_enough = |state: &State| match state {
            State::Received(received) => *received >= end.min(self.size),
            State::Failed(_) => true,
        };
        // A request that ended without a word is told by the bytes that are missing then.
        let reached = state.wait_for(is_enough).await;
        match reached.as_deref() {
            Ok(State::Failed(error)) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// The bytes of a range, or `None` as long as they are not all there.
    pub fn part(&self, range: Range<usize>) -> Option<Vec<u8>> {
        let pieces = self.pieces.read();
        if range.start > range.end || pieces.ends.last().copied().unwrap_or(0) < range.end {
            return None;
        }
        let mut part = Vec::with_capacity(range.len());
        let mut index = pieces.ends.partition_point(|&end| end <= range.start);
        while part.len() < range.len() {
            let (piece, end) = (pieces.bytes.get(index)?, *pieces.ends.get(index)?);
            let start = end - piece.len();
            let from = range.start.max(start) - start;
            part.extend_from_slice(piece.get(from..range.end.min(end) - start)?);
            index += 1;
        }
        Some(part)
    }
}

impl Pieces {
    fn push(&mut self, piece: Bytes) {
        let end = self.ends.last().copied().unwrap_or(0).saturating_add(piece.len());
        self.bytes.push(piece);
        self.ends.push(end);
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.request.abort();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::stream;
    use tokio::sync::mpsc;

    use super::*;

    fn failure(message: &str) -> SourceError {
        SourceError::Store { uri: "x".to_string(), message: message.to_string() }
    }

    fn shorter(found: usize) -> SourceError {
        failure(&format!("found {found}"))
    }

    #[tokio::test]
    async fn what_has_come_is_read_while_the_rest_is_coming() {
        let (send, mut receive) = mpsc::channel::<Bytes>(8);
        let body = stream::poll_fn(move |context| receive.poll_recv(context).map(|piece| piece.map(Ok)));
        let object = Arriving::new(9, body, shorter);
        assert_eq!((object.size(), object.part(0..1)), (9, None));
        send.send(Bytes::from_static(b"abc")).await.unwrap();
        send.send(Bytes::from_static(b"")).await.unwrap();
        send.send(Bytes::from_static(b"defg")).await.unwrap();
        object.wait(7).await.unwrap();
        assert_eq!(object.part(2..5).unwrap(), b"cde");
        assert_eq!(object.part(3..3).unwrap(), b"");
        assert_eq!(object.part(5..8), None);
        send.send(Bytes::from_static(b"hi")).await.unwrap();
        drop(send);
        object.wait(usize::MAX).await.unwrap();
        assert_eq!(object.part(0..9).unwrap(), b"abcdefghi");
        assert_eq!(object.part(0..10), None);
    }

    #[tokio::test]
    async fn an_answer_of_another_length_or_a_failure_is_an_error() {
        for (pieces, expected) in [(vec![Ok("abc")], "found 3"), (vec![Ok("abc"), Ok("def")], "found 6")] {
            let body = stream::iter(pieces).map(|piece: Result<&str, SourceError>| piece.map(Bytes::from));
            let object = Arriving::new(5, body, shorter);
            assert!(object.wait(5).await.unwrap_err().to_string().ends_with(expected));
        }
        let body = stream::iter([Ok(Bytes::from_static(b"ab")), Err(failure("gone"))]);
        let object = Arriving::new(5, body, shorter);
        assert!(object.wait(5).await.unwrap_err().to_string().ends_with("gone"));
        assert!(object.wait(5).await.is_err());
    }
}
