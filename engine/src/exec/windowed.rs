//! Blocks with the columns that look at other cells.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use super::evaluate::{BlockColumn, CellExpressions, without_widening};
use super::halo::Halo;
use super::pivot::PivotExec;
use super::read::BlockReadExec;
use super::reduce::{states, two_phases};
use super::reduce_spec::{AggregateSpec, Grouping, ReduceSpec};
use super::settings::PlanSettings;
use super::window_grouped::GroupedWindowExec;
use super::window_moving::{MovingWindowExec, PreparedWindows};
use super::work::WorkGrid;
use crate::kernel::MovingWindow;
use crate::logical::{GridWindow, GridWindowKind, neighbours};
use crate::scan::{CellTable, variables_in};

/// A plan of blocks, the numbering of these blocks, and the columns that they have.
pub struct BlockPlan {
    /// The plan.
    pub blocks: Arc<dyn ExecutionPlan>,
    /// The blocks there are.
    pub work: Arc<WorkGrid>,
    /// The columns of the blocks, after the box.
    pub columns: Vec<BlockColumn>,
}

impl BlockPlan {
    /// The reading of `columns` of a table, and the windows over them. `columns` holds what moving windows look at.
    pub fn new(
        table: &Arc<CellTable>,
        columns: Vec<usize>,
        windows: &[GridWindow],
        settings: PlanSettings,
    ) -> Result<Self> {
        let moving = moving_windows(windows);
        let halo = halo_of(&moving);
        let block_columns = block_columns(table, &columns);
        let read = BlockReadExec::plan(Arc::clone(table), columns, halo, settings)?;
        let work = Arc::clone(read.work());
        let mut plan = Self { blocks: read, work, columns: block_columns };
        if let Some(halo) = halo {
            plan.add_moving(table, halo, &moving)?;
        }
        for (keys, grouped) in grouped_windows(windows) {
            plan.add_grouped(table, keys, &grouped, settings)?;
        }
        Ok(plan)
    }

    fn add_moving(
        &mut self,
        table: &CellTable,
        halo: Halo,
        moving: &[(&str, MovingWindow, &Expr, usize)],
    ) -> Result<()> {
        let windows = moving.iter().map(|&(name, window, argument, _)| {
            let argument = without_widening(argument, |inner| self.type_of(table, inner))?;
            Ok((name.to_string(), window, argument))
        });
        let windows = windows.collect::<Result<Vec<_>>>()?;
        let prepared = Arc::new(PreparedWindows::new(table, self.columns.clone(), halo, windows)?);
        self.columns = prepared.columns().to_vec();
        let input = Arc::clone(&self.blocks);
        self.blocks = Arc::new(MovingWindowExec::new(input, prepared, Arc::clone(&self.work)));
        Ok(())
    }

    fn add_grouped(
        &mut self,
        table: &Arc<CellTable>,
        keys: &[Expr],
        windows: &[(&str, &AggregateSpec)],
        settings: PlanSettings,
    ) -> Result<()> {
        let expressions = windows.iter().flat_map(|(_, aggregate)| aggregate.arguments.iter().chain(&aggregate.filter));
        let columns = variables_in(table, expressions)?;
        let grouping = Grouping::new(table, keys)?;
        let settings = settings.for_states(states(&grouping, windows.len()));
        let read = Self::new(table, columns, &[], settings)?;
        let key_fields = grouping.keys.iter().enumerate();
        let mut fields: Vec<Field> = key_fields
            .map(|(number, (_, values))| Field::new(format!("key {number}"), values.data_type().clone(), true))
            .collect();
        let block_columns = read.columns.clone();
        for (name, aggregate) in windows {
            let types = CellExpressions::new(table, block_columns.clone(), &aggregate.arguments)?;
            let types = (0..types.count()).map(|argument| types.data_type(argument)).collect::<Result<Vec<_>>>()?;
            let result = aggregate.kind.result_type(&types).map_err(super::pivot::kernel)?;
            fields.push(Field::new(*name, result, true));
        }
        let spec = ReduceSpec {
            table: Arc::clone(table),
            columns: block_columns,
            axes: grouping.axes,
            keys: grouping.keys,
            aggregates: windows.iter().map(|(_, aggregate)| (*aggregate).clone()).collect(),
            mask: None,
            schema: Arc::new(Schema::new(fields)),
            orders: grouping.orders,
        };
        let spec = Arc::new(spec);
        let groups = two_phases(Arc::clone(&spec), read, settings)?;
        let names: Vec<String> = windows.iter().map(|(name, _)| name.to_string()).collect();
        let input = Arc::clone(&self.blocks);
        let grouped = GroupedWindowExec::new(input, groups, spec, std::mem::take(&mut self.columns), &names);
        self.columns = grouped.columns().to_vec();
        self.blocks = Arc::new(grouped);
        Ok(())
    }

