//! Columns over the cells of a table that look at other cells.

use std::fmt;

use datafusion::logical_expr::Expr;

use crate::exec::AggregateSpec;
use crate::kernel::MovingWindow;

/// A column over the cells of a table that looks at other cells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GridWindow {
    /// The column's name in expressions.
    pub name: String,
    /// What it holds.
    pub kind: GridWindowKind,
}

/// The windows that stay on the grid.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GridWindowKind {
    /// An aggregate of the cells in the same group, whatever their order.
    Grouped {
        /// Group keys, each a function of one axis.
        keys: Vec<Expr>,
        /// What is computed.
        aggregate: AggregateSpec,
    },
    /// An aggregate of neighbouring cells along an axis.
    Moving {
        /// What is computed, of which neighbours.
        window: MovingWindow,
        /// Of what.
        argument: Expr,
        /// Along which axis of the table.
        axis: usize,
    },
}

/// What moving windows look at.
pub fn neighbours(windows: &[GridWindow]) -> impl Iterator<Item = &Expr> {
    windows.iter().filter_map(|window| match &window.kind {
        GridWindowKind::Grouped { .. } => None,
        GridWindowKind::Moving { argument, .. } => Some(argument),
    })
}

impl fmt::Display for GridWindow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            GridWindowKind::Grouped { keys, aggregate } => {
                let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
                write!(formatter, "{} = {:?} by [{}]", self.name, aggregate.kind, keys.join(", "))
            }
            GridWindowKind::Moving { window, argument, axis } => {
                let (kind, from, to) = (window.kind, window.from, window.to);
                write!(formatter, "{} = {kind:?}({argument}) of cells {from}..={to} of axis {axis}", self.name)
            }
        }
    }
}
