//! Connections of confined sessions: to addresses of the outside world, whatever a name resolves to.
//!
//! Every request goes through [`NetworkGuard`], tokens of credentials included. None reaches an address of this machine,
//! of its link or of a private network, unless the rules say otherwise:
//!
//! - An address that stands in a URL itself is looked at before the request.
//! - A name is looked up by the client as it connects, with the guard's [`Resolve`] (`network/names.rs`): what was looked at
//!   is what is connected to, whatever the name's owner answers the next time.
//! - No client follows redirects by itself. Those of reads are followed by ours, each held against the rules
//!   (`network/client.rs` for objects, `web.rs` for documents); a write that is redirected has failed.
//!
//! Where it does not see everything: a proxy (`HTTPS_PROXY`) resolves names by itself. Where the environment names one,
//! names are looked up here before each request too, but the proxy may be told something else.

mod addresses;
mod client;
mod names;

use std::error::Error as StdError;
use std::net::IpAddr;
use std::sync::Arc;

use reqwest::dns::Resolve;
use url::{Host, Url};

use super::address::Address;
use super::{StoreOptions, UrlPrefixes};
use addresses::{AddressKind, kind};
use names::{GuardedNames, Names};

/// Which addresses may be reached.
#[derive(Debug, Clone)]
pub(super) struct NetworkGuard {
    rules: Arc<Rules>,
}

#[derive(Debug)]
struct Rules {
    urls: UrlPrefixes,
    may_reach_private: bool,
    names: Names,
    /// Hosts of proxies.
    proxies: Vec<String>,
}

/// A request that must not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("`{host}` is an address of {what}, which the server does not give access to")]
    Internal { host: String, what: &'static str },
    #[error("redirected to {origin}, to a place that is not below a URL that the server gives access to")]
    Redirected { origin: String },
}

/// A name that has no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot find the address of `{host}`")]
pub(super) struct UnknownHost {
    host: String,
}

/// Why a request is not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAdmitted {
    // Not transparent: whoever looks for the refusal behind an error asks for the source.
    #[error("{0}")]
    Refused(#[from] Refused),
    #[error("{0}")]
    Unknown(#[from] UnknownHost),
}

impl Refused {
    /// The refusal that an error comes of, if it does.
    pub(super) fn behind<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut causes = std::iter::successors(Some(error), |&error| error.source());
        causes.find_map(|error| error.downcast_ref())
    }
}

impl NetworkGuard {
    pub(super) fn new(urls: UrlPrefixes, may_reach_private: bool) -> Self {
        let proxies = names::proxies(|name| std::env::var(name).ok());
        Self { rules: Arc::new(Rules { urls, may_reach_private, names: Names::OfSystem, proxies }) }
    }

    /// Whether an address begins with what the rules name.
    pub(super) fn allows(&self, address: &Address) -> bool {
        self.rules.urls.allow(address, &StoreOptions::new())
    }

    /// Refuses a request to an address that may not be reached, as far as its URL shows that: the rest is the resolver's.
    pub(super) async fn admit(&self, url: &Url) -> Result<(), NotAdmitted> {
        self.rules.check(url).await
    }

    /// Looks names up for a client. Every client of a confined session has it.
    pub(super) fn resolver(&self) -> Arc<impl Resolve + 'static> {
        Arc::new(GuardedNames(Arc::clone(&self.rules)))
    }
}

impl Rules {
    async fn check(&self, url: &Url) -> Result<(), NotAdmitted> {
        let host = url.host_str().unwrap_or_default();
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        let port = url.port_or_known_default().unwrap_or_default();
        if (address.is_some() || is_localhost(host)) && self.urls.name(url.scheme(), host, port) {
            return Ok(());
        }
        match address {
            Some(address) => Ok(self.admit(host, &[address])?),
            None if is_localhost(host) => Err(own(host).into()),
            None if self.proxies.is_empty() => Ok(()),
            None => Ok(self.admit(host, &self.names.look_up(host).await?)?),
        }
    }

