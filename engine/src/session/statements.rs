//! Statements by kind: what is no query is carried out here.

use std::sync::Arc;

use datafusion::error::Result as DataFusionResult;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::physical_plan::execute_stream;
use datafusion::sql::parser::Statement as PlannedStatement;
use datafusion::sql::sqlparser::ast::{CreateView, ObjectType, Query, Statement as Ast};
use quarray_lang::cluster::ClusterStatement;
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::queries::QueriesStatement;
use quarray_lang::statement::{Statement, StatementKind};

use super::Session;
use crate::access::admitted;
use crate::backend::Local;
use crate::bind::{Named, Parameters, plain_name};
use crate::error::{Error, planning_error};
use crate::outcome::{Outcome, Rows};
use crate::summary::summary;

impl Session {
    pub(super) async fn statement(&self, text: &str, mut statement: Statement) -> Result<Outcome, Error> {
        let parameters = Parameters::of(text, &statement)?;
        parameters.put(text, &mut statement, self.parameters.as_deref().unwrap_or_default())?;
        self.strip_schema(&mut statement);
        match statement.kind {
            StatementKind::Attach { uri, name, options } => {
                self.attach(&name.value, &uri, &options.into_iter().collect()).await?;
                Ok(Outcome::Done(format!("attached {}", name.value)))
            }
            StatementKind::Detach { name } => match self.shared.catalog.remove(&name.value.to_ascii_lowercase()) {
                true => Ok(Outcome::Done(format!("detached {}", name.value))),
                false => Err(Error::Bind(Diagnostic::new(format!("nothing is attached as `{}`", name.value)))),
            },
            StatementKind::Let { name, query } => self.create_view(text, &name.value, *query, true).await,
            StatementKind::Cluster(statement) => match self.shared.clusters.clone() {
                Some(clusters) => clusters.run(statement, self).await,
                None => Err(no_cluster(&statement)),
            },
            StatementKind::Queries(QueriesStatement::Show) => self.show_queries().map(Outcome::Rows),
            StatementKind::Queries(QueriesStatement::Cancel { id }) => self.cancel_query(&id),
            StatementKind::Stock(text) => self.stock(&text).await,
            StatementKind::Sql(statement) => self.sql(text, *statement).await,
        }
    }

    async fn sql(&self, text: &str, statement: Ast) -> Result<Outcome, Error> {
        match statement {
            Ast::Query(query) => self.run(text, &query).await,
            Ast::Explain { analyze, statement, .. } if matches!(*statement, Ast::Query(_)) => match *statement {
                Ast::Query(query) => self.explain(text, &query, analyze).await,
                _ => Err(Error::Internal("an EXPLAIN lost its query".to_string())),
            },
            Ast::CreateView(CreateView { name, query, or_replace, .. }) => {
                self.create_view(text, &plain_name(&name), *query, or_replace).await
            }
            Ast::Drop { object_type: ObjectType::View | ObjectType::Table, names, .. }
                if names.iter().all(|name| self.shared.catalog.get(&plain_name(name)).is_some()) =>
            {
                names.iter().for_each(|name| {
                    self.shared.catalog.remove(&plain_name(name));
                });
                Ok(Outcome::Done("dropped".to_string()))
            }
            other => self.other(text, other).await,
        }
    }

    async fn create_view(&self, text: &str, name: &str, query: Query, replace: bool) -> Result<Outcome, Error> {
        self.bind(text, &query).await?;
        self.shared.catalog.create_view(&name.to_ascii_lowercase(), query, replace)?;
        Ok(Outcome::Done(format!("created {name}")))
    }

    /// A statement that DataFusion's own parser reads.
    async fn stock(&self, text: &str) -> Result<Outcome, Error> {
        let plan = self.shared.context.state().create_logical_plan(text).await;
        self.carry_out(plan, text).await
    }

    /// A statement that is no query: DDL, SHOW, DESCRIBE, …
    async fn other(&self, text: &str, statement: Ast) -> Result<Outcome, Error> {
        if let Ast::ExplainTable { table_name, .. } = &statement
            && let Some(Named::Dataset(source)) = self.shared.catalog.get(&plain_name(table_name))
        {
            let name = table_name.to_string();
            return Ok(Outcome::Explain(crate::explain::columns(&summary(&name, &source))));
        }
        let state = self.shared.context.state();
        let statement = PlannedStatement::Statement(Box::new(statement));
        self.carry_out(state.statement_to_plan(statement).await, text).await
    }

    /// Does what a plan says, if the session may.
    async fn carry_out(&self, plan: DataFusionResult<LogicalPlan>, text: &str) -> Result<Outcome, Error> {
        let plan = plan.and_then(|plan| admitted(plan, self.access())).map_err(|error| planning_error(error, text))?;
        let plan = match plan {
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(order)) => {
                return Box::pin(self.create_table(order, text)).await;
            }
            other => other,
        };
        let frame =
            self.shared.context.execute_logical_plan(plan).await.map_err(|error| planning_error(error, text))?;
        self.frame(frame).await
    }

    async fn frame(&self, frame: datafusion::prelude::DataFrame) -> Result<Outcome, Error> {
        let is_empty = frame.schema().fields().is_empty();
        let (_, plan) = frame.into_parts();
        let state = self.own_state();
        let task = Arc::new(TaskContext::from(&state));
        let plan = state.create_physical_plan(&plan).await?;
        self.runs(&plan, &Local);
        let stream = execute_stream(plan, task)?;
        match is_empty {
            true => {
                Rows::new(stream, Vec::new(), None).collect().await?;
                Ok(Outcome::Done("done".to_string()))
            }
            false => Ok(Outcome::Rows(Rows::new(stream, Vec::new(), None))),
        }
    }
}

/// What a statement about clusters is told by a session that has none.
fn no_cluster(statement: &ClusterStatement) -> Error {
    let diagnostic = match statement.name() {
        Some(name) => {
            Diagnostic::new(format!("no cluster `{}`: this session runs in its own process", name.value.value))
                .at(name.span)
        }
        None => Diagnostic::new("no cluster: this session runs in its own process"),
    };
    Error::Bind(diagnostic)
}
