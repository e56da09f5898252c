//! Who may look.

use std::fmt::Debug;

/// Decides who may look at the dashboard.
pub trait Access: Debug + Send + Sync {
    /// Whether anyone is asked who he is. Without that only addresses of this machine are served.
    fn asks(&self) -> bool;

    /// The user that the `Authorization` header of a request stands for; `None` where nobody is asked.
    fn user(&self, authorization: Option<&str>) -> Result<Option<String>, Denied>;
}

/// A request that does not say who asks, or says it wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a user and a password, or a token")]
pub struct Denied;

/// Nobody is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Everyone;

impl Access for Everyone {
    fn asks(&self) -> bool {
        false
    }

    fn user(&self, _authorization: Option<&str>) -> Result<Option<String>, Denied> {
        Ok(None)
    }
}
