//! The dashboard, of a server or of one session.

use std::net::SocketAddr;
use std::sync::Arc;

use quarray_distributed::control::LocalClusters;
use quarray_distributed::metrics::{ClustersSource, Metrics, QueriesSource};
use quarray_distributed::serve::dashboard::Watched;
use quarray_distributed::serve::http::{Access, HttpServer, HttpSettings};
use quarray_engine::queries::QueryRegistry;

use crate::failure::Failure;

/// Serves pages about these statements and clusters, on this machine, to those whom `access` lets in.
pub async fn start(
    listen: SocketAddr,
    names: Vec<String>,
    access: Arc<dyn Access>,
    queries: &Arc<QueryRegistry>,
    clusters: &Arc<LocalClusters>,
) -> Result<HttpServer, Failure> {
    let watched = Watched { queries: Arc::clone(queries), clusters: Arc::clone(clusters) };
    let metrics = Metrics::new().with(QueriesSource::new(Arc::clone(queries)));
    let metrics = metrics.with(ClustersSource::new(Arc::clone(clusters)));
    let server = HttpServer::start(HttpSettings { listen, names, access, metrics, watched }).await?;
    clusters.shown_at(&server.link());
    queries.shown_at(&server.link());
    Ok(server)
}

/// Where the dashboard of a session listens: on this machine, on any port that is free.
pub fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
