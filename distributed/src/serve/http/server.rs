//! The listening side.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::access::Access;
use super::guard::{Guard, guard};
use super::routes::{Routes, routes};
use crate::cluster::ClusterError;
use crate::cluster::local::Threads;
use crate::cluster::places::listen;
use crate::metrics::Metrics;
use crate::serve::dashboard::{Dashboard, Watched};

/// Answers that are on their way when the server ends have so long.
const GRACE: Duration = Duration::from_secs(1);

/// What a server is started with.
#[derive(Clone)]
pub struct HttpSettings {
    /// Where it listens; port 0 is any that is free.
    pub listen: SocketAddr,
    /// Names of this host that browsers may use, beside its addresses and `localhost`.
    pub names: Vec<String>,
    /// Who may look.
    pub access: Arc<dyn Access>,
    /// What `/metrics` tells.
    pub metrics: Metrics,
    /// What there is to look at.
    pub watched: Watched,
}

/// A server that runs. It ends when it is dropped.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    dashboard: Arc<Dashboard>,
    stop: oneshot::Sender<()>,
    service: JoinHandle<()>,
    // Last: it is what the others run on.
    _threads: Threads,
}

impl HttpServer {
    /// Starts a server on threads of its own, so that it answers while queries keep all others busy.
    pub async fn start(settings: HttpSettings) -> Result<Self, ClusterError> {
        if !settings.listen.ip().is_loopback() {
            let address = settings.listen.to_string();
            let asks = settings.access.asks();
            return Err(if asks { ClusterError::InTheClear { address } } else { ClusterError::NotLocal { address } });
        }
        let threads = Threads::start()?;
        let (stop, stopped) = oneshot::channel();
        let start = async move {
            let listener = listen(settings.listen).await?;
            let address = listener.local_addr().map_err(ClusterError::system("listen"))?;
            let dashboard = Dashboard::start(settings.watched);
            let rules = Arc::new(Guard { access: settings.access, names: settings.names });
            let shared = Arc::new(Routes::new(Arc::clone(&dashboard), settings.metrics));
            let routes = routes(shared).layer(middleware::from_fn_with_state(rules, guard));
            let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
            let service = tokio::spawn(async move {
                let stopped = async move {
                    // A server that is dropped stops as well.
                    let _ = stopped.await;
                };
                // Whoever looks notices as well as anyone could tell him.
                let _ = axum::serve(listener, routes).with_graceful_shutdown(stopped).await;
            });
            Ok((address, dashboard, service))
        };
        let (address, dashboard, service) = threads.run(start).await?;
        Ok(Self { address, dashboard, stop, service, _threads: threads })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for browsers.
    pub fn link(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// What it shows.
    pub fn dashboard(&self) -> &Arc<Dashboard> {
        &self.dashboard
    }

    /// Takes no more requests, gives those on their way a moment, and ends.
    pub async fn shut_down(self) {
        let Self { dashboard, stop, service, .. } = self;
        dashboard.close();
        // Whoever does not listen any more has ended.
        let _ = stop.send(());
        let _ = tokio::time::timeout(GRACE, service).await;
    }
}
