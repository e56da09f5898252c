//! JPEG, with the tables that blocks share.

use jpeg_decoder::{ColorTransform, Decoder, PixelFormat};

use super::{Shape, guarded};

/// The begin and the end of a stream.
const BEGIN: &[u8] = &[0xff, 0xd8];
const END: &[u8] = &[0xff, 0xd9];

/// The cells of a block, band by band within each.
pub(in super::super) fn decode(
    encoded: &[u8],
    tables: Option<&[u8]>,
    shape: Shape,
    is_ycbcr: bool,
) -> Result<Vec<u8>, String> {
    let stream = whole_stream(encoded, tables);
    let decoded = guarded(|| decode_stream(&stream, shape, is_ycbcr)).map_err(|error| format!("jpeg: {error}"))?;
    super::of_length(decoded, shape.samples()?)
}

fn decode_stream(stream: &[u8], shape: Shape, is_ycbcr: bool) -> Result<Vec<u8>, String> {
    let mut decoder = Decoder::new(stream);
    decoder.read_info().map_err(|error| error.to_string())?;
    let info = decoder.info().ok_or("no frame in it")?;
    let (format, transform) = match shape.bands {
        1 => (PixelFormat::L8, ColorTransform::Grayscale),
        3 if is_ycbcr => (PixelFormat::RGB24, ColorTransform::YCbCr),
        3 => (PixelFormat::RGB24, ColorTransform::RGB),
        4 => (PixelFormat::CMYK32, ColorTransform::CMYK),
        bands => return Err(format!("{bands} bands in a block, expected 1, 3 or 4")),
    };
    if info.pixel_format != format {
        return Err(format!("cells of {:?}, expected {format:?}", info.pixel_format));
    }
    // The last strip of a picture may have been written with all its rows.
    let (width, rows) = (u64::from(info.width), u64::from(info.height));
    if width != shape.width || rows < shape.rows {
        return Err(format!("{rows} rows of {width} cells, expected {} of {}", shape.rows, shape.width));
    }
    decoder.set_color_transform(transform);
    let mut cells = decoder.decode().map_err(|error| error.to_string())?;
    cells.truncate(shape.samples()?);
    if shape.bands == 4 {
        // The library turns the four inks around, as Adobe has them; the file's bands are wanted.
        cells.iter_mut().for_each(|cell| *cell = 255 - *cell);
    }
    Ok(cells)
}

/// The tables, then the block, as one stream.
fn whole_stream(encoded: &[u8], tables: Option<&[u8]>) -> Vec<u8> {
    let tables = tables.and_then(|tables| tables.strip_prefix(BEGIN)).unwrap_or_default();
    let tables = tables.strip_suffix(END).unwrap_or(tables);
    let body = encoded.strip_prefix(BEGIN).unwrap_or(encoded);
    [BEGIN, tables, body].concat()
}
