//! `CREATE TABLE`: rows in memory, which count as the session's from the first batch on.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{CreateMemoryTable, LogicalPlan};
use datafusion::physical_plan::execute_stream_partitioned;
use futures::future::try_join_all;
use quarray_lang::diagnostic::Diagnostic;

use super::Session;
use crate::backend::Local;
use crate::error::{Error, planning_error};
use crate::held::{HeldRows, HeldTable};
use crate::outcome::Outcome;

impl Session {
    /// Makes the table that a plan tells of.
    pub(super) async fn create_table(&self, order: CreateMemoryTable, text: &str) -> Result<Outcome, Error> {
        let CreateMemoryTable { name, constraints, input, if_not_exists, or_replace, column_defaults, temporary } =
            order;
        if temporary {
            let message = "there are no temporary tables: every table ends with its session";
            return Err(Error::Bind(Diagnostic::new(message)));
        }
        let context = &self.shared.context;
        let exists = context.table_provider(name.clone()).await.is_ok();
        match (if_not_exists, or_replace, exists) {
            (true, true, _) => {
                let message = "expected OR REPLACE or IF NOT EXISTS, found both";
                return Err(Error::Bind(Diagnostic::new(message)));
            }
            (true, false, true) => return Ok(Outcome::Done("done".to_string())),
            (false, false, true) => return Err(Error::Execution(format!("the table `{name}` exists already"))),
            _ => {}
        }
        check_names(&input)?;
        let rows = self.held_rows(&input, &format!("table {name}"), text).await?;
        let table = HeldTable::try_new(Arc::clone(input.schema().inner()), rows)?;
        let table = table.with_rules(constraints, column_defaults.into_iter().collect());
        if exists {
            context.deregister_table(name.clone())?;
        }
        context.register_table(name, Arc::new(table))?;
        Ok(Outcome::Done("done".to_string()))
    }

    /// The rows of a plan, by its partitions, each of which is read by a task of its own.
    async fn held_rows(&self, input: &LogicalPlan, holder: &str, text: &str) -> Result<Vec<HeldRows>, Error> {
        let state = self.own_state();
        let task = Arc::new(TaskContext::from(&state));
        let plan = state.create_physical_plan(input).await.map_err(|error| planning_error(error, text))?;
        self.runs(&plan, &Local);
        let held = HeldRows::new(task.memory_pool(), holder);
        let received = execute_stream_partitioned(plan, task)?.into_iter().map(|partition| {
            let received = SpawnedTask::spawn(held.beside().receive(partition));
            async move { received.join_unwind().await.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))? }
        });
        Ok(try_join_all(received).await?)
    }
}

/// Columns of a table are known by their names alone.
fn check_names(input: &LogicalPlan) -> Result<(), Error> {
    let mut seen = HashSet::new();
    match input.schema().fields().iter().find(|field| !seen.insert(field.name())) {
        Some(field) => {
            let message = format!("expected columns of different names, found `{}` twice", field.name());
            Err(Error::Bind(Diagnostic::new(message).with_help("name one of them with AS")))
        }
        None => Ok(()),
    }
}
