//! `/metrics`, `/healthz` and `/readyz`.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::task::JoinHandle;

use super::{CONTENT_TYPE, Metrics};
use crate::cluster::ClusterError;

/// Whether the process can do its work at the moment.
pub type Readiness = Arc<dyn Fn() -> bool + Send + Sync>;

/// The routes of a process: `/metrics`, `/healthz` (it lives), `/readyz` (it can do its work: 503 while it cannot).
pub fn router(metrics: Metrics, is_ready: Readiness) -> Router {
    Router::new()
        .route("/metrics", get(tell).with_state(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready).with_state(is_ready))
}

/// A server of these routes alone. It ends when it is dropped.
#[derive(Debug)]
pub struct MetricsEndpoint {
    address: SocketAddr,
    service: JoinHandle<()>,
}

impl MetricsEndpoint {
    /// Serves on the threads of the runtime that this is called on.
    pub fn start(listener: TcpListener, routes: Router) -> Result<Self, ClusterError> {
        let address = listener.local_addr().map_err(ClusterError::system("listen"))?;
        listener.set_nonblocking(true).map_err(ClusterError::system("listen"))?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(ClusterError::system("listen"))?;
        let service = tokio::spawn(async move {
            // It ends with the process, or when it is aborted.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, service })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsEndpoint {
    fn drop(&mut self) {
        self.service.abort();
    }
}

async fn tell(State(metrics): State<Metrics>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.render().await).into_response()
}

async fn ready(State(is_ready): State<Readiness>) -> Response {
    match is_ready() {
        true => "ready\n".into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response(),
    }
}
