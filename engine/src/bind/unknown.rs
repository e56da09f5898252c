//! Names in `FROM` that are nothing: told before a step finds that what they stand for has no dimensions.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::{Ident, ObjectName, ObjectNamePart, Query, Visit, Visitor};
use datafusion::sql::sqlparser::tokenizer::Span as TokenSpan;
use quarray_lang::suggest::{closest, did_you_mean};

use super::Binder;
use super::source::{names_in, plain_name, quoted_path};
use crate::error::Error;

impl Binder<'_> {
    /// An error about the first name of a query that is neither a dataset nor a table.
    pub(super) fn check_tables(&self, query: &Query) -> Result<(), Error> {
        let common = common_tables(query);
        let is_known = |name: &ObjectName| {
            let key = plain_name(name);
            let is_ours = self.tables.iter().any(|table| table.name() == key) || common.contains(&key);
            is_ours || quoted_path(name).is_some() || self.names.contains_key(&key) || self.is_table(name)
        };
        let Some((unknown, _)) = names_in(query).into_iter().find(|(name, _)| !is_known(name)) else {
            return Ok(());
        };
        let place =
            unknown.0.first().and_then(ObjectNamePart::as_ident).map_or_else(TokenSpan::empty, |part| part.span);
        let known = self.table_names();
        let help = closest(&plain_name(&unknown), known.iter().map(String::as_str)).map(did_you_mean);
        Err(self.error_with(place, format!("no dataset or table `{unknown}`"), help))
    }

    /// Whether DataFusion has a table of that name.
    fn is_table(&self, name: &ObjectName) -> bool {
        let part = |part: &ObjectNamePart| match part.as_ident() {
            Some(Ident { value, quote_style: None, .. }) => value.to_ascii_lowercase(),
            Some(ident) => ident.value.clone(),
            None => part.to_string(),
        };
        let parts: Vec<String> = name.0.iter().map(part).collect();
        let reference = match parts.as_slice() {
            [table] => TableReference::bare(table.as_str()),
            [schema, table] => TableReference::partial(schema.as_str(), table.as_str()),
            [catalog, schema, table] => TableReference::full(catalog.as_str(), schema.as_str(), table.as_str()),
            _ => return false,
        };
        let schema = self.state.schema_for_ref(reference.clone());
        schema.is_ok_and(|schema| schema.table_exist(reference.table()))
    }

    /// Names that could have been meant.
    fn table_names(&self) -> Vec<String> {
        let schema = self.state.schema_for_ref(TableReference::bare("any"));
        let mut names = schema.map(|schema| schema.table_names()).unwrap_or_default();
        names.retain(|name| !name.starts_with("cells_"));
        names.extend(self.names.keys().cloned());
        names
    }
}

/// The common table expressions of a query, those of its parts included.
fn common_tables(query: &Query) -> HashSet<String> {
    struct Found(HashSet<String>);
    impl Visitor for Found {
        type Break = ();

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            for table in query.with.iter().flat_map(|with| &with.cte_tables) {
                let Ident { value, quote_style, .. } = &table.alias.name;
                self.0.insert(if quote_style.is_some() { value.clone() } else { value.to_ascii_lowercase() });
            }
            ControlFlow::Continue(())
        }
    }
    let mut found = Found(HashSet::new());
    let _ = query.visit(&mut found);
    found.0
}
