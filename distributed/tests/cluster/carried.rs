//! Shuffled data through a gate, beside without one: the same rows, and how fast they come.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use arrow_flight::flight_service_server::FlightServiceServer;
use ballista_core::JobId;
use ballista_core::client::BallistaClient;
use ballista_core::execution_plans::create_shuffle_path;
use ballista_core::extension::BallistaConfigGrpcEndpoint;
use ballista_core::serde::scheduler::{PartitionId, ShuffleLayout};
use ballista_executor::flight_service::BallistaFlightService;
use futures::TryStreamExt;
use quarray_distributed::links::{Door, Gate, Identity, Links, Secret, Service};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::TestResult;

/// Rows of a batch, 512 KiB.
const ROWS: usize = 64 << 10;

/// How often each way is gone; the best of them is told.
const ROUNDS: usize = 3;

/// Megabytes of data: `QUARRAY_LINKS_MB`, or few.
fn megabytes() -> usize {
    std::env::var("QUARRAY_LINKS_MB").ok().and_then(|text| text.parse().ok()).unwrap_or(32)
}

/// As they are written, so they come, with and without a gate.
pub fn shuffled_data_is_carried() -> TestResult {
    let directory = TempDir::new()?;
    let partition = PartitionId::new(&JobId::from("job-1"), 1, 0);
    let written = write(&directory, &partition)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let target = listener.local_addr()?;
        let service = BallistaFlightService::new(directory.path().display().to_string());
        let server = Server::builder().add_service(FlightServiceServer::new(service));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))));
        let identity = Identity::new(&Secret::new(b"the secret of this test")?)?;
        let outside = TcpListener::bind("127.0.0.1:0").await?;
        let address = outside.local_addr()?;
        let _gate = Gate::open(vec![Door { listener: outside, service: Service::Data, target }], &identity);
        let links = Links::new(&identity, directory.path())?;
        let mut speeds = Vec::new();
        for (port, way) in [(target.port(), None), (address.port(), Some(links.to_data()))] {
            let mut best = 0.0_f64;
            for _ in 0..ROUNDS {
                let start = Instant::now();
                let found = fetch(port, way.clone(), &partition).await?;
                let megabytes = found.iter().map(RecordBatch::get_array_memory_size).sum::<usize>() as f64 / 1e6;
                best = best.max(megabytes / start.elapsed().as_secs_f64());
                if found != written {
                    return Err("other rows have come than were written".into());
                }
            }
            speeds.push(format!("{best:.0} MB/s"));
        }
        println!("shuffled data: without and with a link {}", speeds.join(", "));
        Ok(())
    })
}

fn write(directory: &TempDir, partition: &PartitionId) -> TestResult<Vec<RecordBatch>> {
    let path = create_shuffle_path(
        directory.path(),
        &partition.job_id,
        partition.stage_id,
        partition.partition_id,
        None,
        false,
    )?;
    std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Int64, false)]));
    let mut writer = StreamWriter::try_new(std::fs::File::create(path)?, &schema)?;
    let mut random = 88_172_645_463_325_252_i64;
    let mut batches = Vec::new();
    for _ in 0..(megabytes() << 20) / (ROWS * 8) {
        let values = std::iter::repeat_with(|| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        });
        let column: Int64Array = values.take(ROWS).collect::<Vec<_>>().into();
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(column)])?;
        writer.write(&batch)?;
        batches.push(batch);
    }
    writer.finish()?;
    Ok(batches)
}

async fn fetch(
    port: u16,
    way: Option<Arc<BallistaConfigGrpcEndpoint>>,
    partition: &PartitionId,
) -> TestResult<Vec<RecordBatch>> {
    let host = IpAddr::V4(Ipv4Addr::LOCALHOST).to_string();
    let mut client = BallistaClient::try_new(&host, port, 64 << 20, false, way, 1, 0, 0, 0).await?;
    let batches = client.fetch_partition("executor", partition, None, ShuffleLayout::default(), false).await?;
    Ok(batches.try_collect().await?)
}
