//! The users of a server as viewers of its dashboard: by the same passwords, tokens and bound on guesses.

use std::net::IpAddr;

use async_trait::async_trait;

use super::gatekeeper::Gatekeeper;
use super::users::Role;
use crate::serve::dashboard::Viewer;
use crate::serve::flight::{Authenticator, Credentials, Refused, credentials_in};
use crate::serve::http::{Access, Denied};

#[async_trait]
impl Access for Gatekeeper {
    fn asks(&self) -> bool {
        true
    }

    async fn viewer(&self, authorization: Option<&str>, peer: Option<IpAddr>) -> Result<Viewer, Denied> {
        let credentials = match authorization {
            Some(header) => credentials_in(header).ok_or(Denied::Unknown)?,
            None => Credentials::None,
        };
        let user = self.authenticate(&credentials, peer).await?;
        Ok(match self.role(&user) {
            Role::Admin => Viewer::All,
            Role::Read | Role::Write => Viewer::Own(user.name),
        })
    }
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Missing | Refused::Wrong => Self::Unknown,
            Refused::Later { seconds } => Self::Later { seconds },
        }
    }
}
