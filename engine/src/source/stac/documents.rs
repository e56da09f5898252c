//! The documents of a catalog, wherever they lie, and what their references mean.

use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};
use url::Url;

use crate::access::AccessPolicy;
use crate::source::SourceError;
use crate::source::file::SourceFile;
use crate::source::store::{DOCUMENT_BYTES_MAX, StoreOptions, WebClient, WebRequest, without_secrets};

/// Reads documents for whoever may touch what the policy says.
#[derive(Debug, Clone)]
pub(super) struct Documents {
    web: WebClient,
    access: AccessPolicy,
    options: StoreOptions,
}

impl Documents {
    /// A reader; the options are those of the store that a catalog in a bucket lies in.
    pub(super) fn new(options: &StoreOptions, access: &AccessPolicy) -> Result<Self, SourceError> {
        Ok(Self { web: WebClient::new(access)?, access: access.clone(), options: options.clone() })
    }

    /// The document at an address.
    pub(super) async fn read(&self, uri: &str) -> Result<Map<String, Value>, SourceError> {
        if is_web(uri) {
            return self.ask(&WebRequest::get(uri)).await;
        }
        let file = SourceFile::open(uri, &self.options, &self.access)?;
        let size = file.size().await?;
        if size > DOCUMENT_BYTES_MAX as u64 {
            return Err(wrong(uri, format!("expected at most {DOCUMENT_BYTES_MAX} bytes, found {size}")));
        }
        object(uri, &file.read(0..size).await?)
    }

    /// The document that a web server answers with.
    pub(super) async fn ask(&self, request: &WebRequest) -> Result<Map<String, Value>, SourceError> {
        object(&request.url, &self.web.fetch(request).await?)
    }
}

/// The error of a document.
pub(super) fn wrong(uri: &str, message: impl Into<String>) -> SourceError {
    SourceError::Metadata { array: without_secrets(uri), message: message.into() }
}

fn object(uri: &str, bytes: &[u8]) -> Result<Map<String, Value>, SourceError> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(document)) => Ok(document),
        Ok(_) => Err(wrong(uri, "expected a JSON object, found something else")),
        Err(error) => Err(wrong(uri, format!("not JSON: {error}"))),
    }
}

/// Whether an address is that of a web server.
pub(super) fn is_web(uri: &str) -> bool {
    uri.starts_with("http://") || uri.starts_with("https://")
}

fn has_scheme(uri: &str) -> bool {
    uri.split_once("://").is_some_and(|(scheme, _)| {
        scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// What a reference in the document at `base` points to.
pub(super) fn resolved(base: &str, reference: &str) -> Result<String, SourceError> {
    let base_is_local = !has_scheme(base) || base.starts_with("file:");
    let is_file = reference.to_ascii_lowercase().starts_with("file:");
    if is_file && !base_is_local {
        return Err(wrong(base, "refers to a file of this machine"));
    }
    if has_scheme(reference) || is_file {
        return Ok(reference.to_string());
    }
    if base_is_local {
        let base = base.strip_prefix("file://").unwrap_or(base);
        let folder = Path::new(base).parent().unwrap_or(Path::new(""));
        return Ok(tidied(&folder.join(reference)).to_string_lossy().into_owned());
    }
    let joined = Url::parse(base).and_then(|base| base.join(reference));
    let joined = joined.map_err(|error| wrong(base, format!("`{reference}` is no reference: {error}")))?;
    // Url encodes what stores do not want encoded: keys in buckets are plain text.
    Ok(if is_web(base) {
        joined.to_string()
    } else {
        percent_encoding::percent_decode_str(joined.as_str()).decode_utf8_lossy().into_owned()
    })
}

/// The path without `.` and without what a `..` takes back.
fn tidied(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for part in path.components() {
        let takes_back = matches!(tidied.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::CurDir => {}
            Component::ParentDir if takes_back => drop(tidied.pop()),
            part => tidied.push(part),
        }
    }
    tidied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_relative_to_their_document() -> Result<(), SourceError> {
        for (base, reference, expected) in [
            ("data/catalog.json", "./items/a.json", "data/items/a.json"),
            ("data/sub/catalog.json", "../a.tif", "data/a.tif"),
            ("/data/catalog.json", "/other/a.tif", "/other/a.tif"),
            ("catalog.json", "a.json", "a.json"),
            ("https://h.example/v1/collection.json", "../a b.tif", "https://h.example/a%20b.tif"),
            ("https://h.example/v1/collection.json", "/x.json", "https://h.example/x.json"),
            ("s3://bucket/cat/catalog.json", "./x y/a.json", "s3://bucket/cat/x y/a.json"),
            ("https://h.example/c.json", "abfs://con/x.zarr", "abfs://con/x.zarr"),
            ("/data/catalog.json", "https://h.example/x", "https://h.example/x"),
        ] {
            assert_eq!(resolved(base, reference)?, expected, "{base} {reference}");
        }
        Ok(())
    }

    #[test]
    fn documents_of_the_web_refer_to_no_files() {
        for reference in ["file:///etc/passwd", "FILE:///etc/passwd", "file:/etc/passwd"] {
            assert!(resolved("https://h.example/c.json", reference).is_err(), "{reference}");
        }
    }
}
