//! The datasets that plans name, opened once in a process for each opening in a session.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prost::Message;
use quarray_engine::access::{AccessPolicy, AccessRules};
use quarray_engine::catalog::open_dataset;
use quarray_engine::dataset::Variable;
use quarray_engine::scan::LabelledDataset;

use super::waiting::{Awaited, run};
use super::{CodecError, message};

/// Datasets that are kept open, about.
const OPEN_MAX: usize = 64;

/// What the names of variables of the environment begin with that hold the secrets of stores.
const SECRET_PREFIX: &str = "QUARRAY_SECRET_";

/// Datasets by what opens them, with the labels of their dimensions. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Datasets {
    shared: Arc<Shared>,
    /// How long an opening is waited for; none: to its end.
    patience: Option<Duration>,
}

#[derive(Debug, Default)]
struct Shared {
    places: Places,
    /// What is being opened, by the whole message.
    under_way: Mutex<HashMap<Vec<u8>, Arc<Opening>>>,
}

/// An opening that is under way.
type Opening = Awaited<Arc<LabelledDataset>>;

/// Datasets that are open, or are being opened; those used last at the end.
#[derive(Debug, Default)]
struct Places(Mutex<Vec<(PlaceKey, Arc<Place>)>>);

/// What opens a dataset, and which opening in a session is meant.
type PlaceKey = (Vec<u8>, u64);

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
        opening: dataset.opening,
    })
}

impl Datasets {
    /// The same datasets, for whoever waits no longer than this for one to be opened.
    pub fn within(&self, patience: Duration) -> Self {
        Self { shared: Arc::clone(&self.shared), patience: Some(patience) }
    }

    /// The dataset of a message, opened unless it is open: the one that the plan was made over, or an error. What is not
    /// open in time is opened further, for whoever asks again.
    pub fn open(&self, wanted: &message::Dataset) -> Result<Arc<LabelledDataset>, CodecError> {
        if let Some(dataset) = self.shared.places.ready(wanted) {
            return Ok(dataset);
        }
        let end = self.patience.map(|patience| Instant::now() + patience);
        let opened = Shared::opening(&self.shared, wanted).wait(end);
        opened.unwrap_or_else(|| Err(CodecError::NotYet { uri: wanted.uri.clone() }))
    }
}

impl Shared {
    /// The opening of a dataset that is under way, or a new one.
    fn opening(shared: &Arc<Self>, wanted: &message::Dataset) -> Arc<Opening> {
        let key = wanted.encode_to_vec();
        let mut under_way = shared.under_way.lock();
        // One that broke off is still there.
        if let Some(opening) = under_way.get(&key).filter(|opening| !opening.has_ended()) {
            return Arc::clone(opening);
        }
        let (shared, wanted, done) = (Arc::clone(shared), wanted.clone(), key.clone());
        let opening = Awaited::begin(move || {
            let opened = shared.places.open(&wanted);
            shared.under_way.lock().remove(&done);
            opened
        });
        under_way.insert(key, Arc::clone(&opening));
        opening
    }
}

impl Places {
    /// The dataset, if it is open and nothing of it has to be read.
    fn ready(&self, wanted: &message::Dataset) -> Option<Arc<LabelledDataset>> {
        let (place, _) = self.place(wanted);
        let held = place.try_lock()?;
        let dataset = held.as_ref()?;
        let is_ready = to_read(dataset, wanted).is_empty() && fingerprint(dataset, wanted).ok()? == wanted.fingerprint;
        is_ready.then(|| Arc::clone(dataset))
    }

    /// The dataset, opened unless it is open.
    fn open(&self, wanted: &message::Dataset) -> Result<Arc<LabelledDataset>, CodecError> {
        let (place, other) = self.place(wanted);
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
        let mut dataset = run(open_dataset(&wanted.name, &wanted.uri, &options, &access))??;
        if let Some(own) = Arc::get_mut(&mut dataset) {
            own.opening = wanted.opening;
            if let Some(other) = other.as_ref().and_then(|other| other.try_lock()?.clone()) {
                own.share_labels(&other);
            }
        }
        let found = read(&dataset, wanted)?;
        if found != wanted.fingerprint {
            let (name, uri, expected) = (wanted.name.clone(), wanted.uri.clone(), wanted.fingerprint);
            return Err(CodecError::Changed { name, uri, expected, found });
        }
        *held = Some(Arc::clone(&dataset));
        Ok(dataset)
    }

    /// The place of a dataset, and that of the latest other opening of it.
    fn place(&self, wanted: &message::Dataset) -> (Arc<Place>, Option<Arc<Place>>) {
        let (loaded, opening) = (Vec::new(), wanted.opening);
        let address = message::Dataset { fingerprint: 0, opening: 0, loaded, ..wanted.clone() }.encode_to_vec();
        let mut places = self.0.lock();
        let found = places.iter().position(|((known, number), _)| *known == address && *number == opening);
        let place = match found {
            Some(found) => places.remove(found).1,
            None => {
                // One that is just being opened stays.
                let idle = places.iter().position(|(_, place)| Arc::strong_count(place) == 1);
                if let (true, Some(idle)) = (places.len() >= OPEN_MAX, idle) {
                    places.remove(idle);
                }
                Arc::default()
            }
        };
        let other = places.iter().rev().find(|((known, _), _)| *known == address).map(|(_, place)| Arc::clone(place));
        places.push(((address, opening), Arc::clone(&place)));
        (place, other)
    }
}

/// The variables that a plan needs before it can be made, as far as they were not read yet.
fn to_read<'a>(dataset: &'a LabelledDataset, wanted: &message::Dataset) -> Vec<&'a Variable> {
    let missing = wanted.loaded.iter().filter(|name| dataset.loaded(name).is_none());
    missing.filter_map(|name| dataset.dataset.variable(name)).collect()
}

/// Reads the variables that a plan needs before it can be made, and gives the fingerprint of the dataset with them.
fn read(dataset: &LabelledDataset, wanted: &message::Dataset) -> Result<u64, CodecError> {
    let variables = to_read(dataset, wanted);
    if !variables.is_empty() {
        run(async {
            for variable in variables {
                dataset.load(variable).await?;
            }
            Ok::<_, quarray_engine::Error>(())
        })??;
    }
    fingerprint(dataset, wanted)
}

fn fingerprint(dataset: &LabelledDataset, wanted: &message::Dataset) -> Result<u64, CodecError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A session that opens its dataset anew for every query does not take the place of one that keeps its own.
    #[test]
    fn openings_of_many_queries_leave_those_in_use() {
        let places = Places::default();
        let opening = |opening| message::Dataset { uri: "/a".to_string(), opening, ..Default::default() };
        let (kept, other) = places.place(&opening(0));
        assert!(other.is_none());
        for number in 1..4 * OPEN_MAX as u64 {
            let (place, other) = places.place(&opening(number));
            assert!(!Arc::ptr_eq(&place, &kept));
            assert!(other.is_some());
            let again = message::Dataset { fingerprint: 7, loaded: vec!["t".to_string()], ..opening(0) };
            assert!(Arc::ptr_eq(&places.place(&again).0, &kept));
        }
        assert!(places.0.lock().len() <= OPEN_MAX);
    }
}
