//! One axis of the work: parts, units of these, blocks of those.

use crate::array::Positions;

/// An axis of the table, and how it is cut.
#[derive(Debug, Clone)]
pub(super) struct WorkAxis {
    /// Which cells are selected.
    pub(super) positions: Positions,
    /// Cells of a part.
    part_length: u64,
    /// Cells of a unit.
    unit_length: u64,
    /// Cells of a block, at most.
    pub(super) block_length: u64,
    /// Parts with a selected cell.
    parts: Positions,
}

/// What an axis is cut into, from the largest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LevelKind {
    /// A box of units that is a partition.
    Part,
    /// A chunk, or several small ones.
    Unit,
    /// What is decoded at once.
    Block,
}

impl WorkAxis {
    /// The axis of these cells.
    pub(super) fn new(positions: Positions, part_length: u64, unit_length: u64, block_length: u64) -> Self {
        let parts = positions.in_chunks(part_length);
        Self { positions, part_length, unit_length, block_length, parts }
    }

    /// Cells of a part.
    pub(super) fn part_length(&self) -> u64 {
        self.part_length
    }

    /// Parts, units of a part, and blocks of a unit.
    pub(super) fn counts(&self) -> [u64; 3] {
        let units = self.part_length.div_ceil(self.unit_length);
        [self.parts.count(), units, self.unit_length.div_ceil(self.block_length)]
    }

    /// The source positions of a block: its part, its unit in this, its place in that.
    pub(super) fn block(&self, place: [u64; 3]) -> (u64, u64) {
        let part = self.within((0, u64::MAX), LevelKind::Part, place[0], place[0]);
        let unit = self.within(part, LevelKind::Unit, place[1], place[1]);
        self.within(unit, LevelKind::Block, place[2], place[2])
    }

    /// The source positions of the parts, units or blocks from `low` to `high` of what lies within bounds.
    pub(super) fn within(&self, bounds: (u64, u64), what: LevelKind, low: u64, high: u64) -> (u64, u64) {
        let (first, last, length) = match what {
            LevelKind::Part => (self.parts.source(low), self.parts.source(high), self.part_length),
            LevelKind::Unit => (low, high, self.unit_length),
            LevelKind::Block => (low, high, self.block_length),
        };
        let (start, end) = (bounds.0 + first * length, bounds.0 + (last + 1) * length);
        (start.min(bounds.1), end.min(bounds.1))
    }
}
