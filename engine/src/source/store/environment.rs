//! What the environment of the process says about stores.

use std::str::FromStr;

use super::network::NetworkGuard;

/// The key that the Planetary Computer knows whoever asks for tokens by.
pub(super) const SUBSCRIPTION_KEY: &str = "PC_SDK_SUBSCRIPTION_KEY";

/// Variables whose name begins with `AWS_`, `AZURE_` or `GOOGLE_`, and the few others that name credentials.
#[derive(Debug, Default, Clone)]
pub(super) struct Environment {
    variables: Vec<(String, String)>,
    /// Which addresses may be reached from here, if not all of them.
    guard: Option<NetworkGuard>,
}

impl Environment {
    /// That of this process.
    pub(super) fn of_process() -> Self {
        let names = |name: &str| {
            ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| name.starts_with(prefix))
                || ["SERVICE_ACCOUNT", "IDENTITY_ENDPOINT", "MSI_ENDPOINT", "HOME", SUBSCRIPTION_KEY].contains(&name)
        };
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, value)| names(name) && !value.is_empty())
            .collect();
        Self { variables, guard: None }
    }

    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Self { variables, guard: None }
    }

    /// The same, from where only some addresses may be reached.
    pub(super) fn guarded(self, guard: NetworkGuard) -> Self {
        Self { guard: Some(guard), ..self }
    }

    /// What makes connections, if not all of them may be made.
    pub(super) fn guard(&self) -> Option<NetworkGuard> {
        self.guard.clone()
    }

    /// The value of one variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether one of the variables is there.
    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.get(name).is_some())
    }

    /// The variables with that prefix that a builder of a store understands.
    pub(super) fn settings<K: FromStr>(&self, prefix: &str) -> Vec<(K, String)> {
        self.variables
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.clone())))
            .collect()
    }
}
