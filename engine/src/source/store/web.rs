//! Documents of web servers: what catalogs and token endpoints answer with.
//!
//! Architecture invariants: every request of a confined session, those that a redirect asks for included, is held against
//! its rules; headers go to the server that they are meant for and to no other.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode};
use url::Url;

use super::address::{Address, without_secrets};
use super::network::{NetworkGuard, NotAdmitted, Refused};
use super::redirect::{Misdirected, REDIRECTS_MAX, target};
use crate::access::AccessPolicy;
use crate::source::SourceError;

/// Bytes of a document, at most.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// Times that a request is made, at most.
const TRIES_MAX: u32 = 5;

/// The first wait before a request is made again; each further one is twice as long.
const BACKOFF: Duration = Duration::from_millis(200);

/// The longest wait that a server may ask for: someone is waiting.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(20);

/// A request for a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebRequest {
    /// Where to.
    pub url: String,
    /// Names and values of headers.
    pub headers: Vec<(String, String)>,
    /// JSON to post; without it the request is a GET.
    pub body: Option<String>,
}

impl WebRequest {
    /// A GET without headers.
    pub(crate) fn get(url: &str) -> Self {
        Self { url: url.to_string(), headers: Vec::new(), body: None }
    }
}

/// Asks web servers for documents, as far as whoever asks may reach them.
#[derive(Debug, Clone)]
pub(crate) struct WebClient {
    client: Client,
    guard: Option<NetworkGuard>,
}

/// How one try ended.
enum Tried {
    Answered(Bytes),
    /// It may go better later: what is wrong, and how long the server wants to be left alone.
    Busy(SourceError, Option<Duration>),
}

impl WebClient {
    /// A client for whoever may touch what the policy says.
    pub(crate) fn new(access: &AccessPolicy) -> Result<Self, SourceError> {
        let guard = access
            .confinement()
            .map(|confinement| NetworkGuard::new(confinement.urls().clone(), confinement.rules().may_reach_private));
        Self::guarded(guard)
    }

    /// A client that makes the connections that the guard lets it make.
    pub(super) fn guarded(guard: Option<NetworkGuard>) -> Result<Self, SourceError> {
        let mut builder = Client::builder();
        if let Some(guard) = &guard {
            builder = builder.dns_resolver(guard.resolver());
        }
        let built = builder
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(30))
            .timeout(Duration::from_secs(120))
            .user_agent(concat!("quarray/", env!("CARGO_PKG_VERSION")))
            .build();
        let failed = |error: reqwest::Error| SourceError::Store {
            uri: "a web server".to_string(),
            message: format!("no client can be made: {error}"),
        };
        Ok(Self { client: built.map_err(failed)?, guard })
    }

    /// The document that a request is answered with. Servers that are busy are asked again, for a while.
    pub(crate) async fn fetch(&self, request: &WebRequest) -> Result<Bytes, SourceError> {
        let mut wait = BACKOFF;
        for tried in 1..=TRIES_MAX {
            let (error, asked) = match self.once(request).await? {
                Tried::Answered(bytes) => return Ok(bytes),
                Tried::Busy(error, asked) => (error, asked),
            };
            let pause = asked.unwrap_or(wait);
            if tried == TRIES_MAX || pause > RETRY_AFTER_MAX {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            wait *= 2;
        }
        Err(SourceError::Store { uri: without_secrets(&request.url), message: "no answer".to_string() })
    }

    async fn once(&self, request: &WebRequest) -> Result<Tried, SourceError> {
        let mut url = parsed(&request.url)?;
        let (mut headers, mut body) = (header_map(request)?, request.body.clone());
        for _ in 0..=REDIRECTS_MAX {
            self.admit(&url).await?;
            let response = match self.send(&url, &headers, body.as_deref()).await {
                Ok(response) => response,
                Err(error) => match Refused::behind(&error) {
                    Some(refused) => return Err(denied(&url, refused.to_string())),
                    None => return Ok(Tried::Busy(unanswered(&url, &error), None)),
                },
            };
            let next = target(&url, response.status(), response.headers());
            let Some(next) = next.map_err(|misdirected| wrong(&url, misdirected.to_string()))? else {
                return answer(&url, response).await;
            };
            if next.origin() != url.origin() {
                headers.clear();
            }
            if !matches!(response.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
                body = None;
            }
            url = next;
        }
        Err(wrong(&url, Misdirected::Astray.to_string()))
    }

    async fn send(&self, url: &Url, headers: &HeaderMap, body: Option<&str>) -> Result<Response, reqwest::Error> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut request = self.client.request(method, url.clone()).headers(headers.clone());
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        request.send().await
    }

    /// Refuses a request that the rules do not allow.
    async fn admit(&self, url: &Url) -> Result<(), SourceError> {
        let Some(guard) = &self.guard else { return Ok(()) };
        let address = Address::parse(url.as_str(), &super::StoreOptions::new())?;
        if !guard.allows(&address) {
            return Err(denied(url, "not below a URL that the server gives access to".to_string()));
        }
        guard.admit(url).await.map_err(|error| match error {
            NotAdmitted::Refused(refused) => denied(url, refused.to_string()),
            NotAdmitted::Unknown(unknown) => wrong(url, unknown.to_string()),
        })
    }
}

