//! What every request goes through first.
//!
//! - The `Host` header is an address, `localhost` or a name that was allowed: a page of another site whose name was
//!   pointed at this machine (DNS rebinding) is refused.
//! - Where users are asked, the request says who it is. Supervisors of this machine are not asked: what they are told has no
//!   statements and no users in it.
//! - What changes something comes from a page of this very server: there are no other permissions to be had (no CORS).
//!
//! And every answer says that its page loads nothing from elsewhere and stands in no frame.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::{Access, Denied};
use crate::serve::dashboard::Viewer;

/// Nothing but what this server itself has: no inline code, no other hosts, no frames, no forms.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What a supervisor asks without a password: it learns nothing but whether the server lives.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// What a collector of this machine asks without a password: counts and sums, without a text and without a user's name.
const OPEN_HERE: &str = "/metrics";

/// A browser asks its user for a name and a password at this.
const ASKING: &str = "Basic realm=\"quarray\", charset=\"UTF-8\"";

/// The rules of one server.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) access: Arc<dyn Access>,
    /// Names of this host beside its addresses and `localhost`.
    pub(super) names: Vec<String>,
}

/// Lets a request through, or answers it. Who asks is told to the handlers behind, where somebody was asked.
pub(super) async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut response = match guard.check(&parts).await {
        Ok(viewer) => {
            if let Some(viewer) = viewer {
                parts.extensions.insert(viewer);
            }
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Why a request is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("expected one Host header with an address of this server, localhost, or a name that it was started with")]
    Host,
    #[error(transparent)]
    User(#[from] Denied),
    #[error("expected a request of one of this server's own pages")]
    Origin,
    #[error("expected GET, HEAD or POST")]
    Method,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::User(Denied::Unknown) => StatusCode::UNAUTHORIZED,
            Self::User(Denied::Later { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
        };
        let text = (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{self}\n"));
        match self {
            Self::User(Denied::Unknown) => ([(WWW_AUTHENTICATE, ASKING)], text).into_response(),
            Self::User(Denied::Later { seconds }) => ([(RETRY_AFTER, seconds.to_string())], text).into_response(),
            _ => text.into_response(),
        }
    }
}

impl Guard {
    /// Who asks; `None` where nobody is asked whoever it is.
    async fn check(&self, request: &Parts) -> Result<Option<Viewer>, Refusal> {
        let headers = &request.headers;
        let host = single(headers, &HOST).filter(|host| self.is_this_host(host)).ok_or(Refusal::Host)?;
        if request.uri.authority().is_some_and(|authority| authority.as_str() != host) {
            return Err(Refusal::Host);
        }
        let peer = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let is_here = peer.is_some_and(|peer| peer.to_canonical().is_loopback());
        let path = request.uri.path();
        if OPEN.contains(&path) || (path == OPEN_HERE && is_here) {
            return Ok(None);
        }
        let viewer = self.access.viewer(single(headers, &AUTHORIZATION), peer).await?;
        match request.method {
            Method::GET | Method::HEAD => Ok(Some(viewer)),
            Method::POST if is_own_page(headers, host) => Ok(Some(viewer)),
            Method::POST => Err(Refusal::Origin),
            _ => Err(Refusal::Method),
        }
    }

    fn is_this_host(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else { return false };
        let address = name.trim_start_matches('[').trim_end_matches(']');
        address.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The name or address of a `Host` header: `server:8080`, `[::1]:8080`.
fn without_port(host: &str) -> Option<&str> {
    let end_of_address = host.rfind(']').map_or(0, |end| end + 1);
    let (name, port) = match host.get(end_of_address..)?.find(':') {
        Some(colon) => (host.get(..end_of_address + colon)?, host.get(end_of_address + colon + 1..)?),
        None => (host, "0"),
    };
    (!name.is_empty() && port.parse::<u16>().is_ok()).then_some(name)
}

/// Browsers tell where a request that changes something comes from, and pages of other sites cannot tell otherwise.
fn is_own_page(headers: &HeaderMap, host: &str) -> bool {
    let is_same = |origin: &str| ["http://", "https://"].iter().any(|scheme| origin.strip_prefix(scheme) == Some(host));
    let is_origin_own = single(headers, &ORIGIN).is_some_and(is_same);
    let site = headers.get("sec-fetch-site");
    is_origin_own && site.is_none_or(|site| site == "same-origin")
}

/// The value of a header that is there once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use async_trait::async_trait;

    use super::super::access::Everyone;
    use super::*;

    type Checked = Result<Option<Viewer>, Refusal>;

    const ALL: Checked = Ok(Some(Viewer::All));

    async fn check(method: &str, path: &str, headers: &[(&str, &str)]) -> Checked {
        let guard = Guard { access: Arc::new(Everyone), names: vec!["arrays.example".to_string()] };
        checked(&guard, method, path, headers).await
    }

    async fn checked(guard: &Guard, method: &str, path: &str, headers: &[(&str, &str)]) -> Checked {
        checked_from(None, guard, method, path, headers).await
    }

    async fn checked_from(
        peer: Option<&str>,
        guard: &Guard,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Checked {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, _) = request.body(Body::empty()).map_err(|_| Refusal::Method)?.into_parts();
        if let Some(peer) = peer {
            let peer: SocketAddr = peer.parse().map_err(|_| Refusal::Host)?;
            parts.extensions.insert(ConnectInfo(peer));
        }
        guard.check(&parts).await
    }

    #[tokio::test]
    async fn hosts_are_addresses_and_known_names() {
        for host in
            ["127.0.0.1:8080", "127.0.0.1", "[::1]:8080", "[::1]", "localhost:1", "LOCALHOST", "arrays.example:443"]
        {
            assert_eq!(check("GET", "/", &[("host", host)]).await, ALL, "{host}");
        }
        for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "", ":80"]
        {
            assert_eq!(check("GET", "/", &[("host", host)]).await, Err(Refusal::Host), "{host}");
        }
        assert_eq!(check("GET", "/", &[]).await, Err(Refusal::Host));
        assert_eq!(check("GET", "/", &[("host", "localhost"), ("host", "localhost")]).await, Err(Refusal::Host));
        assert_eq!(check("GET", "http://evil.example/", &[("host", "localhost")]).await, Err(Refusal::Host));
        assert_eq!(check("GET", "/", &[("host", "localhost:99999")]).await, Err(Refusal::Host));
    }

    #[tokio::test]
    async fn changes_come_from_own_pages() {
        let host = ("host", "127.0.0.1:8080");
        let own = ("origin", "http://127.0.0.1:8080");
        assert_eq!(check("POST", "/x", &[host, own]).await, ALL);
        assert_eq!(check("POST", "/x", &[host, own, ("sec-fetch-site", "same-origin")]).await, ALL);
        for headers in [
            vec![host],
            vec![host, ("origin", "null")],
            vec![host, ("origin", "http://127.0.0.1:8081")],
            vec![host, ("origin", "http://evil.example")],
            vec![host, own, ("sec-fetch-site", "cross-site")],
            vec![host, own, ("origin", "http://evil.example")],
        ] {
            assert_eq!(check("POST", "/x", &headers).await, Err(Refusal::Origin), "{headers:?}");
        }
        assert_eq!(check("DELETE", "/x", &[host, own]).await, Err(Refusal::Method));
        assert_eq!(check("OPTIONS", "/x", &[host, own]).await, Err(Refusal::Method));
    }

    #[derive(Debug)]
    struct OneUser;

    #[async_trait]
    impl Access for OneUser {
        fn asks(&self) -> bool {
            true
        }

        async fn viewer(&self, authorization: Option<&str>, peer: Option<IpAddr>) -> Result<Viewer, Denied> {
            match authorization {
                _ if peer == Some(IpAddr::from([192, 0, 2, 1])) => Err(Denied::Later { seconds: 3 }),
                Some("Bearer right") => Ok(Viewer::Own(Arc::from("ada"))),
                _ => Err(Denied::Unknown),
            }
        }
    }

    #[tokio::test]
    async fn users_are_asked_but_supervisors_are_not() {
        let guard = Guard { access: Arc::new(OneUser), names: Vec::new() };
        let host = ("host", "localhost");
        let right = ("authorization", "Bearer right");
        let wrong = ("authorization", "Bearer wrong");
        let unknown = || Err(Refusal::User(Denied::Unknown));
        assert_eq!(checked(&guard, "GET", "/", &[host]).await, unknown());
        assert_eq!(checked(&guard, "GET", "/metrics", &[host]).await, unknown());
        assert_eq!(checked(&guard, "GET", "/", &[host, wrong]).await, unknown());
        assert_eq!(checked(&guard, "GET", "/", &[host, right, right]).await, unknown());
        assert_eq!(checked(&guard, "GET", "/", &[host, right]).await, Ok(Some(Viewer::Own(Arc::from("ada")))));
        assert_eq!(checked(&guard, "GET", "/healthz", &[host]).await, Ok(None));
        for (peer, expected) in [
            ("127.0.0.1:1", Ok(None)),
            ("[::1]:1", Ok(None)),
            ("[::ffff:127.0.0.1]:1", Ok(None)),
            ("192.0.2.9:1", unknown()),
            ("192.0.2.1:1", Err(Refusal::User(Denied::Later { seconds: 3 }))),
        ] {
            assert_eq!(checked_from(Some(peer), &guard, "GET", "/metrics", &[host]).await, expected, "{peer}");
            assert_eq!(checked_from(Some("127.0.0.1:1"), &guard, "GET", "/api/overview", &[host]).await, unknown());
        }
    }
}
