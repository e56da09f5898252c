//! Connections of confined sessions: to addresses of the outside world, whatever a name resolves to.
//!
//! Every request goes through [`NetworkGuard`], tokens of credentials included. It resolves the name of the host and
//! refuses the request if any of its addresses is one of this machine, of its link or of a private network, unless the
//! rules say otherwise. Where it does not see everything: the client resolves the name once more by itself, so that a name
//! whose owner changes it within that moment is not caught; a proxy (`HTTPS_PROXY`) resolves names by itself; and the
//! client follows redirects by itself, up to ten, whose hosts are not seen here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

use url::Url;

use super::address::Address;
use super::{StoreOptions, UrlPrefixes};

/// Which addresses may be reached.
#[derive(Debug, Clone)]
pub(super) struct NetworkGuard {
    rules: Arc<Rules>,
}

#[derive(Debug)]
struct Rules {
    urls: UrlPrefixes,
    may_reach_private: bool,
}

/// A request that must not be made.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("`{host}` is an address of {what}, which the server does not give access to")]
    Internal { host: String, what: &'static str },
    #[error("cannot find the address of `{host}`")]
    Unknown { host: String },
}

impl NetworkGuard {
    pub(super) fn new(urls: UrlPrefixes, may_reach_private: bool) -> Self {
        Self { rules: Arc::new(Rules { urls, may_reach_private }) }
    }
}

impl NetworkGuard {
    /// Whether an address begins with what the rules name.
    pub(super) fn allows(&self, address: &Address) -> bool {
        self.rules.urls.allow(address, &StoreOptions::new())
    }

    /// Refuses a request to an address that may not be reached, in words.
    pub(super) async fn admit(&self, url: &Url) -> Result<(), String> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        self.rules.check(url.scheme(), host, port).await.map_err(|refused| refused.to_string())
    }
}

impl HttpConnector for NetworkGuard {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(GuardedClient { rules: Arc::clone(&self.rules), client }))
    }
}

#[derive(Debug)]
struct GuardedClient {
    rules: Arc<Rules>,
    client: HttpClient,
}

#[async_trait]
impl HttpService for GuardedClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let scheme = request.uri().scheme_str().unwrap_or_default().to_string();
        let host = request.uri().host().unwrap_or_default().to_string();
        let port = request.uri().port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
        self.rules
            .check(&scheme, &host, port)
            .await
            .map_err(|refused| HttpError::new(HttpErrorKind::Unknown, refused))?;
        self.client.execute(request).await
    }
}

impl Rules {
    async fn check(&self, scheme: &str, host: &str, port: u16) -> Result<(), Refused> {
        if self.urls.name(scheme, host, port) && (literal(host).is_some() || is_localhost(host)) {
            return Ok(());
        }
        let addresses: Vec<IpAddr> = match literal(host) {
            Some(address) => vec![address],
            None => {
                let found = tokio::net::lookup_host((host, port)).await;
                let found = found.map_err(|_| Refused::Unknown { host: host.to_string() })?;
                found.map(|address| address.ip()).collect()
            }
        };
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
            AddressKind::Own => Some("the server itself, or of its link"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AddressKind {
    Public,
    Private,
    /// Of this machine or its link, or none of a machine at all.
    Own,
}

fn kind(address: IpAddr) -> AddressKind {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> AddressKind {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0 | 127 | 224..=255, _, _) | (169, 254, _) => AddressKind::Own,
        (10, _, _) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => AddressKind::Private,
        (192, 0, 0 | 2) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => AddressKind::Private,
        _ => AddressKind::Public,
    }
}

fn kind_of_v6(address: Ipv6Addr) -> AddressKind {
    let parts = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        kind_of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        [0, 0, 0, 0, 0, 0, 0, _] => AddressKind::Own,
        // Addresses of the fourth version in other clothes: mapped, compatible, translated (well-known and 6to4).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => embedded(high, low),
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] | [0xfe80..=0xfebf, ..] | [0xff00..=0xffff, ..] => AddressKind::Own,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] | [0x2001, 0xdb8, ..] => AddressKind::Private,
        _ => AddressKind::Public,
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Ended = Result<(), Box<dyn std::error::Error>>;

    fn rules(urls: &[&str], may_reach_private: bool) -> Result<Rules, String> {
        let urls: Vec<String> = urls.iter().map(ToString::to_string).collect();
        let urls = UrlPrefixes::parse(&urls).map_err(|(_, message)| message)?;
        Ok(Rules { urls, may_reach_private })
    }

    #[test]
    fn addresses_are_told_apart() -> Ended {
        let of = |kinds: AddressKind, addresses: &[&str]| -> Ended {
            for address in addresses {
                assert_eq!(kind(address.parse()?), kinds, "{address}");
            }
            Ok(())
        };
        of(
            AddressKind::Own,
            &["127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255"],
        )?;
        of(
            AddressKind::Own,
            &["::1", "::", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"],
        )?;
        of(AddressKind::Own, &["2002:7f00:1::", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1"])?;
        of(AddressKind::Private, &["10.0.0.1", "172.16.0.1", "172.31.255.1", "192.168.1.1", "100.64.0.1", "fd00::1"])?;
        of(AddressKind::Private, &["::ffff:10.0.0.1", "fec0::1"])?;
        of(
            AddressKind::Public,
            &["8.8.8.8", "172.32.0.1", "172.15.0.1", "100.63.0.1", "2606:4700::1111", "169.253.0.1"],
        )
    }

    #[tokio::test]
    async fn hosts_are_checked_by_their_addresses() -> Ended {
        let none = rules(&["https://data.example/"], false)?;
        for host in ["127.0.0.1", "[::1]", "localhost", "169.254.169.254", "10.1.2.3"] {
            assert!(none.check("http", host, 80).await.is_err(), "{host}");
        }
        assert!(none.check("https", "8.8.8.8", 443).await.is_ok());
        let named = rules(&["http://127.0.0.1:9000/data/", "http://localhost:9000/", "http://[::1]/"], false)?;
        for (host, port) in [("127.0.0.1", 9000), ("localhost", 9000), ("LOCALHOST", 9000), ("[::1]", 80)] {
            assert!(named.check("http", host, port).await.is_ok(), "{host}:{port}");
        }
        for (host, port) in [("127.0.0.1", 9001), ("127.0.0.2", 9000), ("169.254.169.254", 80), ("[::1]", 9000)] {
            assert!(named.check("http", host, port).await.is_err(), "{host}:{port}");
        }
        let private = rules(&["https://data.example/"], true)?;
        assert!(
            private.check("https", "10.1.2.3", 443).await.is_ok()
                && private.check("https", "127.0.0.1", 443).await.is_err()
        );
        Ok(())
    }
}
