//! What a session may touch: everything, or some directories and some URLs.
//!
//! A session in a server belongs to someone else than its process. [`AccessPolicy`] says what such a session may reach, and
//! is asked where things are opened, not where statements are read: by [`Store`](crate::source::store::Store) for every
//! array, by the store of files (`files.rs`) for every table in a file, for whatever DataFusion reads or writes, and by the
//! connections themselves (`source/store/network.rs`) for every address behind a URL.
//!
//! Architecture invariant: no message of a refusal tells whether there is something under a name that is not to be reached.

mod files;
mod roots;
mod statements;
mod tables;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::source::SourceError;
use crate::source::store::UrlPrefixes;

pub use files::confined_files;
pub use roots::Roots;
pub(crate) use statements::admitted;
pub use tables::{guard_tables, with_url_tables};

/// What a confined session may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessRules {
    /// Directories; a relative path is looked for in one after the other, and begins in the first where it is new.
    pub roots: Vec<PathBuf>,
    /// What URLs begin with: `https://host/folder/`, `s3://bucket/prefix`.
    pub urls: Vec<String>,
    /// Whether it may write: stores, and tables in files.
    pub may_write: bool,
    /// Whether the credentials of this process (`AWS_*`, `AZURE_*`, `GOOGLE_*`, `QUARRAY_SECRET_*`) are used for it.
    pub may_use_credentials: bool,
    /// Whether hosts named by `urls` may have addresses of private networks. Never those of this machine, nor link-local
    /// ones: these must stand in `urls` themselves.
    pub may_reach_private: bool,
}

/// Rules that cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A directory that cannot be opened.
    #[error("cannot give access to {path}: expected a directory: {error}")]
    Root {
        /// The directory.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// What is no beginning of URLs.
    #[error("cannot give access to URLs that begin with `{prefix}`: {message}")]
    Url {
        /// What was given.
        prefix: String,
        /// What is wrong with it.
        message: String,
    },
}

/// What a session may touch. Cheap to clone.
#[derive(Clone, Default)]
pub struct AccessPolicy {
    confinement: Option<Arc<Confinement>>,
}

/// Rules, ready to be asked.
pub(crate) struct Confinement {
    rules: AccessRules,
    roots: Arc<Roots>,
    urls: UrlPrefixes,
}

impl AccessPolicy {
    /// Whatever this process may.
    pub fn everything() -> Self {
        Self::default()
    }

    /// What the rules name, and nothing else.
    pub fn confined(rules: AccessRules) -> Result<Self, AccessError> {
        let roots = Arc::new(Roots::open(&rules.roots)?);
        let urls = UrlPrefixes::parse(&rules.urls)
            .map_err(|(prefix, message)| AccessError::Url { prefix: prefix.to_string(), message })?;
        let rules = AccessRules { roots: roots.paths(), ..rules };
        Ok(Self { confinement: Some(Arc::new(Confinement { rules, roots, urls })) })
    }

    /// The rules, if there are any.
    pub fn rules(&self) -> Option<&AccessRules> {
        self.confinement.as_deref().map(|confinement| &confinement.rules)
    }

    /// Whether there is anything that may not be touched.
    pub fn is_confined(&self) -> bool {
        self.confinement.is_some()
    }

    /// The same, without writing.
    pub fn reading_only(&self) -> Self {
        let Some(Confinement { rules, roots, urls }) = self.confinement.as_deref() else { return self.clone() };
        let rules = AccessRules { may_write: false, ..rules.clone() };
        let confinement = Confinement { rules, roots: Arc::clone(roots), urls: urls.clone() };
        Self { confinement: Some(Arc::new(confinement)) }
    }

    pub(crate) fn confinement(&self) -> Option<&Arc<Confinement>> {
        self.confinement.as_ref()
    }
}

impl Confinement {
    pub(crate) fn rules(&self) -> &AccessRules {
        &self.rules
    }

    pub(crate) fn roots(&self) -> &Arc<Roots> {
        &self.roots
    }

    pub(crate) fn urls(&self) -> &UrlPrefixes {
        &self.urls
    }

    /// A message of DataFusion about a table in a file: where the directories are is taken out of it.
    fn without_roots(&self, message: &str) -> String {
        let mut told = message.to_string();
        for root in self.roots.paths() {
            if let Ok(url) = url::Url::from_directory_path(&root) {
                told = told.replace(url.as_str(), "");
            }
            told = told.replace(&format!("{}/", root.display()), "");
        }
        told
    }

    /// The place of a table in a file: a path, with `*` in it or not, or a `file://` URL.
    pub(crate) fn table_location(&self, location: &str) -> Result<String, SourceError> {
        let refused = || outside(location);
        let path = match url::Url::parse(location) {
            _ if location.starts_with('/') => PathBuf::from(location),
            Ok(url) if url.scheme() == "file" => url.to_file_path().map_err(|()| refused())?,
            Ok(_) => return Err(not_a_url(location)),
            Err(_) => PathBuf::from(location),
        };
        // What stands before the first `*` is a directory; what follows matches names below it.
        let is_pattern = |part: &Path| part.to_string_lossy().contains(['*', '?', '[']);
        let parts: Vec<_> = path.components().collect();
        let pattern_start = parts.iter().position(|part| is_pattern(Path::new(part))).unwrap_or(parts.len());
        let fixed: PathBuf = parts.iter().take(pattern_start).collect();
        let pattern: PathBuf = parts.iter().skip(pattern_start).collect();
        if pattern.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
            return Err(refused());
        }
        let fixed = if fixed.as_os_str().is_empty() { PathBuf::from(".") } else { fixed };
        let real = self.roots.locate(&fixed).map_err(|_| refused())?;
        // What nothing is joined to would end in a slash, as a folder does.
        let found = if pattern.as_os_str().is_empty() { real } else { real.join(pattern) };
        let mut text = found.to_string_lossy().into_owned();
        if location.ends_with('/') && !text.ends_with('/') {
            text.push('/');
        }
        Ok(text)
    }
}

impl fmt::Debug for AccessPolicy {
    /// Whether there is one only: the rules name the directories of the server.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccessPolicy").field("is_confined", &self.is_confined()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Confinement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Confinement").finish_non_exhaustive()
    }
}

/// The refusal of a path.
pub(crate) fn outside(shown: &str) -> SourceError {
    SourceError::PermissionDenied { uri: shown.to_string(), message: roots::REFUSED.to_string() }
}

/// The refusal of a URL where only paths are read.
fn not_a_url(shown: &str) -> SourceError {
    let shown = shown.split(['?', '#']).next().unwrap_or_default().to_string();
    let message = "tables in files are those of the directories that the server gives access to".to_string();
    SourceError::PermissionDenied { uri: shown, message }
}

/// The refusal of whoever may read only.
pub(crate) fn only_reads(shown: &str) -> SourceError {
    SourceError::PermissionDenied { uri: shown.to_string(), message: "this session may read only".to_string() }
}

#[cfg(test)]
mod tests;
