//! One picture of a file, at one resolution: its layout, and where its blocks are.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::blocks::BlockTable;
use super::codec::Compression;
use super::directory::Directory;
use super::layout::Layout;
use super::reader::Reader;
use super::tags;
use crate::source::SourceError;
use crate::source::file::SourceFile;

/// Blocks of one window, at most: a mask may have smaller ones than the cells that it is of.
const BLOCKS_MAX: u64 = 1 << 16;

/// Blocks whose places are looked at in one go.
const BLOCKS_AT_ONCE: usize = 4096;

/// A picture of a file.
#[derive(Debug)]
pub(super) struct Image {
    /// How its cells are laid out.
    pub layout: Layout,
    file: SourceFile,
    file_size: u64,
    offsets: BlockTable,
    lengths: Option<BlockTable>,
}

/// A box of cells of a picture, inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    /// Its bands: those of one block where each band has blocks of its own.
    pub bands: Range<u64>,
    /// Its rows.
    pub rows: Range<u64>,
    /// Its columns.
    pub columns: Range<u64>,
}

/// A window, and the encoded blocks that hold its cells.
#[derive(Debug)]
pub(super) struct EncodedWindow {
    /// The picture.
    pub image: Arc<Image>,
    /// The cells.
    pub window: Window,
    /// The blocks.
    pub blocks: Vec<EncodedBlock>,
}

/// The encoded bytes of a block.
#[derive(Debug)]
pub(super) struct EncodedBlock {
    /// Its place among the rows of blocks.
    pub row: u64,
    /// Its place among the columns of blocks.
    pub column: u64,
    /// The bytes; `None` where nothing is stored.
    pub bytes: Option<Bytes>,
}

impl Image {
    /// The picture that a directory describes.
    pub fn new(reader: &Reader, directory: &Directory) -> Result<Self, SourceError> {
        let layout = Layout::of(&reader.uri, directory).map_err(|(what, found)| SourceError::Unsupported {
            array: reader.uri.clone(),
            what,
            found,
        })?;
        let names = match layout.is_tiled && directory.table(tags::TILE_OFFSETS).is_some() {
            true => (tags::TILE_OFFSETS, tags::TILE_BYTE_COUNTS),
            // Some writers put tiles under the names of strips.
            false => (tags::STRIP_OFFSETS, tags::STRIP_BYTE_COUNTS),
        };
        let Some(offsets) = directory.table(names.0) else {
            return Err(reader.wrong("there is no table of tiles or strips"));
        };
        Ok(Self {
            layout,
            file: reader.file.clone(),
            file_size: reader.size,
            offsets: BlockTable::new(offsets.clone()),
            lengths: directory.table(names.1).cloned().map(BlockTable::new),
        })
    }

    /// Fetches the blocks of a window; near ones come in one request.
    pub async fn fetch(self: &Arc<Self>, window: Window) -> Result<Result<EncodedWindow, String>, SourceError> {
        let (across, down) = self.layout.blocks();
        let rows = blocks_of(&window.rows, self.layout.block_height, down);
        let columns = blocks_of(&window.columns, self.layout.block_width, across);
        let count = (rows.end - rows.start).saturating_mul(columns.end - columns.start);
        if count > BLOCKS_MAX {
            return Ok(Err(format!("{count} tiles or strips, more than {BLOCKS_MAX}")));
        }
        let plane = if self.layout.is_planar { window.bands.start } else { 0 };
        let places: Vec<(u64, u64)> = rows.flat_map(|row| columns.clone().map(move |column| (row, column))).collect();
        let numbers: Vec<u64> = places.iter().map(|&(row, column)| self.number_of(plane, row, column)).collect();
        let offsets = self.offsets.numbers(&self.file, &numbers).await?;
        let lengths = match &self.lengths {
            Some(lengths) => lengths.numbers(&self.file, &numbers).await?,
            None => vec![None; numbers.len()],
        };
        let stored = offsets.iter().zip(&lengths).zip(&places);
        let ranges = stored.map(|((&offset, &length), &(row, _))| self.range_of(offset, length, row));
        let ranges: Vec<Option<Range<u64>>> = match ranges.collect::<Result<_, String>>() {
            Ok(ranges) => ranges,
            Err(message) => return Ok(Err(message)),
        };
        let wanted: Vec<Range<u64>> = ranges.iter().flatten().cloned().collect();
        let mut fetched = self.file.read_ranges(&wanted).await?.into_iter();
        let bytes = ranges.iter().map(|range| range.as_ref().and_then(|_| fetched.next()));
        let blocks =
            places.iter().zip(bytes).map(|(&(row, column), bytes)| EncodedBlock { row, column, bytes }).collect();
        Ok(Ok(EncodedWindow { image: self.clone(), window, blocks }))
    }

