//! Streams that say something while they have nothing to say: proxies close connections that lie idle.

use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::utils::batches_to_flight_data;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use tonic::Status;

/// The stream, with an empty batch whenever it is silent for so long. The schema goes first, before there is a row.
pub(super) fn kept_alive(
    data: BoxStream<'static, Result<FlightData, Status>>,
    schema: &SchemaRef,
    interval: Duration,
) -> Result<BoxStream<'static, Result<FlightData, Status>>, ArrowError> {
    let mut messages = batches_to_flight_data(schema, vec![RecordBatch::new_empty(SchemaRef::clone(schema))])?;
    let empty = messages.pop().ok_or_else(|| ArrowError::IpcError("an empty batch has no message".to_string()))?;
    let started = false;
    Ok(stream::unfold((data, empty, started), move |(mut data, empty, started)| async move {
        if !started {
            // What the stream begins with is the schema: nothing may come before it.
            let first = data.next().await?;
            return Some((first, (data, empty, true)));
        }
        match tokio::time::timeout(interval, data.next()).await {
            Ok(None) => None,
            Ok(Some(next)) => Some((next, (data, empty, true))),
            Err(_) => Some((Ok(empty.clone()), (data, empty, true))),
        }
    })
    .boxed())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use futures::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn a_silent_stream_sends_empty_batches() -> Result<(), Box<dyn std::error::Error>> {
        let schema = SchemaRef::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let mut messages = batches_to_flight_data(&schema, vec![RecordBatch::new_empty(SchemaRef::clone(&schema))])?;
        let (last, first) = (messages.remove(1), messages.remove(0));
        let data = stream::once(async { Ok(first) }).chain(stream::once(async {
            tokio::time::sleep(Duration::from_millis(350)).await;
            Ok(last)
        }));
        let all = kept_alive(data.boxed(), &schema, Duration::from_millis(100))?.try_collect::<Vec<_>>().await?;
        assert!((4..=5).contains(&all.len()), "{} messages", all.len());
        let batches = arrow_flight::utils::flight_data_to_batches(&all)?;
        assert!(batches.iter().all(|batch| batch.num_rows() == 0 && batch.schema() == schema));
        Ok(())
    }
}
