//! One chunk of a variable, and the cells that are read from it.

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, StringArray, UInt64Array};
use arrow::buffer::Buffer;
use arrow::compute::take;
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::array::Layout;
use super::guard::guarded;
use super::hdf5::Unpacking;
use crate::array::Region;
use crate::source::zarr::runs::Runs;
use crate::source::{Chunk, SourceError};

/// A chunk of a variable.
#[derive(Debug)]
pub(super) struct NetcdfChunk {
    /// What it has in common with others.
    pub layout: Arc<Layout>,
    /// Its index along each dimension.
    pub index: Vec<u64>,
    /// Its cells.
    pub body: Body,
    /// How many there are along each dimension.
    pub shape: Vec<u64>,
}

/// The cells of a chunk.
#[derive(Debug)]
pub(super) enum Body {
    /// Nothing is stored: fill values.
    Absent,
    /// Cells as stored.
    Plain(Buffer),
    /// Texts.
    Texts(ArrayRef),
    /// Packed pieces, which follow each other in C order, unpacked when first read.
    Pieces(Box<Pieces>),
}

/// Packed pieces of a chunk.
#[derive(Debug)]
pub(super) struct Pieces {
    unpacking: Arc<Unpacking>,
    packed_size: usize,
    count: usize,
    packed: Mutex<Vec<Option<Piece>>>,
    unpacked: OnceLock<Result<Buffer, String>>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its bytes.
    pub bytes: Bytes,
    /// Which steps of packing were left out for it, a bit each.
    pub left_out: u32,
}

impl Body {
    /// Of pieces as the file has them; `None` where it has none.
    pub fn pieces(unpacking: Arc<Unpacking>, pieces: Vec<Option<Piece>>) -> Self {
        let packed_size = pieces.iter().flatten().map(|piece| piece.bytes.len()).sum();
        let count = pieces.len();
        Self::Pieces(Box::new(Pieces {
            unpacking,
            packed_size,
            count,
            packed: Mutex::new(pieces),
            unpacked: OnceLock::new(),
        }))
    }

    /// All cells as stored, of a body that has such.
    pub fn decoded(&self, layout: &Layout) -> Result<Buffer, String> {
        match self {
            Self::Plain(buffer) => Ok(buffer.clone()),
            Self::Pieces(pieces) => pieces.unpacked.get_or_init(|| pieces.unpack(layout)).clone(),
            Self::Absent | Self::Texts(_) => Err("there are no stored cells".to_string()),
        }
    }
}

impl Pieces {
    fn unpack(&self, layout: &Layout) -> Result<Buffer, String> {
        let mut pieces = std::mem::take(&mut *self.packed.lock());
        let size = self.unpacking.unpacked_size;
        let unpack = |piece: Piece| guarded(|| self.unpacking.unpack(piece.bytes, piece.left_out));
        if let [only @ Some(_)] = pieces.as_mut_slice() {
            return only.take().map_or_else(|| Ok(Bytes::new()), unpack).map(Buffer::from);
        }
        let mut bytes = room_for(size.saturating_mul(self.count))?;
        for piece in pieces {
            match piece {
                Some(piece) => bytes.extend_from_slice(&unpack(piece)?),
                None => append_fill(&mut bytes, layout, size),
            }
        }
        Ok(Buffer::from_vec(bytes))
    }

    fn memory_size(&self) -> usize {
        let unpacked = self.unpacking.unpacked_size.saturating_mul(self.count);
        // While pieces are put together, one of them is there twice.
        self.packed_size.saturating_add(unpacked).saturating_add(if self.count > 1 {
            self.unpacking.unpacked_size
        } else {
            0
        })
    }
}

impl NetcdfChunk {
    fn stored(&self, region: &Region) -> Result<ArrayRef, String> {
        let layout = &self.layout;
        let Some(runs) = Runs::new(region, &self.shape) else {
            return Err(format!("{region:?} does not lie in a chunk of {:?}", self.shape));
        };
        let cells = runs.length.checked_mul(runs.count).and_then(|cells| usize::try_from(cells).ok());
        let cells = cells.ok_or_else(|| format!("{region:?} does not fit in memory"))?;
        let bytes = match &self.body {
            Body::Absent => return filled(layout, cells),
            Body::Texts(texts) => return taken(texts, &runs),
            body => gathered(&body.decoded(layout)?, &runs, layout.cell.size(), cells)?,
        };
        layout.cell.array_of(bytes, cells)
    }
}

