//! One encoded chunk, and the cells that are read from it.

use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, BinaryArray, StringArray, UInt64Array};
use arrow::buffer::Buffer;
use arrow::compute::take;
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::codec::{Access, BlockReader, Chain, Decoded};
use super::encoded::Encoded;
use super::fill::Fill;
use super::runs::Runs;
use super::stored_type::StoredType;
use crate::array::Region;
use crate::source::cf::Decoding;
use crate::source::{Chunk, SourceError};

/// Runs of a file with fewer bytes are not worth a call of the system each.
const RUN_BYTES_MIN: usize = 4096;

/// What the chunks of an array have in common.
#[derive(Debug)]
pub(super) struct Layout {
    /// The array's address, for messages.
    pub array: String,
    /// What a cell holds.
    pub stored_type: StoredType,
    /// Cells of a whole chunk along each dimension.
    pub chunk_shape: Vec<u64>,
    /// The cells of absent chunks.
    pub fill: Fill,
    /// The codecs.
    pub chain: Chain,
    /// What the cells mean.
    pub decoding: Decoding,
}

/// A chunk of an array.
#[derive(Debug)]
pub(super) struct ZarrChunk {
    layout: Arc<Layout>,
    index: Vec<u64>,
    body: Body,
    encoded_size: usize,
}

#[derive(Debug)]
enum Body {
    /// Nothing is stored: fill values.
    Absent,
    /// Cells as they are.
    Plain(Buffer),
    /// Cells as they are, in a file.
    PlainFile(Encoded),
    /// Blosc, block by block.
    Blocks(BlockReader),
    /// Decoded whole when first read; the encoded bytes are let go then.
    Whole { encoded: Mutex<Option<Bytes>>, decoded: OnceLock<Result<Decoded, String>> },
}

impl ZarrChunk {
    /// The chunk with that index, of its encoded bytes; `None` where nothing is stored.
    pub fn new(layout: Arc<Layout>, index: &[u64], encoded: Option<Encoded>) -> Result<Self, SourceError> {
        let encoded_size = encoded.as_ref().map_or(0, Encoded::len);
        let body = match encoded {
            None => Ok(Body::Absent),
            Some(encoded) => Body::of(&layout.chain, encoded),
        };
        match body {
            Ok(body) => Ok(Self { layout, index: index.to_vec(), body, encoded_size }),
            Err(message) => Err(chunk_error(&layout, index, message)),
        }
    }

    fn stored(&self, region: &Region) -> Result<ArrayRef, String> {
        let layout = &self.layout;
        let Some(runs) = Runs::new(region, &layout.chunk_shape) else {
            return Err(format!("{region:?} does not lie in a chunk of {:?}", layout.chunk_shape));
        };
        let cells = cells_of(&runs)?;
        if let Body::Absent = self.body {
            return filled(layout, cells);
        }
        let cell_size = layout.stored_type.size().unwrap_or(0);
        let bytes = match &self.body {
            Body::Absent => Buffer::default(),
            Body::Plain(buffer) => gathered(buffer, &runs, cell_size)?,
            Body::PlainFile(encoded) => gathered_from(encoded, &runs, cell_size)?,
            Body::Blocks(blocks) => {
                let mut bytes = room_for(cells, cell_size)?;
                let length = runs.length as usize * cell_size;
                for start in runs.starts() {
                    let start = start as usize * cell_size;
                    blocks.append(start..start + length, &mut bytes)?;
                }
                Buffer::from_vec(bytes)
            }
            Body::Whole { encoded, decoded } => match decoded.get_or_init(|| decode_whole(&layout.chain, encoded)) {
                Ok(Decoded::Fixed(buffer)) => gathered(buffer, &runs, cell_size)?,
                Ok(Decoded::Variable(array)) => return taken(array, &runs),
                Err(message) => return Err(message.clone()),
            },
        };
        layout.stored_type.array_of(bytes, cells)
    }
}

impl Body {
    fn of(chain: &Chain, encoded: Encoded) -> Result<Self, String> {
        match (chain.access(), chain.decoded_size()) {
            (Access::Plain, size) if size != Some(encoded.len()) => {
                Err(format!("{} bytes, expected {}", encoded.len(), size.unwrap_or(0)))
            }
            (Access::Plain, _) => Ok(match encoded {
                Encoded::Memory(bytes) => Self::Plain(Buffer::from(bytes)),
                file => Self::PlainFile(file),
            }),
            (Access::Blocks, Some(size)) => Ok(match BlockReader::new(encoded, size)? {
                Ok(blocks) => Self::Blocks(blocks),
                Err(encoded) => Self::whole(encoded.into_memory()?),
            }),
            _ => Ok(Self::whole(encoded.into_memory()?)),
        }
    }

    fn whole(encoded: Bytes) -> Self {
        Self::Whole { encoded: Mutex::new(Some(encoded)), decoded: OnceLock::new() }
    }
}

#[async_trait]
impl Chunk for ZarrChunk {
    async fn wait(&self, region: &Region) -> Result<(), SourceError> {
        let Body::Blocks(blocks) = &self.body else { return Ok(()) };
        // A region that does not lie in the chunk is told by whoever reads it.
        let Some(runs) = Runs::new(region, &self.layout.chunk_shape) else { return Ok(()) };
        let (cells, cell_size) = (runs.span(), self.layout.stored_type.size().unwrap_or(0));
        let byte = |cell: u64| usize::try_from(cell).unwrap_or(usize::MAX).saturating_mul(cell_size);
        blocks.wait(byte(cells.start)..byte(cells.end)).await
    }

