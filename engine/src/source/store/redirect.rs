//! Where a web server sends whoever asks it.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};
use url::Url;

/// Servers that one request is sent on to, at most.
pub(super) const REDIRECTS_MAX: usize = 5;

/// A redirect that leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum Misdirected {
    #[error("redirected to no address: {0}")]
    NoAddress(#[from] url::ParseError),
    #[error("redirected away from an encrypted connection")]
    Downgraded,
    #[error("redirected more than {REDIRECTS_MAX} times")]
    Astray,
}

/// Where an answer sends whoever asked, if it does.
pub(super) fn target(url: &Url, status: StatusCode, headers: &HeaderMap) -> Result<Option<Url>, Misdirected> {
    if !status.is_redirection() {
        return Ok(None);
    }
    let Some(location) = headers.get(LOCATION).and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let next = url.join(location)?;
    match next.scheme() {
        "https" => Ok(Some(next)),
        "http" if url.scheme() == "http" => Ok(Some(next)),
        _ => Err(Misdirected::Downgraded),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    type Ended = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn connections_stay_encrypted() -> Ended {
        let (open, encrypted) = (Url::parse("http://h.example/a/b")?, Url::parse("https://h.example/a/b")?);
        let sent = |from: &Url, status: StatusCode, location: &'static str| {
            let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]);
            target(from, status, &headers).map(|to| to.map(|to| to.to_string()))
        };
        let to = |place: &str| Some(place.to_string());
        assert_eq!(sent(&open, StatusCode::FOUND, "c")?, to("http://h.example/a/c"));
        assert_eq!(sent(&open, StatusCode::FOUND, "https://other.example/")?, to("https://other.example/"));
        assert_eq!(sent(&encrypted, StatusCode::TEMPORARY_REDIRECT, "/c")?, to("https://h.example/c"));
        assert_eq!(sent(&encrypted, StatusCode::OK, "/c")?, None);
        for (from, location) in [(&encrypted, "http://h.example/"), (&open, "file:///etc/hostname")] {
            assert!(matches!(sent(from, StatusCode::FOUND, location), Err(Misdirected::Downgraded)), "{location}");
        }
        Ok(())
    }
}
