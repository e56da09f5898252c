//! The reading of one array: the chunks it holds at the moment, and boxes out of them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};

use super::assemble::{external, indexes, read_box};
use super::read::ReadMetrics;
use super::shared_chunks::{SharedChunk, SharedChunks};
use crate::array::{Positions, Region};
use crate::kernel::gather;
use crate::progress::Progress;
use crate::scan::CellTable;
use crate::source::{ArraySource, Chunk, SourceError};

/// Encoded bytes that may be fetched ahead of the block being decoded, a partition.
const LOOK_AHEAD_BYTES: usize = 16 << 20;

/// One array: the chunks it holds at the moment, and its place on the table's axes.
pub struct ArrayReader {
    source: Arc<dyn ArraySource>,
    /// The column of the table, which tells its chunks from those of others.
    column: usize,
    chunks: Arc<SharedChunks>,
    /// The table's axis of each dimension, and the positions read along it.
    axes: Vec<(usize, Positions)>,
    held: HashMap<Vec<u64>, Held>,
    reservation: MemoryReservation,
    encoded_size_max: usize,
}

enum Held {
    Pending(SpawnedTask<Result<SharedChunk, SourceError>>),
    Ready(SharedChunk),
}

impl ArrayReader {
    /// The reader of a column's variable, which shares `chunks` with those of other partitions.
    pub fn new(table: &CellTable, number: usize, chunks: Arc<SharedChunks>, context: &TaskContext) -> Self {
        let column = &table.columns()[number];
        let axes = column.axes.iter().map(|&axis| (axis, table.axes()[axis].positions.clone())).collect();
        let source = match table.variable(column) {
            Some(variable) => Arc::clone(&variable.array),
            None => unreachable!("only columns of variables are read"),
        };
        let consumer = MemoryConsumer::new(format!("chunks of {}", column.field.name()));
        let reservation = consumer.register(context.memory_pool());
        Self { source, column: number, chunks, axes, held: HashMap::new(), reservation, encoded_size_max: 0 }
    }

    /// The cells of a box of the table's selected positions, over the array's own axes.
    pub async fn read(
        &mut self,
        region: &Region,
        metrics: &ReadMetrics,
        progress: Option<&Progress>,
    ) -> Result<ArrayRef> {
        let bounding = self.bounding(region);
        let index_box = self.source.grid().chunks_of(&bounding);
        let wanted: Vec<Vec<u64>> = indexes(&index_box).collect();
        self.held.retain(|index, held| matches!(held, Held::Pending(_)) || wanted.contains(index));
        self.request(&wanted);
        let mut chunks = Vec::with_capacity(wanted.len());
        for index in &wanted {
            chunks.push(self.chunk(index, metrics, progress).await?);
        }
        self.reserve()?;
        let timer = metrics.baseline.elapsed_compute().timer();
        let values = read_box(self.source.grid(), &bounding, &chunks)?;
        let values = self.select(values, region, &bounding)?;
        timer.done();
        let bytes = values.get_array_memory_size();
        metrics.decoded.add(bytes);
        if let Some(progress) = progress {
            progress.add_decoded(values.len() as u64, bytes as u64);
        }
        Ok(values)
    }

    /// The source positions from the first to the last selected one.
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

    fn select(&self, values: ArrayRef, region: &Region, bounding: &Region) -> Result<ArrayRef> {
        if self.axes.iter().all(|(_, positions)| positions.is_contiguous()) {
            return Ok(values);
        }
        let chosen: Vec<Option<Vec<usize>>> = self
            .axes
            .iter()
            .enumerate()
            .map(|(dimension, (axis, positions))| {
                let selected = region.start[*axis]..region.end(*axis);
                let offset = |position: u64| (positions.source(position) - bounding.start[dimension]) as usize;
                (!positions.is_contiguous()).then(|| selected.map(offset).collect())
            })
            .collect();
        let shape: Vec<usize> = bounding.shape.iter().map(|&length| length as usize).collect();
        gather::select(&values, &shape, &chosen).map_err(|error| DataFusionError::External(Box::new(error)))
    }

    /// Begins to fetch the chunks that are not there yet, all at once.
    fn request(&mut self, wanted: &[Vec<u64>]) {
        for index in wanted {
            if !self.held.contains_key(index) {
                let (source, chunks) = (Arc::clone(&self.source), Arc::clone(&self.chunks));
                let (column, wanted) = (self.column, index.clone());
                let task = SpawnedTask::spawn(async move { chunks.fetch(column, source.as_ref(), &wanted).await });
                self.held.insert(index.clone(), Held::Pending(task));
            }
        }
    }

    async fn chunk(
        &mut self,
        index: &[u64],
        metrics: &ReadMetrics,
        progress: Option<&Progress>,
    ) -> Result<Arc<dyn Chunk>> {
        match self.held.remove(index) {
            Some(Held::Ready(shared)) => {
                let chunk = Arc::clone(&shared.chunk);
                self.held.insert(index.to_vec(), Held::Ready(shared));
                Ok(chunk)
            }
            Some(Held::Pending(task)) => {
                let fetched = task.join().await.map_err(|error| DataFusionError::Execution(error.to_string()))?;
                let shared = fetched.map_err(external)?;
                let chunk = Arc::clone(&shared.chunk);
                let bytes = chunk.encoded_size();
                self.encoded_size_max = self.encoded_size_max.max(bytes);
                if shared.is_fresh {
                    metrics.chunks.add(1);
                    metrics.encoded.add(bytes);
                    if let Some(progress) = progress {
                        progress.add_read(bytes as u64);
                    }
                }
                self.held.insert(index.to_vec(), Held::Ready(shared));
                Ok(chunk)
            }
            None => datafusion::common::internal_err!("chunk {index:?} was never asked for"),
        }
    }

    /// Takes what the held chunks need from the memory pool.
    fn reserve(&mut self) -> Result<()> {
        let held = self.held.values().map(|held| match held {
            Held::Ready(shared) => shared.chunk.memory_size(),
            Held::Pending(_) => self.encoded_size_max.min(LOOK_AHEAD_BYTES),
        });
        self.reservation.try_resize(held.sum())
    }
}
