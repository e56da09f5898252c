//! What a scheduler is told of its executors by those who look after them.

use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{ExecutorStoppedParams, UpdateTaskStatusParams};
use tonic::transport::Channel;

use super::error::ClusterError;
use super::scheduler::Scheduler;

impl Scheduler {
    /// An executor is known to have ended: its tasks run elsewhere from now on.
    pub async fn executor_ended(&self, id: &str, reason: &str) -> Result<(), ClusterError> {
        self.state().dismiss(id);
        let params = ExecutorStoppedParams { executor_id: id.to_string(), reason: reason.to_string() };
        self.client().await?.executor_stopped(params).await.map_err(refused)?;
        Ok(())
    }

    /// An executor behind a fence gets tasks again, those that wait among them. Where the scheduler cannot be told, it
    /// stays behind its fence.
    pub async fn take_back(&self, id: &str) -> Result<(), ClusterError> {
        self.state().unfence(id);
        let offered = self.offer_to(id).await;
        if offered.is_err() {
            self.state().fence(id);
        }
        offered
    }

    /// Makes the scheduler offer free cores: it does so when it hears of tasks, even of none, and not by itself.
    async fn offer_to(&self, id: &str) -> Result<(), ClusterError> {
        let nothing = UpdateTaskStatusParams { executor_id: id.to_string(), task_status: Vec::new() };
        self.client().await?.update_task_status(nothing).await.map_err(refused)?;
        Ok(())
    }

    async fn client(&self) -> Result<SchedulerGrpcClient<Channel>, ClusterError> {
        let address = format!("http://{}", self.local_address());
        SchedulerGrpcClient::connect(address).await.map_err(|_| ClusterError::Closed)
    }
}

fn refused(status: tonic::Status) -> ClusterError {
    ClusterError::Ballista(status.message().to_string())
}
