//! The rows of a job, brought here: several partitions at once, each whole before the first of its rows is shown.
//!
//! An executor may be lost while its result is being read. Then the job runs again, and the partitions that have been
//! shown are left out: a partition has the same rows whenever it is computed. Since none is shown in part, no row comes
//! twice.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use ballista_core::client::BallistaClient;
use ballista_core::serde::protobuf::PartitionLocation;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};

use super::MESSAGE_BYTES_MAX;
use super::error::ClusterError;
use super::job::{FinishedJob, Order, Tries};
use super::spool::{Spool, Spooled};
use crate::links::Links;

/// Partitions that are fetched at once.
const FETCHES_MAX: usize = 4;

/// An executor that sends nothing for so long is taken for lost.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A broken connection is tried so often, with such pauses.
const RETRIES: u8 = 3;
const RETRY_PAUSE_MS: u64 = 100;

/// The rows of an order. The job starts when the first of them is asked for, and is cancelled when the stream is dropped.
pub fn deliver(order: Order) -> SendableRecordBatchStream {
    let schema = order.plan.schema();
    let delivery = Delivery::new(order);
    let batches = stream::try_unfold(delivery, |mut delivery| async move {
        Ok(delivery.next().await?.map(|batch| (batch, delivery)))
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

struct Delivery {
    /// Shared with what fetches: a use of the cluster counts once.
    order: Arc<Order>,
    tries: Tries,
    state: State,
    /// Partitions that have been handed on.
    delivered: BTreeSet<u32>,
    waiting: VecDeque<(u32, PartitionLocation)>,
    fetches: VecDeque<(u32, SpawnedTask<Result<Spooled, ClusterError>>)>,
    current: Option<Spooled>,
}

enum State {
    /// The job has yet to run.
    Ordered,
    /// The result is being fetched; the job holds it.
    Finished(#[allow(dead_code, reason = "held for what its end does")] FinishedJob),
    /// Everything was handed on.
    Over,
}

impl Delivery {
    fn new(order: Order) -> Self {
        Self {
            order: Arc::new(order),
            tries: Tries::default(),
            state: State::Ordered,
            delivered: BTreeSet::new(),
            waiting: VecDeque::new(),
            fetches: VecDeque::new(),
            current: None,
        }
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.current.as_mut().and_then(Iterator::next) {
                return batch.map(Some);
            }
            self.current = None;
            match &self.state {
                State::Ordered => self.compute().await?,
                State::Finished(_) => self.advance().await?,
                State::Over => return Ok(None),
            }
        }
    }

    async fn compute(&mut self) -> Result<(), ClusterError> {
        let mut finished = self.order.compute(&mut self.tries).await?;
        let locations = std::mem::take(&mut finished.locations);
        self.waiting = locations.into_iter().filter(|(number, _)| !self.delivered.contains(number)).collect();
        self.state = State::Finished(finished);
        Ok(())
    }

    /// Takes the next partition, or begins anew where it is lost.
    async fn advance(&mut self) -> Result<(), ClusterError> {
        while self.fetches.len() < FETCHES_MAX
            && let Some((number, location)) = self.waiting.pop_front()
        {
            self.fetches.push_back((number, SpawnedTask::spawn(fetch(Arc::clone(&self.order), number, location))));
        }
        let Some((number, fetched)) = self.fetches.pop_front() else {
            self.state = State::Over;
            return Ok(());
        };
        match fetched.join().await {
            Ok(Ok(spooled)) => {
                self.delivered.insert(number);
                self.current = Some(spooled);
                Ok(())
            }
            Ok(Err(lost @ ClusterError::Fetch { .. })) => {
                self.fetches.clear();
                self.tries.again(lost.to_string());
                self.state = State::Ordered;
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(error) => Err(ClusterError::Ballista(error.to_string())),
        }
    }
}

/// Brings one partition here.
async fn fetch(order: Arc<Order>, number: u32, location: PartitionLocation) -> Result<Spooled, ClusterError> {
    let schema = order.plan.schema();
    let memory = MemoryConsumer::new("partition of a result").register(order.context.memory_pool());
    let mut spool = Spool::new(schema.clone(), memory);
    let lost = |reason: String| ClusterError::Fetch { partition: number, reason };
    let silent = |_| lost(format!("its executor has sent nothing for {} s", SILENCE_MAX.as_secs()));
    let links = order.scheduler.links();
    let opened = tokio::time::timeout(SILENCE_MAX, open(location, links)).await.map_err(silent)?;
    let mut batches = opened.map_err(lost)?;
    loop {
        let next = tokio::time::timeout(SILENCE_MAX, batches.next()).await.map_err(silent)?;
        match next {
            Some(Ok(batch)) => spool.push(with_schema(batch, &schema)?)?,
            Some(Err(error)) => return Err(lost(error.strip_backtrace())),
            None => return Ok(spool.finish()?),
        }
    }
}

async fn open(location: PartitionLocation, links: Option<&Arc<Links>>) -> Result<SendableRecordBatchStream, String> {
    let layout = location.layout();
    let executor = location.executor_meta.ok_or("it is not known where it lies")?;
    let partition = location.partition_id.ok_or("it has no name")?;
    let port = u16::try_from(executor.port).map_err(|error| error.to_string())?;
    let size = MESSAGE_BYTES_MAX as usize;
    let (host, way) = (&executor.host, links.map(Links::to_data));
    // Where it is a link that does not hold, that says why.
    let told = |error: String| links.and_then(|links| links.failure(host, port)).unwrap_or(error);
    let client = BallistaClient::try_new(host, port, size, false, way, RETRIES, RETRY_PAUSE_MS, 0, 0).await;
    let mut client = client.map_err(|error| told(error.to_string()))?;
    // Blocks as they lie in the files: the other transport turns large lists into lists, and large batches away.
    let batches = client.fetch_partition(&executor.id, &partition.into(), location.file_id, layout, false).await;
    batches.map_err(|error| told(error.to_string()))
}

/// What comes over the wire has lost the metadata of its columns.
fn with_schema(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = batch.columns().to_vec();
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(DataFusionError::from)
}
