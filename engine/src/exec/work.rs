//! The work of reading a table of cells, as arithmetic: which blocks there are and in what order.
//!
//! Nothing here is a list of chunks: a store with a million of them is planned in no time. A *unit* is a chunk of the
//! leading array (or several small ones); a *block* is a box of a unit that fits the processor's cache. A *part* is the
//! box of units that someone told to be a partition (option `partition` of the dataset), else a unit. Blocks are numbered,
//! and a partition of the plan is a run of numbers.

mod axis;
mod layout;

use super::settings::PlanSettings;
use crate::array::{Positions, Region};
use crate::scan::CellTable;
use axis::{LevelKind, WorkAxis};
use layout::Layout;

/// Partitions of a plan, but of few cells: set by the plan, never by the number of threads, so that answers do not depend
/// on these.
const PARTITIONS: u64 = 8;

/// Blocks of a partition, as far as there are not too many partitions then.
const PARTITION_BLOCKS: u64 = 96;

/// Partitions of a plan, at most.
pub(super) const PARTITIONS_MAX: u64 = 64;

/// Partitions of a plan that was told what a partition is, at most: beyond, several of these are one.
const TOLD_PARTITIONS_MAX: u64 = 1024;

/// Where there are as many chunks, partitions end where chunks end: executors do not share what they read, so that a chunk
/// between two of them is read by both. With fewer chunks some partitions would have twice the work of others.
const WHOLE_UNITS_MIN: u64 = 2 * PARTITIONS;

/// Partitions that have less than this part of a block cost more than they bring.
const BLOCK_SHARE_MIN: u64 = 16;

/// The blocks of a table of cells.
#[derive(Debug, Clone)]
pub struct WorkGrid {
    axes: Vec<WorkAxis>,
    /// Axes from the slowest to the fastest of the numbering.
    levels: Vec<Level>,
    /// The axis along which blocks follow each other.
    fastest: Option<usize>,
    total: u64,
    cells: u64,
    /// Cells of a partition, at least.
    partition_cells_min: u64,
    partitions_max: u64,
    /// Runs of blocks with the same parts that make a partition, where that was told.
    told_runs: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    axis: usize,
    what: LevelKind,
    count: u64,
}

impl WorkGrid {
    /// The blocks of `table` when the arrays in `columns` are read: the one with the most cells a chunk leads. Blocks
    /// that differ along `fastest` alone follow each other.
    pub fn new(table: &CellTable, columns: &[usize], fastest: Option<usize>, settings: PlanSettings) -> Self {
        Self::of_layout(&Layout::new(table, columns), fastest, settings)
    }

    fn of_layout(layout: &Layout, fastest: Option<usize>, settings: PlanSettings) -> Self {
        let cells_max = settings.block_bytes / layout.cell_bytes;
        let axes = layout.axes(cells_max);
        let levels = levels(&axes, fastest);
        let total = levels.iter().try_fold(1u64, |total, level| total.checked_mul(level.count)).unwrap_or(u64::MAX);
        let selected = layout.positions.iter().map(Positions::count);
        Self {
            told_runs: layout.told_runs(&axes, fastest),
            axes,
            levels,
            fastest,
            total,
            cells: selected.fold(1u64, u64::saturating_mul),
            partition_cells_min: (cells_max / BLOCK_SHARE_MIN).max(1),
            partitions_max: settings.partitions_max.max(1),
        }
    }

    /// Blocks there are, those without a selected cell included.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Cells of the span.
    pub fn cells(&self) -> u64 {
        self.cells
    }

    /// Cells of a block along an axis, at most.
    pub fn block_length(&self, axis: usize) -> u64 {
        self.axes[axis].block_length
    }

    /// The runs of block numbers that the partitions of a plan read; none of them is empty unless there is nothing.
    pub fn partitions(&self) -> Vec<(u64, u64)> {
        let runs = self.part_runs();
        if let Some(told) = self.told_runs.filter(|_| self.total > 0) {
            let together = told.max(runs.div_ceil(TOLD_PARTITIONS_MAX.min(self.partitions_max)));
            let block = |run: u64| run.min(runs) * (self.total / runs);
            let starts = (0..runs).step_by(usize::try_from(together).unwrap_or(usize::MAX));
            return starts.map(|run| (block(run), block(run.saturating_add(together)))).collect();
        }
        let by_size = (self.total / PARTITION_BLOCKS).clamp(PARTITIONS, PARTITIONS_MAX).min(self.partitions_max);
        // Blocks that stay together in a partition: those of the same units, where there are units enough, or one.
        let step = if runs < WHOLE_UNITS_MIN { 1 } else { (self.total / runs).max(1) };
        let steps = (self.total / step).max(1);
        let wanted = (self.cells / self.partition_cells_min).clamp(1, by_size).min(steps);
        let bound = |k: u64| (u128::from(steps) * u128::from(k) / u128::from(wanted)) as u64;
        let block = |k: u64| if k == wanted { self.total } else { bound(k) * step };
        (0..wanted).map(|k| (block(k), block(k + 1))).collect()
    }

