//! Windows over the cells of one table that no aggregate took → [`GridCells`].

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, Projection};

use super::cells::CellPlan;
use crate::logical::GridCells;

/// The rule.
pub fn lift_cells(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if !matches!(plan, LogicalPlan::Window(_)) {
        return Ok(Transformed::no(plan));
    }
    let Some(cells) = CellPlan::of(&plan)? else { return Ok(Transformed::no(plan)) };
    let outputs: Option<Vec<Expr>> = plan
        .schema()
        .columns()
        .into_iter()
        .map(|Column { relation, name, .. }| {
            let output = cells.outputs.get(&Column::new(relation.clone(), name.clone()))?;
            Some(output.clone().alias_qualified(relation, name))
        })
        .collect();
    let Some(outputs) = outputs.filter(|_| !cells.is_sorted && cells.predicates.is_empty()) else {
        return Ok(Transformed::no(plan));
    };
    let is_used = |column: &usize| {
        let name = cells.table.columns()[*column].field.name();
        outputs.iter().any(|output| output.column_refs().iter().any(|used| used.name == *name))
    };
    let columns: Vec<usize> = (0..cells.table.columns().len()).filter(is_used).collect();
    let mut fields: Vec<Arc<Field>> =
        columns.iter().map(|&column| Arc::clone(&cells.table.columns()[column].field)).collect();
    // The type of a window is that of the column it makes.
    for window in &cells.windows {
        let made = cells.outputs.iter().find(|(_, output)| matches!(output, Expr::Column(c) if c.name == window.name));
        let Some((made, _)) = made else { return Ok(Transformed::no(plan)) };
        let field = plan.schema().field_from_column(made)?;
        fields.push(Arc::new(Field::new(&window.name, field.data_type().clone(), true)));
    }
    let schema = Arc::new(DFSchema::try_from(Schema::new(fields))?);
    let node = GridCells { table: cells.table, columns, windows: cells.windows, schema };
    let input = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    let projection = Projection::try_new_with_schema(outputs, Arc::new(input), Arc::clone(plan.schema()))?;
    Ok(Transformed::new(LogicalPlan::Projection(projection), true, TreeNodeRecursion::Jump))
}
