//! The rows of a statement on their way to a reader: counted, and gone as soon as the statement is cancelled.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::task::{Context, Poll};

use arrow::array::Array;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use futures::Stream;
use futures::task::AtomicWaker;
use parking_lot::Mutex;

use super::running::{QueryCancelled, Recording, RunningQuery};
use crate::error::Error;

/// Rows that wait to be read. Whoever cancels takes them away, even from a reader who does not come back.
pub(super) struct GivenRows {
    /// Locked by the reader while it reads, by who cancels for a moment: nobody ever waits for it.
    stream: Mutex<Option<SendableRecordBatchStream>>,
    reader: AtomicWaker,
}

impl GivenRows {
    /// Drops what is left, unless the reader reads at this moment: then it does that itself, right after. Whether there
    /// was something to drop.
    pub(super) fn let_go(&self) -> bool {
        let left = self.stream.try_lock().and_then(|mut stream| stream.take());
        let had_rows = left.is_some();
        // Out of the lock: what a stream holds takes its time to go.
        drop(left);
        self.reader.wake();
        had_rows
    }
}

/// Whether a statement was cancelled, for the reader of its rows.
#[derive(Clone)]
pub(crate) struct Cancellation {
    query: Arc<RunningQuery>,
    given: Arc<GivenRows>,
}

impl Cancellation {
    /// Waits until the statement is cancelled, in place of the next row.
    pub(crate) async fn reached(&self) {
        poll_fn(|context| {
            self.given.reader.register(context.waker());
            match self.query.is_cancelled() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

/// The rows of a statement, which ends with them.
pub(crate) struct RecordedStream {
    schema: SchemaRef,
    given: Arc<GivenRows>,
    recording: Recording,
    /// Whether rows that nobody has asked for were not wanted in the first place.
    is_optional: bool,
    /// Whether the reader knows that the statement was cancelled.
    is_told: bool,
}

impl RecordedStream {
    /// The rows of a statement. Where they are optional, a reader who never asks for one has ended the statement well.
    pub(crate) fn new(stream: SendableRecordBatchStream, mut recording: Recording, is_optional: bool) -> Self {
        let schema = stream.schema();
        let given = Arc::new(GivenRows { stream: Mutex::new(Some(stream)), reader: AtomicWaker::new() });
        recording.gives(&given);
        if recording.query().is_cancelled() {
            given.let_go();
            recording.cancelled();
        }
        Self { schema, given, recording, is_optional, is_told: false }
    }

    /// What tells the reader, who waits for something else than rows, that the statement was cancelled.
    pub(crate) fn cancellation(&self) -> Cancellation {
        Cancellation { query: Arc::clone(self.recording.query()), given: Arc::clone(&self.given) }
    }
}

impl Stream for RecordedStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.is_optional = false;
        self.given.reader.register(context.waker());
        let polled = match self.given.stream.lock().as_mut() {
            Some(stream) => stream.as_mut().poll_next(context),
            None => Poll::Ready(None),
        };
        // The lock is given back before the look, as who cancels tells it before trying the lock: one of the two lets go.
        fence(Ordering::SeqCst);
        if self.recording.query().is_cancelled() {
            self.given.let_go();
            self.recording.cancelled();
            let is_news = !std::mem::replace(&mut self.is_told, true);
            return Poll::Ready(is_news.then(|| Err(DataFusionError::External(Box::new(QueryCancelled)))));
        }
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(batch))) => self.recording.add(batch.num_rows(), bytes_of(batch)),
            Poll::Ready(Some(Err(error))) => {
                let error = Error::of(error);
                self.recording.failed(&error);
            }
            Poll::Ready(None) => self.recording.done(),
        }
        polled
    }
}

impl RecordBatchStream for RecordedStream {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }
}

impl Drop for RecordedStream {
    fn drop(&mut self) {
        // The rows go first: a statement has ended when it holds nothing any more.
        self.given.let_go();
        if self.is_optional {
            self.recording.done();
        }
    }
}

/// Bytes of the rows of a batch, which may be a slice of larger ones.
fn bytes_of(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns
        .map(|column| match column.data_type().primitive_width() {
            Some(width) => width * column.len(),
            None => column.to_data().get_slice_memory_size().unwrap_or_default(),
        })
        .sum()
}
