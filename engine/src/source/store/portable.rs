//! An address without its secrets: what may leave this machine.

use super::address::Address;
use super::failure::Redactor;
use super::options::Options;
use super::{Store, StoreOptions};
use crate::source::SourceError;

/// Options that are secrets, by their one name each.
const SECRETS: [&str; 8] = [
    "access_key_id",
    "secret_access_key",
    "session_token",
    "key",
    "sas",
    "token",
    "client_secret",
    "service_account_key",
];

/// How a store is reached, but for the secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portable {
    /// The address; a local path is absolute.
    pub uri: String,
    /// The options that are no secrets.
    pub options: StoreOptions,
    /// The names of those that are: whoever opens the store has them from elsewhere.
    pub withheld: Vec<String>,
}

impl Store {
    /// The address and the options of a store without secrets.
    pub fn portable(uri: &str, options: &StoreOptions) -> Result<Portable, SourceError> {
        let address = Address::parse(uri, options)?;
        let redactor = Redactor::new(options, address.sas());
        let shown = address.shown();
        let failed = |message: String| SourceError::Address { uri: shown.clone(), message: redactor.clean(&message) };
        if matches!(address, Address::Http(_)) && address.sas().is_some() {
            return Err(failed(
                "what follows the `?` may be a secret, which is not sent to other machines".to_string(),
            ));
        }
        let checked = Options::check(options, &address).map_err(&failed)?;
        let (secret, public): (Vec<_>, Vec<_>) =
            checked.all().partition(|(name, _)| SECRETS.iter().any(|secret| secret == name));
        let mut withheld: Vec<String> = secret.into_iter().map(|(name, _)| name.to_string()).collect();
        if address.sas().is_some() && !withheld.iter().any(|name| name == "sas") {
            withheld.push("sas".to_string());
        }
        let options = public.into_iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Ok(Portable { uri: shown, options, withheld })
    }
}
