//! Logical nodes of ours → operators. Dispatch only.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use crate::exec::{BlockColumn, Grouping, ReduceSpec, read_with_windows, reduce_plan};
use crate::logical::{GridReduce, GridWindowKind};
use crate::optimize::optimize;
use crate::scan::{CellTable, ColumnKind};
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
        match node.as_any().downcast_ref::<GridReduce>() {
            Some(reduce) => plan_reduce(reduce, state).await.map(Some),
            None => Ok(None),
        }
    }
}

async fn plan_reduce(reduce: &GridReduce, state: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
    let table = &reduce.table;
    let threads = state.config().target_partitions();
    let mut expressions: Vec<&Expr> = reduce.mask.iter().collect();
    let mut keys: Vec<&Expr> = reduce.keys.iter().collect();
    expressions
        .extend(reduce.aggregates.iter().flat_map(|aggregate| aggregate.arguments.iter().chain(&aggregate.filter)));
    for window in &reduce.windows {
        match &window.kind {
            GridWindowKind::Grouped { keys: grouped, aggregate } => {
                keys.extend(grouped);
                expressions.extend(aggregate.arguments.iter().chain(&aggregate.filter));
            }
            GridWindowKind::Moving { argument, .. } => expressions.push(argument),
        }
    }
    load_key_variables(table, &keys).await?;
    let columns = variables_in(table, &expressions)?;
    let (input, work, columns) = read_with_windows(table, columns, &reduce.windows, threads)?;
    let spec = reduce_spec(reduce, columns)?;
    reduce_plan(spec, input, work, threads)
}

fn reduce_spec(reduce: &GridReduce, columns: Vec<BlockColumn>) -> Result<ReduceSpec> {
    let grouping = Grouping::new(&reduce.table, &reduce.keys)?;
    Ok(ReduceSpec {
        table: Arc::clone(&reduce.table),
        columns,
        axes: grouping.axes,
        keys: grouping.keys,
        aggregates: reduce.aggregates.clone(),
        mask: reduce.mask.clone(),
        schema: Arc::clone(reduce.schema.inner()),
        orders: grouping.orders,
    })
}

/// Reads the variables of one dimension that group keys are made of.
async fn load_key_variables(table: &CellTable, keys: &[&Expr]) -> Result<()> {
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

/// The columns of a table that hold cells and that expressions name.
fn variables_in(table: &CellTable, expressions: &[&Expr]) -> Result<Vec<usize>> {
    let mut found = Vec::new();
    for expression in expressions {
        expression.apply(|node| {
            if let Expr::Column(column) = node {
                let place = table.columns().iter().position(|known| known.field.name() == &column.name);
                if let Some(place) = place
                    && matches!(table.columns()[place].kind, ColumnKind::Variable(_))
                    && !found.contains(&place)
                {
                    found.push(place);
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(found)
}
