//! Names with their catalog and schema, as programs write them: `datafusion.public.daymet` is `daymet`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{ObjectName, ObjectNamePart, TableFactor, VisitMut, VisitorMut};
use quarray_lang::statement::{Statement, StatementKind};

use super::Session;

/// The catalog that every name of a session is in.
pub const CATALOG: &str = "datafusion";

/// Its schema for what has been attached or created.
pub const SCHEMA: &str = "public";

impl Session {
    /// Takes catalog and schema off the names of datasets and views, which are known by their last part.
    pub(super) fn strip_schema(&self, statement: &mut Statement) {
        let mut stripper = Stripper(self);
        let _ = match &mut statement.kind {
            StatementKind::Sql(sql) => VisitMut::visit(sql.as_mut(), &mut stripper),
            StatementKind::Let { query, .. } => VisitMut::visit(query.as_mut(), &mut stripper),
            _ => ControlFlow::Continue(()),
        };
    }

    fn stripped(&self, name: &ObjectName) -> Option<ObjectName> {
        let is = |part: &ObjectNamePart, name: &str| {
            part.as_ident().is_some_and(|ident| ident.value.eq_ignore_ascii_case(name))
        };
        let rest = match name.0.as_slice() {
            [catalog, schema, rest @ ..] if is(catalog, CATALOG) && is(schema, SCHEMA) => rest,
            [schema, rest @ ..] if is(schema, SCHEMA) => rest,
            _ => return None,
        };
        let first = rest.first()?.as_ident()?;
        self.shared.catalog.get(&first.value.to_ascii_lowercase())?;
        Some(ObjectName(rest.to_vec()))
    }
}

struct Stripper<'a>(&'a Session);

impl VisitorMut for Stripper<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: None, .. } = factor
            && let Some(stripped) = self.0.stripped(name)
        {
            *name = stripped;
        }
        ControlFlow::Continue(())
    }
}
