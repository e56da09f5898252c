//! The server of the external scaler.

use std::net::SocketAddr;
use std::sync::Arc;

use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::service::ScalerService;
use crate::cluster::ClusterError;
use crate::cluster::local::Threads;
use crate::cluster::places::listen;
use crate::control::LocalClusters;

/// A server that runs. It ends when it is dropped.
#[derive(Debug)]
pub struct ScalerServer {
    address: SocketAddr,
    _threads: Threads,
}

impl ScalerServer {
    /// Starts a server that tells of these clusters; port 0 is any that is free.
    pub async fn start(address: SocketAddr, clusters: Arc<LocalClusters>) -> Result<Self, ClusterError> {
        let threads = Threads::start()?;
        let start = async move {
            let listener = listen(address).await?;
            let address = listener.local_addr().map_err(ClusterError::system("listen"))?;
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            let served = Server::builder().add_service(ScalerService { clusters }).serve_with_incoming(incoming);
            tokio::spawn(async move {
                // It ends with its threads.
                let _ = served.await;
            });
            Ok(address)
        };
        let address = threads.run(start).await?;
        Ok(Self { address, _threads: threads })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
