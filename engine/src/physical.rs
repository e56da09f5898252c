//! Logical nodes of ours → operators. Dispatch only.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use crate::exec::{BlockPlan, PivotExec, PlanSettings, plan_reduce};
use crate::logical::{GridCells, GridReduce, GridWindow, GridWindowKind, neighbours};
use crate::optimize::optimize;
use crate::scan::{CellTable, variables_in};
use crate::state::GridSettings;

/// DataFusion's planner after our own rules, with our own nodes.
#[derive(Debug)]
pub struct GridQueryPlanner;

#[async_trait]
impl QueryPlanner for GridQueryPlanner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, state: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let on_grid = state.config().get_extension::<GridSettings>().is_none_or(|settings| settings.enabled);
        let plan = if on_grid { optimize(plan.clone())? } else { plan.clone() };
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(GridPlanner)]);
        planner.create_physical_plan(&plan, state).await
    }
}

struct GridPlanner;

#[async_trait]
impl ExtensionPlanner for GridPlanner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        _physical_inputs: &[Arc<dyn ExecutionPlan>],
        state: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        if let Some(reduce) = node.as_any().downcast_ref::<GridReduce>() {
            load_key_variables(&reduce.table, reduce.keys.iter().chain(group_keys(&reduce.windows))).await?;
            return plan_reduce(reduce, PlanSettings::of(state)).map(Some);
        }
        match node.as_any().downcast_ref::<GridCells>() {
            Some(cells) => plan_cells(cells, state).await.map(Some),
            None => Ok(None),
        }
    }
}

async fn plan_cells(cells: &GridCells, state: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
    let table = &cells.table;
    load_key_variables(table, group_keys(&cells.windows)).await?;
    let is_variable = |column: &usize| table.columns()[*column].kind.axis().is_none();
    let mut columns: Vec<usize> = cells.columns.iter().copied().filter(is_variable).collect();
    for column in variables_in(table, neighbours(&cells.windows))? {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    let plan = BlockPlan::new(table, columns, &cells.windows, PlanSettings::of(state))?;
    let windows = cells.windows.iter().map(|window| window.name.as_str());
    Ok(Arc::new(PivotExec::with_windows(&plan, Arc::clone(table), &cells.columns, windows)?))
}

/// The group keys of grouped windows.
fn group_keys(windows: &[GridWindow]) -> impl Iterator<Item = &Expr> {
    windows.iter().flat_map(|window| match &window.kind {
        GridWindowKind::Grouped { keys, .. } => keys.as_slice(),
        GridWindowKind::Moving { .. } => &[],
    })
}

/// Reads the variables of one dimension that group keys are made of.
async fn load_key_variables(table: &CellTable, keys: impl Iterator<Item = &Expr>) -> Result<()> {
    for column in variables_in(table, keys)? {
        if let Some(variable) = table.variable(&table.columns()[column]) {
            let loaded = table.source().load(variable).await;
            loaded.map_err(|error| match error {
                crate::Error::Source(source) => DataFusionError::External(Box::new(source)),
                other => DataFusionError::External(Box::new(other)),
            })?;
        }
    }
    Ok(())
}
