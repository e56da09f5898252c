//! What stands in `FROM`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, ObjectNamePart, SelectItem, TableFactor, Visit, Visitor};
use quarray_lang::syntax::{self, Subset, SubsetSource};

use super::pipeline::Pipeline;
use super::{Binder, Named, Relation, RowRelation, VIEW_DEPTH_MAX, build, plain_error};
use crate::error::Error;

/// The key under which a name is looked up: quoted names as they are, others in lower case.
pub fn plain_name(name: &ObjectName) -> String {
    let part = |part: &ObjectNamePart| match part {
        ObjectNamePart::Identifier(ident) if ident.quote_style.is_some() => ident.value.clone(),
        ObjectNamePart::Identifier(ident) => ident.value.to_ascii_lowercase(),
        other => other.to_string(),
    };
    name.0.iter().map(part).collect::<Vec<_>>().join(".")
}

/// A path or URL in quotes, if the name is one.
pub fn quoted_path(name: &ObjectName) -> Option<&Ident> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] if ident.quote_style == Some('\'') => Some(ident),
        _ => None,
    }
}

/// Every name and path in a `FROM` of a statement, and the options given with it.
pub fn names_in<N: Visit>(node: &N) -> Vec<(ObjectName, Vec<(String, datafusion::sql::sqlparser::ast::Expr)>)> {
    struct Found(Vec<(ObjectName, Vec<(String, datafusion::sql::sqlparser::ast::Expr)>)>);
    impl Visitor for Found {
        type Break = ();

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            match syntax::subset(factor) {
                Some(Subset { source: SubsetSource::Name(name), options, .. }) => self.0.push((name, options)),
                Some(Subset { source: SubsetSource::Query(query), .. }) => {
                    let _ = query.visit(self);
                }
                Some(Subset { source: SubsetSource::Call(_), .. }) => {}
                None => {
                    if let TableFactor::Table { name, args: None, .. } = factor {
                        self.0.push((name.clone(), Vec::new()));
                    }
                }
            }
            ControlFlow::Continue(())
        }
    }
    let mut found = Found(Vec::new());
    let _ = node.visit(&mut found);
    found.0
}