    /// Whether all blocks lie in the file.
    pub async fn check_whole(&self) -> Result<(), SourceError> {
        let (across, down) = self.layout.blocks();
        let planes = if self.layout.is_planar { self.layout.bands } else { 1 };
        let count = planes.saturating_mul(across).saturating_mul(down);
        for first in (0..count).step_by(BLOCKS_AT_ONCE) {
            let numbers: Vec<u64> = (first..count.min(first + BLOCKS_AT_ONCE as u64)).collect();
            let places = numbers.iter().map(|number| (number / across) % down);
            let entries: Vec<u64> = match self.is_cut() {
                true => numbers.iter().map(|number| number / (across * down)).collect(),
                false => numbers.clone(),
            };
            let offsets = self.offsets.numbers(&self.file, &entries).await?;
            let lengths = match &self.lengths {
                Some(lengths) => lengths.numbers(&self.file, &entries).await?,
                None => vec![None; entries.len()],
            };
            for ((&offset, &length), row) in offsets.iter().zip(&lengths).zip(places) {
                self.range_of(offset, length, row)
                    .map_err(|message| SourceError::Metadata { array: self.layout.uri.clone(), message })?;
            }
        }
        Ok(())
    }

    /// The place of a block in the tables.
    fn number_of(&self, plane: u64, row: u64, column: u64) -> u64 {
        let (across, down) = self.layout.blocks();
        match self.is_cut() {
            // All pieces of a strip are in the one entry of it.
            true => plane,
            false => (plane * down + row) * across + column,
        }
    }

    fn is_cut(&self) -> bool {
        self.layout.stored_block_height != self.layout.block_height
    }

    /// The bytes of a block in the file; `None` where nothing is stored.
    fn range_of(&self, offset: Option<u64>, length: Option<u64>, row: u64) -> Result<Option<Range<u64>>, String> {
        let Some(offset) = offset else {
            return Err("the table of blocks ends before it".to_string());
        };
        if offset == 0 || length == Some(0) {
            return Ok(None);
        }
        let layout = &self.layout;
        let decoded = layout.row_bytes().saturating_mul(layout.rows_of_block(row));
        let before = if self.is_cut() { layout.row_bytes().saturating_mul(row * layout.block_height) } else { 0 };
        let (start, wanted) = match (layout.compression, length) {
            (Compression::None, length) => {
                let expected = before.saturating_add(decoded);
                if length.is_some_and(|length| length < expected) {
                    return Err(format!("{} bytes of {expected} in the block", length.unwrap_or(0)));
                }
                (offset.saturating_add(before), decoded)
            }
            (_, Some(length)) if length > decoded.saturating_mul(2).saturating_add(1 << 20) => {
                return Err(format!("{length} bytes for a block of {decoded} decoded ones"));
            }
            (_, Some(length)) => (offset, length),
            (_, None) => return Err("the length of a compressed block is not told".to_string()),
        };
        match start.checked_add(wanted).filter(|&end| end <= self.file_size) {
            Some(end) => Ok(Some(start..end)),
            None => Err(format!("{wanted} bytes at {start}: the file has {} of them", self.file_size)),
        }
    }
}

impl EncodedWindow {
    /// Bytes of its blocks in the file.
    pub fn encoded_size(&self) -> usize {
        self.blocks.iter().filter_map(|block| block.bytes.as_ref()).map(Bytes::len).sum()
    }
}

/// The blocks that hold some cells along one side.
fn blocks_of(cells: &Range<u64>, block: u64, count: u64) -> Range<u64> {
    cells.start / block..cells.end.div_ceil(block).min(count)
}
