//! How plans over blocks are laid out.

use datafusion::catalog::Session;

use crate::state::GridSettings;

/// How a plan over blocks is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanSettings {
    /// Partitions that work at the same time.
    pub threads: usize,
    /// Bytes of a block of the leading array, at most.
    pub block_bytes: u64,
}

impl PlanSettings {
    /// The settings of a session.
    pub fn of(state: &dyn Session) -> Self {
        let grid = state.config().get_extension::<GridSettings>().map_or_else(GridSettings::default, |grid| *grid);
        Self { threads: state.config().target_partitions().max(1), block_bytes: grid.block_bytes }
    }
}
