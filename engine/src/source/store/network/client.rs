//! The client of object stores in confined sessions.

use std::time::Duration;

use async_trait::async_trait;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions, Error};
use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Client, redirect};
use url::Url;

use super::{NetworkGuard, NotAdmitted, Refused};
use crate::source::store::StoreOptions;
use crate::source::store::address::Address;
use crate::source::store::redirect::{Misdirected, REDIRECTS_MAX, target};

/// A host that takes longer to be connected to is taken for unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Headers that another server may see: what is wanted, and nothing of who wants it.
const SHARED: [HeaderName; 6] = [
    header::ACCEPT,
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
];

impl HttpConnector for NetworkGuard {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let is = |key| options.get_config_value(&key).as_deref() == Some("true");
        if options.get_config_value(&ClientConfigKey::ProxyUrl).is_some() {
            return Err(failed("a store has no proxy of its own here: name it in HTTPS_PROXY".into()));
        }
        // As `ClientOptions` would make it, but for redirects and names.
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .dns_resolver(self.resolver())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("quarray/", env!("CARGO_PKG_VERSION")))
            .https_only(!is(ClientConfigKey::AllowHttp))
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate();
        if is(ClientConfigKey::Http1Only) {
            builder = builder.http1_only();
        }
        let client = builder.build().map_err(|error| failed(error.into()))?;
        Ok(HttpClient::new(GuardedClient { guard: self.clone(), client }))
    }
}

#[derive(Debug)]
struct GuardedClient {
    guard: NetworkGuard,
    client: Client,
}

#[async_trait]
impl HttpService for GuardedClient {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        for _ in 0..=REDIRECTS_MAX {
            let url = Url::parse(&request.uri().to_string()).map_err(unusable)?;
            self.guard.admit(&url).await.map_err(not_made)?;
            let again = request.method().is_safe().then(|| request.clone());
            let response = self.client.call(request).await.map_err(refusal)?;
            let Some(again) = again else { return Ok(response) };
            let Some(next) = target(&url, response.status(), response.headers()).map_err(unusable)? else {
                return Ok(response);
            };
            if !Address::parse(next.as_str(), &StoreOptions::new()).is_ok_and(|address| self.guard.allows(&address)) {
                return Err(unusable(Refused::Redirected { origin: next.origin().ascii_serialization() }));
            }
            request = sent_on(again, &url, &next)?;
        }
        Err(unusable(Misdirected::Astray))
    }
}

/// The request, to where it was sent on to.
fn sent_on(mut request: HttpRequest, from: &Url, to: &Url) -> Result<HttpRequest, HttpError> {
    *request.uri_mut() = to.as_str().parse().map_err(unusable)?;
    if from.origin() != to.origin() {
        let headers = request.headers_mut();
        let shared = SHARED.into_iter().filter_map(|name| headers.remove(&name).map(|value| (name, value)));
        *headers = shared.collect::<Vec<_>>().into_iter().collect::<HeaderMap>();
    }
    Ok(request)
}

/// The refusal behind a connection that was not made, in place of an error that would have it tried again.
fn refusal(error: HttpError) -> HttpError {
    match Refused::behind(&error) {
        Some(refused) => unusable(refused.clone()),
        None => error,
    }
}

fn not_made(error: NotAdmitted) -> HttpError {
    match error {
        NotAdmitted::Refused(refused) => unusable(refused),
        NotAdmitted::Unknown(unknown) => HttpError::new(HttpErrorKind::Connect, unknown),
    }
}

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Generic { store: "HTTP", source }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::names::Names;
    use super::super::tests::rules;
    use super::*;

    type Ended = Result<(), Box<dyn std::error::Error>>;

    /// A web server of this machine that counts who connects.
    async fn counted() -> Result<(u16, Arc<AtomicUsize>), std::io::Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (port, count) = (listener.local_addr()?.port(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&count);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
            }
        });
        Ok((port, count))
    }

    fn request(url: &str) -> Result<HttpRequest, Box<dyn std::error::Error>> {
        let mut request = HttpRequest::new(object_store::client::HttpRequestBody::empty());
        *request.uri_mut() = url.parse()?;
        Ok(request)
    }

    #[tokio::test]
    async fn a_name_that_is_told_to_be_another_address_the_next_time_is_not_connected_to() -> Ended {
        let (port, count) = counted().await?;
        let place = format!("http://data.example:{port}/");
        let (public, own): (IpAddr, IpAddr) = ("8.8.8.8".parse()?, "127.0.0.1".parse()?);
        let guard = |names, proxies| -> Result<NetworkGuard, String> {
            let mut rules = rules(&[&place], false, names)?;
            rules.proxies = proxies;
            Ok(NetworkGuard { rules: Arc::new(rules) })
        };
        // A first look that finds nothing wrong (there is one where there are proxies), and a second one; then one alone.
        let looked_twice = guard(Names::told(&[public, own]), vec!["proxy.example".to_string()])?;
        let looked_once = guard(Names::told(&[own]), Vec::new())?;
        for guard in [looked_twice, looked_once] {
            let client = guard.connect(&ClientOptions::new().with_allow_http(true))?;
            let error = client.execute(request(&place)?).await.err().ok_or("it is connected to")?;
            assert!(matches!(Refused::behind(&error), Some(Refused::Internal { .. })), "{error}");
            assert_eq!(error.kind(), HttpErrorKind::Unknown);
        }
        assert_eq!(count.load(Ordering::SeqCst), 0, "the server was called");

        // The same server, where its address stands in the rules.
        let named = format!("http://127.0.0.1:{port}/");
        let guard = NetworkGuard { rules: Arc::new(rules(&[&named], false, Names::OfSystem)?) };
        let client = guard.connect(&ClientOptions::new().with_allow_http(true))?;
        client.execute(request(&named)?).await?;
        assert_eq!(count.load(Ordering::SeqCst), 1);
        Ok(())
    }

    #[test]
    fn another_server_sees_what_is_wanted_alone() -> Ended {
        let mut first = request("https://a.example/x")?;
        for (name, value) in [("range", "bytes=0-9"), ("authorization", "secret"), ("x-amz-security-token", "secret")] {
            first.headers_mut().insert(HeaderName::from_static(name), value.parse()?);
        }
        let from = Url::parse("https://a.example/x")?;
        let same = sent_on(first.clone(), &from, &Url::parse("https://a.example/y")?)?;
        assert_eq!((same.headers().len(), same.uri().to_string().as_str()), (3, "https://a.example/y"));
        let other = sent_on(first, &from, &Url::parse("https://b.example/y")?)?;
        assert_eq!((other.headers().len(), other.headers().contains_key("range")), (1, true));
        Ok(())
    }
}
