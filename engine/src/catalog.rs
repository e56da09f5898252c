//! The names of a session: attached datasets and views.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::Query;
use parking_lot::RwLock;

use crate::access::AccessPolicy;
use crate::bind::Named;
use crate::error::Error;
use crate::scan::LabelledDataset;
use crate::source::SourceError;
use crate::source::open::{open, split_options};
use crate::source::partition::Partition;
use crate::source::stack::{self, STACK_OPTION};
use crate::source::store::{Portable, Store, StoreOptions};

/// The extensions of files that DataFusion reads as tables.
const FILE_TABLES: &[&str] =
    &[".parquet", ".csv", ".tsv", ".json", ".ndjson", ".jsonl", ".arrow", ".avro", ".gz", ".zst"];

/// Attached datasets and views, by name.
#[derive(Debug, Default)]
pub struct Catalog {
    names: RwLock<HashMap<String, Named>>,
    addresses: RwLock<HashMap<String, Address>>,
}

/// Where an attached dataset is: what it was attached with.
#[derive(Clone)]
pub struct Address {
    /// Its path or URL.
    pub uri: String,
    /// How it is opened, credentials among it.
    pub options: StoreOptions,
    /// What whoever gave the address may touch.
    pub access: AccessPolicy,
}

impl Address {
    /// The options that say how to reach the store, not how to read what is in it.
    pub fn store_options(&self) -> StoreOptions {
        split_options(&self.options).1
    }

    /// The address and the options without what is secret; those that say how to read are among the options.
    pub fn portable(&self) -> Result<Portable, SourceError> {
        let (read, reach) = split_options(&self.options);
        let mut portable = Store::portable(&self.uri, &reach)?;
        portable.options.extend(read);
        if let Some(manifest) = portable.options.get_mut(STACK_OPTION) {
            *manifest = stack::portable(manifest)?;
        }
        Ok(portable)
    }
}

/// What may be secret is not shown.
impl std::fmt::Debug for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Address").finish_non_exhaustive()
    }
}

impl Catalog {
    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<Named> {
        self.names.read().get(name).cloned()
    }

    /// Gives a dataset a name, in place of what had it.
    pub fn attach(&self, name: &str, dataset: Arc<LabelledDataset>, address: Address) {
        self.names.write().insert(name.to_string(), Named::Dataset(dataset));
        self.addresses.write().insert(name.to_string(), address);
    }

    /// Where an attached dataset is.
    pub fn address(&self, name: &str) -> Option<Address> {
        match self.get(name)? {
            Named::Dataset(_) => self.addresses.read().get(name).cloned(),
            Named::View(_) => None,
        }
    }

    /// Gives a query a name; an existing one only when it may be replaced.
    pub fn create_view(&self, name: &str, query: Query, replace: bool) -> Result<(), Error> {
        let mut names = self.names.write();
        if !replace && names.contains_key(name) {
            let message = format!("`{name}` exists already");
            let diagnostic = quarray_lang::diagnostic::Diagnostic::new(message).with_help("use CREATE OR REPLACE VIEW");
            return Err(Error::Bind(diagnostic));
        }
        names.insert(name.to_string(), Named::View(Arc::new(query)));
        Ok(())
    }

    /// Takes a name away; whether it was there.
    pub fn remove(&self, name: &str) -> bool {
        self.addresses.write().remove(name);
        self.names.write().remove(name).is_some()
    }

    /// Every name and what it stands for, in the order of the names.
    pub fn list(&self) -> Vec<(String, Named)> {
        let mut all: Vec<_> = self.names.read().iter().map(|(name, named)| (name.clone(), named.clone())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

/// Whether a path is that of a table in a file.
pub fn is_file_table(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path).to_ascii_lowercase();
    FILE_TABLES.iter().any(|extension| path.ends_with(extension))
}

/// Opens the dataset at an address for whoever may touch what `access` says, and reads the labels of its dimensions.
pub async fn open_dataset(
    name: &str,
    uri: &str,
    options: &StoreOptions,
    access: &AccessPolicy,
) -> Result<Arc<LabelledDataset>, Error> {
    let mut address = Address { uri: uri.to_string(), options: options.clone(), access: access.clone() };
    if access.is_confined()
        && let Some(path) = Store::open_for(uri, &split_options(options).1, access)?.local_path()
    {
        // A path is relative to a directory that another process may not know.
        address.uri = path.to_string_lossy().into_owned();
    }
    let dataset = open(uri, options, access).await?;
    let partition = Partition::of(uri, options, &dataset)?;
    let dataset = LabelledDataset::read(name, Arc::new(dataset)).await?;
    Ok(Arc::new(dataset.at(address).in_partitions(partition)))
}
