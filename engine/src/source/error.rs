//! What goes wrong at a store.

/// An error of a store or of what is in it: names the array and the chunk, what was found and what was expected.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// There is nothing under that address.
    #[error("{uri}: {message}")]
    NotFound {
        /// The address, secrets taken out.
        uri: String,
        /// What was looked for.
        message: String,
    },
    /// There is something under that address already, and it is not to be replaced.
    #[error("{uri}: {message}")]
    AlreadyExists {
        /// The address, secrets taken out.
        uri: String,
        /// What is there and what may be done.
        message: String,
    },
    /// The store refused the credentials, or wants some.
    #[error("{uri}: permission denied: {message}")]
    PermissionDenied {
        /// The address, secrets taken out.
        uri: String,
        /// What the store said.
        message: String,
    },
    /// The address or its options cannot be used.
    #[error("{uri}: {message}")]
    Address {
        /// The address, secrets taken out.
        uri: String,
        /// What is wrong with it.
        message: String,
    },
    /// The metadata of a group or an array cannot be used.
    #[error("{array}: {message}")]
    Metadata {
        /// Address and path of the array or group.
        array: String,
        /// What was found and what was expected.
        message: String,
    },
    /// An array is stored in a way that is not supported.
    #[error("{array}: unsupported {what} {found}")]
    Unsupported {
        /// Address and path of the array.
        array: String,
        /// `codec`, `data type` …
        what: &'static str,
        /// Its name.
        found: String,
    },
    /// A chunk cannot be decoded.
    #[error("{array}: chunk {chunk:?}: {message}")]
    Chunk {
        /// Address and path of the array.
        array: String,
        /// The chunk's index along each dimension.
        chunk: Vec<u64>,
        /// What was found and what was expected.
        message: String,
    },
    /// What was to be written does not fit: the disk or the quota is full, or files may not be as large.
    #[error("{uri}: no room: {message}")]
    NoRoom {
        /// The address, secrets taken out.
        uri: String,
        /// What the system said.
        message: String,
    },
    /// The store failed.
    #[error("{uri}: {message}")]
    Store {
        /// The address, secrets taken out.
        uri: String,
        /// What it said.
        message: String,
    },
}