    fn read(&self, region: &Region) -> Result<ArrayRef, SourceError> {
        let decode = || self.layout.decoding.decode(self.stored(region)?);
        decode().map_err(|message| chunk_error(&self.layout, &self.index, message))
    }

    fn encoded_size(&self) -> usize {
        self.encoded_size
    }

    fn memory_size(&self) -> usize {
        match &self.body {
            Body::Absent | Body::PlainFile(_) => 0,
            Body::Plain(buffer) => buffer.len(),
            Body::Blocks(blocks) => blocks.memory_size(),
            Body::Whole { .. } => {
                // Texts are in the encoded bytes at least.
                self.encoded_size + self.layout.chain.decoded_size().unwrap_or(4 * self.encoded_size)
            }
        }
    }
}

/// An error of a chunk.
pub(super) fn chunk_error(layout: &Layout, index: &[u64], message: String) -> SourceError {
    SourceError::Chunk { array: layout.array.clone(), chunk: index.to_vec(), message }
}

fn decode_whole(chain: &Chain, encoded: &Mutex<Option<Bytes>>) -> Result<Decoded, String> {
    let encoded = encoded.lock().take();
    chain.decode(encoded.ok_or_else(|| "its bytes were let go".to_string())?)
}

fn cells_of(runs: &Runs) -> Result<usize, String> {
    let cells = runs.length.checked_mul(runs.count).and_then(|cells| usize::try_from(cells).ok());
    cells.ok_or_else(|| format!("{} runs of {} cells do not fit in memory", runs.count, runs.length))
}

fn room_for(cells: usize, cell_size: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let size = cells.checked_mul(cell_size);
    match size.map(|size| bytes.try_reserve_exact(size)) {
        Some(Ok(())) => Ok(bytes),
        _ => Err(format!("no memory for {cells} cells")),
    }
}

/// The runs of a decoded chunk: a slice where there is one run, copied where there are more.
fn gathered(chunk: &Buffer, runs: &Runs, cell_size: usize) -> Result<Buffer, String> {
    let length = runs.length as usize * cell_size;
    let mut starts = runs.starts().map(|start| start as usize * cell_size);
    if runs.count == 1 {
        return Ok(chunk.slice_with_length(starts.next().unwrap_or(0), length));
    }
    let mut bytes = room_for(cells_of(runs)?, cell_size)?;
    starts.for_each(|start| bytes.extend_from_slice(&chunk[start..start + length]));
    Ok(Buffer::from_vec(bytes))
}

/// The runs of a chunk whose cells are in a file: each read by itself, or with what lies between where they are short.
fn gathered_from(chunk: &Encoded, runs: &Runs, cell_size: usize) -> Result<Buffer, String> {
    let length = runs.length as usize * cell_size;
    let mut starts = runs.starts().map(|start| start as usize * cell_size);
    if runs.count == 1 {
        let start = starts.next().unwrap_or(0);
        return Ok(Buffer::from_vec(chunk.part(start..start + length)?.into_owned()));
    }
    if length >= RUN_BYTES_MIN {
        let mut bytes = room_for(cells_of(runs)?, cell_size)?;
        for start in starts {
            bytes.extend_from_slice(&chunk.part(start..start + length)?);
        }
        return Ok(Buffer::from_vec(bytes));
    }
    let first = starts.next().unwrap_or(0);
    let span = chunk.part(first..starts.last().unwrap_or(first) + length)?;
    let mut bytes = room_for(cells_of(runs)?, cell_size)?;
    let starts = runs.starts().map(|start| start as usize * cell_size - first);
    starts.for_each(|start| bytes.extend_from_slice(&span[start..start + length]));
    Ok(Buffer::from_vec(bytes))
}

/// The runs of texts.
fn taken(array: &ArrayRef, runs: &Runs) -> Result<ArrayRef, String> {
    let starts = runs.starts();
    if runs.count == 1 {
        return Ok(array.slice(starts.map(|start| start as usize).next().unwrap_or(0), runs.length as usize));
    }
    let indexes: UInt64Array = starts.flat_map(|start| start..start + runs.length).collect::<Vec<u64>>().into();
    take(array, &indexes, None).map_err(|error| error.to_string())
}

/// Cells of an absent chunk.
fn filled(layout: &Layout, cells: usize) -> Result<ArrayRef, String> {
    match &layout.fill {
        Fill::Text(text) => Ok(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, cells)))),
        Fill::Binary(bytes) => Ok(Arc::new(BinaryArray::from_iter_values(std::iter::repeat_n(bytes, cells)))),
        Fill::Bytes(cell) => {
            let mut bytes = room_for(cells, cell.len())?;
            let size = cells * cell.len();
            bytes.extend_from_slice(&cell[..cell.len().min(size)]);
            // What is there is copied behind itself: few long copies instead of many short ones.
            while bytes.len() < size {
                bytes.extend_from_within(..bytes.len().min(size - bytes.len()));
            }
            layout.stored_type.array_of(Buffer::from_vec(bytes), cells)
        }
    }
}
