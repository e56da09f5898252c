//! Logical nodes of ours → operators. Dispatch only.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::error::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use crate::exec::{GridPlan, PlanSettings, Recipe};
use crate::logical::{GridCells, GridReduce};
use crate::optimize::optimize;
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
        let what = if let Some(reduce) = node.as_any().downcast_ref::<GridReduce>() {
            GridPlan::Reduce(reduce.clone())
        } else if let Some(cells) = node.as_any().downcast_ref::<GridCells>() {
            let (columns, windows) = (cells.columns.clone(), cells.windows.clone());
            GridPlan::Cells { table: Arc::clone(&cells.table), columns, windows }
        } else {
            return Ok(None);
        };
        let recipe = Arc::new(Recipe { what, settings: PlanSettings::of(state) });
        recipe.load().await?;
        recipe.plan().map(Some)
    }
}
