//! The reading of one array: the chunks it holds at the moment, and boxes out of them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};

use super::assemble::{external, indexes, read_box, wait_for_box};
use super::chunk_map::ChunkMap;
use super::read_metrics::ReadMetrics;
use super::shared_chunks::{AheadPermit, SharedChunk, SharedChunks};
use crate::array::{Positions, Region};
use crate::kernel::gather;
use crate::progress::Progress;
use crate::scan::CellTable;
use crate::source::{ArraySource, Chunk, SourceError};
use crate::totals::totals;

/// Bytes that a chunk is taken for which has not come yet, where none has: a share of its decoded ones, but not too many.
const ENCODED_SHARE: usize = 4;
const ENCODED_BYTES_MAX: usize = 16 << 20;

/// One array: the chunks it holds at the moment, and its place on the table's axes.
pub struct ArrayReader {
    source: Arc<dyn ArraySource>,
    /// The column of the table, which tells its chunks from those of others.
    column: usize,
    chunks: Arc<SharedChunks>,
    /// Where it is noted which chunks were read.
    map: Option<Arc<ChunkMap>>,
    /// The table's axis of each dimension, and the positions read along it.
    axes: Vec<(usize, Positions)>,
    held: HashMap<Vec<u64>, Held>,
    /// Memory of the chunks that are read.
    reservation: MemoryReservation,
    /// Memory of those that are fetched ahead.
    ahead_reservation: MemoryReservation,
    /// Bytes of the largest encoded chunk so far, or a guess.
    encoded_size: usize,
    memory_pool: Arc<dyn MemoryPool>,
}

/// A chunk that was asked for.
struct Held {
    state: HeldState,
    /// While the chunk is ahead of the block that is read.
    permit: Option<AheadPermit>,
}

enum HeldState {
    Pending(SpawnedTask<Result<SharedChunk, SourceError>>),
    Ready(SharedChunk),
}

impl ArrayReader {
    /// The reader of a column's variable, which shares `chunks` with those of other partitions.
    pub fn new(
        table: &CellTable,
        number: usize,
        chunks: Arc<SharedChunks>,
        map: Option<Arc<ChunkMap>>,
        context: &TaskContext,
    ) -> Self {
        let column = &table.columns()[number];
        let axes = column.axes.iter().map(|&axis| (axis, table.axes()[axis].positions.clone())).collect();
        let source = match table.variable(column) {
            Some(variable) => Arc::clone(&variable.array),
            None => unreachable!("only columns of variables are read"),
        };
        let consumer = |what: &str| MemoryConsumer::new(format!("chunks of {}{what}", column.field.name()));
        let cells = source.grid().chunk_shape().iter().fold(1u64, |cells, &length| cells.saturating_mul(length));
        let width = column.field.data_type().primitive_width().unwrap_or(1);
        let decoded_size = usize::try_from(cells).unwrap_or(usize::MAX).saturating_mul(width);
        Self {
            source,
            column: number,
            chunks,
            map,
            axes,
            held: HashMap::new(),
            reservation: consumer("").register(context.memory_pool()),
            ahead_reservation: consumer(", ahead").register(context.memory_pool()),
            encoded_size: (decoded_size / ENCODED_SHARE).min(ENCODED_BYTES_MAX),
            memory_pool: Arc::clone(context.memory_pool()),
        }
    }

    /// Begins to fetch the chunks of a box that will be read later, as far as there is leave to; says whether all of
    /// them are on their way.
    pub fn look_ahead(&mut self, region: &Region) -> bool {
        let index_box = self.source.grid().chunks_of(&self.bounding(region));
        for index in indexes(&index_box) {
            if self.held.contains_key(&index) {
                continue;
            }
            let memory = self.memory_pool.memory_limit();
            let Some(permit) = self.chunks.permit_ahead(self.encoded_size, memory) else { return false };
            if self.ahead_reservation.try_grow(self.encoded_size).is_err() {
                return false;
            }
            self.begin(index, Some(permit));
        }
        true
    }

    /// Tells the partition on the other side of a boundary that the chunks which it reads too, for the box `there`, were
    /// read here.
    pub fn pass(&self, boundary: u64, there: &Region) {
        let index_box = self.source.grid().chunks_of(&self.bounding(there));
        let is_there =
            |index: &[u64]| (0..index.len()).all(|d| (index_box.start[d]..index_box.end(d)).contains(&index[d]));
        let chunks: Vec<SharedChunk> = (self.held.iter())
            .filter_map(|(index, held)| match &held.state {
                HeldState::Ready(shared) if is_there(index) => Some(shared.clone()),
                _ => None,
            })
            .collect();
        if !chunks.is_empty() {
            let bytes = chunks.iter().map(|shared| shared.chunk.memory_size()).sum();
            let reservation = self.reservation.new_empty();
            self.chunks
                .pass(boundary, self.column, || reservation.try_grow(bytes).ok().map(|()| (chunks, reservation)));
        }
    }