    fn type_of(&self, table: &CellTable, expression: &Expr) -> Result<arrow::datatypes::DataType> {
        CellExpressions::new(table, self.columns.clone(), std::slice::from_ref(expression))?.data_type(0)
    }
}

/// The plan that gives columns of a table, and windows over its cells, as rows. The variables that group keys are made of
/// were read.
pub fn plan_cells(
    table: &Arc<CellTable>,
    columns: &[usize],
    windows: &[GridWindow],
    settings: PlanSettings,
) -> Result<Arc<dyn ExecutionPlan>> {
    let is_variable = |column: &usize| table.columns()[*column].kind.axis().is_none();
    let mut read: Vec<usize> = columns.iter().copied().filter(is_variable).collect();
    for column in variables_in(table, neighbours(windows))? {
        if !read.contains(&column) {
            read.push(column);
        }
    }
    let plan = BlockPlan::new(table, read, windows, settings.for_rows())?;
    let names = windows.iter().map(|window| window.name.as_str());
    Ok(Arc::new(PivotExec::with_windows(&plan, Arc::clone(table), columns, names)?))
}

/// Name, window, argument and axis of the moving windows.
fn moving_windows(windows: &[GridWindow]) -> Vec<(&str, MovingWindow, &Expr, usize)> {
    let moving = windows.iter().filter_map(|window| match &window.kind {
        GridWindowKind::Moving { window: moving, argument, axis } => {
            Some((window.name.as_str(), *moving, argument, *axis))
        }
        GridWindowKind::Grouped { .. } => None,
    });
    moving.collect()
}

/// What moving windows along one axis look at, beyond the cells themselves.
fn halo_of(moving: &[(&str, MovingWindow, &Expr, usize)]) -> Option<Halo> {
    let &(_, _, _, axis) = moving.first()?;
    let before = moving.iter().map(|(_, window, _, _)| window.from.min(0).unsigned_abs() as u64).max();
    let after = moving.iter().map(|(_, window, _, _)| window.to.max(0).unsigned_abs() as u64).max();
    Some(Halo { axis, before: before?, after: after? })
}

/// The keys of a grouping, and the windows over its groups: name and aggregate.
type GroupedWindows<'a> = (&'a [Expr], Vec<(&'a str, &'a AggregateSpec)>);

/// The grouped windows of each grouping.
fn grouped_windows(windows: &[GridWindow]) -> Vec<GroupedWindows<'_>> {
    let mut found: Vec<GroupedWindows<'_>> = Vec::new();
    for window in windows {
        let GridWindowKind::Grouped { keys, aggregate } = &window.kind else { continue };
        match found.iter_mut().find(|(known, _)| known == keys) {
            Some((_, aggregates)) => aggregates.push((&window.name, aggregate)),
            None => found.push((keys, vec![(&window.name, aggregate)])),
        }
    }
    found
}

/// The columns of blocks of variables.
pub fn block_columns(table: &CellTable, columns: &[usize]) -> Vec<BlockColumn> {
    let block_column = |&column: &usize| {
        let column = &table.columns()[column];
        BlockColumn {
            name: column.field.name().clone(),
            data_type: column.field.data_type().clone(),
            axes: column.axes.clone(),
            nan_is_missing: table.variable(column).is_some_and(|variable| variable.nan_is_missing),
        }
    };
    columns.iter().map(block_column).collect()
}
