//! Rows on their way out: made on the threads of queries, no more of them than the reader takes.

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use arrow_flight::error::FlightError;
use futures::{Stream, stream};
use quarray_engine::Error;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tonic::Status;

use super::failure;
use super::sessions::{AdmittedRows, SessionInUse};
use super::spawned::Spawned;

/// Batches that are made before the reader asks for them.
const BATCHES_AHEAD: usize = 2;

/// Where the rows come from, until they have ended.
struct Pump {
    batches: mpsc::Receiver<Result<RecordBatch, Error>>,
    work: Spawned<()>,
    /// A session whose rows are read is not idle.
    _session: SessionInUse,
}

/// The batches of a result with that schema. Dropping the stream ends the work.
pub(super) fn pump(
    AdmittedRows { mut rows, permit }: AdmittedRows,
    schema: SchemaRef,
    session: SessionInUse,
    threads: &Handle,
) -> impl Stream<Item = Result<RecordBatch, FlightError>> + Send + use<> {
    let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
    let work = Spawned::on(threads, async move {
        // Until there are no more rows, the statement runs.
        let _permit = permit;
        while let Some(next) = rows.next().await.transpose() {
            let is_last = next.is_err();
            if sender.send(next).await.is_err() || is_last {
                return;
            }
        }
    });
    let pump = Pump { batches, work, _session: session };
    stream::unfold(Some(pump), move |pump| {
        let schema = SchemaRef::clone(&schema);
        async move {
            let mut pump = pump?;
            match pump.batches.recv().await {
                Some(Ok(batch)) => Some((with_schema(&batch, schema).map_err(FlightError::Arrow), Some(pump))),
                Some(Err(error)) => Some((Err(failure::status(&error).into()), None)),
                // Rows that stop because their task broke off are not all there are.
                None => match pump.work.await {
                    Ok(()) => None,
                    Err(error) => Some((Err(Status::internal(error.to_string()).into()), None)),
                },
            }
        }
    })
}

/// The same columns under another schema.
pub(super) fn with_schema(batch: &RecordBatch, schema: SchemaRef) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, batch.columns().to_vec(), &options)
}
