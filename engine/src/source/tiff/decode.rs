//! Encoded blocks → the cells of a window.

use std::borrow::Cow;

use arrow::buffer::Buffer;

use super::codec::{self, Compression, Shape};
use super::image::{EncodedBlock, EncodedWindow};
use super::layout::{Layout, YCBCR};
use super::predictor;

/// The cells of a window, band by band, row by row, in native bytes.
#[derive(Debug)]
pub(super) enum Cells {
    /// Nothing is stored: all of them are the fill value.
    Fill,
    /// All of them.
    Stored(Buffer),
}

/// The cells of a window; those that are not stored are as `fill`, the native bytes of one.
pub(super) fn window(encoded: &EncodedWindow, fill: &[u8]) -> Result<Cells, String> {
    if encoded.blocks.iter().all(|block| block.bytes.is_none()) {
        return Ok(Cells::Fill);
    }
    let layout = &encoded.image.layout;
    let mut cells: Option<Vec<u8>> = None;
    for block in &encoded.blocks {
        let decoded = match &block.bytes {
            Some(bytes) => Some(decoded(layout, bytes, layout.rows_of_block(block.row))?),
            None => None,
        };
        // Memory is taken once a block turned out to hold what the file says.
        let cells = match &mut cells {
            Some(cells) => cells,
            none => none.insert(room(encoded, fill.len())?),
        };
        paste(encoded, block, decoded.as_deref(), fill, cells);
    }
    Ok(Cells::Stored(Buffer::from_vec(cells.unwrap_or_default())))
}

/// Zeros for all cells of a window.
fn room(encoded: &EncodedWindow, size: usize) -> Result<Vec<u8>, String> {
    let window = &encoded.window;
    let count = |range: &std::ops::Range<u64>| range.end.saturating_sub(range.start);
    let shape = Shape { width: count(&window.columns), rows: count(&window.rows), bands: count(&window.bands) };
    let bytes = shape.samples()?.checked_mul(size).filter(|&bytes| bytes <= isize::MAX as usize);
    bytes.map(|bytes| vec![0; bytes]).ok_or_else(|| "no memory for its cells".to_string())
}

/// The native samples of a block, row by row, all bands of a cell together.
fn decoded(layout: &Layout, encoded: &[u8], rows: u64) -> Result<Vec<u8>, String> {
    let bands = layout.bands_in_block();
    let shape = Shape { width: layout.block_width, rows, bands };
    let (samples, row_bytes) = (shape.samples()?, layout.row_bytes() as usize);
    let expected = row_bytes.checked_mul(rows as usize).ok_or("too many samples")?;
    let is_reversed = layout.is_bit_reversed && !layout.compression.is_of_bytes();
    let encoded: Cow<'_, [u8]> = match is_reversed {
        true => encoded.iter().map(|byte| byte.reverse_bits()).collect::<Vec<u8>>().into(),
        false => encoded.into(),
    };
    let stored = match layout.compression {
        Compression::Jpeg => {
            return codec::jpeg::decode(&encoded, layout.jpeg_tables.as_deref(), shape, layout.photometric == YCBCR);
        }
        Compression::Webp => return codec::webp::decode(&encoded, shape),
        Compression::Lerc | Compression::LercDeflate | Compression::LercZstd => {
            return codec::lerc::decode(&encoded, layout.compression, shape, layout.sample);
        }
        Compression::None => encoded.into_owned(),
        Compression::Lzw => codec::lzw::decode(&encoded, expected)?,
        Compression::Deflate => codec::deflate::decode(&encoded, expected)?,
        Compression::PackBits => codec::packbits::decode(&encoded, expected)?,
        Compression::Zstd => codec::zstandard::decode(&encoded, expected)?,
        Compression::Lzma => codec::lzma::decode(&encoded, expected)?,
    };
    let stored = codec::of_length(stored, expected)?;
    let (bands, sample) = (bands as usize, layout.sample);
    let stored_size = sample.bits as usize / 8;
    let (stored, order) = match layout.predictor {
        2 => (predictor::undo_differences(stored, row_bytes, stored_size, bands, layout.order), NATIVE),
        3 => (predictor::undo_planes_of_bytes(stored, row_bytes, stored_size, bands), NATIVE),
        _ => (stored, layout.order),
    };
    let cells = sample.widened(stored, layout.samples_per_row() as usize, order);
    codec::of_length(cells, samples.saturating_mul(sample.size()))
}

const NATIVE: super::bytes::ByteOrder = match cfg!(target_endian = "little") {
    true => super::bytes::ByteOrder::Little,
    false => super::bytes::ByteOrder::Big,
};

/// Puts what a block has of a window in its place.
fn paste(encoded: &EncodedWindow, block: &EncodedBlock, decoded: Option<&[u8]>, fill: &[u8], cells: &mut [u8]) {
    if decoded.is_none() && fill.iter().all(|&byte| byte == 0) {
        return;
    }
    let (layout, window) = (&encoded.image.layout, &encoded.window);
    let (first_row, first_column) = (block.row * layout.block_height, block.column * layout.block_width);
    let rows = first_row.max(window.rows.start)..(first_row + layout.block_height).min(window.rows.end);
    let columns = first_column.max(window.columns.start)..(first_column + layout.block_width).min(window.columns.end);
    if rows.is_empty() || columns.is_empty() {
        return;
    }
    let size = fill.len();
    let (width, height) = (window.columns.end - window.columns.start, window.rows.end - window.rows.start);
    let count = (columns.end - columns.start) as usize;
    let bands_in_block = layout.bands_in_block() as usize;
    for (place, band) in window.bands.clone().enumerate() {
        let band_in_block = if layout.is_planar { 0 } else { band as usize };
        for row in rows.clone() {
            let to = ((place as u64 * height + row - window.rows.start) * width + columns.start - window.columns.start)
                as usize;
            let Some(to) = cells.get_mut(to * size..(to + count) * size) else { continue };
            let Some(decoded) = decoded else {
                to.chunks_exact_mut(size).for_each(|cell| cell.copy_from_slice(fill));
                continue;
            };
            let from = ((row - first_row) * layout.block_width + columns.start - first_column) as usize;
            let from = decoded.get(from * bands_in_block * size..(from + count) * bands_in_block * size);
            let from = from.unwrap_or_default();
            match (bands_in_block, size) {
                (1, _) if from.len() == to.len() => to.copy_from_slice(from),
                (_, 1) => copy_band::<1>(from, to, bands_in_block, band_in_block),
                (_, 2) => copy_band::<2>(from, to, bands_in_block, band_in_block),
                (_, 4) => copy_band::<4>(from, to, bands_in_block, band_in_block),
                _ => copy_band::<8>(from, to, bands_in_block, band_in_block),
            }
        }
    }
}

/// One band of cells that have all of theirs together.
fn copy_band<const SIZE: usize>(from: &[u8], to: &mut [u8], bands: usize, band: usize) {
    let from = from.as_chunks::<SIZE>().0.iter().skip(band).step_by(bands);
    to.as_chunks_mut::<SIZE>().0.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}
