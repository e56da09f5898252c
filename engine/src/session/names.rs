//! What the names in a query stand for.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{Expr, Query};

use super::{BoundQuery, Session};
use crate::bind::{Named, names_in, plain_name, quoted_path};
use crate::catalog::is_file_table;
use crate::error::Error;
use crate::outcome::DatasetSummary;
use crate::source::store::StoreOptions;
use crate::summary::summary;

impl Session {
    /// What the names in a query stand for: attached datasets, views and what they name, stores by path.
    /// Catalogs in it become calls that can be planned, their assets, stacks and what is warped paths.
    pub(super) async fn names(&self, query: &mut Query) -> Result<HashMap<String, Named>, Error> {
        let mut found: HashMap<String, Named> = HashMap::new();
        self.settle(query, &mut found).await?;
        let mut waiting = names_in(query);
        while let Some((name, options)) = waiting.pop() {
            let (key, named) = match quoted_path(&name) {
                Some(path) if is_file_table(&path.value) => continue,
                Some(path) => (path.value.clone(), None),
                None => {
                    // The first part of `ds."lat_lon"` is the dataset's name.
                    let whole = plain_name(&name);
                    let first =
                        name.0.first().and_then(|part| part.as_ident()).map(|ident| ident.value.to_ascii_lowercase());
                    match (self.shared.catalog.get(&whole), first) {
                        (None, Some(first)) => (first.clone(), self.shared.catalog.get(&first)),
                        (named, _) => (whole, named),
                    }
                }
            };
            if found.contains_key(&key) {
                continue;
            }
            match (named, quoted_path(&name)) {
                (Some(Named::View(query)), _) => {
                    let mut query = query.as_ref().clone();
                    self.settle(&mut query, &mut found).await?;
                    let query = Arc::new(query);
                    waiting.extend(names_in(query.as_ref()));
                    found.insert(key, Named::View(query));
                }
                (Some(dataset), _) => drop(found.insert(key, dataset)),
                (None, Some(path)) => {
                    let dataset = self.open(&path.value, &store_options(&options)).await?;
                    found.insert(key, Named::Dataset(dataset));
                }
                (None, None) => {}
            }
        }
        Ok(found)
    }

    /// Puts paths in the places of what is opened in a way of its own.
    async fn settle(&self, query: &mut Query, found: &mut HashMap<String, Named>) -> Result<(), Error> {
        self.settle_stacks(query, found).await?;
        self.settle_catalogs(query, found).await?;
        self.settle_warps(query, found).await
    }

    /// The summary of the dataset that a query is nothing but the name of.
    pub(super) fn bare_summary(&self, bound: &BoundQuery) -> Option<DatasetSummary> {
        let [(name, _)] = names_in(&bound.query).try_into().ok()?;
        let text = bound.query.to_string().replace("FROM ", "");
        if !bound.is_bare || text.trim() != name.to_string() {
            return None;
        }
        let key = quoted_path(&name).map_or_else(|| plain_name(&name), |path| path.value.clone());
        match bound.names.get(&key)? {
            Named::Dataset(source) => Some(summary(&name.to_string().replace('\'', ""), source)),
            Named::View(_) => None,
        }
    }
}

pub(super) fn store_options(options: &[(String, Expr)]) -> StoreOptions {
    let plain = |text: String| text.trim_matches('\'').to_string();
    options.iter().map(|(name, value)| (name.to_ascii_lowercase(), plain(value.to_string()))).collect()
}