    /// The addresses of a name that a client connects to.
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, NotAdmitted> {
        let addresses = self.names.look_up(host).await?;
        // Which of these may be called was decided by the URL; and nobody but the environment names a proxy.
        if !is_localhost(host) && !self.proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(host)) {
            self.admit(host, &addresses)?;
        }
        Ok(addresses)
    }

    fn admit(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Refused> {
        match addresses.iter().find_map(|address| self.refusal(*address)) {
            Some(what) => Err(Refused::Internal { host: host.to_string(), what }),
            None => Ok(()),
        }
    }

    fn refusal(&self, address: IpAddr) -> Option<&'static str> {
        match kind(address) {
            AddressKind::Public => None,
            AddressKind::Private if self.may_reach_private => None,
            AddressKind::Private => Some("a private network"),
            AddressKind::Own => Some(OWN),
        }
    }
}

const OWN: &str = "the server itself, or of its link";

fn own(host: &str) -> Refused {
    Refused::Internal { host: host.to_string(), what: OWN }
}

fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Ended = Result<(), Box<dyn std::error::Error>>;

    pub(super) fn rules(urls: &[&str], may_reach_private: bool, names: Names) -> Result<Rules, String> {
        let urls: Vec<String> = urls.iter().map(ToString::to_string).collect();
        let urls = UrlPrefixes::parse(&urls).map_err(|(_, message)| message)?;
        Ok(Rules { urls, may_reach_private, names, proxies: Vec::new() })
    }

    #[tokio::test]
    async fn hosts_are_checked_by_their_addresses() -> Ended {
        let none = rules(&["https://data.example/"], false, Names::OfSystem)?;
        for host in ["127.0.0.1", "[::1]", "localhost", "a.LOCALHOST.", "169.254.169.254", "10.1.2.3", "0x7f000001"] {
            assert!(none.check(&Url::parse(&format!("http://{host}/"))?).await.is_err(), "{host}");
        }
        assert!(none.check(&Url::parse("https://8.8.8.8/")?).await.is_ok());
        let urls = ["http://127.0.0.1:9000/data/", "http://localhost:9000/", "http://[::1]/"];
        let named = rules(&urls, false, Names::OfSystem)?;
        for place in ["127.0.0.1:9000", "localhost:9000", "LOCALHOST:9000", "[::1]"] {
            assert!(named.check(&Url::parse(&format!("http://{place}/"))?).await.is_ok(), "{place}");
        }
        for place in ["127.0.0.1:9001", "127.0.0.2:9000", "localhost:9001", "169.254.169.254", "[::1]:9000"] {
            assert!(named.check(&Url::parse(&format!("http://{place}/"))?).await.is_err(), "{place}");
        }
        let private = rules(&["https://data.example/"], true, Names::OfSystem)?;
        assert!(private.check(&Url::parse("https://10.1.2.3/")?).await.is_ok());
        assert!(private.check(&Url::parse("https://127.0.0.1/")?).await.is_err());
        Ok(())
    }

    #[tokio::test]
    async fn names_are_looked_up_before_a_proxy_does() -> Ended {
        let (public, own): (IpAddr, IpAddr) = ("8.8.8.8".parse()?, "127.0.0.1".parse()?);
        let url = Url::parse("https://data.example/x")?;
        let mut rules = rules(&["https://data.example/"], false, Names::told(&[own]))?;
        assert!(rules.check(&url).await.is_ok(), "nobody has looked yet");
        rules.proxies = names::proxies(|name| (name == "https_proxy").then(|| "http://proxy.example:3128".to_string()));
        assert_eq!(rules.proxies, ["proxy.example"]);
        assert!(rules.check(&url).await.is_err());
        assert_eq!(rules.resolve("proxy.example").await?, [own]);
        rules.names = Names::told(&[public]);
        assert!(rules.check(&url).await.is_ok());
        Ok(())
    }
}
