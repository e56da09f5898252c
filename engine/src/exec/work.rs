//! The work of reading a table of cells, as arithmetic: which blocks there are and in what order.
//!
//! Nothing here is a list of chunks: a store with a million of them is planned in no time. A *unit* is a chunk of the
//! leading array (or several small ones); a *block* is a box of a unit that fits the processor's cache. Blocks are
//! numbered, and a partition of the plan is a run of numbers.

use super::settings::PlanSettings;
use crate::array::{Positions, Region};
use crate::scan::{Axis, CellTable};

/// Partitions of a plan, but of few cells: set by the plan, never by the number of threads, so that answers do not depend
/// on these.
const PARTITIONS: u64 = 8;

/// Blocks of a partition, as far as there are not too many partitions then.
const PARTITION_BLOCKS: u64 = 96;

/// Partitions of a plan, at most.
const PARTITIONS_MAX: u64 = 64;

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
}

#[derive(Debug, Clone)]
struct WorkAxis {
    positions: Positions,
    unit_length: u64,
    block_length: u64,
    /// Units with a selected cell.
    units: Positions,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    axis: usize,
    what: LevelKind,
    count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LevelKind {
    Unit,
    Block,
}

impl WorkGrid {
    /// The blocks of `table` when the arrays in `columns` are read: the one with the most cells a chunk leads. Blocks
    /// that differ along `fastest` alone follow each other.
    pub fn new(table: &CellTable, columns: &[usize], fastest: Option<usize>, settings: PlanSettings) -> Self {
        let block_bytes = settings.block_bytes;
        let (chunk_shape, cell_bytes) = leading_chunk(table, columns);
        let lengths: Vec<u64> = table.axes().iter().map(|axis| axis.labels.len() as u64).collect();
        let unit_shape = grown(&chunk_shape, &lengths, block_bytes / cell_bytes);
        let block_shape = cut(&unit_shape, block_bytes / cell_bytes);
        let axes: Vec<WorkAxis> = table
            .axes()
            .iter()
            .zip(unit_shape.iter().zip(&block_shape))
            .map(|(axis, (&unit_length, &block_length))| WorkAxis::new(axis, unit_length, block_length))
            .collect();
        let levels = levels(&axes, fastest);
        let total = levels.iter().try_fold(1u64, |total, level| total.checked_mul(level.count)).unwrap_or(u64::MAX);
        let cells = table.shape().iter().fold(1u64, |cells, &length| cells.saturating_mul(length));
        let partition_cells_min = (block_bytes / cell_bytes / BLOCK_SHARE_MIN).max(1);
        Self {
            axes,
            levels,
            fastest,
            total,
            cells,
            partition_cells_min,
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
        let by_size = (self.total / PARTITION_BLOCKS).clamp(PARTITIONS, PARTITIONS_MAX).min(self.partitions_max);
        let step = self.partition_step();
        let steps = (self.total / step).max(1);
        let wanted = (self.cells / self.partition_cells_min).clamp(1, by_size).min(steps);
        let bound = |k: u64| (u128::from(steps) * u128::from(k) / u128::from(wanted)) as u64;
        let block = |k: u64| if k == wanted { self.total } else { bound(k) * step };
        (0..wanted).map(|k| (block(k), block(k + 1))).collect()
    }

    /// Blocks that stay together in a partition: those of the same units, where there are units enough, or one.
    fn partition_step(&self) -> u64 {
        let runs = self.levels.iter().take_while(|level| level.what == LevelKind::Unit);
        let runs = runs.fold(1u64, |runs, level| runs.saturating_mul(level.count));
        if runs < WHOLE_UNITS_MIN { 1 } else { (self.total / runs).max(1) }
    }

    /// The selected cells of a block, by its number; `None` when it has none.
    pub fn block(&self, number: u64) -> Option<Region> {
        let mut unit = vec![0; self.axes.len()];
        let mut block = vec![0; self.axes.len()];
        let mut rest = number;
        for level in self.levels.iter().rev() {
            let index = rest % level.count;
            rest /= level.count;
            match level.what {
                LevelKind::Unit => unit[level.axis] = index,
                LevelKind::Block => block[level.axis] = index,
            }
        }
        let mut region = Region::new(Vec::with_capacity(unit.len()), Vec::with_capacity(unit.len()));
        for (axis, along) in self.axes.iter().enumerate() {
            let unit_start = along.units.source(unit[axis]) * along.unit_length;
            let low = unit_start + block[axis] * along.block_length;
            let high = (low + along.block_length).min(unit_start + along.unit_length);
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
        let blocks_in_unit = |axis: &WorkAxis| axis.unit_length.div_ceil(axis.block_length);
        let is_whole = |axis: &WorkAxis| blocks_in_unit(axis) * axis.units.count() <= 1;
        if let Some(fastest) = self.fastest
            && !self.axes[fastest + 1..].iter().all(is_whole)
        {
            return false;
        }
        (1..self.axes.len()).all(|inner| {
            let along = &self.axes[inner];
            let is_cut = blocks_in_unit(along) * along.units.count() > 1;
            self.axes[..inner].iter().all(|outer| {
                let one_cell = outer.block_length == 1 || outer.positions.count() <= 1;
                let units_nest = blocks_in_unit(outer) == 1 || along.units.count() <= 1;
                (!is_cut || one_cell) && units_nest
            })
        })
    }

    /// The box of selected cells that a run of block numbers lies in.
    pub fn bounds(&self, start: u64, end: u64) -> Option<Region> {
        if start >= end {
            return None;
        }
        let mut region = Region { start: vec![0; self.axes.len()], shape: Vec::new() };
        let mut outer_is_single = true;
        let mut width = self.total;
        let (mut first, mut last) = (start, end - 1);
        let mut unit_bounds = vec![(0u64, u64::MAX); self.axes.len()];
        for level in &self.levels {
            width /= level.count;
            let (low, high) = (first / width, last / width);
            (first, last) = (first % width, last % width);
            let (low, high) = if outer_is_single { (low, high) } else { (0, level.count - 1) };
            outer_is_single &= low == high;
            let along = &self.axes[level.axis];
            match level.what {
                LevelKind::Unit => {
                    let low = along.units.source(low) * along.unit_length;
                    let high = (along.units.source(high) + 1) * along.unit_length;
                    unit_bounds[level.axis] = (low, high);
                }
                LevelKind::Block => {
                    let (unit_low, unit_high) = unit_bounds[level.axis];
                    if unit_high - unit_low == along.unit_length {
                        let bound = |block: u64| (unit_low + block * along.block_length).min(unit_high);
                        unit_bounds[level.axis] = (bound(low), bound(high + 1));
                    }
                }
            }
        }
        for (axis, along) in self.axes.iter().enumerate() {
            let (low, high) = along.positions.selected_between(unit_bounds[axis].0, unit_bounds[axis].1);
            region.start[axis] = low;
            region.shape.push(high.saturating_sub(low));
        }
        (!region.is_empty()).then_some(region)
    }
}

impl WorkAxis {
    fn new(axis: &Axis, unit_length: u64, block_length: u64) -> Self {
        let positions = axis.positions.clone();
        let units = positions.in_chunks(unit_length);
        Self { positions, unit_length, block_length, units }
    }
}

/// The chunk shape of the array with the most cells a chunk, on the table's axes, and the bytes of its cells.
fn leading_chunk(table: &CellTable, columns: &[usize]) -> (Vec<u64>, u64) {
    let lengths = || table.axes().iter().map(|axis| (axis.labels.len() as u64).max(1));
    let mut shape: Vec<u64> = lengths().collect();
    let mut cell_bytes = 8;
    let chunk_cells = |column: &&usize| {
        table.variable(&table.columns()[**column]).map_or(0, |variable| {
            variable.array.grid().chunk_shape().iter().fold(1u64, |cells, &length| cells.saturating_mul(length))
        })
    };
    let leader = columns.iter().max_by_key(|column| (table.columns()[**column].axes.len(), chunk_cells(column)));
    if let Some(column) = leader.map(|&column| &table.columns()[column])
        && let Some(variable) = table.variable(column)
    {
        for (dimension, &axis) in column.axes.iter().enumerate() {
            shape[axis] = variable.array.grid().chunk_shape()[dimension].min(shape[axis]);
        }
        cell_bytes = variable.data_type.primitive_width().unwrap_or(16) as u64;
    }
    (shape, cell_bytes.max(1))
}

/// Small chunks together, as multiples along the innermost axes first, up to `cells_max` cells.
fn grown(chunk_shape: &[u64], lengths: &[u64], cells_max: u64) -> Vec<u64> {
    let mut unit = chunk_shape.to_vec();
    for axis in (0..unit.len()).rev() {
        let cells = unit.iter().fold(1u64, |cells, &length| cells.saturating_mul(length));
        let times = (cells_max / cells.max(1)).min(lengths[axis].div_ceil(unit[axis]));
        if times <= 1 {
            break;
        }
        unit[axis] *= times;
        if unit[axis] < lengths[axis] {
            break;
        }
    }
    unit
}

/// Boxes of at most `cells_max` cells that cut a unit into runs of cells in C order.
fn cut(unit_shape: &[u64], cells_max: u64) -> Vec<u64> {
    let mut block = vec![1; unit_shape.len()];
    let mut cells = 1u64;
    for axis in (0..unit_shape.len()).rev() {
        block[axis] = unit_shape[axis].min((cells_max / cells).max(1));
        cells = cells.saturating_mul(block[axis]);
        if block[axis] < unit_shape[axis] {
            break;
        }
    }
    block
}

/// The nesting of the numbering: units in C order, then blocks in C order; with a fastest axis its units and blocks
/// come innermost.
fn levels(axes: &[WorkAxis], fastest: Option<usize>) -> Vec<Level> {
    let unit = |axis: usize| Level { axis, what: LevelKind::Unit, count: axes[axis].units.count() };
    let block = |axis: usize| {
        let count = axes[axis].unit_length.div_ceil(axes[axis].block_length);
        Level { axis, what: LevelKind::Block, count }
    };
    let others: Vec<usize> = (0..axes.len()).filter(|&axis| Some(axis) != fastest).collect();
    let mut levels: Vec<Level> = others.iter().map(|&axis| unit(axis)).collect();
    levels.extend(others.iter().map(|&axis| block(axis)));
    levels.extend(fastest.into_iter().flat_map(|axis| [unit(axis), block(axis)]));
    levels
}
