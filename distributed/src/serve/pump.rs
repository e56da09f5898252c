//! Rows on their way out: made on the threads of queries, no more of them than the reader takes.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use arrow_flight::error::FlightError;
use futures::{Stream, stream};
use quarray_engine::{Error, Rows};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tonic::Status;

use super::failure;
use super::flight::{Keeping, Permit, with_schema};
use super::sessions::SessionInUse;
use super::spawned::Spawned;

/// Batches that are made before the reader asks for them.
const BATCHES_AHEAD: usize = 2;

/// Where the rows come from, until they have ended.
struct Pump {
    batches: mpsc::Receiver<Result<RecordBatch, Error>>,
    work: Spawned<()>,
    /// What is sent may be wanted again.
    keeping: Keeping,
    /// A session whose rows are read is not idle.
    _session: SessionInUse,
}

/// The batches of a result with that schema. Dropping the stream ends the work, and gives the permit back.
pub(super) fn pump(
    rows: Rows,
    schema: SchemaRef,
    keeping: Keeping,
    (session, permit): (SessionInUse, Permit),
    threads: &Handle,
) -> impl Stream<Item = Result<RecordBatch, FlightError>> + Send + use<> {
    let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
    let work = Spawned::on(threads, make(rows, permit, sender));
    keeping.result().runs(work.abort_handle());
    let pump = Pump { batches, work, keeping, _session: session };
    stream::unfold(Some(pump), move |pump| {
        let schema = SchemaRef::clone(&schema);
        async move {
            let mut pump = pump?;
            match pump.batches.recv().await {
                Some(Ok(batch)) => match with_schema(&batch, schema) {
                    Ok(batch) => {
                        pump.keeping.note(&batch);
                        Some((Ok(batch), Some(pump)))
                    }
                    Err(error) => Some((Err(FlightError::Arrow(error)), None)),
                },
                Some(Err(error)) => Some((Err(failure::status(&error).into()), None)),
                // Rows that stop because their task broke off are not all there are.
                None => match pump.work.await {
                    Ok(()) => {
                        pump.keeping.end();
                        None
                    }
                    Err(error) if error.is_cancelled() => Some((Err(failure::status(&Error::Cancelled).into()), None)),
                    Err(error) => Some((Err(Status::internal(error.to_string()).into()), None)),
                },
            }
        }
    })
}

/// Makes rows as they are taken. They and the permit go when the statement ends, even if its reader does not come back for
/// what was made: its time may be over, or somebody cancels it.
async fn make(mut rows: Rows, permit: Permit, sender: mpsc::Sender<Result<RecordBatch, Error>>) {
    let early_end = rows.early_end();
    let mut next = rows.next().await.transpose();
    while let Some(Ok(batch)) = next {
        next = tokio::select! {
            biased;
            room = sender.reserve() => {
                let Ok(room) = room else { return };
                room.send(Ok(batch));
                rows.next().await.transpose()
            }
            // The reason comes in place of the batch. Whatever else came, nobody is to think that these are all rows.
            () = early_end.reached() => rows.next().await.transpose().filter(Result::is_err).or(Some(Err(Error::Cancelled))),
        };
    }
    // Whoever learns that they have ended may begin the next statement.
    drop(rows);
    drop(permit);
    if let Some(error) = next {
        // The reader may have gone.
        let _ = sender.send(error).await;
    }
}
