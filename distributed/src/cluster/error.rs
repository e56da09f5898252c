//! What can go wrong between the processes of a cluster.

use ballista_core::error::BallistaError;
use datafusion::error::DataFusionError;

use crate::links::LinkError;

/// An error of the cluster itself, or of a job on it.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The scheduler does not start.
    #[error("cannot start the scheduler on {address}: {reason}")]
    Scheduler {
        /// Where it was to listen.
        address: String,
        /// What stood against it.
        reason: String,
    },
    /// A server cannot listen.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where it was to listen.
        address: String,
        /// What stood against it.
        error: std::io::Error,
    },
    /// A server that asks nobody for a password is for its own machine.
    #[error(
        "cannot serve {address}: expected an address of this machine (127.0.0.1, ::1), since clients are not asked who they are"
    )]
    NotLocal {
        /// Where it was to listen.
        address: String,
    },
    /// Pages for users who are asked for passwords are not encrypted.
    #[error(
        "cannot serve pages at {address}: expected an address of this machine (127.0.0.1, ::1), since passwords would be sent \
         to it in the clear"
    )]
    InTheClear {
        /// Where they were to be served.
        address: String,
    },
    /// Hosts that do not share a secret cannot tell friend from foe.
    #[error(
        "cannot use {address} without a shared secret: expected an address of this machine (127.0.0.1, ::1), or --secret-file \
         or QUARRAY_CLUSTER_SECRET"
    )]
    NeedsSecret {
        /// The address.
        address: String,
    },
    /// A secret, or a link between hosts.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// An executor does not start.
    #[error("cannot start an executor: {0}")]
    Start(String),
    /// An executor ended when nobody had asked it to.
    #[error("executor {id} ended before it was of use: {reason}")]
    Ended {
        /// Its name.
        id: String,
        /// Its exit status and last words.
        reason: String,
    },
    /// Fewer executors than were asked for.
    #[error("expected {expected} executors within {seconds} s, found {found}")]
    Missing {
        /// How many were asked for.
        expected: usize,
        /// How many there are.
        found: usize,
        /// How long was waited.
        seconds: u64,
    },
    /// Two clusters are to have one name.
    #[error("expected clusters of different names, found `{0}` twice")]
    SameName(String),
    /// There is no such executor here.
    #[error("no executor is called `{0}`")]
    Unknown(String),
    /// A plan does not fit into a message.
    #[error("the plan has {found} bytes, at most {limit} can be sent to executors")]
    PlanTooLarge {
        /// Its bytes.
        found: usize,
        /// The most that fit.
        limit: usize,
    },
    /// A job failed by its own fault: it would fail again.
    #[error("{0}")]
    Failed(String),
    /// What one task sent to another did not come whole: whoever sent it may be gone.
    #[error("rows of another executor broke off: {0}")]
    Broken(String),
    /// A job needs more memory than executors have.
    #[error("{0}")]
    Resources(String),
    /// The executors are gone and did not come back.
    #[error("all executors were lost, and none came back")]
    NoExecutors,
    /// Executors were lost during every try.
    #[error("executors were lost during each of {tries} tries of the query: {last}")]
    Unreliable {
        /// How often the job ran.
        tries: usize,
        /// What ended the last of them.
        last: String,
    },
    /// A result, or a part of one, cannot be read any more.
    #[error("cannot fetch partition {partition} of the result: {reason}")]
    Fetch {
        /// The partition.
        partition: u32,
        /// What stood against it.
        reason: String,
    },
    /// The scheduler has ended.
    #[error("the scheduler has ended")]
    Closed,
    /// A fault of Ballista's, or of the use that is made of it.
    #[error("{0}")]
    Ballista(String),
    /// A plan that cannot be encoded, or a file that cannot be written.
    #[error(transparent)]
    DataFusion(#[from] DataFusionError),
    /// The system refuses something.
    #[error("cannot {what}: {error}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
}

impl ClusterError {
    /// An error of the system, and what was to be done.
    pub fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}

impl From<BallistaError> for ClusterError {
    fn from(error: BallistaError) -> Self {
        match error {
            BallistaError::DataFusionError(error) => Self::DataFusion(*error),
            other => Self::Ballista(other.to_string()),
        }
    }
}

impl From<ClusterError> for DataFusionError {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::DataFusion(error) => error,
            ClusterError::Resources(message) => Self::ResourcesExhausted(message),
            other => Self::External(Box::new(other)),
        }
    }
}
