//! The secret that the hosts of a cluster share.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::error::LinkError;

/// The environment variable that may hold the secret.
pub const SECRET_VARIABLE: &str = "QUARRAY_CLUSTER_SECRET";

/// A secret has so many bytes, at least.
const BYTES_MIN: usize = 16;

/// And so many at most: whatever is longer is some other file.
const BYTES_MAX: usize = 4096;

/// A secret that hosts share. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The secret in these bytes, without white space around it: files and variables tend to end with a line.
    pub fn new(bytes: &[u8]) -> Result<Self, LinkError> {
        let bytes = bytes.trim_ascii();
        match bytes.len() {
            found if found < BYTES_MIN => Err(LinkError::SecretTooShort { found, expected: BYTES_MIN }),
            found if found > BYTES_MAX => Err(LinkError::SecretTooLong { limit: BYTES_MAX }),
            // Executors that this process starts get it by their environment, where a zero is the end.
            _ if bytes.contains(&0) => Err(LinkError::SecretWithZero),
            _ => Ok(Self(bytes.to_vec())),
        }
    }

    /// The secret in a file.
    pub fn from_file(path: &Path) -> Result<Self, LinkError> {
        let wrong = |error| LinkError::SecretFile { path: path.display().to_string(), error };
        let mut bytes = Vec::new();
        let limit = BYTES_MAX as u64 + 1024;
        File::open(path).map_err(wrong)?.take(limit).read_to_end(&mut bytes).map_err(wrong)?;
        Self::new(&bytes)
    }

    /// The secret in [`SECRET_VARIABLE`], if it is set and not empty.
    pub fn from_environment() -> Result<Option<Self>, LinkError> {
        let value = std::env::var_os(SECRET_VARIABLE).filter(|value| !value.is_empty());
        value.map(|value| Self::new(value.as_bytes())).transpose()
    }

    /// The value of [`SECRET_VARIABLE`] for a process that is to know it.
    pub(crate) fn variable(&self) -> OsString {
        OsString::from_vec(self.0.clone())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}
