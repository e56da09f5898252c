//! How the arrays that are read are cut along the axes of a table.

use super::axis::{LevelKind, WorkAxis};
use crate::array::Positions;
use crate::scan::CellTable;
use crate::source::partition::Partition;

/// The arrays that are read, as far as their cells are cut: along every axis of the table.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Which cells are selected.
    pub(super) positions: Vec<Positions>,
    /// Cells there are.
    pub(super) lengths: Vec<u64>,
    /// The chunks of the leading array.
    pub(super) chunk_shape: Vec<u64>,
    /// Bytes of its cells.
    pub(super) cell_bytes: u64,
    /// What was told of a partition.
    pub(super) told: Option<Told>,
}

/// What was told of a partition.
#[derive(Debug, Clone)]
pub(super) enum Told {
    /// So many chunks in C order.
    Chunks(u64),
    /// So many along every axis.
    Along(Vec<u64>),
}

impl Layout {
    /// Of a table of which these columns are read: the array with the most cells a chunk leads.
    pub(super) fn new(table: &CellTable, columns: &[usize]) -> Self {
        let (chunk_shape, cell_bytes) = leading_chunk(table, columns);
        Self {
            positions: table.axes().iter().map(|axis| axis.positions.clone()).collect(),
            lengths: table.axes().iter().map(|axis| axis.labels.len() as u64).collect(),
            chunk_shape,
            cell_bytes,
            told: table.source().partition.as_ref().map(|partition| Told::of(partition, table)),
        }
    }

    /// The axes, cut so that a block has at most `cells_max` cells.
    pub(super) fn axes(&self, cells_max: u64) -> Vec<WorkAxis> {
        let (part_shape, unit_shape) = self.parts_and_units(cells_max);
        let block_shape = cut(&unit_shape, cells_max);
        let lengths = part_shape.iter().zip(unit_shape.iter().zip(&block_shape));
        (self.positions.iter().zip(lengths))
            .map(|(positions, (&part, (&unit, &block)))| WorkAxis::new(positions.clone(), part, unit, block))
            .collect()
    }

    /// Runs of blocks in the same parts that make a partition, where that was told: a part is one, or as many chunks as
    /// there shall be. Along the fastest axis all parts are in one run.
    pub(super) fn told_runs(&self, axes: &[WorkAxis], fastest: Option<usize>) -> Option<u64> {
        let chunks = match self.told.as_ref()? {
            Told::Along(_) => return Some(1),
            Told::Chunks(chunks) => chunks,
        };
        let of_part = axes.iter().zip(&self.chunk_shape).map(|(axis, &chunk)| axis.part_length() / chunk);
        let along_fastest = fastest.map_or(1, |axis| axes[axis].counts()[LevelKind::Part as usize]);
        let of_run = of_part.chain([along_fastest]).fold(1u64, u64::saturating_mul);
        Some((chunks / of_run.max(1)).max(1))
    }

    /// The shape of a part and of a unit; small chunks are a unit together as far as they are of one part.
    fn parts_and_units(&self, cells_max: u64) -> (Vec<u64>, Vec<u64>) {
        match &self.told {
            None => {
                let unit = grown(&self.chunk_shape, &self.lengths, cells_max);
                (unit.clone(), unit)
            }
            Some(Told::Chunks(chunks)) => {
                let chunk_cells = self.chunk_shape.iter().fold(1u64, |cells, &length| cells.saturating_mul(length));
                let unit = grown(&self.chunk_shape, &self.lengths, cells_max.min(chunk_cells.saturating_mul(*chunks)));
                (unit.clone(), unit)
            }
            Some(Told::Along(chunks)) => {
                let axes = self.chunk_shape.iter().zip(chunks).zip(&self.lengths);
                let part: Vec<u64> = axes
                    .map(|((&chunk, &chunks), &length)| chunk * chunks.min(length.div_ceil(chunk)).max(1))
                    .collect();
                let unit = grown(&self.chunk_shape, &part, cells_max);
                (part, unit)
            }
        }
    }
}

impl Told {
    fn of(partition: &Partition, table: &CellTable) -> Self {
        match partition {
            Partition::Chunks(chunks) => Self::Chunks(*chunks),
            Partition::Along(along) => {
                let told = |name: &str| along.iter().find(|(dimension, _)| dimension == name);
                Self::Along(table.axes().iter().map(|axis| told(&axis.name).map_or(1, |(_, chunks)| *chunks)).collect())
            }
        }
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
