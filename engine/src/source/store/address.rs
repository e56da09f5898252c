//! The grammar of addresses.

use std::path::{Path as FilePath, PathBuf};

use url::Url;

use super::StoreOptions;
use crate::source::SourceError;

/// What an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A path on this machine, absolute.
    Local(PathBuf),
    /// A folder of a web server.
    Http(Url),
    /// `s3://bucket/key`.
    S3 { bucket: String, key: String },
    /// `gs://bucket/key`.
    Gcs { bucket: String, key: String },
    /// `az://container/key`, `abfs(s)://container@account.dfs.core.windows.net/key`,
    /// `https://account.blob.core.windows.net/container/key?sas`.
    Azure { account: Option<String>, container: String, key: String, sas: Option<String> },
}

impl Address {
    /// Reads an address. The options matter only for an Azure web address, which is Azure where there are credentials
    /// for it, and a plain web server otherwise.
    pub(super) fn parse(uri: &str, options: &StoreOptions) -> Result<Self, SourceError> {
        let wrong = |message: String| SourceError::Address { uri: without_secrets(uri), message };
        if uri.is_empty() || uri.contains('\0') {
            return Err(wrong("expected a path or a URL, found nothing that can be opened".to_string()));
        }
        let Some((scheme, rest)) = split_scheme(uri) else {
            return local(FilePath::new(uri)).map_err(wrong);
        };
        match scheme.as_str() {
            "file" => file_url(uri).map_err(wrong),
            "http" | "https" => web(uri, options).map_err(wrong),
            "s3" | "s3a" => {
                let (bucket, key) = bucket_and_key(rest).map_err(wrong)?;
                Ok(Self::S3 { bucket, key })
            }
            "gs" | "gcs" => {
                let (bucket, key) = bucket_and_key(rest).map_err(wrong)?;
                Ok(Self::Gcs { bucket, key })
            }
            "az" | "azure" | "abfs" | "abfss" | "adl" => azure(rest).map_err(wrong),
            _ => Err(wrong(format!(
                "unknown scheme `{scheme}`: expected a local path, or file, http, https, s3, gs, az, abfs or abfss"
            ))),
        }
    }

    /// The SAS in the address, if there is one.
    pub(super) fn sas(&self) -> Option<&str> {
        match self {
            Self::Azure { sas, .. } => sas.as_deref(),
            Self::Http(url) => url.query(),
            _ => None,
        }
    }

    /// The address for people, secrets taken out.
    pub(super) fn shown(&self) -> String {
        let joined = |scheme: &str, authority: &str, key: &str| {
            let slash = if key.is_empty() { "" } else { "/" };
            format!("{scheme}://{authority}{slash}{key}")
        };
        match self {
            Self::Local(path) => path.display().to_string(),
            Self::Http(url) => without_secrets(url.as_str()),
            Self::S3 { bucket, key } => joined("s3", bucket, key),
            Self::Gcs { bucket, key } => joined("gs", bucket, key),
            Self::Azure { account: Some(account), container, key, .. } => {
                joined("abfss", &format!("{container}@{account}.dfs.core.windows.net"), key)
            }
            Self::Azure { container, key, .. } => joined("az", container, key),
        }
    }
}

/// Whether an address is a path as it stands.
pub(super) fn is_plain_path(uri: &str) -> bool {
    split_scheme(uri).is_none()
}

/// `scheme://rest`, or `file:/path`; a Windows drive or a name with a colon is no scheme.
fn split_scheme(uri: &str) -> Option<(String, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let scheme = scheme.to_ascii_lowercase();
    match rest.strip_prefix("//") {
        Some(rest) if is_scheme => Some((scheme, rest)),
        None if scheme == "file" && rest.starts_with('/') => Some((scheme, rest)),
        _ => None,
    }
}

fn local(path: &FilePath) -> Result<Address, String> {
    let absolute = std::path::absolute(path).map_err(|e| e.to_string())?;
    Ok(Address::Local(absolute))
}

fn file_url(uri: &str) -> Result<Address, String> {
    let url = Url::parse(uri).map_err(|e| e.to_string())?;
    let path = url.to_file_path().map_err(|()| "expected file:///path, found another machine's name".to_string())?;
    local(&path)
}

fn web(uri: &str, options: &StoreOptions) -> Result<Address, String> {
    let mut url = Url::parse(uri).map_err(|e| e.to_string())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user name or a password in a URL is not supported".to_string());
    }
    url.set_fragment(None);
    let host = url.host_str().ok_or("expected the name of a server, found none")?.to_string();
    let account = [".blob.core.windows.net", ".dfs.core.windows.net"].iter().find_map(|end| host.strip_suffix(end));
    let signed = url.query_pairs().any(|(name, _)| name == "sig");
    let has_credentials = || {
        let is_signed = options.get("sign").is_some_and(|value| !matches!(value.trim(), "none" | "false"));
        is_signed || AZURE_CREDENTIALS.iter().any(|name| options.contains_key(*name))
    };
    let Some(account) = account.filter(|_| signed || has_credentials()) else {
        // Keys are appended to the path, so it ends without a slash.
        let path = url.path().trim_end_matches('/').to_string();
        url.set_path(&path);
        return Ok(Address::Http(url));
    };
    let decoded = percent_encoding::percent_decode_str(url.path()).decode_utf8().map_err(|e| e.to_string())?;
    let (container, key) = bucket_and_key(decoded.trim_start_matches('/'))?;
    let sas = url.query().filter(|_| signed).map(str::to_string);
    Ok(Address::Azure { account: Some(account.to_string()), container, key, sas })
}

/// Options that make an Azure web address one of a store that is to be signed for.
const AZURE_CREDENTIALS: [&str; 11] = [
    "key",
    "account_key",
    "access_key",
    "sas",
    "sas_token",
    "sas_key",
    "token",
    "bearer_token",
    "client_id",
    "client_secret",
    "instance_credentials",
];

fn azure(rest: &str) -> Result<Address, String> {
    let (rest, sas) = match rest.split_once('?') {
        Some((rest, sas)) => (rest, Some(sas.to_string())),
        None => (rest, None),
    };
    let (authority, key) = bucket_and_key(rest)?;
    let Some((container, host)) = authority.split_once('@') else {
        return Ok(Address::Azure { account: None, container: authority, key, sas });
    };
    let account = host.split_once('.').map_or(host, |(account, _)| account);
    if container.is_empty() || account.is_empty() {
        return Err(format!("expected container@account.dfs.core.windows.net, found `{authority}`"));
    }
    Ok(Address::Azure { account: Some(account.to_string()), container: container.to_string(), key, sas })
}

/// `bucket/key`; the key loses slashes at its ends. Nothing is decoded: that is how the stores' own tools read it.
fn bucket_and_key(rest: &str) -> Result<(String, String), String> {
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err("expected the name of a bucket or container, found none".to_string());
    }
    if bucket.contains(['?', '#', '\\', '%', ':']) {
        return Err(format!("expected the name of a bucket or container, found `{}`", without_secrets(bucket)));
    }
    Ok((bucket.to_string(), key.trim_matches('/').to_string()))
}

/// An address without its query and its user: they may be secrets.
pub(crate) fn without_secrets(uri: &str) -> String {
    let uri = uri.split(['?', '#']).next().unwrap_or_default();
    match uri.split_once("://") {
        // A container before the `@` is no secret; a password after a colon is.
        Some((scheme, rest)) => match rest.split_once('@') {
            Some((user, host)) if user.contains(':') => format!("{scheme}://{host}"),
            _ => uri.to_string(),
        },
        None => uri.to_string(),
    }
}
