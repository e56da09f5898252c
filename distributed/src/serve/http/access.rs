//! Who may look.

use std::fmt::Debug;
use std::net::IpAddr;

use async_trait::async_trait;

use crate::serve::dashboard::Viewer;

/// Decides who may look at the dashboard, and how much of it they see.
#[async_trait]
pub trait Access: Debug + Send + Sync {
    /// Whether anyone is asked who they are.
    fn asks(&self) -> bool;

    /// Whom the `Authorization` header of a request stands for. It is asked at every request: what takes long (hashing) is
    /// for it to remember, and to take off the threads that answer.
    ///
    /// `peer` is where the request comes from, if that is known: guesses are counted by it.
    async fn viewer(&self, authorization: Option<&str>, peer: Option<IpAddr>) -> Result<Viewer, Denied>;
}

/// A request that is not answered. It does not tell what was wrong with the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It does not say who asks, or says it wrongly.
    #[error("expected a user and a password, or a token")]
    Unknown,
    /// There were too many wrong ones, or too many others are being looked at.
    #[error("too many attempts: try again in {seconds} s")]
    Later {
        /// When.
        seconds: u64,
    },
}

/// Nobody is asked, and everyone sees everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Everyone;

#[async_trait]
impl Access for Everyone {
    fn asks(&self) -> bool {
        false
    }

    async fn viewer(&self, _authorization: Option<&str>, _peer: Option<IpAddr>) -> Result<Viewer, Denied> {
        Ok(Viewer::All)
    }
}