    /// Runs of blocks that are in the same parts.
    fn part_runs(&self) -> u64 {
        let parts = self.levels.iter().take_while(|level| level.what == LevelKind::Part);
        parts.fold(1u64, |runs, level| runs.saturating_mul(level.count))
    }

    /// The selected cells of a block, by its number; `None` when it has none.
    pub fn block(&self, number: u64) -> Option<Region> {
        let mut places = vec![[0; 3]; self.axes.len()];
        let mut rest = number;
        for level in self.levels.iter().rev() {
            places[level.axis][level.what as usize] = rest % level.count;
            rest /= level.count;
        }
        let mut region = Region::new(Vec::with_capacity(places.len()), Vec::with_capacity(places.len()));
        for (along, place) in self.axes.iter().zip(places) {
            let (low, high) = along.block(place);
            let (first, end) = along.positions.selected_between(low, high);
            if first >= end {
                return None;
            }
            region.start.push(first);
            region.shape.push(end - first);
        }
        Some(region)
    }

    /// Whether blocks in the order of their numbers hold the cells in C order, so that rows need no sort.
    pub fn is_row_order(&self) -> bool {
        let is_whole = |axis: &WorkAxis| axis.counts().iter().product::<u64>() <= 1;
        if let Some(fastest) = self.fastest
            && !self.axes[fastest + 1..].iter().all(is_whole)
        {
            return false;
        }
        (1..self.axes.len()).all(|inner| {
            let along = &self.axes[inner];
            let [inner_parts, inner_units, _] = along.counts();
            self.axes[..inner].iter().all(|outer| {
                let one_cell = outer.block_length == 1 || outer.positions.count() <= 1;
                let [_, units, blocks] = outer.counts();
                // Parts of all axes come before units, and these before blocks.
                let parts_nest = (units == 1 && blocks == 1) || inner_parts <= 1;
                let units_nest = blocks == 1 || inner_units <= 1;
                (is_whole(along) || one_cell) && parts_nest && units_nest
            })
        })
    }

    /// The box of selected cells that a run of block numbers lies in.
    pub fn bounds(&self, start: u64, end: u64) -> Option<Region> {
        if start >= end {
            return None;
        }
        let mut region = Region::new(Vec::new(), Vec::new());
        let mut outer_is_single = true;
        let mut width = self.total;
        let (mut first, mut last) = (start, end - 1);
        let mut bounds = vec![(0u64, u64::MAX); self.axes.len()];
        let mut is_single = vec![true; self.axes.len()];
        for level in &self.levels {
            width /= level.count;
            let (low, high) = (first / width, last / width);
            (first, last) = (first % width, last % width);
            let (low, high) = if outer_is_single { (low, high) } else { (0, level.count - 1) };
            outer_is_single &= low == high;
            if is_single[level.axis] {
                bounds[level.axis] = self.axes[level.axis].within(bounds[level.axis], level.what, low, high);
            }
            is_single[level.axis] &= low == high;
        }
        for (along, (low, high)) in self.axes.iter().zip(bounds) {
            let (low, high) = along.positions.selected_between(low, high);
            region.start.push(low);
            region.shape.push(high.saturating_sub(low));
        }
        (!region.is_empty()).then_some(region)
    }
}

/// The nesting of the numbering: parts in C order, then their units, then the blocks of these; with a fastest axis its
/// parts, units and blocks come innermost.
fn levels(axes: &[WorkAxis], fastest: Option<usize>) -> Vec<Level> {
    const KINDS: [LevelKind; 3] = [LevelKind::Part, LevelKind::Unit, LevelKind::Block];
    let level = |axis: usize, what: LevelKind| Level { axis, what, count: axes[axis].counts()[what as usize] };
    let others: Vec<usize> = (0..axes.len()).filter(|&axis| Some(axis) != fastest).collect();
    let mut levels: Vec<Level> =
        KINDS.iter().flat_map(|&what| others.iter().map(move |&axis| (axis, what))).map(|(a, w)| level(a, w)).collect();
    levels.extend(fastest.into_iter().flat_map(|axis| KINDS.map(|what| level(axis, what))));
    levels
}

#[cfg(test)]
mod tests;
