//! WebP.

use std::io::Cursor;

use image_webp::WebPDecoder;

use super::{Shape, guarded};

/// The cells of a block, band by band within each.
pub(in super::super) fn decode(encoded: &[u8], shape: Shape) -> Result<Vec<u8>, String> {
    guarded(|| decode_stream(encoded, shape)).map_err(|error| format!("webp: {error}"))
}

fn decode_stream(encoded: &[u8], shape: Shape) -> Result<Vec<u8>, String> {
    let mut decoder = WebPDecoder::new(Cursor::new(encoded)).map_err(|error| error.to_string())?;
    let (width, rows) = decoder.dimensions();
    if u64::from(width) != shape.width || u64::from(rows) < shape.rows {
        return Err(format!("{rows} rows of {width} cells, expected {} of {}", shape.rows, shape.width));
    }
    if decoder.is_animated() || !matches!(shape.bands, 3 | 4) {
        return Err(format!("{} bands, expected the 3 or 4 of one picture", shape.bands));
    }
    let (stored, wanted) = (if decoder.has_alpha() { 4 } else { 3 }, shape.bands as usize);
    let mut cells = vec![0; decoder.output_buffer_size().ok_or("too many cells")?];
    decoder.set_memory_limit(cells.len().saturating_mul(4));
    decoder.read_image(&mut cells).map_err(|error| error.to_string())?;
    if stored != wanted {
        // A band of opacity that is full everywhere is left out by writers.
        cells = cells.chunks_exact(stored).flat_map(|cell| cell.iter().chain(&[0xff]).take(wanted)).copied().collect();
    }
    cells.truncate(shape.samples()?);
    Ok(cells)
}
