//! An executor that leaves without a loss: on SIGUSR1 it asks for no more tasks, and leaves once it holds nothing that
//! anybody still needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ballista_core::BALLISTA_PROTOCOL_VERSION;
use ballista_core::serde::protobuf::executor_resource::Resource;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{
    ExecutorOperatingSystemSpecification, ExecutorRegistration, ExecutorResource, ExecutorSpecification,
    ExecutorStatus, HeartBeatParams, executor_status,
};
use ballista_core::utils::create_grpc_client_endpoint;
use ballista_executor::executor_process::ExecutorProcessConfig;
use tokio::signal::unix::{SignalKind, signal};

use super::cancellation::CancellingEngine;
use super::error::ClusterError;

/// What an executor that leaves says of itself beside being active.
pub(super) const LEAVING: &str = "leaving";

/// It says so this often, until it has left: nothing else tells whether the scheduler has heard it.
const REPEAT: Duration = Duration::from_secs(2);

/// How often it looks whether it still holds anything.
const POLL: Duration = Duration::from_millis(200);

/// The data of a job may be removed a moment after its task has ended, or before: it must be gone for so many looks.
const QUIET_LOOKS: u32 = 3;

/// Waits for SIGUSR1, then leads the executor to its end, which is that of SIGTERM.
pub(super) async fn leave_when_asked(
    config: Arc<ExecutorProcessConfig>,
    engine: Arc<CancellingEngine>,
    work_dir: PathBuf,
) {
    let Ok(mut asked) = signal(SignalKind::user_defined1()) else {
        return;
    };
    if asked.recv().await.is_none() {
        return;
    }
    let say = async {
        loop {
            // Said again anyway.
            let _ = say_leaving(&config).await;
            tokio::time::sleep(REPEAT).await;
        }
    };
    let empty = async {
        // The scheduler hears it, and what it has just given arrives.
        tokio::time::sleep(REPEAT).await;
        let mut quiet = 0;
        while quiet < QUIET_LOOKS {
            tokio::time::sleep(POLL).await;
            quiet = if engine.is_idle() && holds_nothing(&work_dir) { quiet + 1 } else { 0 };
        }
    };
    tokio::select! {
        () = say => {}
        () = empty => {}
    }
    // SAFETY: a system call with a number.
    unsafe { libc::raise(libc::SIGTERM) };
}

/// Whether no job has files here.
fn holds_nothing(work_dir: &Path) -> bool {
    let mut entries = std::fs::read_dir(work_dir).into_iter().flatten().flatten();
    // Jobs have directories of their own; what does not fit into memory goes with its task.
    !entries.any(|entry| entry.file_name().to_string_lossy().starts_with("job-"))
}

async fn say_leaving(config: &ExecutorProcessConfig) -> Result<(), ClusterError> {
    let address = format!("http://{}:{}", config.scheduler_host, config.scheduler_port);
    let wrong = |error: tonic::transport::Error| ClusterError::Ballista(error.to_string());
    let mut endpoint = create_grpc_client_endpoint(address, None).map_err(wrong)?;
    if let Some(through) = &config.override_create_grpc_client_endpoint {
        endpoint = through(endpoint).map_err(|error| ClusterError::Ballista(error.to_string()))?;
    }
    let mut scheduler = SchedulerGrpcClient::new(endpoint.connect().await.map_err(wrong)?);
    let active = executor_status::Status::Active(LEAVING.to_string());
    let vcores = u32::try_from(config.vcores).unwrap_or(u32::MAX);
    let heartbeat = HeartBeatParams {
        executor_id: config.executor_id.clone(),
        metrics: Vec::new(),
        status: Some(ExecutorStatus { status: Some(active) }),
        metadata: Some(ExecutorRegistration {
            id: config.executor_id.clone(),
            host: config.external_host.clone(),
            port: u32::from(config.port),
            grpc_port: u32::from(config.grpc_port),
            specification: Some(ExecutorSpecification {
                resources: vec![ExecutorResource { resource: Some(Resource::Vcores(vcores)) }],
            }),
            os_info: Some(ExecutorOperatingSystemSpecification::default()),
            ballista_protocol_version: BALLISTA_PROTOCOL_VERSION,
        }),
    };
    let heard = scheduler.heart_beat_from_executor(heartbeat).await;
    heard.map(drop).map_err(|status| ClusterError::Ballista(status.message().to_string()))
}
