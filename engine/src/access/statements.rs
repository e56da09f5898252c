//! Statements of a confined session that are no queries: what they write is in its directories, and limits stay.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::listing::ListingTable;
use datafusion::datasource::source_as_provider;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::dml::CopyTo;
use datafusion::logical_expr::{DmlStatement, LogicalPlan, Statement};

use super::{AccessPolicy, only_reads};
use crate::source::SourceError;

/// Settings that are the server's own: its memory, its disk, where it looks for tables.
const SETTINGS_OF_SERVER: [&str; 3] =
    ["datafusion.runtime.", "datafusion.catalog.location", "datafusion.catalog.format"];

/// Numbers that a session may choose, each with the largest: room and tasks are taken by them before a pool is asked.
const NUMBERS_OF_SESSIONS: [(&str, u64); 2] =
    [("datafusion.execution.batch_size", 1 << 16), ("datafusion.execution.target_partitions", 1024)];

/// The plan of a statement as a session may carry it out.
pub(crate) fn admitted(plan: LogicalPlan, access: &AccessPolicy) -> Result<LogicalPlan> {
    let Some(confinement) = access.confinement() else { return Ok(plan) };
    let external = |error: SourceError| DataFusionError::External(Box::new(error));
    let admitted = plan.transform_down(|plan| match plan {
        LogicalPlan::Copy(copy) => {
            if !confinement.rules().may_write {
                return Err(external(only_reads(&copy.output_url)));
            }
            let output_url = confinement.table_location(&copy.output_url).map_err(external)?;
            Ok(Transformed::yes(LogicalPlan::Copy(CopyTo { output_url, ..copy })))
        }
        // The store would refuse it too, but not before rows are on their way.
        LogicalPlan::Dml(dml) if !confinement.rules().may_write && is_of_files(&dml) => {
            Err(external(only_reads(dml.table_name.table())))
        }
        LogicalPlan::Statement(Statement::SetVariable(set)) => {
            check_setting(&set.variable, &set.value)?;
            Ok(Transformed::no(LogicalPlan::Statement(Statement::SetVariable(set))))
        }
        LogicalPlan::Statement(Statement::ResetVariable(reset)) if is_of_server(&reset.variable) => {
            Err(refused(&reset.variable))
        }
        other => Ok(Transformed::no(other)),
    });
    admitted.map(|admitted| admitted.data)
}

/// Whether rows would go to files.
fn is_of_files(dml: &DmlStatement) -> bool {
    source_as_provider(&dml.target).is_ok_and(|table| table.downcast_ref::<ListingTable>().is_some())
}

/// Numbers are admitted where they are known to be harmless, everything else where it is not the server's.
fn check_setting(variable: &str, value: &str) -> Result<()> {
    let digits = value.trim().trim_start_matches('+');
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let limit = NUMBERS_OF_SESSIONS.iter().find(|(name, _)| variable.eq_ignore_ascii_case(name));
    match limit {
        _ if is_of_server(variable) => Err(refused(variable)),
        None if is_number => Err(refused(variable)),
        Some((_, most)) if is_number && !digits.parse::<u64>().is_ok_and(|number| number <= *most) => Err(
            DataFusionError::Plan(format!("`{variable}` is at most {most} in a session of a server, found {digits}")),
        ),
        _ => Ok(()),
    }
}

fn is_of_server(variable: &str) -> bool {
    let variable = variable.to_ascii_lowercase();
    SETTINGS_OF_SERVER.iter().any(|setting| variable.starts_with(setting))
}

fn refused(variable: &str) -> DataFusionError {
    DataFusionError::Plan(format!("`{variable}` is a setting of the server, not of a session"))
}
