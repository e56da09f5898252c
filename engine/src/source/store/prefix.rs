//! What URLs may begin with.

use url::Url;

use super::StoreOptions;
use super::address::Address;

/// Beginnings of URLs: whole names of folders, never parts of them.
#[derive(Debug, Clone, Default)]
pub struct UrlPrefixes {
    prefixes: Vec<Place>,
}

/// Where something is: on which service and host (or in which bucket), and under which path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    authority: String,
    path: String,
}

impl UrlPrefixes {
    /// Reads the beginnings; the wrong one and what is wrong with it.
    pub(crate) fn parse(prefixes: &[String]) -> Result<Self, (&str, String)> {
        let parse = |prefix: &str| {
            let address = Address::parse(prefix, &StoreOptions::new()).map_err(|error| error.to_string())?;
            match address.sas() {
                Some(_) => Err("expected no `?`".to_string()),
                None => Place::of(&address, &StoreOptions::new()),
            }
        };
        let places = prefixes.iter().map(|prefix| parse(prefix).map_err(|message| (prefix.as_str(), message)));
        Ok(Self { prefixes: places.collect::<Result<_, _>>()? })
    }

    /// Whether an address begins with one of them.
    pub(super) fn allow(&self, address: &Address, options: &StoreOptions) -> bool {
        let Ok(place) = Place::of(address, options) else { return false };
        self.prefixes.iter().any(|prefix| place.is_below(prefix))
    }

    /// Whether a host and port stand in one of them as they are.
    pub(super) fn name(&self, scheme: &str, host: &str, port: u16) -> bool {
        let authority = format!("{scheme}://{}:{port}", host.to_ascii_lowercase());
        self.prefixes.iter().any(|prefix| prefix.authority == authority)
    }
}

impl Place {
    fn of(address: &Address, options: &StoreOptions) -> Result<Self, String> {
        let place = |authority: String, path: &str| Self { authority, path: path.trim_matches('/').to_string() };
        Ok(match address {
            Address::Local(_) => return Err("expected a URL, found a path: paths are given as --root".to_string()),
            Address::Http(url) => of_web(url),
            Address::S3 { bucket, key } => place(format!("s3://{bucket}"), key),
            Address::Gcs { bucket, key } => place(format!("gs://{bucket}"), key),
            Address::Azure { account, container, key, .. } => {
                let named = account.as_deref().or_else(|| {
                    ["account", "account_name"].iter().find_map(|name| options.get(*name).map(String::as_str))
                });
                let account = named.ok_or("expected the name of the storage account in the URL, found none")?;
                place(format!("azure://{}", account.to_ascii_lowercase()), &format!("{container}/{key}"))
            }
        })
    }

    fn is_below(&self, prefix: &Self) -> bool {
        if self.authority != prefix.authority {
            return false;
        }
        let rest = match self.path.strip_prefix(&prefix.path) {
            Some(rest) if prefix.path.is_empty() || rest.is_empty() => rest,
            Some(rest) if rest.starts_with('/') => rest,
            _ => return false,
        };
        // What a server on the way may take for a step upwards.
        let lower = rest.to_ascii_lowercase();
        let has_escape = ["%2e", "%2f", "%5c", "%00", "\\"].iter().any(|escape| lower.contains(escape));
        !has_escape && !rest.split('/').any(|part| part == "." || part == "..")
    }
}

/// A web address; one of Azure's is the same place as under Azure's own scheme.
fn of_web(url: &Url) -> Place {
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let path = url.path().trim_matches('/').to_string();
    let account = [".blob.core.windows.net", ".dfs.core.windows.net"].iter().find_map(|end| host.strip_suffix(end));
    match account {
        Some(account) if url.scheme() == "https" => Place { authority: format!("azure://{account}"), path },
        _ => {
            let port = url.port_or_known_default().unwrap_or_default();
            Place { authority: format!("{}://{host}:{port}", url.scheme()), path }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Ended = Result<(), Box<dyn std::error::Error>>;

    fn allow(prefix: &str, uri: &str) -> Result<bool, Box<dyn std::error::Error>> {
        let prefixes = [prefix.to_string()];
        let prefixes = UrlPrefixes::parse(&prefixes).map_err(|(prefix, message)| format!("{prefix}: {message}"))?;
        let options = StoreOptions::new();
        Ok(Address::parse(uri, &options).is_ok_and(|address| prefixes.allow(&address, &options)))
    }

    #[test]
    fn what_is_below_a_prefix_is_allowed() -> Ended {
        for (prefix, uri) in [
            ("https://h.example/data/", "https://h.example/data/x.zarr"),
            ("https://h.example/data", "https://h.example/data"),
            ("https://h.example", "https://H.EXAMPLE:443/any/thing?sig=x"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/x"),
            ("s3://bucket/pre", "s3://bucket/pre/x.zarr"),
            ("s3://bucket", "s3a://bucket/x"),
            ("gs://bucket/a/b", "gcs://bucket/a/b/c"),
            ("https://acc.blob.core.windows.net/con/", "abfss://con@acc.dfs.core.windows.net/x"),
            ("abfss://con@acc.dfs.core.windows.net/", "https://acc.blob.core.windows.net/con/x?sv=1&sig=s"),
        ] {
            assert!(allow(prefix, uri)?, "{prefix} {uri}");
        }
        Ok(())
    }

    #[test]
    fn what_only_looks_like_it_is_not() -> Ended {
        for (prefix, uri) in [
            ("https://h.example/data", "https://h.example/database"),
            ("https://h.example/data/", "https://h.example/data/../secret"),
            ("https://h.example/data/", "https://h.example/data/%2e%2e/secret"),
            ("https://h.example/data/", "https://h.example/data/..%2fsecret"),
            ("https://h.example/data/", "https://h.example/data/..%5csecret"),
            ("https://h.example/", "http://h.example/x"),
            ("https://h.example/", "https://h.example:8443/x"),
            ("https://h.example/", "https://h.example.evil.example/x"),
            ("https://h.example/", "https://evil.example/https://h.example/"),
            ("https://h.example/", "https://h.example@evil.example/x"),
            ("s3://bucket/pre", "s3://bucket/prefix/x"),
            ("s3://bucket/pre", "s3://bucket/pre/../x"),
            ("s3://bucket", "s3://bucket2/x"),
            ("s3://bucket", "gs://bucket/x"),
            ("https://acc.blob.core.windows.net/con/", "abfss://con@other.dfs.core.windows.net/x"),
            ("https://acc.blob.core.windows.net/con/", "az://con/x"),
        ] {
            assert!(!allow(prefix, uri)?, "{prefix} {uri}");
        }
        for wrong in ["/srv/data", "data", "ftp://h.example/", "https://h.example/?x=y", "https://"] {
            assert!(allow(wrong, "https://h.example/x").is_err(), "{wrong}");
        }
        Ok(())
    }
}
