//! Catalogs in FROM: their assets are opened before a query is bound, and what is left is a call that can be planned.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, TableAlias, TableFactor, UnaryOperator, Value as Literal};
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::syntax::{SourceCall, replace_call, replace_source_call, source_call};
use serde_json::{Map, Value, json};

use super::Session;
use super::names::store_options;
use super::source_calls::{calls_in, replace_calls};
use crate::bind::{Named, stem};
use crate::catalog::open_dataset;
use crate::error::Error;
use crate::source::stac::{AssetAddress, COLLECTIONS_FUNCTION, ITEMS_FUNCTION, open_asset};
use crate::source::store::StoreOptions;

/// Options that somebody signs for a store with by himself.
const CREDENTIALS: [&str; 9] =
    ["key", "account_key", "access_key", "sas", "sas_token", "sas_key", "token", "bearer_token", "client_secret"];

/// A catalog in FROM.
#[derive(Debug, Clone)]
struct CatalogCall {
    function: String,
    uri: String,
    /// The arguments by name.
    given: Map<String, Value>,
    /// Options of the dataset that an asset is.
    options: StoreOptions,
}

impl Session {
    /// Opens the assets that a query names in catalogs, and puts paths in their places that `found` knows; catalogs
    /// themselves become calls that the planner reads.
    pub(super) async fn settle_catalogs(
        &self,
        query: &mut Query,
        found: &mut HashMap<String, Named>,
    ) -> Result<(), Error> {
        let mut paths: HashMap<u64, String> = HashMap::new();
        for call in calls_in(query, CatalogCall::of)? {
            if !call.given.contains_key("asset") || paths.contains_key(&call.mark()) {
                continue;
            }
            let AssetAddress { uri, mut options } = open_asset(&call.uri, &call.given, self.access()).await?;
            if call.options.keys().any(|name| CREDENTIALS.contains(&name.as_str())) && !call.given.contains_key("sign")
            {
                options.remove("sign");
            }
            options.extend(call.options.clone());
            // What is `#` on is no place: datasets of one address that are opened differently have different names.
            let path = format!("{}#{:x}", crate::source::store::without_secrets(&uri), call.mark());
            let dataset = open_dataset(&stem(&path), &uri, &options, self.access()).await?;
            found.insert(path.clone(), Named::Dataset(dataset));
            paths.insert(call.mark(), path);
        }
        replace_calls(query, CatalogCall::of, |factor, call| match paths.get(&call.mark()) {
            Some(path) => replace_source_call(factor, path),
            None => replace_by_plain_call(factor, call),
        })
    }
}

impl CatalogCall {
    /// The catalog that a table factor is, if it is one.
    fn of(factor: &TableFactor) -> Result<Option<Self>, Error> {
        let Some(SourceCall { name, positional, named, options, has_brackets }) = source_call(factor) else {
            return Ok(None);
        };
        if name != ITEMS_FUNCTION && name != COLLECTIONS_FUNCTION {
            return Ok(None);
        }
        let (uri, mut given) = catalog_arguments(&name, &positional, named)?;
        let mut options = store_options(&options);
        if given.contains_key("asset") {
            // Signing is a matter of the asset, wherever it is said.
            if let Some(sign) = options.remove("sign") {
                given.insert("sign".to_string(), Value::String(sign));
            }
        }
        if has_brackets && !given.contains_key("asset") {
            return Err(wrong(format!("brackets need a dataset, and `{name}(…)` is none: ASSET '…' names one of it")));
        }
        Ok(Some(Self { function: name, uri, given, options }))
    }

    fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.uri, Value::Object(self.given.clone()).to_string(), &self.options).hash(&mut hasher);
        hasher.finish()
    }
}

/// The address of a catalog and its arguments by name.
pub(super) fn catalog_arguments(
    function: &str,
    positional: &[Expr],
    named: Vec<(Ident, Expr)>,
) -> Result<(String, Map<String, Value>), Error> {
    let uri = match positional.first().map(constant).transpose()? {
        Some(Value::String(uri)) => uri,
        _ => return Err(wrong(format!("{function}: expected the address of a catalog in quotes"))),
    };
    let expected = || wrong(format!("{function}: expected arguments by name, as in `collection => 'x'`"));
    let mut given = match (positional.get(1).map(constant).transpose()?, positional.len()) {
        (None, _) => Map::new(),
        // What a call becomes for the planner.
        (Some(Value::String(given)), 2) => serde_json::from_str(&given).map_err(|_| expected())?,
        _ => return Err(expected()),
    };
    given.extend(constants(named)?);
    Ok((uri, given))
}

/// The values of arguments, by their names in lower case.
pub(super) fn constants(named: Vec<(Ident, Expr)>) -> Result<Map<String, Value>, Error> {
    named.into_iter().map(|(name, value)| Ok((name.value.to_ascii_lowercase(), constant(&value)?))).collect()
}

/// The call that the planner reads in the place of a catalog.
fn replace_by_plain_call(factor: &mut TableFactor, call: CatalogCall) {
    let mut given = call.given;
    if !call.options.is_empty() {
        given.insert("options".to_string(), json!(call.options));
    }
    if let TableFactor::Table { alias, .. } = factor {
        alias.get_or_insert_with(|| table_alias(Ident::new(&call.function)));
    }
    replace_call(factor, &call.function, &[&call.uri, &Value::Object(given).to_string()]);
}

fn table_alias(name: Ident) -> TableAlias {
    TableAlias { explicit: false, name, columns: Vec::new(), at: None }
}

/// The value of a constant.
fn constant(expression: &Expr) -> Result<Value, Error> {
    let expected = || wrong(format!("expected a constant in the arguments of a catalog, found `{expression}`"));
    Ok(match expression {
        Expr::Nested(inner) => constant(inner)?,
        Expr::Value(value) => literal(&value.value).ok_or_else(expected)?,
        Expr::TypedString(typed) => literal(&typed.value.value).ok_or_else(expected)?,
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => constant(expr)?,
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match constant(expr)? {
            Value::Number(number) => match number.as_i64().and_then(i64::checked_neg) {
                Some(number) => json!(number),
                None => json!(-number.as_f64().ok_or_else(expected)?),
            },
            _ => return Err(expected()),
        },
        Expr::Array(array) => Value::Array(array.elem.iter().map(constant).collect::<Result<_, _>>()?),
        _ => return Err(expected()),
    })
}

fn literal(value: &Literal) -> Option<Value> {
    Some(match value {
        Literal::SingleQuotedString(text) => Value::String(text.clone()),
        Literal::Boolean(value) => Value::Bool(*value),
        Literal::Null => Value::Null,
        Literal::Number(digits, _) => match digits.parse::<i64>() {
            Ok(number) => json!(number),
            Err(_) => json!(digits.parse::<f64>().ok()?),
        },
        _ => return None,
    })
}

fn wrong(message: String) -> Error {
    Error::Bind(Diagnostic::new(message))
}