impl Binder<'_> {
    /// The relation that a factor of `FROM` is, or `None` when it is DataFusion's own.
    pub(super) fn source(&mut self, factor: &TableFactor) -> Result<Option<Relation>, Error> {
        if let Some(subset) = syntax::subset(factor) {
            return self.subset(&subset).map(Some);
        }
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let Some(relation) = self.named(name)? else { return Ok(None) };
                Ok(Some(aliased(relation, alias.as_ref().map(|alias| &alias.name))))
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let relation = self.query(subquery)?;
                if let Some(alias) = alias
                    && !alias.columns.is_empty()
                {
                    let mut renamed = build::derived(self.rows(relation)?.query, None);
                    if let TableFactor::Derived { alias: place, .. } = &mut renamed {
                        *place = Some(alias.clone());
                    }
                    let query = build::query(build::select(vec![SelectItem::Wildcard(Default::default())], renamed)?)?;
                    let name = Some(alias.name.clone());
                    let rows = RowRelation {
                        query,
                        alias: name,
                        dimensions: Vec::new(),
                        is_ordered: false,
                        placed: None,
                        cells: None,
                    };
                    return Ok(Some(Relation::Rows(rows)));
                }
                Ok(Some(aliased(relation, alias.as_ref().map(|alias| &alias.name))))
            }
            _ => Ok(None),
        }
    }

    fn subset(&mut self, subset: &Subset) -> Result<Relation, Error> {
        let relation = match &subset.source {
            SubsetSource::Name(name) => self.named(name)?.ok_or_else(|| {
                let span = name
                    .0
                    .first()
                    .and_then(ObjectNamePart::as_ident)
                    .map_or_else(datafusion::sql::sqlparser::tokenizer::Span::empty, |i| i.span);
                self.error_at(span, format!("brackets need a dataset, and `{name}` is none"))
            })?,
            SubsetSource::Query(query) => self.query(query)?,
            SubsetSource::Call(call) => {
                let help = "only the ASSET of a catalog is one";
                return Err(plain_error(format!("brackets need a dataset, and `{}` is none: {help}", call.name)));
            }
        };
        let relation = match relation {
            Relation::Cells(pipeline) => Relation::Cells(self.select_cells(pipeline, &subset.selectors)?),
            Relation::Rows(_) if subset.selectors.is_empty() => relation,
            Relation::Rows(_) => {
                return Err(plain_error("brackets need a dataset: use WHERE on the result of a query"));
            }
        };
        Ok(aliased(relation, subset.alias.as_ref()))
    }

    /// `ds."lat_lon"`: the variables of exactly one set of dimensions, as a table of its own.
    fn fixed_table(&self, name: &ObjectName) -> Option<Relation> {
        let [first, second] = name.0.as_slice() else { return None };
        let (first, second) = (first.as_ident()?, second.as_ident()?);
        let Some(Named::Dataset(source)) = self.names.get(&first.value.to_ascii_lowercase()) else { return None };
        let mut pipeline = Pipeline::new(std::sync::Arc::clone(source), Ident::with_quote('"', second.value.clone()));
        let wanted = |column: &&super::pipeline::PipelineColumn| column.dimensions.join("_") == second.value;
        let span = pipeline.columns.iter().find(wanted)?.dimensions.clone();
        pipeline.columns.retain(|column| match column.kind {
            super::pipeline::PipelineColumnKind::Variable => column.dimensions == span,
            _ => column.dimensions.iter().all(|dimension| span.contains(dimension)),
        });
        pipeline.axes.retain(|axis| span.contains(&axis.name));
        Some(Relation::Cells(pipeline))
    }

    /// What a name stands for: a common table expression, a dataset or a view.
    fn named(&mut self, name: &ObjectName) -> Result<Option<Relation>, Error> {
        let key = match quoted_path(name) {
            Some(path) => path.value.clone(),
            None => plain_name(name),
        };
        if quoted_path(name).is_none()
            && let Some(relation) = self.scopes.iter().rev().find_map(|scope| scope.get(&key))
        {
            let mut relation = aliased(relation.clone(), Some(&Ident::new(key)));
            if let Relation::Rows(rows) = &mut relation {
                // Others may read the same table.
                rows.cells = None;
            }
            return Ok(Some(relation));
        }
        match self.names.get(&key).cloned() {
            None => Ok(self.fixed_table(name)),
            Some(Named::Dataset(source)) => {
                let alias = match quoted_path(name) {
                    Some(path) => Ident::with_quote('"', stem(&path.value)),
                    None => Ident::with_quote('"', key),
                };
                Ok(Some(Relation::Cells(Pipeline::new(source, alias))))
            }
            Some(Named::View(query)) => {
                if self.depth >= VIEW_DEPTH_MAX {
                    return Err(plain_error(format!(
                        "the view {key} is made of itself, or of more than {VIEW_DEPTH_MAX} others"
                    )));
                }
                self.depth += 1;
                let scopes = std::mem::take(&mut self.scopes);
                let text = std::mem::take(&mut self.text);
                let relation = self.query(&query);
                (self.text, self.scopes) = (text, scopes);
                self.depth -= 1;
                Ok(Some(aliased(relation?, Some(&Ident::with_quote('"', key)))))
            }
        }
    }
}

/// The relation under another name.
pub fn aliased(mut relation: Relation, alias: Option<&Ident>) -> Relation {
    if let Some(alias) = alias {
        match &mut relation {
            Relation::Cells(pipeline) => pipeline.alias = alias.clone(),
            Relation::Rows(rows) => rows.alias = Some(alias.clone()),
        }
    }
    relation
}

/// The name of a store in queries: its last part without the extension; of a pattern, the last part that is none.
pub fn stem(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or(path).trim_end_matches('/');
    let is_name = |part: &&str| !part.is_empty() && !part.contains(['*', '{', '}']);
    let last = path.rsplit(['/', '\\']).find(is_name).unwrap_or(path);
    let ends = [".zarr"].into_iter().chain(crate::source::netcdf::EXTENSIONS);
    ends.filter_map(|end| last.strip_suffix(end)).next().unwrap_or(last).to_string()
}
