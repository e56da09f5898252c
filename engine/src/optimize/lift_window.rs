//! `Window` over the cells of one table → columns that the grid computes.

use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, Sort, WindowFunction};
use datafusion::logical_expr::{
    Expr, ExprSchemable, Window, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};

use super::cells::{CellPlan, has_subquery};
use super::lift_aggregate::spec_of;
use crate::kernel::{MovingWindow, WindowKind};
use crate::logical::{GridWindow, GridWindowKind};
use crate::scan::{CellTable, ColumnKind, Order, axis_with_variables};

/// The cells with the columns of a window node, or `None` when one of them is no window of the grid.
pub fn lift_windows(mut cells: CellPlan, window: &Window) -> Result<Option<CellPlan>> {
    // A window looks at the rows that are left, whose neighbours need not be those of the grid.
    if !cells.predicates.is_empty() {
        return Ok(None);
    }
    let input = window.input.schema();
    let places = input.fields().len()..;
    for (expression, place) in window.window_expr.iter().zip(places) {
        let Some(function) = function_of(expression).filter(|_| !has_subquery(expression)) else { return Ok(None) };
        let kind = match moving(&cells, function, input)? {
            Some(kind) => Some(kind),
            None => grouped(&cells, function, input)?,
        };
        let Some(kind) = kind.filter(|kind| is_along_the_others(&cells, kind)) else { return Ok(None) };
        let (qualifier, field) = window.schema.qualified_field(place);
        if result_type(function, &kind, input).as_ref() != Some(field.data_type()) {
            return Ok(None);
        }
        let name = format!("window {}", cells.windows.len());
        let column = Expr::Column(Column::new_unqualified(name.clone()));
        cells.outputs.insert(Column::new(qualifier.cloned(), field.name()), column);
        cells.windows.push(GridWindow { name, kind });
    }
    Ok(Some(cells))
}

fn function_of(expression: &Expr) -> Option<&WindowFunction> {
    match expression {
        Expr::WindowFunction(function) => Some(function),
        Expr::Alias(alias) => function_of(&alias.expr),
        _ => None,
    }
}

/// A window of neighbours along one axis, where it is one.
fn moving(cells: &CellPlan, function: &WindowFunction, input: &DFSchema) -> Result<Option<GridWindowKind>> {
    let parameters = &function.params;
    if parameters.filter.is_some() || parameters.distinct || parameters.null_treatment.is_some() {
        return Ok(None);
    }
    let [order] = parameters.order_by.as_slice() else { return Ok(None) };
    let Some(axis) = ordered_axis(cells, order)? else { return Ok(None) };
    let partition_by = parameters.partition_by.iter().map(|key| cells.rewrite(key)).collect::<Result<Vec<_>>>()?;
    if !tells_apart_all_but(&cells.table, axis, &partition_by) {
        return Ok(None);
    }
    let Some(window) = moving_window(function) else { return Ok(None) };
    let Some(argument) = parameters.args.first() else { return Ok(None) };
    if window.kind.result_type(&argument.get_type(input)?).is_err() {
        return Ok(None);
    }
    let argument = cells.rewrite(argument)?;
    let is_of_the_table = argument.column_refs().iter().all(|column| cells.table.column(&column.name).is_some());
    Ok(is_of_the_table.then_some(GridWindowKind::Moving { window, argument, axis }))
}

/// The axis along whose positions cells are ordered.
fn ordered_axis(cells: &CellPlan, order: &Sort) -> Result<Option<usize>> {
    let rewritten = cells.rewrite(&order.expr)?;
    let Expr::Column(column) = &rewritten else { return Ok(None) };
    Ok(cells.table.column(&column.name).filter(|_| order.asc).and_then(|column| match column.kind {
        ColumnKind::Position(axis) => Some(axis),
        ColumnKind::Label(axis) if cells.table.axes()[axis].order == Order::Ascending => Some(axis),
        _ => None,
    }))
}

/// Whether keys tell all cells apart that differ along another axis than this one, and no others.
fn tells_apart_all_but(table: &CellTable, axis: usize, keys: &[Expr]) -> bool {
    let mut told: Vec<usize> = Vec::new();
    for key in keys {
        let Expr::Column(column) = key else { return false };
        match table.column(&column.name).map(|column| column.kind) {
            Some(ColumnKind::Position(other)) => told.push(other),
            Some(ColumnKind::Label(other)) if table.axes()[other].order != Order::None => told.push(other),
            _ => return false,
        }
    }
    let is_told = |other: usize| told.contains(&other) || table.axes()[other].count() <= 1;
    !told.contains(&axis) && (0..table.axes().len()).all(|other| other == axis || is_told(other))
}

