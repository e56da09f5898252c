//! The codecs of an array: a chain of steps, each from bytes to bytes, undone from the last to the first.
//!
//! Every step knows how many bytes it decodes to wherever the metadata tells, so that a hostile chunk can neither
//! make a large buffer nor a short one.

mod blosc;
mod checksums;
mod compressors;
mod filters;
mod foreign;
mod layout;
mod parse;
mod summary;
mod texts;
mod zfp;

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::buffer::Buffer;
use bytes::Bytes;

pub(super) use blosc::{BlockReader, wait_for_places};
pub(super) use parse::parse;
pub(super) use summary::summary;

/// Decodes what Zstandard encoded to `size` bytes, for other formats that pack with it.
pub(in crate::source) fn unpack_zstd(encoded: Bytes, size: usize) -> Result<Bytes, String> {
    compressors::Zstd.decode(encoded, Some(size))
}

/// Decodes what blosc encoded to `size` bytes, for other formats that pack with it.
pub(in crate::source) fn unpack_blosc(encoded: Bytes, size: usize) -> Result<Bytes, String> {
    blosc::Blosc.decode(encoded, Some(size))
}

/// One codec.
trait Step: Debug + Send + Sync {
    /// The bytes that were encoded; `size` of them, where that is known.
    fn decode(&self, encoded: Bytes, size: Option<usize>) -> Result<Bytes, String>;

    /// To how many bytes that many are encoded, where it is always the same.
    fn encoded_size(&self, _size: usize) -> Option<usize> {
        None
    }

    /// Whether it is blosc, which can be decoded in pieces.
    fn is_blosc(&self) -> bool {
        false
    }
}

/// The codecs of a chunk.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    /// In the order of encoding.
    steps: Vec<Arc<dyn Step>>,
    /// The bytes before each step, where known, and after the last.
    sizes: Vec<Option<usize>>,
    /// Cells of a chunk.
    cells: usize,
    cell_kind: CellKind,
}

/// What the bytes before the first step are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellKind {
    /// Cells of a fixed size in native bytes.
    Fixed,
    /// vlen-utf8.
    Text,
    /// vlen-bytes.
    Binary,
}

/// A whole decoded chunk.
#[derive(Debug, Clone)]
pub(super) enum Decoded {
    /// Cells of a fixed size, native bytes, C order.
    Fixed(Buffer),
    /// Texts or bytes of any length, C order.
    Variable(ArrayRef),
}

/// How the cells of a chunk are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The encoded bytes are the cells.
    Plain,
    /// Blosc alone: block by block.
    Blocks,
    /// The chunk is decoded whole.
    Whole,
}

impl Chain {
    /// How the cells of a chunk are reached.
    pub fn access(&self) -> Access {
        match (self.cell_kind, self.steps.as_slice()) {
            (CellKind::Fixed, []) => Access::Plain,
            (CellKind::Fixed, [step]) if step.is_blosc() => Access::Blocks,
            _ => Access::Whole,
        }
    }

    /// Bytes of a decoded chunk, where its cells have a fixed size.
    pub fn decoded_size(&self) -> Option<usize> {
        self.sizes.first().copied().flatten()
    }

    /// Bytes of an encoded chunk, where they are always as many.
    pub fn encoded_size(&self) -> Option<usize> {
        self.sizes.last().copied().flatten()
    }

    /// Decodes a whole chunk.
    pub fn decode(&self, encoded: Bytes) -> Result<Decoded, String> {
        let mut bytes = encoded;
        for (step, size) in self.steps.iter().zip(&self.sizes).rev() {
            bytes = step.decode(bytes, *size)?;
            if let Some(size) = *size
                && bytes.len() != size
            {
                return Err(format!("{} bytes were decoded, expected {size}", bytes.len()));
            }
        }
        match self.cell_kind {
            CellKind::Fixed if Some(bytes.len()) != self.decoded_size() => {
                Err(format!("{} bytes, expected {:?}", bytes.len(), self.decoded_size()))
            }
            CellKind::Fixed => Ok(Decoded::Fixed(Buffer::from(bytes))),
            CellKind::Text => texts::texts(&bytes, self.cells).map(Decoded::Variable),
            CellKind::Binary => texts::binaries(&bytes, self.cells).map(Decoded::Variable),
        }
    }
}
