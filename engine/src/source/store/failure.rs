//! What a store said when it failed, made short and free of secrets.

use std::error::Error as StdError;
use std::io;

use super::network::Refused;
use super::{Kind, Store, StoreOptions};
use crate::source::SourceError;

/// Takes secrets out of texts.
#[derive(Default)]
pub(super) struct Redactor {
    secrets: Vec<String>,
}

/// Options whose values may be shown.
pub(crate) const PUBLIC_OPTIONS: [&str; 19] = [
    "account",
    "account_name",
    "allow_http",
    "anonymous",
    "base_url",
    "endpoint",
    "endpoint_url",
    "instance_credentials",
    "missing_is_forbidden",
    "region",
    "request_payer",
    "service_account",
    "service_account_path",
    "sign",
    "tenant_id",
    "timeout",
    "virtual_hosted_style",
    "virtual_hosted_style_request",
    "client_id",
];

impl Redactor {
    /// Every option counts as a secret unless it is known not to be one, and so does every value of a SAS.
    pub(super) fn new(options: &StoreOptions, sas: Option<&str>) -> Self {
        let mut secrets = vec![];
        for (name, value) in options {
            if !PUBLIC_OPTIONS.contains(&name.as_str()) {
                secrets.push(value.clone());
                // A SAS: its parts stand alone in messages.
                if value.contains('=') && value.contains('&') {
                    add_query(&mut secrets, value);
                }
            }
        }
        if let Some(sas) = sas {
            add_query(&mut secrets, sas);
        }
        // Short values (`r`, `co`, a year) are no secrets, and taking them out would garble every text.
        secrets.retain(|secret| secret.len() >= 6);
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self { secrets }
    }

    /// The text with every secret replaced.
    pub(super) fn clean(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_string(), |text, secret| text.replace(secret.as_str(), "<secret>"))
    }
}

/// The whole query, and each value both as it stands and decoded.
pub(crate) fn add_query(secrets: &mut Vec<String>, query: &str) {
    let query = query.trim_start_matches('?');
    secrets.push(query.to_string());
    for pair in query.split('&') {
        let value = pair.split_once('=').map_or(pair, |(_, value)| value);
        secrets.push(value.to_string());
        let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
        secrets.push(percent_encoding::utf8_percent_encode(&decoded, percent_encoding::NON_ALPHANUMERIC).to_string());
        secrets.push(decoded);
    }
}

impl Store {
    /// The error of a local file.
    pub(crate) fn file_error(&self, key: &str, error: &io::Error) -> SourceError {
        let uri = self.uri_of(key);
        match error.kind() {
            io::ErrorKind::PermissionDenied => SourceError::PermissionDenied { uri, message: error.to_string() },
            io::ErrorKind::NotFound => SourceError::NotFound { uri, message: error.to_string() },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                SourceError::NoRoom { uri, message: error.to_string() }
            }
            _ => SourceError::Store { uri, message: error.to_string() },
        }
    }

    /// The error of a remote object.
    pub(crate) fn object_error(&self, key: &str, error: &object_store::Error) -> SourceError {
        let uri = self.uri_of(key);
        let mut message = self.traits.redactor.clean(&words_of(error));
        if Refused::behind(error).is_some() {
            return SourceError::PermissionDenied { uri, message };
        }
        match error {
            object_store::Error::NotFound { .. } => SourceError::NotFound { uri, message },
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. }
            // Azure: public access is not permitted on this account.
            | object_store::Error::AlreadyExists { .. } => {
                if self.traits.kind == Kind::Cloud && !self.traits.signed {
                    message.push_str(
                        "; the request was not signed, as no credentials were found in the options, the URL or the \
                         environment",
                    );
                }
                SourceError::PermissionDenied { uri, message }
            }
            _ => SourceError::Store { uri, message },
        }
    }
}

/// Whether the server said that there is no bucket or container of that name.
pub(super) fn lacks_container(error: &object_store::Error) -> bool {
    let words = words_of(error);
    ["NoSuchBucket", "ContainerNotFound"].iter().any(|code| words.starts_with(code))
}

/// What the server said, as short as it can be told.
fn words_of(error: &object_store::Error) -> String {
    let mut deepest: &dyn StdError = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let text = deepest.to_string();
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (inside, _) = rest.split_once(&format!("</{name}>"))?;
        Some(inside.lines().next().unwrap_or_default().trim().to_string())
    };
    if let Some(code) = element("Code") {
        return element("Message").map_or(code.clone(), |message| format!("{code}: {message}"));
    }
    // The body of a web server's error page says nothing that its status does not.
    let text = text.split(['\n', '<']).next().unwrap_or_default().trim_end_matches([' ', ':']).trim();
    let text = text
        .strip_prefix("Server returned non-2xx status code: ")
        .map_or(text.to_string(), |status| format!("the server answered {status}"));
    text.chars().take(300).collect()
}
