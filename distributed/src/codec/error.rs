//! What can go wrong when a plan is sent, or read where it runs.

use datafusion::error::DataFusionError;
use quarray_engine::source::SourceError;

use super::unprepared::Unprepared;

/// An error of the wire form.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CodecError {
    /// The plan is too large to be sent.
    #[error("the plan has {bytes} bytes, more than the {most} that are sent to executors")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// What is allowed.
        most: usize,
    },
    /// The other side speaks another version of the wire form.
    #[error(
        "expected a plan in version {expected} of the wire form, found version {found}: use one release everywhere"
    )]
    Version {
        /// That of this process.
        expected: u8,
        /// That of the plan.
        found: u8,
    },
    /// A dataset that has no address.
    #[error("dataset `{name}` is in this process only, where executors cannot read it")]
    NoAddress {
        /// Its name.
        name: String,
    },
    /// A secret that the executor was not given.
    #[error("option `{option}` of {uri} is a secret, which is not sent: expected environment variable {variable}")]
    NoSecret {
        /// The store.
        uri: String,
        /// The name of the option.
        option: String,
        /// Where its value is looked for.
        variable: String,
    },
    /// A secret of whoever may not use the executor's own.
    #[error("option `{option}` of {uri} is a secret, which is not sent to executors: run the query in one process")]
    SecretsStay {
        /// The store.
        uri: String,
        /// The name of the option.
        option: String,
    },
    /// What the plan may touch cannot be told here.
    #[error("{message}")]
    Access {
        /// What is wrong.
        message: String,
    },
    /// The dataset is not the one that the query was planned over.
    #[error(
        "dataset `{name}` at {uri} is not what the query was planned over: expected {expected:016x}, found {found:016x}"
    )]
    Changed {
        /// Its name.
        name: String,
        /// Its address.
        uri: String,
        /// The fingerprint of the dataset that was planned over.
        expected: u64,
        /// That of the dataset found.
        found: u64,
    },
    /// The dataset is still being opened, and was waited for long enough.
    #[error("{uri} is still being opened")]
    NotYet {
        /// Its address.
        uri: String,
    },
    /// An operator that knows nothing of where it comes from.
    #[error("{operator} was not made by the planner, so it cannot be sent")]
    NoRecipe {
        /// Its name.
        operator: String,
    },
    /// An expression, or a plan of DataFusion's, that has no wire form.
    #[error("{what} has no wire form: {why}")]
    NoWireForm {
        /// What it is.
        what: String,
        /// What was said of it.
        why: String,
    },
    /// Bytes that are no plan.
    #[error("expected a plan, found {0}")]
    Malformed(String),
    /// The dataset could not be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The operator could not be made.
    #[error("{0}")]
    Planning(String),
}

impl From<CodecError> for DataFusionError {
    fn from(error: CodecError) -> Self {
        match error {
            // As it comes from the engine itself.
            CodecError::Source(source) => Self::External(Box::new(source)),
            other => Self::External(Box::new(other)),
        }
    }
}

impl From<DataFusionError> for CodecError {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::External(inner) => {
                if let Some(codec) = inner.downcast_ref::<Self>() {
                    return codec.clone();
                }
                if let Some(Unprepared(cause)) = inner.downcast_ref::<Unprepared>() {
                    return cause.clone();
                }
                match inner.downcast_ref::<SourceError>() {
                    Some(source) => Self::Source(source.clone()),
                    None => Self::Planning(inner.to_string()),
                }
            }
            other => Self::Planning(other.strip_backtrace()),
        }
    }
}

impl From<quarray_engine::Error> for CodecError {
    fn from(error: quarray_engine::Error) -> Self {
        match error {
            quarray_engine::Error::Source(source) => Self::Source(source),
            other => Self::Planning(other.to_string()),
        }
    }
}

impl From<prost::DecodeError> for CodecError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Malformed(error.to_string())
    }
}
