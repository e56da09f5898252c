//! Which chunks of an array have been read, counted in bins: what a picture of the chunk grid is made of.
//!
//! A map has two sides, the two dimensions of the array that have the most chunks, each cut into few bins, so that it has
//! the same size for ten chunks and for ten million. Noting a chunk is an addition to one counter: beside fetching it that
//! costs nothing, so that nobody has to ask for it before a query begins.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::util::display::array_value_to_string;

use super::assemble::indexes;
use crate::array::{ChunkGrid, Positions, Region};
use crate::scan::CellTable;

/// Bins of a side, at most.
pub const BINS_MAX: u64 = 64;

/// Chunks of one partition that are noted, at most.
const PARTITION_CHUNKS_MAX: usize = 1 << 16;

/// Blocks of one partition that are looked at, at most.
const PARTITION_BLOCKS_MAX: u64 = 1 << 12;

/// The chunks of one array.
#[derive(Debug)]
pub struct ChunkMap {
    variable: String,
    /// Across, then down: the earlier dimension of the array goes across.
    sides: Vec<Side>,
    /// The other dimensions: each bin has the chunks of all of them.
    others: Vec<Side>,
    grid: ChunkGrid,
    /// The table's axis of each dimension of the array.
    axes: Vec<(usize, Positions)>,
    read: OnceLock<Box<[AtomicU32]>>,
}

/// A dimension of a map.
#[derive(Debug)]
pub struct Side {
    /// Its name.
    pub name: String,
    /// Chunks along it.
    pub chunks: u64,
    /// Bins that they are counted in.
    pub bins: u64,
    /// Its first and last label.
    pub ends: [String; 2],
    /// Its place among the dimensions of the array.
    dimension: usize,
    /// Chunks along it that are to be read, by bin.
    needed: OnceLock<Vec<u64>>,
    positions: Positions,
    length: u64,
}

/// The counts of a map at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkCounts {
    /// Chunks that were read, by bin: the first row, from left to right, then the next.
    pub read: Vec<u32>,
    /// Chunks that are to be read.
    pub needed: Vec<u64>,
}

impl ChunkMap {
    /// The map of a column's variable; `None` for what is no variable, or has no dimension.
    pub fn new(table: &CellTable, number: usize) -> Option<Self> {
        let column = table.columns().get(number)?;
        let variable = table.variable(column)?;
        let grid = variable.array.grid().clone();
        let axes: Vec<(usize, Positions)> =
            column.axes.iter().map(|&axis| (axis, table.axes()[axis].positions.clone())).collect();
        let lengths = grid.chunk_shape().to_vec();
        let sides = grid.chunk_counts().into_iter().enumerate().map(|(dimension, chunks)| {
            let axis = &table.axes()[column.axes[dimension]];
            let label = |place: usize| array_value_to_string(&axis.labels, place).unwrap_or_default();
            let ends = match axis.labels.len() {
                0 => Default::default(),
                count => [label(0), label(count - 1)],
            };
            Side {
                name: axis.name.clone(),
                chunks,
                bins: chunks.clamp(1, BINS_MAX),
                ends,
                dimension,
                needed: OnceLock::new(),
                positions: axis.positions.clone(),
                length: lengths[dimension],
            }
        });
        let mut by_chunks: Vec<Side> = sides.collect();
        by_chunks.sort_by_key(|side| (std::cmp::Reverse(side.chunks), side.dimension));
        let others = by_chunks.split_off(by_chunks.len().min(2));
        let mut sides = by_chunks;
        sides.sort_by_key(|side| side.dimension);
        (!sides.is_empty()).then(|| Self {
            variable: variable.name.clone(),
            sides,
            others,
            grid,
            axes,
            read: OnceLock::new(),
        })
    }

    /// The array's name.
    pub fn variable(&self) -> &str {
        &self.variable
    }

    /// The dimensions that the map shows, the one across first; one or two.
    pub fn sides(&self) -> &[Side] {
        &self.sides
    }

    /// Names of the dimensions that each bin has all chunks of, and how many chunks these have.
    pub fn others(&self) -> impl Iterator<Item = (&str, u64)> {
        self.others.iter().map(|side| (side.name.as_str(), side.chunks))
    }

    /// A chunk was read.
    pub fn note(&self, index: &[u64]) {
        if let Some(count) = self.read().get(self.bin(index)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All chunks were read that hold a cell of these boxes of selected cells.
    pub(super) fn note_all(&self, regions: impl Iterator<Item = Region>) {
        let mut seen = HashSet::new();
        for region in regions.take(PARTITION_BLOCKS_MAX as usize) {
            for index in indexes(&self.grid.chunks_of(&self.bounding(&region))) {
                if seen.len() >= PARTITION_CHUNKS_MAX {
                    return;
                }
                if !seen.contains(&index) {
                    self.note(&index);
                    seen.insert(index);
                }
            }
        }
    }

    /// The counts now.
    pub fn counts(&self) -> ChunkCounts {
        let read = match self.read.get() {
            Some(counts) => counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            None => vec![0; self.bins()],
        };
        let of_others = self.others.iter().map(|side| side.needed().iter().sum::<u64>()).fold(1, u64::saturating_mul);
        let across = self.sides.first().map_or(&[1][..], Side::needed);
        let down = self.sides.get(1).map_or(&[1][..], Side::needed);
        let row = |down: &u64| {
            let needed = across.iter().map(|across| across.saturating_mul(*down).saturating_mul(of_others));
            needed.collect::<Vec<_>>()
        };
        ChunkCounts { read, needed: down.iter().flat_map(row).collect() }
    }

    fn bins(&self) -> usize {
        self.sides.iter().map(|side| side.bins as usize).product()
    }

    fn bin(&self, index: &[u64]) -> usize {
        let bin_of = |side: &Side| index.get(side.dimension).map_or(0, |&chunk| side.bin(chunk));
        let across = self.sides.first().map_or(0, bin_of);
        let width = self.sides.first().map_or(1, |side| side.bins as usize);
        self.sides.get(1).map_or(0, bin_of) * width + across
    }

    fn read(&self) -> &[AtomicU32] {
        self.read.get_or_init(|| (0..self.bins()).map(|_| AtomicU32::new(0)).collect())
    }

    fn bounding(&self, region: &Region) -> Region {
        let mut bounding = Region::new(Vec::new(), Vec::new());
        for (axis, positions) in &self.axes {
            let first = positions.source(region.start[*axis]);
            let last = positions.source(region.end(*axis) - 1);
            bounding.start.push(first);
            bounding.shape.push(last - first + 1);
        }
        bounding
    }
}

impl Side {
    fn bin(&self, chunk: u64) -> usize {
        (u128::from(chunk) * u128::from(self.bins) / u128::from(self.chunks.max(1))) as usize
    }

    fn needed(&self) -> &[u64] {
        self.needed.get_or_init(|| {
            let mut needed = vec![0; self.bins as usize];
            for chunk in self.positions.in_chunks(self.length).iter() {
                if let Some(count) = needed.get_mut(self.bin(chunk)) {
                    *count += 1;
                }
            }
            needed
        })
    }
}
