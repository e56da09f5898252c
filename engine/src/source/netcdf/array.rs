//! A variable of a NetCDF file as a source of chunks.

use std::ops::Range;
use std::sync::Arc;

use arrow::buffer::Buffer;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::blocks::BlockFile;
use super::cells::CellType;
use super::chunk::{Body, NetcdfChunk, chunk_error};
use super::hdf5;
use super::place::Place;
use crate::array::{ChunkGrid, Region};
use crate::source::cf::Decoding;
use crate::source::zarr::runs::strides;
use crate::source::{ArraySource, Chunk, SourceError};

/// Records of a remote file whose pieces lie within so many bytes are asked for together.
const SPAN_BYTES: u64 = 16 << 20;

/// Pieces of a file of this machine that lie farther apart than this are read each by itself.
const LOCAL_GAP_BYTES: u64 = 16 << 10;

/// Reads of such pieces at the same time.
const READS_IN_FLIGHT: usize = 8;

/// What the chunks of a variable have in common.
#[derive(Debug)]
pub(super) struct Layout {
    /// The variable's address, for messages.
    pub array: String,
    /// What a cell holds.
    pub cell: CellType,
    /// A cell where nothing is stored, as stored; zeros where there is none.
    pub fill: Option<Vec<u8>>,
    /// What the cells mean.
    pub decoding: Decoding,
}

/// A variable of a NetCDF file.
#[derive(Debug)]
pub(super) struct NetcdfArray {
    file: Arc<BlockFile>,
    grid: ChunkGrid,
    layout: Arc<Layout>,
    place: Place,
}

impl NetcdfArray {
    /// The variable with cells at a place of a file.
    pub fn new(file: Arc<BlockFile>, grid: ChunkGrid, layout: Layout, place: Place) -> Self {
        Self { file, grid, layout: Arc::new(layout), place }
    }

    /// The body of a chunk that covers `region`, and the cells along each dimension of what it holds.
    async fn body(&self, index: &[u64], region: Region) -> Result<(Body, Vec<u64>), SourceError> {
        let cell_size = self.layout.cell.size() as u64;
        let wrong = |message: String| chunk_error(&self.layout, index, message);
        let bytes = match &self.place {
            Place::Absent => return Ok((Body::Absent, region.shape)),
            Place::Refused(what, found) => {
                return Err(SourceError::Unsupported { array: self.layout.array.clone(), what, found: found.clone() });
            }
            Place::Chunked(chunked) => {
                let pieces = chunked.fetch(&self.file, index).await?;
                let shape = self.grid.chunk_shape().to_vec();
                if pieces.iter().all(Option::is_none) {
                    return Ok((Body::Absent, shape));
                }
                let body = Body::pieces(chunked.unpacking.clone(), pieces);
                let CellType::Reference(addressing) = self.layout.cell else { return Ok((body, shape)) };
                let bytes = body.decoded(&self.layout).map_err(wrong)?;
                return Ok((self.texts(bytes, addressing).await?, shape));
            }
            Place::Inline(bytes) => {
                let from = self.offset(&region) * cell_size;
                let length = region.cells().unwrap_or(u64::MAX).saturating_mul(cell_size);
                let range = usize::try_from(from).ok().zip(usize::try_from(from.saturating_add(length)).ok());
                match range.filter(|&(start, end)| start <= end && end <= bytes.len()) {
                    Some((start, end)) => Buffer::from(bytes.slice(start..end)),
                    None => return Err(wrong(format!("its description holds {} bytes of cells", bytes.len()))),
                }
            }
            Place::Contiguous(_) | Place::Records { .. } => {
                let ranges = self.ranges(&region).ok_or_else(|| wrong("its place is beyond all bytes".to_string()))?;
                self.read(ranges).await?
            }
        };
        match self.layout.cell {
            CellType::Reference(addressing) => Ok((self.texts(bytes, addressing).await?, region.shape)),
            _ => Ok((Body::Plain(bytes), region.shape)),
        }
    }

    /// The texts that references lead to.
    async fn texts(&self, references: Buffer, addressing: hdf5::Addressing) -> Result<Body, SourceError> {
        hdf5::texts(&self.file, &self.layout.array, references, addressing).await.map(Body::Texts)
    }

    /// The place of a region's first cell among all cells in C order.
    fn offset(&self, region: &Region) -> u64 {
        region.start.iter().zip(strides(self.grid.shape())).map(|(start, stride)| start * stride).sum()
    }

    /// The pieces of the file with the cells of a chunk's region; `None` where their places do not fit in 64 bits.
    fn ranges(&self, region: &Region) -> Option<Vec<Range<u64>>> {
        let cell_size = self.layout.cell.size() as u64;
        match self.place {
            Place::Contiguous(start) => {
                let start = start.checked_add(self.offset(region).checked_mul(cell_size)?)?;
                let end = start.checked_add(region.cells()?.checked_mul(cell_size)?)?;
                Some(std::iter::once(start..end).collect())
            }
            Place::Records { start, stride } => {
                let mut of_one = region.clone();
                *of_one.start.first_mut()? = 0;
                *of_one.shape.first_mut()? = 1;
                let first = start.checked_add(self.offset(&of_one).checked_mul(cell_size)?)?;
                let length = of_one.cells()?.checked_mul(cell_size)?;
                let record = |record: u64| {
                    let start = first.checked_add(record.checked_mul(stride)?)?;
                    Some(start..start.checked_add(length)?)
                };
                (region.start[0]..region.end(0)).map(record).collect()
            }
            _ => None,
        }
    }

    /// The bytes of pieces that follow each other in the file, as one. No more is held than these and what lies between
    /// some of them.
    async fn read(&self, ranges: Vec<Range<u64>>) -> Result<Buffer, SourceError> {
        if let [_] = ranges.as_slice() {
            return Ok(self.file.read_data(&ranges).await?.pop().map(Buffer::from).unwrap_or_default());
        }
        let are_near = ranges.windows(2).all(|pair| pair[1].start.saturating_sub(pair[0].end) <= LOCAL_GAP_BYTES);
        let mut bytes: Vec<u8> = Vec::new();
        if self.file.is_local() && !are_near {
            let mut pieces = stream::iter(ranges)
                .map(|range| async move { self.file.read_data(&[range]).await })
                .buffered(READS_IN_FLIGHT);
            while let Some(piece) = pieces.try_next().await? {
                piece.iter().for_each(|piece: &Bytes| bytes.extend_from_slice(piece));
            }
            return Ok(Buffer::from_vec(bytes));
        }
        let mut rest = ranges.as_slice();
        while let Some(first) = rest.first() {
            let together = rest.partition_point(|range| range.end - first.start <= SPAN_BYTES).max(1);
            let (now, later) = rest.split_at(together);
            self.file.read_data(now).await?.iter().for_each(|piece| bytes.extend_from_slice(piece));
            rest = later;
        }
        Ok(Buffer::from_vec(bytes))
    }
}

#[async_trait]
impl ArraySource for NetcdfArray {
    fn grid(&self) -> &ChunkGrid {
        &self.grid
    }

    async fn fetch(&self, chunk: &[u64]) -> Result<Arc<dyn Chunk>, SourceError> {
        let region = self.grid.find_chunk(chunk).map_err(|message| chunk_error(&self.layout, chunk, message))?;
        let (body, shape) = self.body(chunk, region).await?;
        Ok(Arc::new(NetcdfChunk { layout: self.layout.clone(), index: chunk.to_vec(), body, shape }))
    }
}
