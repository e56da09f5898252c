//! How plans over blocks are laid out.

use datafusion::catalog::Session;

use super::work::PARTITIONS_MAX;
use crate::state::GridSettings;

/// How a plan over blocks is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanSettings {
    /// Partitions that work at the same time.
    pub threads: usize,
    /// Bytes of a block of the leading array, at most.
    pub block_bytes: u64,
    /// Partitions of a plan, at most.
    pub partitions_max: u64,
}

/// States of a reduction, of all partitions together, that are worth another partition.
const STATE_BYTES_MAX: u64 = 128 << 20;

/// Bytes of the state of a group, about.
const GROUP_BYTES: u64 = 16;

/// Partitions that there may always be.
const PARTITIONS_MIN: u64 = 4;

impl PlanSettings {
    /// The settings of a session.
    pub fn of(state: &dyn Session) -> Self {
        let grid = state.config().get_extension::<GridSettings>().map_or_else(GridSettings::default, |grid| *grid);
        Self {
            threads: state.config().target_partitions().max(1),
            block_bytes: grid.block_bytes,
            partitions_max: u64::MAX,
        }
    }

    /// Settings for a reduction to so many states: where they are large, fewer partitions have them to make and to merge.
    #[must_use]
    pub fn for_states(self, states: u64) -> Self {
        let partitions_max = STATE_BYTES_MAX / states.saturating_mul(GROUP_BYTES).max(1);
        Self { partitions_max: partitions_max.max(PARTITIONS_MIN), ..self }
    }

    /// Settings for rows of cells: whoever puts them in order reads all partitions at the same time.
    #[must_use]
    pub fn for_rows(self) -> Self {
        Self { partitions_max: self.partitions_max.min(PARTITIONS_MAX), ..self }
    }
}
