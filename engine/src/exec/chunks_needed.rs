//! How many chunks a reading of cells touches: known from the positions alone.

use crate::scan::CellTable;

/// Chunks of the arrays that are read, together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChunksNeeded {
    /// Chunks that hold a selected cell.
    pub needed: u64,
    /// All chunks.
    pub all: u64,
    /// Bytes of the cells of those that are needed, decoded.
    pub bytes: u64,
}

impl ChunksNeeded {
    /// Of these columns of a table.
    pub fn of(table: &CellTable, columns: &[usize]) -> Self {
        let mut counts = Self::default();
        for column in columns.iter().map(|&column| &table.columns()[column]) {
            let Some(variable) = table.variable(column) else { continue };
            let grid = variable.array.grid();
            let (mut needed, mut all) = (1u64, 1u64);
            for ((&axis, &length), count) in column.axes.iter().zip(grid.chunk_shape()).zip(grid.chunk_counts()) {
                needed = needed.saturating_mul(table.axes()[axis].positions.in_chunks(length).count());
                all = all.saturating_mul(count);
            }
            let lengths = grid.chunk_shape().iter().zip(grid.shape()).map(|(&chunk, &cells)| chunk.min(cells));
            let width = column.field.data_type().primitive_width().unwrap_or(1) as u64;
            let bytes = lengths.fold(width, u64::saturating_mul).saturating_mul(needed);
            counts.needed = counts.needed.saturating_add(needed);
            counts.all = counts.all.saturating_add(all);
            counts.bytes = counts.bytes.saturating_add(bytes);
        }
        counts
    }
}