    /// The cells of a box of the table's selected positions, over the array's own axes.
    pub async fn read(
        &mut self,
        region: &Region,
        metrics: &ReadMetrics,
        progress: Option<&Progress>,
    ) -> Result<ArrayRef> {
        let bounding = self.bounding(region);
        let wanted = self.begin_all(region);
        let mut chunks = Vec::with_capacity(wanted.len());
        for index in &wanted {
            chunks.push(self.chunk(index, metrics, progress).await?);
        }
        self.reserve()?;
        wait_for_box(self.source.grid(), &bounding, &chunks).await?;
        let timer = metrics.baseline.elapsed_compute().timer();
        let values = read_box(self.source.grid(), &bounding, &chunks)?;
        let values = self.select(values, region, &bounding)?;
        timer.done();
        // Of the block alone: a chunk that is stored as it is may be one buffer under many blocks.
        let bytes = values.to_data().get_slice_memory_size().unwrap_or_else(|_| values.get_array_memory_size());
        metrics.decoded.add(bytes);
        totals().add_decoded(values.len() as u64, bytes as u64);
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

    /// Begins to fetch the chunks of a box that is read next, all at once, and lets go of those that are not needed any
    /// more; gives their indexes.
    pub fn begin_all(&mut self, region: &Region) -> Vec<Vec<u64>> {
        let index_box = self.source.grid().chunks_of(&self.bounding(region));
        let wanted: Vec<Vec<u64>> = indexes(&index_box).collect();
        self.held.retain(|index, held| held.permit.is_some() || wanted.contains(index));
        for index in &wanted {
            match self.held.get_mut(index) {
                Some(held) => held.permit = None,
                None => self.begin(index.clone(), None),
            }
        }
        wanted
    }

    /// Begins to fetch a chunk.
    fn begin(&mut self, index: Vec<u64>, permit: Option<AheadPermit>) {
        let (source, chunks) = (Arc::clone(&self.source), Arc::clone(&self.chunks));
        let (column, wanted) = (self.column, index.clone());
        let task = SpawnedTask::spawn(async move { chunks.fetch(column, source.as_ref(), &wanted).await });
        self.held.insert(index, Held { state: HeldState::Pending(task), permit });
    }

    async fn chunk(
        &mut self,
        index: &[u64],
        metrics: &ReadMetrics,
        progress: Option<&Progress>,
    ) -> Result<Arc<dyn Chunk>> {
        let Some(held) = self.held.get_mut(index) else {
            return datafusion::common::internal_err!("chunk {index:?} was never asked for");
        };
        let task = match &mut held.state {
            HeldState::Ready(shared) => return Ok(Arc::clone(&shared.chunk)),
            HeldState::Pending(task) => task,
        };
        let fetched = task.await.map_err(|error| DataFusionError::Execution(error.to_string()))?;
        let shared = fetched.map_err(external)?;
        let chunk = Arc::clone(&shared.chunk);
        let bytes = chunk.encoded_size();
        if shared.is_fresh {
            metrics.chunks.add(1);
            metrics.encoded.add(bytes);
            if let Some(map) = &self.map {
                map.note(index);
            }
            totals().add_read(bytes as u64);
            if let Some(progress) = progress {
                progress.add_read(bytes as u64);
            }
        } else {
            totals().add_shared();
        }
        self.encoded_size = self.encoded_size.max(bytes);
        held.state = HeldState::Ready(shared);
        Ok(chunk)
    }

    /// Takes what the held chunks need from the memory pool.
    fn reserve(&mut self) -> Result<()> {
        let is_read = |held: &&Held| held.permit.is_none();
        let ahead = self.held.values().filter(|held| !is_read(held)).count();
        self.ahead_reservation
            .try_resize(ahead.saturating_mul(self.encoded_size).min(self.ahead_reservation.size()))?;
        let read = self.held.values().filter(is_read).map(|held| match &held.state {
            HeldState::Ready(shared) => shared.chunk.memory_size(),
            HeldState::Pending(_) => 0,
        });
        self.reservation.try_resize(read.sum())
    }
}
