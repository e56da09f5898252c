//! Where the services of a process listen, and where others reach them.
//!
//! Without a secret both are the same, an address of this machine. With one, services listen on loopback and a gate listens
//! where others come.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use ballista_core::extension::EndpointOverrideFn;
use tokio::net::{TcpListener, TcpStream};

use super::error::ClusterError;
use super::executor::ExecutorSettings;
use super::ports::free_pair;
use super::scheduler_watch::{connect, lost, reach};
use crate::links::{Connection, Door, Gate, Identity, Links, Service};

/// Where services listen behind a gate.
const BEHIND: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Where they listen when the gate itself is on that address: all of 127.0.0.0/8 is this machine's.
const BEHIND_LOOPBACK: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The places of an executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExecutorPlaces {
    /// Where its services listen.
    pub bind: IpAddr,
    /// Where others reach them, at the same ports.
    pub told: IpAddr,
    /// The port of its data.
    pub data_port: u16,
    /// The port where it gets tasks.
    pub task_port: u16,
}

impl ExecutorPlaces {
    /// Places for an executor that tells others this address.
    fn find(told: IpAddr, has_secret: bool) -> Result<Self, ClusterError> {
        if told.is_unspecified() {
            return Err(ClusterError::Start(format!("others cannot reach {told}; expected one of its addresses")));
        }
        let bind = match (has_secret, told) {
            (true, told) if told == IpAddr::V4(BEHIND) => IpAddr::V4(BEHIND_LOOPBACK),
            (true, _) => IpAddr::V4(BEHIND),
            (false, told) if told.is_loopback() => told,
            (false, told) => return Err(ClusterError::NeedsSecret { address: told.to_string() }),
        };
        let ports = free_pair(&[bind, told], std::process::id());
        let (data_port, task_port) = ports.ok_or_else(|| ClusterError::Start("no port is free".to_string()))?;
        Ok(Self { bind, told, data_port, task_port })
    }

    /// The doors of its gate.
    async fn doors(&self) -> Result<Vec<Door>, ClusterError> {
        let mut doors = Vec::new();
        for (port, service) in [(self.data_port, Service::Data), (self.task_port, Service::Tasks)] {
            let listener = listen(SocketAddr::new(self.told, port)).await?;
            doors.push(Door { listener, service, target: SocketAddr::new(self.bind, port) });
        }
        Ok(doors)
    }
}

/// An executor as others see it: its places, its gate, and the ways to others.
#[derive(Debug)]
pub(super) struct ExecutorOpening {
    pub places: ExecutorPlaces,
    /// The ways to other hosts, if they share a secret.
    pub links: Option<Arc<Links>>,
    _gate: Option<Gate>,
}

impl ExecutorOpening {
    /// Opens the gate, where there is a secret; services come behind it later.
    pub(super) async fn make(settings: &ExecutorSettings, work_dir: &Path) -> Result<Self, ClusterError> {
        let places = ExecutorPlaces::find(settings.address, settings.secret.is_some())?;
        let Some(secret) = &settings.secret else {
            return Ok(Self { places, links: None, _gate: None });
        };
        let identity = Identity::new(secret)?;
        let gate = Gate::open(places.doors().await?, &identity);
        Ok(Self { places, links: Some(Links::new(&identity, work_dir)?), _gate: Some(gate) })
    }

    /// Connects to the scheduler, which is waited for; `tell` hears why. One that does not share the secret is an error at
    /// once: later, that would be a connection that ends without a word.
    pub(super) async fn reach_scheduler(
        &self,
        (host, port): &(String, u16),
        tell: impl FnMut(&str),
    ) -> Result<SchedulerConnection, ClusterError> {
        let place = (host.as_str(), *port);
        let Some(links) = &self.links else {
            check_is_local(host, *port).await?;
            return Ok(SchedulerConnection::Open(reach(|| connect(place), tell).await));
        };
        let connect = || async {
            match links.connect(place, Service::Scheduler).await {
                Err(error) if error.is_passing() => Err(error),
                settled => Ok(settled),
            }
        };
        Ok(SchedulerConnection::Linked(reach(connect, tell).await?))
    }

    /// For Ballista's connections to the scheduler.
    pub(super) fn to_scheduler(&self, (host, port): &(String, u16)) -> Option<EndpointOverrideFn> {
        self.links.as_ref().map(|links| links.to_scheduler(host.clone(), *port))
    }
}

/// A connection to the scheduler on which nothing is said: it ends when the scheduler does.
#[derive(Debug)]
pub(super) enum SchedulerConnection {
    /// To a scheduler of this machine.
    Open(TcpStream),
    /// To one that shares the secret.
    Linked(Connection),
}

impl SchedulerConnection {
    /// Waits until the scheduler is gone; how that showed.
    pub(super) async fn ended(self) -> String {
        match self {
            Self::Open(stream) => lost(stream).await,
            Self::Linked(connection) => connection.ended().await,
        }
    }
}

impl Drop for ExecutorOpening {
    fn drop(&mut self) {
        if let Some(links) = &self.links {
            links.close();
        }
    }
}

/// Listens there; port 0 is any that is free.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, ClusterError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| ClusterError::Listen { address: address.to_string(), error })
}

/// Refuses a host of others: without a secret, what is said to it could be heard by anyone.
async fn check_is_local(host: &str, port: u16) -> Result<(), ClusterError> {
    // A name that nobody knows is told of when it is connected to.
    let found = tokio::net::lookup_host((host, port)).await.into_iter().flatten();
    let mut foreign = found.filter(|address| !address.ip().is_loopback());
    match foreign.next() {
        Some(address) => Err(ClusterError::NeedsSecret { address: address.to_string() }),
        None => Ok(()),
    }
}

/// An address as a part of a URL, or before a port.
pub(super) fn in_url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_secret_opens_other_addresses() -> Result<(), ClusterError> {
        let (loopback, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([192, 0, 2, 1]));
        let error = ExecutorPlaces::find(other, false).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("cannot use 192.0.2.1 without a shared secret"), "{error}");
        assert!(ExecutorPlaces::find(IpAddr::from([0, 0, 0, 0]), true).is_err());
        let open = ExecutorPlaces::find(loopback, false)?;
        assert_eq!(open.bind, open.told);
        let guarded = ExecutorPlaces::find(loopback, true)?;
        assert_ne!(guarded.bind, guarded.told);
        assert!(guarded.bind.is_loopback());
        let elsewhere = ExecutorPlaces::find(IpAddr::from([127, 0, 0, 3]), true)?;
        assert_eq!(elsewhere.bind, loopback);
        Ok(())
    }

    #[tokio::test]
    async fn a_scheduler_elsewhere_needs_a_secret() {
        assert!(check_is_local("127.0.0.1", 1).await.is_ok());
        assert!(check_is_local("::1", 1).await.is_ok());
        assert!(check_is_local("localhost", 1).await.is_ok());
        let refused = check_is_local("192.0.2.1", 50050).await;
        assert!(matches!(refused, Err(ClusterError::NeedsSecret { address }) if address == "192.0.2.1:50050"));
    }

    #[test]
    fn addresses_in_urls() {
        assert_eq!(in_url(IpAddr::from([127, 0, 0, 1])), "127.0.0.1");
        assert_eq!(in_url(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])), "[::1]");
    }
}
