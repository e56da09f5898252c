//! Names of hosts, looked up once for whoever connects.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use super::{Rules, UnknownHost};

/// Who knows the addresses of names.
#[derive(Debug)]
pub(super) enum Names {
    /// The system.
    OfSystem,
    /// A test: one address after the other, the last one for good.
    #[cfg(test)]
    Told(parking_lot::Mutex<std::collections::VecDeque<IpAddr>>),
}

impl Names {
    /// The addresses of a name, or the address that it is.
    pub(super) async fn look_up(&self, host: &str) -> Result<Vec<IpAddr>, UnknownHost> {
        let unknown = || UnknownHost { host: host.to_string() };
        match self {
            Self::OfSystem => {
                let found = tokio::net::lookup_host((host, 0)).await.map_err(|_| unknown())?;
                Ok(found.map(|address| address.ip()).collect())
            }
            #[cfg(test)]
            Self::Told(addresses) => {
                let mut addresses = addresses.lock();
                let next = if addresses.len() > 1 { addresses.pop_front() } else { addresses.front().copied() };
                Ok(vec![next.ok_or_else(unknown)?])
            }
        }
    }

    #[cfg(test)]
    pub(super) fn told(addresses: &[IpAddr]) -> Self {
        Self::Told(parking_lot::Mutex::new(addresses.iter().copied().collect()))
    }
}

/// Gives a client no address of a name that it may not connect to.
#[derive(Debug)]
pub(super) struct GuardedNames(pub(super) Arc<Rules>);

impl Resolve for GuardedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = Arc::clone(&self.0);
        Box::pin(async move {
            let addresses = rules.resolve(name.as_str()).await?;
            // The client puts the port of the URL in place of none.
            let addresses: Vec<_> = addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The hosts of proxies that an environment names for clients.
pub(super) fn proxies(variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let names = ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"];
    let host = |text: &str| {
        let text = if text.contains("://") { text.to_string() } else { format!("http://{text}") };
        Url::parse(&text).ok()?.host_str().map(str::to_string)
    };
    let named = names.iter().filter_map(|name| variable(name)).filter(|text| !text.trim().is_empty());
    // One that cannot be read is none that could be let pass; but names are looked up, as if there were one.
    named.map(|text| host(text.trim()).unwrap_or_default()).collect()
}
