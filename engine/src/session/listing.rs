//! What a session knows by name: datasets, views, tables, functions.

use futures::future::BoxFuture;
use quarray_lang::diagnostic::Diagnostic;

use super::{CATALOG, SCHEMA, Session};
use crate::bind::Named;
use crate::error::Error;
use crate::outcome::DatasetSummary;
use crate::source::store::StoreOptions;
use crate::summary::{columns_of, summary};

/// A name that queries can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableListing {
    /// The name.
    pub name: String,
    /// `dataset`, `view`, `table`
    pub kind: &'static str,
    /// The columns: name and what it is (`dimension`, `coordinate`, `variable`, `column`).
    pub columns: Vec<(String, &'static str)>,
}

/// What a line can be completed with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownNames {
    /// The names that queries can use.
    pub tables: Vec<TableListing>,
    /// The functions that queries can call.
    pub functions: Vec<String>,
    /// The clusters that statements can speak of.
    pub clusters: Vec<String>,
}

impl Session {
    /// The names that queries can use.
    pub fn tables(&self) -> Vec<TableListing> {
        let ours = self.shared.catalog.list().into_iter().map(|(name, named)| match named {
            Named::View(_) => TableListing { name, kind: "view", columns: Vec::new() },
            Named::Dataset(source) => TableListing { columns: columns_of(&source.dataset), name, kind: "dataset" },
        });
        let context = &self.shared.context;
        let schema = context.catalog(CATALOG).and_then(|catalog| catalog.schema(SCHEMA));
        let tables = schema.map(|schema| schema.table_names()).unwrap_or_default();
        let tables = tables.into_iter().filter(|name| !name.starts_with("cells_"));
        ours.chain(tables.map(|name| TableListing { name, kind: "table", columns: Vec::new() })).collect()
    }

    /// The functions that queries can call.
    pub fn functions(&self) -> Vec<String> {
        let state = self.shared.context.state();
        let mut names: Vec<String> = state.scalar_functions().keys().cloned().collect();
        names.extend(state.aggregate_functions().keys().cloned());
        names.extend(state.window_functions().keys().cloned());
        names.sort();
        names.dedup();
        names
    }

    /// The names of the clusters that statements can speak of.
    pub fn clusters(&self) -> Vec<String> {
        self.shared.clusters.as_ref().map(|clusters| clusters.names()).unwrap_or_default()
    }

    /// Everything that a line can be completed with.
    pub fn known_names(&self) -> KnownNames {
        KnownNames { tables: self.tables(), functions: self.functions(), clusters: self.clusters() }
    }

    /// What an attached name, or the store at a path or URL, holds.
    pub fn describe<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<DatasetSummary, Error>> {
        Box::pin(async move {
            match self.shared.catalog.get(&name.to_ascii_lowercase()) {
                Some(Named::Dataset(source)) => Ok(summary(name, &source)),
                Some(Named::View(_)) => Err(Error::Bind(Diagnostic::new(format!("`{name}` is a view, no dataset")))),
                None => Ok(summary(name, self.open(name, &StoreOptions::new()).await?.as_ref())),
            }
        })
    }
}
