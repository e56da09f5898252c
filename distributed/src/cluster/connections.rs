//! Connections between executors, kept for the next fetch.
//!
//! Without them every fetch of every task opens one of its own, and a few queries with a large shuffle use up the ports
//! that the system gives to clients.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ballista_core::client::BallistaClient;
use ballista_core::client_pool::{BallistaClientPool, PooledClient};
use ballista_core::error::Result;
use ballista_core::extension::BallistaConfigGrpcEndpoint;
use ballista_core::utils::GrpcClientConfig;
use parking_lot::Mutex;

use crate::links::Links;

/// Idle connections to one executor.
const IDLE_MAX: usize = 8;

/// Idle connections are kept this long.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// Idle connections, by address and settings.
#[derive(Debug, Default)]
pub struct Connections {
    /// The ways to other hosts, where there are any.
    links: Option<Arc<Links>>,
    idle: Arc<Mutex<IdleConnections>>,
}

type Place = (String, u16, GrpcClientConfig);

#[derive(Default)]
struct IdleConnections(HashMap<Place, Vec<(BallistaClient, Instant)>>);

impl std::fmt::Debug for IdleConnections {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_map().entries(self.0.iter().map(|(place, idle)| ((&place.0, place.1), idle.len()))).finish()
    }
}

impl IdleConnections {
    fn take(&mut self, place: &Place) -> Option<BallistaClient> {
        self.forget_old();
        self.0.get_mut(place)?.pop().map(|(client, _)| client)
    }

    fn put(&mut self, place: Place, client: BallistaClient) {
        let idle = self.0.entry(place).or_default();
        if idle.len() < IDLE_MAX {
            idle.push((client, Instant::now()));
        }
    }

    fn forget_old(&mut self) {
        self.0.retain(|_, idle| {
            idle.retain(|(_, since)| since.elapsed() < IDLE_TIME);
            !idle.is_empty()
        });
    }
}

impl Connections {
    /// No connections yet. They will go through these links.
    pub fn through(links: Option<Arc<Links>>) -> Self {
        Self { links, ..Self::default() }
    }
}

#[async_trait]
impl BallistaClientPool for Connections {
    async fn acquire(
        &self,
        host: &str,
        port: u16,
        config: &GrpcClientConfig,
        customize_endpoint: Option<Arc<BallistaConfigGrpcEndpoint>>,
    ) -> Result<PooledClient> {
        let place = (host.to_string(), port, config.clone());
        let known = self.idle.lock().take(&place);
        let client = match known {
            Some(client) => client,
            None => {
                let through_links = self.links.as_ref().map(Links::to_data);
                BallistaClient::try_new(
                    host,
                    port,
                    config.max_message_size,
                    config.use_tls,
                    through_links.or(customize_endpoint),
                    config.io_retries_times,
                    config.io_retry_wait_time_ms,
                    config.initial_connection_window_size,
                    config.initial_stream_window_size,
                )
                .await?
            }
        };
        let idle = Arc::clone(&self.idle);
        Ok(PooledClient::new(client, Box::new(move |client| idle.lock().put(place, client))))
    }

    async fn evict_idle(&self) {
        self.idle.lock().forget_old();
    }
}