#[async_trait]
impl Chunk for NetcdfChunk {
    async fn wait(&self, _: &Region) -> Result<(), SourceError> {
        Ok(())
    }

    fn read(&self, region: &Region) -> Result<ArrayRef, SourceError> {
        let decode = || self.layout.decoding.decode(self.stored(region)?);
        decode().map_err(|message| chunk_error(&self.layout, &self.index, message))
    }

    fn encoded_size(&self) -> usize {
        match &self.body {
            Body::Absent => 0,
            Body::Plain(buffer) => buffer.len(),
            Body::Texts(texts) => texts.get_array_memory_size(),
            Body::Pieces(pieces) => pieces.packed_size,
        }
    }

    fn memory_size(&self) -> usize {
        match &self.body {
            Body::Pieces(pieces) => pieces.memory_size(),
            _ => self.encoded_size(),
        }
    }
}

/// An error of a chunk.
pub(super) fn chunk_error(layout: &Layout, index: &[u64], message: String) -> SourceError {
    SourceError::Chunk { array: layout.array.clone(), chunk: index.to_vec(), message }
}

fn room_for(size: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| format!("no memory for {size} bytes"))?;
    Ok(bytes)
}

/// The runs of a chunk: a slice where there is one run, copied where there are more.
fn gathered(chunk: &Buffer, runs: &Runs, cell_size: usize, cells: usize) -> Result<Buffer, String> {
    let length = usize::try_from(runs.length).ok().and_then(|length| length.checked_mul(cell_size));
    let end = usize::try_from(runs.span().end).ok().and_then(|end| end.checked_mul(cell_size));
    let (Some(length), Some(_)) = (length, end.filter(|&end| end <= chunk.len())) else {
        return Err(format!("it has {} bytes, too few for cells up to {}", chunk.len(), runs.span().end));
    };
    let mut starts = runs.starts().map(|start| start as usize * cell_size);
    if runs.count == 1 {
        return Ok(chunk.slice_with_length(starts.next().unwrap_or(0), length));
    }
    let mut bytes = room_for(cells.saturating_mul(cell_size))?;
    starts.for_each(|start| bytes.extend_from_slice(&chunk[start..start + length]));
    Ok(Buffer::from_vec(bytes))
}

/// The runs of texts.
fn taken(texts: &ArrayRef, runs: &Runs) -> Result<ArrayRef, String> {
    if runs.span().end > texts.len() as u64 {
        return Err(format!("it has {} texts, too few for cells up to {}", texts.len(), runs.span().end));
    }
    let indexes: UInt64Array = runs.starts().flat_map(|start| start..start + runs.length).collect::<Vec<u64>>().into();
    take(texts, &indexes, None).map_err(|error| error.to_string())
}

/// Cells of which nothing is stored.
fn filled(layout: &Layout, cells: usize) -> Result<ArrayRef, String> {
    if let super::cells::CellType::Reference(_) = layout.cell {
        return Ok(Arc::new(StringArray::from_iter_values(std::iter::repeat_n("", cells))));
    }
    let size = layout.cell.size().checked_mul(cells).ok_or("too many cells")?;
    let mut bytes = room_for(size)?;
    append_fill(&mut bytes, layout, size);
    layout.cell.array_of(Buffer::from_vec(bytes), cells)
}

/// So many bytes of fill values behind others.
fn append_fill(bytes: &mut Vec<u8>, layout: &Layout, size: usize) {
    match &layout.fill {
        Some(cell) if cell.iter().any(|&byte| byte != 0) => {
            let end = bytes.len() + size;
            let start = bytes.len();
            bytes.extend_from_slice(&cell[..cell.len().min(size)]);
            // What is there is copied behind itself: few long copies instead of many short ones.
            while bytes.len() < end {
                let length = (bytes.len() - start).min(end - bytes.len());
                bytes.extend_from_within(start..start + length);
            }
        }
        _ => bytes.resize(bytes.len() + size, 0),
    }
}
