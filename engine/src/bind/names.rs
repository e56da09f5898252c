//! Which columns of a pipeline an expression names.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, Spanned, Visit, VisitMut, Visitor, VisitorMut};
use quarray_lang::suggest::{closest, did_you_mean};

use super::pipeline::{Pipeline, PipelineColumn};
use super::{Binder, build};
use crate::error::Error;

/// Names beside a pipeline's columns that an expression may use: aliases of the items of its block.
pub type Aliases = Vec<String>;

impl Binder<'_> {
    /// Rewrites every name of a pipeline's column to its exact spelling, and gives the columns named. A name that is
    /// nothing is an error when `strict`: it may be a column of another relation otherwise.
    pub(super) fn resolve(
        &self,
        pipeline: &Pipeline,
        expression: &mut Expr,
        aliases: &Aliases,
        strict: bool,
    ) -> Result<Vec<String>, Error> {
        let mut names = Names { binder: self, pipeline, aliases, strict, subqueries: 0, found: Vec::new() };
        match VisitMut::visit(expression, &mut names) {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(names.found),
        }
    }

    /// An error about a column that is not there.
    pub(super) fn unknown_column(&self, pipeline: &Pipeline, ident: &Ident) -> Error {
        let help = closest(&ident.value, pipeline.column_names()).map(did_you_mean);
        let names = pipeline.column_names().join(", ");
        let help = help.or_else(|| Some(format!("it has {names}")));
        self.error_with(ident.span, format!("no column `{}` in {}", ident.value, pipeline.describe()), help)
    }

    /// An error about a dimension that is not there.
    pub(super) fn unknown_dimension(&self, pipeline: &Pipeline, ident: &Ident) -> Error {
        let dimensions: Vec<&str> = pipeline.axes.iter().map(|axis| axis.name.as_str()).collect();
        let help = closest(&ident.value, dimensions.iter().copied()).map(did_you_mean).or_else(|| {
            let of_column = pipeline.column(ident)?.dimensions.join(", ");
            Some(format!("`{}` is a variable on [{of_column}]", ident.value))
        });
        self.error_with(ident.span, format!("no dimension `{}` in {}", ident.value, pipeline.describe()), help)
    }
}

struct Names<'a> {
    binder: &'a Binder<'a>,
    pipeline: &'a Pipeline,
    aliases: &'a Aliases,
    strict: bool,
    subqueries: usize,
    found: Vec<String>,
}

impl Names<'_> {
    fn note(&mut self, column: &PipelineColumn) {
        if !self.found.contains(&column.name) {
            self.found.push(column.name.clone());
        }
    }

    fn plain(&mut self, ident: &mut Ident) -> Result<(), Error> {
        if ident.quote_style == Some('\'') || self.subqueries > 0 {
            return Ok(());
        }
        match self.pipeline.column(ident).cloned() {
            Some(column) => {
                self.note(&column);
                exact(ident, &column.name);
                Ok(())
            }
            None if !self.strict || self.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(&ident.value)) => Ok(()),
            None => Err(self.binder.unknown_column(self.pipeline, ident)),
        }
    }

    fn qualified(&mut self, parts: &mut [Ident]) -> Result<(), Error> {
        let [qualifier, name] = parts else { return Ok(()) };
        if !qualifier.value.eq_ignore_ascii_case(&self.pipeline.alias.value) {
            return match self.strict && self.subqueries == 0 && self.pipeline.column(qualifier).is_none() {
                true => Err(self.binder.error_at(
                    qualifier.span,
                    format!("no table `{}` here, expected `{}`", qualifier.value, self.pipeline.alias.value),
                )),
                false => Ok(()),
            };
        }
        match self.pipeline.column(name).cloned() {
            Some(column) => {
                self.note(&column);
                exact(name, &column.name);
                *qualifier = Ident { span: qualifier.span, ..self.pipeline.alias.clone() };
                Ok(())
            }
            None => Err(self.binder.unknown_column(self.pipeline, name)),
        }
    }
}

impl VisitorMut for Names<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.subqueries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.subqueries -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        let resolved = match expression {
            Expr::Identifier(ident) => self.plain(ident),
            Expr::CompoundIdentifier(parts) => self.qualified(parts),
            _ => Ok(()),
        };
        match resolved {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn exact(ident: &mut Ident, name: &str) {
    *ident = Ident { span: ident.span, ..build::quoted(name) };
}

/// The columns of a pipeline that are named with its alias, or alone, anywhere in `node`, subqueries included; wildcards
/// are not names.
pub fn names_of<N: Visit>(pipeline: &Pipeline, node: &N, alone: bool) -> Vec<String> {
    struct Found<'a> {
        pipeline: &'a Pipeline,
        alone: bool,
        names: Vec<String>,
    }
    impl Visitor for Found<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            let column = match expression {
                Expr::Identifier(ident) if self.alone => self.pipeline.column(ident),
                Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                    [table, name] if table.value.eq_ignore_ascii_case(&self.pipeline.alias.value) => {
                        self.pipeline.column(name)
                    }
                    _ => None,
                },
                _ => None,
            };
            if let Some(column) = column
                && !self.names.contains(&column.name)
            {
                self.names.push(column.name.clone());
            }
            ControlFlow::Continue(())
        }
    }
    let mut found = Found { pipeline, alone, names: Vec::new() };
    let _ = node.visit(&mut found);
    found.names
}

/// The place of an expression in the text.
pub fn span_of(expression: &Expr) -> datafusion::sql::sqlparser::tokenizer::Span {
    expression.span()
}
