//! `lon = linear(100)`: cells between two labels.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::sql::sqlparser::ast::{Expr, GroupByExpr, SelectItem, TableFactor};

use super::pipeline::Pipeline;
use super::{Binder, build};
use crate::error::Error;
use crate::scan::{Axis, CellTable, ColumnKind, position_column};

impl Binder<'_> {
    /// The cells of a table with every pair of labels that something is interpolated between made one.
    pub(super) fn interpolated(
        &self,
        pipeline: &Pipeline,
        table: &Arc<CellTable>,
        mut factor: TableFactor,
    ) -> Result<TableFactor, Error> {
        for (place, axis) in table.axes().iter().enumerate() {
            if let Some(fraction) = axis.fraction {
                factor = one_of_two(pipeline, table, (place, axis), fraction, factor)?;
            }
        }
        Ok(factor)
    }
}

fn one_of_two(
    pipeline: &Pipeline,
    table: &CellTable,
    (place, axis): (usize, &Axis),
    fraction: f64,
    factor: TableFactor,
) -> Result<TableFactor, Error> {
    let position = build::column(&position_column(&axis.name));
    let weight = format!("CASE WHEN {position} = 0 THEN {:?} ELSE {fraction:?} END", 1.0 - fraction);
    let mut items = Vec::new();
    let mut keys: Vec<Expr> = Vec::new();
    for column in table.columns() {
        let name = column.field.name();
        let quoted = build::column(name);
        let is_number = column.field.data_type().is_numeric();
        let text = match column.kind {
            ColumnKind::Label(other) | ColumnKind::Position(other) if other != place => {
                keys.push(quoted.clone());
                items.push(SelectItem::UnnamedExpr(quoted));
                continue;
            }
            ColumnKind::Label(_) if column.field.metadata().contains_key("calendar") => {
                format!("CAST(round(sum(CAST({quoted} AS DOUBLE) * ({weight}))) AS BIGINT)")
            }
            // Microseconds, which 64-bit floats hold for some three hundred years.
            ColumnKind::Label(_) if *column.field.data_type() == DataType::Timestamp(TimeUnit::Microsecond, None) => {
                let micros = format!("round(sum(CAST(CAST({quoted} AS BIGINT) AS DOUBLE) * ({weight})))");
                format!("arrow_cast(CAST({micros} AS BIGINT), 'Timestamp(Microsecond, None)')")
            }
            ColumnKind::Label(_) if is_number => format!("sum(CAST({quoted} AS DOUBLE) * ({weight}))"),
            ColumnKind::Variable(_) if is_number && column.axes.contains(&place) => {
                format!("CASE WHEN count({quoted}) = 2 THEN sum(CAST({quoted} AS DOUBLE) * ({weight})) END")
            }
            _ => format!("min({quoted})"),
        };
        items.push(build::named(build::expression(&text)?, name));
    }
    let mut select = build::select(items, factor)?;
    select.group_by = GroupByExpr::Expressions(keys, Vec::new());
    Ok(build::derived(build::query(select)?, Some(&pipeline.alias)))
}
