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

/// Idle connections to all executors together: as many as one task fetches over at once, unless told otherwise (Ballista's
/// `ballista.shuffle.max_concurrent_read_requests`). A task that found fewer would open the others anew every time.
const IDLE_MAX: usize = 64;

/// Idle connections are kept this long.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// Idle connections, by address and settings.
#[derive(Debug, Default)]
pub struct Connections {
    /// The ways to other hosts, where there are any.
    links: Option<Arc<Links>>,
    idle: Arc<Mutex<Idle<BallistaClient>>>,
}

type Place = (String, u16, GrpcClientConfig);

/// Idle clients of every place, those that were put there last at the end.
struct Idle<Client>(HashMap<Place, Vec<(Client, Instant)>>);

impl<Client> Default for Idle<Client> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<Client> std::fmt::Debug for Idle<Client> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_map().entries(self.0.iter().map(|(place, idle)| ((&place.0, place.1), idle.len()))).finish()
    }
}

impl<Client> Idle<Client> {
    fn take(&mut self, place: &Place) -> Option<Client> {
        self.forget_old();
        self.0.get_mut(place)?.pop().map(|(client, _)| client)
    }

    fn put(&mut self, place: Place, client: Client) {
        if self.0.values().map(Vec::len).sum::<usize>() >= IDLE_MAX {
            self.forget_oldest();
        }
        self.0.entry(place).or_default().push((client, Instant::now()));
    }

    fn forget_oldest(&mut self) {
        let idle = self.0.values_mut().filter(|idle| !idle.is_empty());
        if let Some(idle) = idle.min_by_key(|idle| idle.first().map(|(_, since)| *since)) {
            idle.remove(0);
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

#[cfg(test)]
mod tests {
    use ballista_core::config::BallistaConfig;

    use super::*;

    fn place(port: u16) -> Place {
        ("executor".to_string(), port, GrpcClientConfig::from(&BallistaConfig::default()))
    }

    #[test]
    fn as_many_are_kept_as_a_task_fetches_over() {
        let mut idle = Idle::default();
        for number in 0..IDLE_MAX {
            idle.put(place(1), number);
        }
        assert!((0..IDLE_MAX).rev().all(|number| idle.take(&place(1)) == Some(number)));
        assert_eq!(idle.take(&place(1)), None);
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut idle = Idle::default();
        idle.put(place(1), 0);
        for number in 1..=IDLE_MAX {
            idle.put(place(2), number);
        }
        assert_eq!(idle.take(&place(1)), None);
        assert_eq!(idle.take(&place(2)), Some(IDLE_MAX));
        idle.put(place(3), 0);
        idle.put(place(3), 1);
        let left = (0..IDLE_MAX).filter_map(|_| idle.take(&place(2))).min();
        assert_eq!(left, Some(2), "the first of them was the oldest");
    }
}
