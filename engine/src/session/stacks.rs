//! Stacks in FROM: their scenes are found before a query is bound, and what is left is an address that opens the cube.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use datafusion::sql::sqlparser::ast::{Expr, Query, TableFactor};
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::syntax::{SourceCall, nested_call, replace_source_call, source_call};
use serde_json::{Map, Value};

use super::Session;
use super::catalogs::{catalog_arguments, constants};
use super::names::store_options;
use super::source_calls::{calls_in, replace_calls};
use crate::bind::{Named, stem};
use crate::catalog::open_dataset;
use crate::error::Error;
use crate::source::stac::{AssetAddress, ITEMS_FUNCTION};
use crate::source::stack::{StackRequest, describe};
use crate::source::store::StoreOptions;

/// The function that makes a cube of a catalog's scenes.
const STACK_FUNCTION: &str = "stack";

/// A stack in FROM.
#[derive(Debug, Clone)]
struct StackCall {
    uri: String,
    /// The arguments of the catalog.
    given: Map<String, Value>,
    /// The arguments of the stack.
    wanted: Map<String, Value>,
    /// How scenes are opened.
    options: StoreOptions,
}

impl Session {
    /// Opens the stacks that a query names, and puts paths in their places that `found` knows.
    pub(super) async fn settle_stacks(
        &self,
        query: &mut Query,
        found: &mut HashMap<String, Named>,
    ) -> Result<(), Error> {
        let mut paths: HashMap<u64, String> = HashMap::new();
        for call in calls_in(query, StackCall::of)? {
            if paths.contains_key(&call.mark()) {
                continue;
            }
            let request = StackRequest::parse(&call.wanted).map_err(wrong)?;
            let AssetAddress { uri, options } =
                describe(&call.uri, &call.given, &request, &call.options, self.access()).await?;
            // What is `#` on is no place: cubes of one catalog have different names.
            let path = format!("{uri}#{STACK_FUNCTION}-{:x}", call.mark());
            let dataset = open_dataset(&stem(&path), &uri, &options, self.access()).await?;
            found.insert(path.clone(), Named::Dataset(dataset));
            paths.insert(call.mark(), path);
        }
        replace_calls(query, StackCall::of, |factor, call| {
            if let Some(path) = paths.get(&call.mark()) {
                replace_source_call(factor, path);
            }
        })
    }
}

impl StackCall {
    /// The stack that a table factor is, if it is one.
    fn of(factor: &TableFactor) -> Result<Option<Self>, Error> {
        let Some(SourceCall { name, positional, named, options, .. }) = source_call(factor) else { return Ok(None) };
        if name != STACK_FUNCTION {
            return Ok(None);
        }
        let [catalog] = positional.as_slice() else {
            return Err(wrong(format!(
                "{STACK_FUNCTION}: expected a catalog as in `stack(stac('…'), assets => ['…'])`"
            )));
        };
        let (uri, mut given) = Self::catalog(catalog)?;
        let mut options = store_options(&options);
        // Signing is a matter of the scenes, wherever it is said.
        if let Some(sign) = options.remove("sign") {
            given.insert("sign".to_string(), Value::String(sign));
        }
        Ok(Some(Self { uri, given, wanted: constants(named)?, options }))
    }

    /// `stac('…', …)`, or the address of a catalog alone.
    fn catalog(argument: &Expr) -> Result<(String, Map<String, Value>), Error> {
        match nested_call(argument) {
            None => catalog_arguments(STACK_FUNCTION, std::slice::from_ref(argument), Vec::new()),
            Some(call) if call.name == ITEMS_FUNCTION => catalog_arguments(&call.name, &call.positional, call.named),
            Some(other) => {
                Err(wrong(format!("{STACK_FUNCTION}: expected stac('…', …), found the call of `{}`", other.name)))
            }
        }
    }

    fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let texts = [&self.given, &self.wanted].map(|given| Value::Object(given.clone()).to_string());
        (&self.uri, texts, &self.options).hash(&mut hasher);
        hasher.finish()
    }
}

fn wrong(message: String) -> Error {
    Error::Bind(Diagnostic::new(message))
}
