//! Stores of confined sessions: in the directories and below the URLs that they may reach, by their own credentials.

use std::path::PathBuf;

use super::address::{Address, is_plain_path, without_secrets};
use super::environment::Environment;
use super::network::NetworkGuard;
use super::options::Options;
use super::signing;
use super::{Store, StoreOptions};
use crate::access::{AccessPolicy, Confinement, outside};
use crate::source::SourceError;

/// Options that have the server itself vouch, with files of its disk or as the machine that it is; and a key that may name
/// addresses to be used in place of the usual ones.
const REFUSED: [&str; 5] =
    ["instance_credentials", "use_azure_cli", "service_account", "application_credentials", "service_account_key"];

impl Store {
    /// Opens an address for whoever may touch what the policy says. Nothing is read yet.
    pub fn open_for(uri: &str, options: &StoreOptions, access: &AccessPolicy) -> Result<Self, SourceError> {
        Self::open_with(uri, None, options, access)
    }

    /// The same for the directory of a file, which may be there in another root than a directory of that name.
    pub(crate) fn open_directory_for(
        uri: &str,
        file: &str,
        options: &StoreOptions,
        access: &AccessPolicy,
    ) -> Result<Self, SourceError> {
        Self::open_with(uri, Some(file), options, access)
    }

    fn open_with(
        uri: &str,
        file: Option<&str>,
        options: &StoreOptions,
        access: &AccessPolicy,
    ) -> Result<Self, SourceError> {
        let Some(confinement) = access.confinement() else { return Self::open(uri, options) };
        let address = reached(uri, file, options, confinement)?;
        let rules = confinement.rules();
        let environment = if rules.may_use_credentials { Environment::of_process() } else { Environment::default() };
        let guard = NetworkGuard::new(confinement.urls().clone(), rules.may_reach_private);
        let mut store = Self::open_address(&address, options, &environment.guarded(guard), Some(confinement))?;
        if store.local_path().is_some() {
            // As it was asked for: where the directories are is the server's own matter.
            store.uri = without_secrets(uri);
        }
        Ok(store)
    }
}

/// The address, where it may be reached; of the directory that has a file, if one is named.
fn reached(
    uri: &str,
    file: Option<&str>,
    options: &StoreOptions,
    confinement: &Confinement,
) -> Result<Address, SourceError> {
    let address = Address::parse(uri, options)?;
    let refused = |message: String| SourceError::PermissionDenied { uri: without_secrets(uri), message };
    if let Address::Local(absolute) = &address {
        let wanted = if is_plain_path(uri) { PathBuf::from(uri) } else { absolute.clone() };
        let located = match file {
            Some(file) => confinement.roots().locate_directory(&wanted, file),
            None => confinement.roots().locate(&wanted),
        };
        let path = located.map_err(|_| outside(&without_secrets(uri)))?;
        return Ok(Address::Local(path));
    }
    if !confinement.urls().allow(&address, options) {
        return Err(refused("not below a URL that the server gives access to".to_string()));
    }
    let checked = Options::check(options, &address)
        .map_err(|message| SourceError::Address { uri: without_secrets(uri), message })?;
    if let Some(option) = REFUSED.iter().find(|option| checked.get(option).is_some()) {
        return Err(refused(format!("option `{option}` is not for sessions in a server")));
    }
    // It becomes a part of the host's name.
    let is_region = |region: &str| region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if checked.get("region").is_some_and(|region| !is_region(region)) {
        return Err(refused("option `region`: expected letters, digits and `-`".to_string()));
    }
    if let Some(endpoint) = checked.get("endpoint") {
        let none = StoreOptions::new();
        let is_allowed = Address::parse(endpoint, &none).is_ok_and(|address| confinement.urls().allow(&address, &none));
        if !is_allowed {
            return Err(refused("option `endpoint` is not below a URL that the server gives access to".to_string()));
        }
    }
    let signing = checked.get("sign").map(signing::endpoint).transpose();
    if let Some(endpoint) = signing.map_err(refused)?.flatten() {
        let none = StoreOptions::new();
        let is_allowed =
            Address::parse(&endpoint, &none).is_ok_and(|address| confinement.urls().allow(&address, &none));
        if !is_allowed {
            return Err(refused("option `sign` is not below a URL that the server gives access to".to_string()));
        }
    }
    Ok(address)
}
