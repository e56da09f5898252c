//! The options of stores: one table of names, checked before anything is opened.

use std::time::Duration;

use super::StoreOptions;
use super::address::Address;

/// Which stores an option is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Remote,
    Cloud,
    S3,
    Azure,
    Gcs,
}

/// Every option: its name, its other names, the stores it is for.
const TABLE: [(&str, &[&str], For); 24] = [
    ("anonymous", &["anon", "skip_signature"], For::Remote),
    ("allow_http", &[], For::Remote),
    ("missing_is_forbidden", &[], For::Remote),
    ("timeout", &[], For::Remote),
    ("sign", &[], For::Remote),
    ("instance_credentials", &[], For::Cloud),
    ("endpoint", &["endpoint_url", "base_url"], For::Cloud),
    ("region", &[], For::S3),
    ("access_key_id", &["key_id"], For::S3),
    ("secret_access_key", &["secret"], For::S3),
    ("session_token", &["token"], For::S3),
    ("virtual_hosted_style", &["virtual_hosted_style_request"], For::S3),
    ("request_payer", &["requester_pays"], For::S3),
    ("account", &["account_name"], For::Azure),
    ("key", &["account_key", "access_key"], For::Azure),
    ("sas", &["sas_token", "sas_key"], For::Azure),
    ("token", &["bearer_token"], For::Azure),
    ("client_id", &[], For::Azure),
    ("client_secret", &[], For::Azure),
    ("tenant_id", &["tenant"], For::Azure),
    ("use_azure_cli", &[], For::Azure),
    ("service_account", &["service_account_path"], For::Gcs),
    ("service_account_key", &[], For::Gcs),
    ("application_credentials", &[], For::Gcs),
];

/// Options under their one name each, all of them known to the store.
#[derive(Default)]
pub(super) struct Options {
    values: Vec<(&'static str, String)>,
}

impl Options {
    /// Refuses an option that the store does not have, with the name that may have been meant.
    pub(super) fn check(options: &StoreOptions, address: &Address) -> Result<Self, String> {
        let mut values: Vec<(&'static str, String)> = vec![];
        for (name, value) in options {
            let known = TABLE
                .iter()
                .filter(|(_, _, stores)| applies(*stores, address))
                .find(|(canonical, aliases, _)| canonical == name || aliases.contains(&name.as_str()));
            let Some((canonical, _, _)) = known else {
                return Err(unknown(name, address));
            };
            if values.iter().any(|(taken, _)| taken == canonical) {
                return Err(format!("option `{canonical}` is given twice, under two of its names"));
            }
            values.push((canonical, value.clone()));
        }
        Ok(Self { values })
    }

    /// Every option that was given.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The value of an option.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// An option that is true or false; false unless told.
    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0" | "no" | "off") => Ok(false),
            Some("true" | "1" | "yes" | "on") => Ok(true),
            Some(found) => Err(format!("option `{name}`: expected true or false, found `{found}`")),
        }
    }

    /// How long a request may go without a byte.
    pub(super) fn timeout(&self) -> Result<Duration, String> {
        let Some(text) = self.get("timeout") else { return Ok(Duration::from_secs(30)) };
        let seconds = text.trim().trim_end_matches('s').trim_end().parse::<f64>().ok();
        seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .filter(|timeout| !timeout.is_zero())
            .ok_or_else(|| format!("option `timeout`: expected seconds, found `{text}`"))
    }
}

fn applies(stores: For, address: &Address) -> bool {
    match address {
        Address::Local(_) => false,
        Address::Http(_) => stores == For::Remote,
        Address::S3 { .. } => matches!(stores, For::Remote | For::Cloud | For::S3),
        Address::Gcs { .. } => matches!(stores, For::Remote | For::Cloud | For::Gcs),
        Address::Azure { .. } => matches!(stores, For::Remote | For::Cloud | For::Azure),
    }
}

fn unknown(name: &str, address: &Address) -> String {
    let store = match address {
        Address::Local(_) => "a local store",
        Address::Http(_) => "a web server",
        Address::S3 { .. } => "an S3 store",
        Address::Gcs { .. } => "a Google store",
        Address::Azure { .. } => "an Azure store",
    };
    let names = |here: bool| {
        TABLE
            .iter()
            .filter(move |(_, _, stores)| applies(*stores, address) == here)
            .flat_map(|(canonical, aliases, _)| std::iter::once(canonical).chain(aliases.iter()))
    };
    if names(false).any(|known| known == &name) {
        return format!("option `{name}` is not one of {store}");
    }
    let near = names(true)
        .map(|known| (strsim::jaro_winkler(&name.to_ascii_lowercase(), known), known))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match near {
        Some((_, near)) => format!("unknown option `{name}` of {store}: did you mean `{near}`?"),
        None => format!("unknown option `{name}` of {store}"),
    }
}
