//! Whose statements somebody sees.

use std::sync::Arc;

/// Someone who looks at the dashboard. Figures of the process and of clusters are for everyone; statements are not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Viewer {
    /// Sees the statements of all users, and may cancel them: an administrator, or anyone where nobody is asked.
    All,
    /// Sees the statements of this user, and those of others no more than if they had never been.
    Own(Arc<str>),
}

impl Viewer {
    /// Whether the statements of a user are for this one to see.
    pub fn sees(&self, user: &str) -> bool {
        self.user().is_none_or(|own| own == user)
    }

    /// The user whose statements are seen; `None` for all.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Own(user) => Some(user),
        }
    }
}
