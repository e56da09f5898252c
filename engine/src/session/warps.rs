//! Datasets in another reference system: `FROM s2 |> WARP TO 'EPSG:3857'` is a way to open `s2`, so that executors open it
//! in the same way.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Query, SetExpr, TableFactor, Value, VisitMut, VisitorMut,
};
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::syntax::{Subset, SubsetSource, Warp, subset, warp};

use super::Session;
use super::names::store_options;
use crate::bind::{Named, plain_name, quoted_path, stem};
use crate::catalog::open_dataset;
use crate::error::Error;
use crate::source::store::StoreOptions;
use crate::source::warp::WarpOptions;

/// A dataset that is warped.
#[derive(Debug)]
struct Warped {
    /// The path that stands for it.
    path: String,
    name: ObjectName,
    options: StoreOptions,
    warp: WarpOptions,
}

impl Session {
    /// Opens the datasets that a query warps, and puts paths in their places that `found` knows.
    pub(super) async fn settle_warps(
        &self,
        query: &mut Query,
        found: &mut HashMap<String, Named>,
    ) -> Result<(), Error> {
        let mut settled = Settle(Vec::new());
        if let ControlFlow::Break(error) = VisitMut::visit(query, &mut settled) {
            return Err(error);
        }
        for warped in settled.0 {
            if found.contains_key(&warped.path) {
                continue;
            }
            let (uri, mut options) = self.address_of(&warped, found)?;
            if options.contains_key("warp") {
                return Err(wrong(format!("`{}` is warped already", warped.name)));
            }
            options.insert("warp".to_string(), warped.warp.to_text());
            let dataset = open_dataset(&stem(&warped.path), &uri, &options, self.access()).await?;
            found.insert(warped.path, Named::Dataset(dataset));
        }
        Ok(())
    }

    /// Where a dataset is, and how it is opened as it lies.
    fn address_of(&self, warped: &Warped, found: &HashMap<String, Named>) -> Result<(String, StoreOptions), Error> {
        if let Some(path) = quoted_path(&warped.name) {
            // What a catalog names is open already.
            if let Some(Named::Dataset(dataset)) = found.get(&path.value)
                && let Some(address) = &dataset.address
            {
                return Ok((address.uri.clone(), address.options.clone()));
            }
            return Ok((path.value.clone(), warped.options.clone()));
        }
        let name = plain_name(&warped.name);
        match self.shared.catalog.address(&name) {
            Some(address) => {
                let mut options = address.options;
                options.extend(warped.options.clone());
                Ok((address.uri, options))
            }
            None => Err(wrong(format!("WARP takes an attached dataset or a path, and `{}` is none", warped.name))),
        }
    }
}

/// Takes the warps out of queries, and puts paths in the places of what they warp.
struct Settle(Vec<Warped>);

impl VisitorMut for Settle {
    type Break = Error;

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let Some(step) = query.pipe_operators.first().and_then(warp) else { return ControlFlow::Continue(()) };
        match settle(query, &step) {
            Ok(warped) => {
                query.pipe_operators.remove(0);
                self.0.push(warped);
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn settle(query: &mut Query, step: &Warp) -> Result<Warped, Error> {
    let misplaced = || {
        wrong(
            "WARP stands directly after FROM and the name or path of a dataset: selections and other steps come after it"
                .to_string(),
        )
    };
    let SetExpr::Select(select) = query.body.as_mut() else { return Err(misplaced()) };
    let [table] = select.from.as_mut_slice() else { return Err(misplaced()) };
    if !table.joins.is_empty() || select.selection.is_some() {
        return Err(misplaced());
    }
    let (name, options) = match subset(&table.relation) {
        Some(Subset { source: SubsetSource::Name(name), options, selectors, .. }) if selectors.is_empty() => {
            (name, store_options(&options))
        }
        Some(_) => return Err(misplaced()),
        None => match &table.relation {
            TableFactor::Table { name, args: None, .. } => (name.clone(), StoreOptions::new()),
            _ => return Err(misplaced()),
        },
    };
    let options_of_warp = options_of(step).map_err(wrong)?;
    let base = quoted_path(&name).map_or_else(|| plain_name(&name), |path| path.value.clone());
    let mut hasher = DefaultHasher::new();
    (&options, options_of_warp.to_text()).hash(&mut hasher);
    // What is `#` on is no place: a dataset that is opened differently has another name.
    let path = format!("{base}#{}-{:x}", options_of_warp.to.name(), hasher.finish());
    if let TableFactor::Table { name, args, .. } = &mut table.relation {
        *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote('\'', path.clone()))]);
        *args = None;
    }
    Ok(Warped { path, name, options, warp: options_of_warp })
}

fn options_of(step: &Warp) -> Result<WarpOptions, String> {
    let Expr::Value(to) = &step.to else {
        return Err(format!("WARP TO: expected a reference system in quotes as 'EPSG:3857', found `{}`", step.to));
    };
    let to = match &to.value {
        Value::SingleQuotedString(text) => text,
        other => return Err(format!("WARP TO: expected a reference system in quotes as 'EPSG:3857', found `{other}`")),
    };
    let resolution = step.resolution.as_ref().map(|value| {
        value.to_string().parse().map_err(|_| format!("RESOLUTION: expected a positive number, found `{value}`"))
    });
    WarpOptions::new(to, step.using.as_ref().map(|name| name.value.as_str()), resolution.transpose()?)
}

fn wrong(message: String) -> Error {
    Error::Bind(Diagnostic::new(message))
}
