//! The datasets that plans name, opened once in a process.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use prost::Message;
use quarray_engine::access::{AccessPolicy, AccessRules};
use quarray_engine::catalog::open_dataset;
use quarray_engine::scan::LabelledDataset;

use super::waiting::wait_for;
use super::{CodecError, message};

/// Datasets that are kept open, about.
const OPEN_MAX: usize = 64;

/// What the names of variables of the environment begin with that hold the secrets of stores.
const SECRET_PREFIX: &str = "QUARRAY_SECRET_";

/// Datasets by what opens them, with the labels of their dimensions.
#[derive(Debug, Default)]
pub struct Datasets {
    places: Mutex<HashMap<Vec<u8>, Arc<Place>>>,
}

/// A dataset, once it was opened; the lock is held while it is being opened, so that others wait for it.
type Place = Mutex<Option<Arc<LabelledDataset>>>;

/// The message of a dataset, from which it can be opened elsewhere, with the variables that are read before planning.
pub fn dataset_message(dataset: &LabelledDataset, loaded: &[&str]) -> Result<message::Dataset, CodecError> {
    let Some(address) = &dataset.address else {
        return Err(CodecError::NoAddress { name: dataset.name.clone() });
    };
    let portable = address.portable()?;
    Ok(message::Dataset {
        name: dataset.name.clone(),
        uri: portable.uri,
        options: portable.options,
        withheld: portable.withheld,
        loaded: loaded.iter().map(ToString::to_string).collect(),
        fingerprint: dataset.fingerprint(loaded)?,
        access: address.access.rules().map(access_message),
    })
}

impl Datasets {
    /// The dataset of a message, opened unless it is open: the one that the plan was made over, or an error.
    pub fn open(&self, wanted: &message::Dataset) -> Result<Arc<LabelledDataset>, CodecError> {
        let place = self.place(wanted);
        let mut held = place.lock();
        // A store may have been written anew since it was opened.
        if let Some(dataset) = held.as_ref()
            && let Ok(found) = read(dataset, wanted)
            && found == wanted.fingerprint
        {
            return Ok(Arc::clone(dataset));
        }
        let access = access(wanted)?;
        let mut options = wanted.options.clone();
        for option in &wanted.withheld {
            // This process's secrets are not for everybody.
            if access.rules().is_some_and(|rules| !rules.may_use_credentials) {
                return Err(CodecError::SecretsStay { uri: wanted.uri.clone(), option: option.clone() });
            }
            options.insert(option.clone(), secret(&wanted.uri, option)?);
        }
        let dataset = wait_for(open_dataset(&wanted.name, &wanted.uri, &options, &access))??;
        let found = read(&dataset, wanted)?;
        if found != wanted.fingerprint {
            let (name, uri, expected) = (wanted.name.clone(), wanted.uri.clone(), wanted.fingerprint);
            return Err(CodecError::Changed { name, uri, expected, found });
        }
        *held = Some(Arc::clone(&dataset));
        Ok(dataset)
    }

    fn place(&self, wanted: &message::Dataset) -> Arc<Place> {
        let key = message::Dataset { fingerprint: 0, loaded: Vec::new(), ..wanted.clone() }.encode_to_vec();
        let mut places = self.places.lock();
        if places.len() >= OPEN_MAX && !places.contains_key(&key) {
            places.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(places.entry(key).or_default())
    }
}

/// Reads the variables that a plan needs before it can be made, and gives the fingerprint of the dataset with them.
fn read(dataset: &LabelledDataset, wanted: &message::Dataset) -> Result<u64, CodecError> {
    let missing: Vec<_> = wanted.loaded.iter().filter(|name| dataset.loaded(name).is_none()).collect();
    let variables = missing.into_iter().filter_map(|name| dataset.dataset.variable(name)).collect::<Vec<_>>();
    if !variables.is_empty() {
        wait_for(async {
            for variable in variables {
                dataset.load(variable).await?;
            }
            Ok::<_, quarray_engine::Error>(())
        })??;
    }
    let names: Vec<&str> = wanted.loaded.iter().map(String::as_str).collect();
    Ok(dataset.fingerprint(&names)?)
}

fn access_message(rules: &AccessRules) -> message::Access {
    message::Access {
        roots: rules.roots.iter().map(|root| root.to_string_lossy().into_owned()).collect(),
        urls: rules.urls.clone(),
        may_use_credentials: rules.may_use_credentials,
        may_reach_private: rules.may_reach_private,
    }
}

/// What the plan may touch: whoever runs it must not do more than whoever made it.
fn access(wanted: &message::Dataset) -> Result<AccessPolicy, CodecError> {
    let Some(access) = &wanted.access else { return Ok(AccessPolicy::everything()) };
    // Directories that this machine does not have hold nothing that it could read.
    let roots = access.roots.iter().map(PathBuf::from).filter(|root| root.is_dir()).collect();
    let rules = AccessRules {
        roots,
        urls: access.urls.clone(),
        may_write: false,
        may_use_credentials: access.may_use_credentials,
        may_reach_private: access.may_reach_private,
    };
    AccessPolicy::confined(rules).map_err(|error| CodecError::Access { message: error.to_string() })
}

/// A secret of a store: this process's own, since none travels.
fn secret(uri: &str, option: &str) -> Result<String, CodecError> {
    let variable = format!("{SECRET_PREFIX}{}", option.to_ascii_uppercase());
    std::env::var(&variable).map_err(|_| CodecError::NoSecret {
        uri: uri.to_string(),
        option: option.to_string(),
        variable,
    })
}