/// What a function computes of neighbours, and of which.
fn moving_window(function: &WindowFunction) -> Option<MovingWindow> {
    let parameters = &function.params;
    let number = |argument: &Expr| match argument {
        Expr::Literal(value, _) => number_of(value),
        _ => None,
    };
    if let WindowFunctionDefinition::WindowUDF(shift) = &function.fun {
        let distance = match parameters.args.as_slice() {
            [_, distance] => number(distance)?,
            [_] => 1,
            _ => return None,
        };
        let from = match shift.name() {
            "lag" => distance.checked_neg()?,
            "lead" => distance,
            _ => return None,
        };
        return Some(MovingWindow { kind: WindowKind::Shift, from, to: from, least: 1 });
    }
    let WindowFunctionDefinition::AggregateUDF(aggregate) = &function.fun else { return None };
    let (name, given) = match (aggregate.name().strip_prefix("window_"), parameters.args.as_slice()) {
        (Some(name), [_, least]) => (name, Some(usize::try_from(number(least)?).ok()?)),
        (None, [_]) => (aggregate.name(), None),
        _ => return None,
    };
    let kind = match name {
        "avg" => WindowKind::Average,
        "sum" => WindowKind::Sum,
        "min" => WindowKind::Minimum,
        "max" => WindowKind::Maximum,
        "count" => WindowKind::Count,
        "stddev" => WindowKind::StandardDeviation { ddof: 1 },
        "stddev_pop" => WindowKind::StandardDeviation { ddof: 0 },
        "var" => WindowKind::Variance { ddof: 1 },
        "var_pop" => WindowKind::Variance { ddof: 0 },
        _ => return None,
    };
    let (from, to) = rows(&parameters.window_frame)?;
    let least = given.unwrap_or(usize::from(kind != WindowKind::Count));
    (from <= to).then_some(MovingWindow { kind, from, to, least })
}

/// The rows of a frame of a fixed number of rows, counted from the row itself.
fn rows(frame: &WindowFrame) -> Option<(isize, isize)> {
    let bound = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::Preceding(rows) => number_of(rows)?.checked_neg(),
        WindowFrameBound::CurrentRow => Some(0),
        WindowFrameBound::Following(rows) => number_of(rows),
    };
    match frame.units {
        WindowFrameUnits::Rows => Some((bound(&frame.start_bound)?, bound(&frame.end_bound)?)),
        _ => None,
    }
}

fn number_of(value: &ScalarValue) -> Option<isize> {
    match value.cast_to(&arrow::datatypes::DataType::Int64).ok()? {
        ScalarValue::Int64(number) => number.and_then(|number| isize::try_from(number).ok()),
        _ => None,
    }
}

/// An aggregate of the cells in the same group, where it is one.
fn grouped(cells: &CellPlan, function: &WindowFunction, input: &DFSchema) -> Result<Option<GridWindowKind>> {
    let (parameters, frame) = (&function.params, &function.params.window_frame);
    let is_whole = match (&frame.start_bound, &frame.end_bound) {
        (WindowFrameBound::Preceding(first), WindowFrameBound::Following(last)) => first.is_null() && last.is_null(),
        _ => false,
    };
    let WindowFunctionDefinition::AggregateUDF(aggregate) = &function.fun else { return Ok(None) };
    if !is_whole || !parameters.order_by.is_empty() {
        return Ok(None);
    }
    let keys = parameters.partition_by.iter().map(|key| cells.rewrite(key)).collect::<Result<Vec<_>>>()?;
    if !keys.iter().all(|key| axis_with_variables(&cells.table, key).is_some()) {
        return Ok(None);
    }
    let (arguments, filter) = (parameters.args.clone(), parameters.filter.clone());
    let (distinct, nulls) = (parameters.distinct, parameters.null_treatment);
    let aggregate = AggregateFunction::new_udf(aggregate.clone(), arguments, distinct, filter, Vec::new(), nulls);
    let types = aggregate.params.args.iter().map(|argument| argument.get_type(input)).collect::<Result<Vec<_>>>()?;
    let Some(mut spec) = spec_of(&aggregate, &types) else { return Ok(None) };
    for expression in spec.arguments.iter_mut().chain(&mut spec.filter) {
        *expression = cells.rewrite(expression)?;
        if expression.column_refs().iter().any(|column| cells.table.column(&column.name).is_none()) {
            return Ok(None);
        }
    }
    Ok(Some(GridWindowKind::Grouped { keys, aggregate: spec }))
}

/// Whether a window runs along the axis that all moving windows of a sub-plan run along.
fn is_along_the_others(cells: &CellPlan, kind: &GridWindowKind) -> bool {
    let axis_of = |kind: &GridWindowKind| match kind {
        GridWindowKind::Moving { axis, .. } => Some(*axis),
        GridWindowKind::Grouped { .. } => None,
    };
    cells
        .windows
        .iter()
        .filter_map(|window| axis_of(&window.kind))
        .all(|axis| axis_of(kind).is_none_or(|new| new == axis))
}

fn result_type(
    function: &WindowFunction,
    kind: &GridWindowKind,
    input: &DFSchema,
) -> Option<arrow::datatypes::DataType> {
    let types =
        function.params.args.iter().map(|argument| argument.get_type(input)).collect::<Result<Vec<_>>>().ok()?;
    match kind {
        GridWindowKind::Moving { window, .. } => window.kind.result_type(types.first()?).ok(),
        GridWindowKind::Grouped { aggregate, .. } => {
            aggregate.kind.result_type(types.get(..aggregate.arguments.len())?).ok()
        }
    }
}
