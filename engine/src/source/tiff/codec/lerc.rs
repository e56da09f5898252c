//! LERC, which keeps errors of numbers below a limit, alone or within another compression.

use lerc_reader::{DecodedF64, InspectOptions, decode_first_to_f64, inspect_first_with_options};

use super::super::sample::{Sample, SampleKind};
use super::{Compression, Shape, deflate, guarded, zstandard};

/// Bytes of a blob beside its cells, at most.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// The cells of a block as native bytes, band by band within each.
pub(in super::super) fn decode(
    encoded: &[u8],
    compression: Compression,
    shape: Shape,
    sample: Sample,
) -> Result<Vec<u8>, String> {
    let at_most = shape.samples()?.saturating_mul(2 * sample.size()).saturating_add(HEAD_BYTES_MAX);
    let inner;
    let blob = match compression {
        Compression::LercDeflate => {
            inner = deflate::decode(encoded, at_most)?;
            inner.as_slice()
        }
        Compression::LercZstd => {
            inner = zstandard::decode(encoded, at_most)?;
            inner.as_slice()
        }
        _ => encoded,
    };
    guarded(|| decode_blob(blob, shape, sample)).map_err(|error| format!("lerc: {error}"))
}

fn decode_blob(blob: &[u8], shape: Shape, sample: Sample) -> Result<Vec<u8>, String> {
    let options = InspectOptions::new().with_compute_value_range(false);
    let info = inspect_first_with_options(blob, options).map_err(|error| error.to_string())?;
    let (width, rows, depth) = (u64::from(info.width), u64::from(info.height), u64::from(info.depth));
    // Opacity that is all or nothing is written as a mask.
    let alpha_is_mask = sample.size() == 1 && shape.bands > 1 && depth == shape.bands - 1;
    if width != shape.width || rows != shape.rows || !(depth == shape.bands || alpha_is_mask) {
        let Shape { width: columns, rows: expected, bands } = shape;
        return Err(format!("{rows} x {width} cells of {depth} bands, expected {expected} x {columns} of {bands}"));
    }
    if info.data_type.name() != lerc_name(sample) {
        return Err(format!("cells of {}, expected {}", info.data_type.name(), lerc_name(sample)));
    }
    let DecodedF64 { pixels, mask, .. } = decode_first_to_f64(blob).map_err(|error| error.to_string())?;
    let (depth, size) = (depth as usize, sample.size());
    let mut bytes = Vec::with_capacity(shape.samples()?.saturating_mul(size));
    for (place, cell) in pixels.chunks_exact(depth.max(1)).enumerate() {
        let is_valid = mask.as_ref().is_none_or(|mask| mask.get(place).is_some_and(|&valid| valid != 0));
        for &value in cell {
            push(&mut bytes, value, sample, is_valid);
        }
        if alpha_is_mask {
            bytes.push(if is_valid { 0xff } else { 0 });
        }
    }
    super::of_length(bytes, shape.samples()? * size)
}

/// A number as the file has it: all of them are whole, or floats, that 64-bit floats hold.
fn push(bytes: &mut Vec<u8>, value: f64, sample: Sample, is_valid: bool) {
    match (sample.kind, sample.size()) {
        (SampleKind::Float, 4) => {
            bytes.extend_from_slice(&(if is_valid { value as f32 } else { f32::NAN }).to_ne_bytes());
        }
        (SampleKind::Float, _) => bytes.extend_from_slice(&(if is_valid { value } else { f64::NAN }).to_ne_bytes()),
        (SampleKind::Signed, 1) => bytes.extend_from_slice(&(value as i8).to_ne_bytes()),
        (SampleKind::Signed, 2) => bytes.extend_from_slice(&(value as i16).to_ne_bytes()),
        (SampleKind::Signed, _) => bytes.extend_from_slice(&(value as i32).to_ne_bytes()),
        (SampleKind::Unsigned, 1) => bytes.push(value as u8),
        (SampleKind::Unsigned, 2) => bytes.extend_from_slice(&(value as u16).to_ne_bytes()),
        (SampleKind::Unsigned, _) => bytes.extend_from_slice(&(value as u32).to_ne_bytes()),
    }
}

/// The name that LERC has for the type of a sample; numbers of odd bits are refused before.
fn lerc_name(sample: Sample) -> &'static str {
    match (sample.kind, sample.bits) {
        (SampleKind::Float, 32) => "f32",
        (SampleKind::Float, 64) => "f64",
        (SampleKind::Signed, 8) => "i8",
        (SampleKind::Signed, 16) => "i16",
        (SampleKind::Signed, 32) => "i32",
        (SampleKind::Unsigned, 8) => "u8",
        (SampleKind::Unsigned, 16) => "u16",
        (SampleKind::Unsigned, 32) => "u32",
        _ => "a type that LERC does not have",
    }
}
