//! What a plan over arrays was made of: enough to make it again in another process.
//!
//! Operators hold what they need to run, which is made of labels and may be large. What travels is the recipe: cells,
//! expressions and settings. Every operator of ours knows the recipe of the plan it stands in, and where in it.

use std::sync::{Arc, OnceLock};

use datafusion::common::internal_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};

use super::passes::PassesExec;
use super::pivot::PivotExec;
use super::read::BlockReadExec;
use super::reduce::plan_reduce;
use super::reduce_final::GridReduceFinalExec;
use super::reduce_partial::GridReducePartialExec;
use super::settings::PlanSettings;
use super::window_grouped::GroupedWindowExec;
use super::window_moving::MovingWindowExec;
use super::windowed::plan_cells;
use crate::dataset::Variable;
use crate::logical::{GridReduce, GridWindow, GridWindowKind};
use crate::scan::{CellTable, variables_in};

/// A plan over the cells of one table, before it is one.
#[derive(Debug)]
pub struct Recipe {
    /// What is computed.
    pub what: GridPlan,
    /// How the plan is laid out: the same settings give the same partitions.
    pub settings: PlanSettings,
}

/// What is computed over the cells of one table.
#[derive(Debug)]
pub enum GridPlan {
    /// A reduction.
    Reduce(GridReduce),
    /// The cells themselves, as rows.
    Cells {
        /// The cells.
        table: Arc<CellTable>,
        /// Columns of the table.
        columns: Vec<usize>,
        /// Columns that are computed from other cells.
        windows: Vec<GridWindow>,
    },
}

/// Where an operator comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// What its plan was made of.
    pub recipe: Arc<Recipe>,
    /// The way from the root of that plan to the operator: which child to take, again and again.
    pub path: Vec<u32>,
}

/// The place in an operator for where it comes from; it is told once its plan is complete.
pub(super) type OriginCell = Arc<OnceLock<Origin>>;

impl Recipe {
    /// The cells.
    pub fn table(&self) -> &Arc<CellTable> {
        match &self.what {
            GridPlan::Reduce(reduce) => &reduce.table,
            GridPlan::Cells { table, .. } => table,
        }
    }

    /// The variables of one dimension that group keys are made of: they are read before anything is planned.
    pub fn key_variables(&self) -> Result<Vec<&Variable>> {
        let (keys, windows): (&[Expr], _) = match &self.what {
            GridPlan::Reduce(reduce) => (&reduce.keys, &reduce.windows),
            GridPlan::Cells { windows, .. } => (&[], windows),
        };
        let of_windows = windows.iter().flat_map(|window| match &window.kind {
            GridWindowKind::Grouped { keys, .. } => keys.as_slice(),
            GridWindowKind::Moving { .. } => &[],
        });
        let table = self.table();
        let columns = variables_in(table, keys.iter().chain(of_windows))?;
        Ok(columns.into_iter().filter_map(|column| table.variable(&table.columns()[column])).collect())
    }

    /// Reads the variables that group keys are made of.
    pub async fn load(&self) -> Result<()> {
        for variable in self.key_variables()? {
            let loaded = self.table().source().load(variable).await;
            loaded.map_err(|error| match error {
                crate::Error::Source(source) => DataFusionError::External(Box::new(source)),
                other => DataFusionError::External(Box::new(other)),
            })?;
        }
        Ok(())
    }

    /// The plan; every operator of ours in it knows where it comes from.
    pub fn plan(self: &Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = match &self.what {
            GridPlan::Reduce(reduce) => plan_reduce(reduce, self.settings)?,
            GridPlan::Cells { table, columns, windows } => plan_cells(table, columns, windows, self.settings)?,
        };
        self.mark(&plan, &mut Vec::new());
        Ok(plan)
    }

    fn mark(self: &Arc<Self>, plan: &Arc<dyn ExecutionPlan>, path: &mut Vec<u32>) {
        if let Some(cell) = cell_of(plan.as_ref()) {
            cell.get_or_init(|| Origin { recipe: Arc::clone(self), path: path.clone() });
        }
        for (place, child) in plan.children().into_iter().enumerate() {
            path.push(place as u32);
            self.mark(child, path);
            path.pop();
        }
    }
}

/// Where an operator of ours comes from; `None` for those of others.
pub fn origin_of(plan: &dyn ExecutionPlan) -> Option<&Origin> {
    cell_of(plan).and_then(|cell| cell.get())
}

/// Whether an operator is one of ours.
pub fn is_grid_operator(plan: &dyn ExecutionPlan) -> bool {
    cell_of(plan).is_some()
}

/// The operator at the end of `path` in the plan of a recipe, over these inputs and with no state of another run, to work
/// on so many threads.
pub fn operator_at(
    plan: &Arc<dyn ExecutionPlan>,
    path: &[u32],
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    threads: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let mut operator = plan;
    for &place in path {
        match operator.children().get(place as usize) {
            Some(child) => operator = child,
            None => return internal_err!("{} has no input number {place}", operator.name()),
        }
    }
    if !is_grid_operator(operator.as_ref()) {
        return internal_err!("expected an operator over arrays at {path:?}, found {}", operator.name());
    }
    let expected = operator.children().len();
    if inputs.len() != expected {
        return internal_err!("{} takes {expected} inputs, found {}", operator.name(), inputs.len());
    }
    match operator.downcast_ref::<GridReducePartialExec>() {
        Some(partial) => Ok(Arc::new(partial.alone(inputs, threads)?)),
        None => {
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            Arc::clone(operator).replace_children(inputs, options)
        }
    }
}

fn cell_of(plan: &dyn ExecutionPlan) -> Option<&OriginCell> {
    macro_rules! cell_of {
        ($($operator:ty),+) => {
            $(if let Some(operator) = plan.downcast_ref::<$operator>() {
                return Some(&operator.origin);
            })+
        };
    }
    cell_of!(
        BlockReadExec,
        GridReducePartialExec,
        GridReduceFinalExec,
        PassesExec,
        MovingWindowExec,
        GroupedWindowExec,
        PivotExec
    );
    None
}
