//! What a statement is and would give, without running it.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::ast::{Query, Statement as Ast};
use futures::future::BoxFuture;
use futures::stream;
use quarray_lang::cluster::ClusterStatement;
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::queries::QueriesStatement;
use quarray_lang::statement::{Statement, StatementKind};

use super::{Contents, Session};
use crate::attributes::annotate;
use crate::bind::{Parameters, Sink};
use crate::error::Error;

/// What running a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementClass {
    /// A query: rows that are the same when it runs again, over the same data.
    Query,
    /// Rows that tell of the session: `SHOW`, `DESCRIBE`, `EXPLAIN`.
    Report,
    /// It changes something, or draws: it runs once, and has no rows.
    Change,
}

/// A statement that has not run.
#[derive(Debug, Clone)]
pub struct StatementOutline {
    /// What running it does.
    pub class: StatementClass,
    /// The columns of its rows; none where it has no rows, or where they are known only when it runs.
    pub schema: Option<SchemaRef>,
    /// Whether it has the text of a query's plan in place of rows: `EXPLAIN`.
    pub is_explain: bool,
    /// The names of the dimensions that are the key of its rows.
    pub dimensions: Vec<String>,
    /// The types of its parameters, as far as the places where they stand tell them.
    pub parameters: Vec<Option<DataType>>,
}

impl Session {
    /// The same session, whose statements have these values for their parameters `$1, $2 …` (or `?`).
    #[must_use]
    pub fn with_parameters(&self, values: Vec<ScalarValue>) -> Self {
        Self { parameters: Some(Arc::from(values)), ..self.clone() }
    }

    /// What running a statement does.
    pub fn class(&self, text: &str) -> Result<StatementClass, Error> {
        Ok(class(&one(text)?.kind))
    }

    /// What a statement would give. It is planned with the session's values of its parameters, or without any.
    pub fn outline<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<StatementOutline, Error>> {
        Box::pin(self.outline_of(text))
    }

    async fn outline_of(&self, text: &str) -> Result<StatementOutline, Error> {
        let mut statement = one(text)?;
        let parameters = Parameters::of(text, &statement)?;
        let count = parameters.count();
        let mut outline = StatementOutline {
            class: class(&statement.kind),
            schema: None,
            is_explain: false,
            dimensions: Vec::new(),
            parameters: vec![None; count],
        };
        let has_values = self.parameters.is_some() || count == 0;
        match &self.parameters {
            Some(values) => parameters.put(text, &mut statement, values)?,
            None => parameters.number(text, &mut statement)?,
        }
        self.strip_schema(&mut statement);
        let StatementKind::Sql(sql) = statement.kind else { return Ok(outline) };
        match (*sql, outline.class) {
            (Ast::Query(query), StatementClass::Query) => {
                let planned = self.outline_query(text, &query, has_values, &mut outline).await;
                // Brackets and others want values: what is known without them is that it is a query.
                if has_values { planned.map(|()| outline) } else { Ok(outline) }
            }
            (sql, StatementClass::Change) if !has_values => {
                self.outline_change(sql, &mut outline).await;
                Ok(outline)
            }
            (Ast::Explain { statement, .. }, _) => {
                match *statement {
                    Ast::Query(_) => outline.is_explain = true,
                    // DataFusion explains what is no query.
                    _ => outline.schema = Some(LogicalPlan::explain_schema()),
                }
                Ok(outline)
            }
            _ => Ok(outline),
        }
    }

    async fn outline_query(
        &self,
        text: &str,
        query: &Query,
        has_values: bool,
        outline: &mut StatementOutline,
    ) -> Result<(), Error> {
        let bound = self.bind(text, query).await?;
        match (bound.contents, bound.sink) {
            (Contents::Store(_), _) | (_, Some(Sink::Plot { .. })) => outline.class = StatementClass::Change,
            (Contents::Rows(relation), _) => {
                let planned = self.plan(text, &relation.query, &bound.tables).await?;
                note_types(&planned.logical, &mut outline.parameters);
                outline.dimensions = relation.dimensions.into_iter().map(|dimension| dimension.name).collect();
                let schema = match has_values {
                    // Rows have the schema of the plan that runs, nullability included.
                    true => self.physical(&planned.logical).await?.schema(),
                    false => Arc::clone(planned.logical.schema().inner()),
                };
                let none = Box::pin(RecordBatchStreamAdapter::new(schema, stream::empty()));
                outline.schema = Some(annotate(none, &planned.lost).schema());
            }
        }
        Ok(())
    }

    /// The types of the parameters of an INSERT and its like, where they can be told.
    async fn outline_change(&self, sql: Ast, outline: &mut StatementOutline) {
        let statement = datafusion::sql::parser::Statement::Statement(Box::new(sql));
        if let Ok(plan) = self.shared.context.state().statement_to_plan(statement).await {
            note_types(&plan, &mut outline.parameters);
        }
    }
}

/// The statement of a text that is but one.
fn one(text: &str) -> Result<Statement, Error> {
    let mut statements = quarray_lang::parse(text).map_err(Error::Syntax)?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (None, _) => Err(Error::Bind(Diagnostic::new("expected a statement, found nothing"))),
        (Some(_), false) => Err(Error::Bind(Diagnostic::new("expected one statement, found several"))),
    }
}

fn class(kind: &StatementKind) -> StatementClass {
    match kind {
        StatementKind::Sql(sql) => match sql.as_ref() {
            Ast::Query(_) => StatementClass::Query,
            Ast::Explain { .. }
            | Ast::ExplainTable { .. }
            | Ast::ShowTables { .. }
            | Ast::ShowColumns { .. }
            | Ast::ShowFunctions { .. }
            | Ast::ShowVariable { .. }
            | Ast::ShowVariables { .. }
            | Ast::ShowCatalogs { .. }
            | Ast::ShowDatabases { .. }
            | Ast::ShowSchemas { .. }
            | Ast::ShowViews { .. }
            | Ast::ShowCreate { .. } => StatementClass::Report,
            _ => StatementClass::Change,
        },
        StatementKind::Cluster(ClusterStatement::ShowClusters | ClusterStatement::Show { .. }) => {
            StatementClass::Report
        }
        StatementKind::Queries(QueriesStatement::Show) => StatementClass::Report,
        _ => StatementClass::Change,
    }
}

fn note_types(plan: &LogicalPlan, types: &mut [Option<DataType>]) {
    for (name, data_type) in plan.get_parameter_types().unwrap_or_default() {
        let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
        if let Some(place) = number.and_then(|number| types.get_mut(number.checked_sub(1)?)) {
            *place = data_type;
        }
    }
}