/// The address of a document on a web server.
fn parsed(text: &str) -> Result<Url, SourceError> {
    let refused = |message: String| SourceError::Address { uri: without_secrets(text), message };
    let url = Url::parse(text).map_err(|error| refused(error.to_string()))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        other => Err(refused(format!("expected http or https, found {other}"))),
    }
}

fn header_map(request: &WebRequest) -> Result<HeaderMap, SourceError> {
    /// Headers that say how the bytes travel are the client's own.
    const OWN: [&str; 6] = ["host", "content-length", "transfer-encoding", "connection", "content-type", "upgrade"];
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers.iter().filter(|(name, _)| !OWN.contains(&name.to_ascii_lowercase().as_str())) {
        let parsed = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(value.as_str()).ok());
        let refused =
            || SourceError::Address { uri: without_secrets(&request.url), message: "not a header".to_string() };
        let (name, value) = parsed.ok_or_else(refused)?;
        headers.insert(name, value);
    }
    Ok(headers)
}

async fn answer(url: &Url, mut response: Response) -> Result<Tried, SourceError> {
    let status = response.status();
    if is_busy(status) {
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(pause_of);
        let error = wrong(url, format!("the server answered {status}"));
        return Ok(Tried::Busy(error, asked));
    }
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) if bytes.len() + piece.len() <= DOCUMENT_BYTES_MAX => bytes.extend_from_slice(&piece),
            Ok(Some(_)) => {
                return Err(wrong(url, format!("expected at most {DOCUMENT_BYTES_MAX} bytes, found more")));
            }
            Ok(None) => break,
            Err(error) => return Ok(Tried::Busy(unanswered(url, &error), None)),
        }
    }
    if status.is_success() {
        return Ok(Tried::Answered(bytes.into()));
    }
    let said = words_of(&bytes);
    let message = format!("the server answered {status}{said}");
    let uri = without_secrets(url.as_str());
    Err(match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => SourceError::NotFound { uri, message },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => SourceError::PermissionDenied { uri, message },
        _ => SourceError::Store { uri, message },
    })
}

fn is_busy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// What a server that refuses says of it, in short.
fn words_of(body: &[u8]) -> String {
    let Ok(serde_json::Value::Object(said)) = serde_json::from_slice(body) else { return String::new() };
    let text = ["description", "detail", "message"].iter().find_map(|name| said.get(*name).and_then(|it| it.as_str()));
    text.map_or_else(String::new, |text| format!(": {}", text.chars().take(200).collect::<String>()))
}

/// The wait that `Retry-After` asks for: seconds, or a time of day.
fn pause_of(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let time = chrono::DateTime::parse_from_rfc2822(text.trim()).ok()?;
    Some((time.to_utc() - chrono::Utc::now()).to_std().unwrap_or(Duration::ZERO))
}

fn wrong(url: &Url, message: String) -> SourceError {
    SourceError::Store { uri: without_secrets(url.as_str()), message }
}

fn denied(url: &Url, message: String) -> SourceError {
    SourceError::PermissionDenied { uri: without_secrets(url.as_str()), message }
}

/// The error of a request without a usable answer; its address, which may hold secrets, is left out.
fn unanswered(url: &Url, error: &reqwest::Error) -> SourceError {
    let what = match error {
        error if error.is_timeout() => "no answer in time",
        error if error.is_connect() => "cannot be reached",
        _ => "the answer broke off",
    };
    wrong(url, what.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read() {
        assert_eq!(pause_of("3"), Some(Duration::from_secs(3)));
        assert_eq!(pause_of("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(pause_of("soon"), None);
    }

    #[test]
    fn headers_of_the_connection_are_not_those_of_strangers() -> Result<(), SourceError> {
        let header = |name: &str, value: &str| (name.to_string(), value.to_string());
        let headers = vec![header("Host", "evil.example"), header("X-Page", "2")];
        let map = header_map(&WebRequest { headers, ..WebRequest::get("http://h.example/") })?;
        assert_eq!((map.len(), map.get("x-page").and_then(|value| value.to_str().ok())), (1, Some("2")));
        let broken = WebRequest { headers: vec![header("a b", "c")], ..WebRequest::get("http://h.example/") };
        assert!(header_map(&broken).is_err());
        Ok(())
    }
}
