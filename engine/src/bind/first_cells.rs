//! `LIMIT` of cells in dimension order: only the cells that are shown are read.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{Expr, LimitClause};

use super::pipeline::{Pipeline, PipelineStep};
use super::{Binder, RowRelation};
use crate::scan::CellTable;

/// What is known of rows that are the cells of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellRows {
    /// How many they are.
    pub count: u64,
    /// The place of their table among the binder's, where each row depends on its own cell alone and they come in the
    /// order of the table.
    pub table: Option<usize>,
}

impl Binder<'_> {
    /// The place of a table whose cells need nothing of each other; `None` where a window looks at others.
    pub(super) fn independent<'e>(
        &self,
        pipeline: &Pipeline,
        table: &CellTable,
        mut shown: impl Iterator<Item = &'e Expr>,
    ) -> Option<usize> {
        let looks = |expression: &Expr| super::looks::has_window(pipeline, expression);
        let is_window = |step: &PipelineStep| match step {
            PipelineStep::Extend(columns) => columns.iter().any(|(_, expression)| looks(expression)),
            PipelineStep::Mask { condition, .. } | PipelineStep::Filter(condition) => looks(condition),
        };
        if pipeline.steps.iter().any(is_window) || shown.any(looks) {
            return None;
        }
        self.tables.iter().position(|known| known.name() == table.name())
    }

    /// Leaves to the table of rows the cells that a limit lets through.
    pub(super) fn read_first(&mut self, rows: &RowRelation, limit: &LimitClause) {
        let Some(place) = rows.cells.and_then(|cells| cells.table) else { return };
        let LimitClause::LimitOffset { limit: Some(limit), offset, limit_by } = limit else { return };
        let count = |expression: &Expr| self.integer(expression).ok().and_then(|count| u64::try_from(count).ok());
        let offset = offset.as_ref().map_or(Some(0), |offset| count(&offset.value));
        let (Some(limit), Some(offset), true) = (count(limit), offset, limit_by.is_empty()) else { return };
        let wanted = limit.saturating_add(offset);
        let Some(table) = self.tables.get_mut(place) else { return };
        let mut cut = CellTable::clone(table);
        for axis in 0..cut.axes().len() {
            if cut.axes()[axis].scalar {
                continue;
            }
            let inner = cut.axes()[axis + 1..].iter().filter(|inner| !inner.scalar);
            let inner = inner.map(crate::scan::Axis::count).fold(1u64, u64::saturating_mul);
            let needed = wanted.div_ceil(inner.max(1)).min(cut.axes()[axis].count());
            let positions = cut.axes()[axis].positions.slice(0, needed, 1);
            cut = cut.with_positions(axis, positions);
            if needed != 1 {
                break;
            }
        }
        *table = Arc::new(cut);
    }
}
