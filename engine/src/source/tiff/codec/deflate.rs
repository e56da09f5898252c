//! Deflate, as zlib writes it.

use std::io::Read;

use flate2::bufread::ZlibDecoder;

/// Deflate makes a byte of no more than so many.
const RATIO_MAX: usize = 1032;

/// At most so many decoded bytes; what follows them is not looked at.
pub(in super::super) fn decode(encoded: &[u8], at_most: usize) -> Result<Vec<u8>, String> {
    let capacity = at_most.min(encoded.len().saturating_mul(RATIO_MAX));
    let mut decoded = Vec::with_capacity(capacity);
    let read = ZlibDecoder::new(encoded).take(at_most as u64).read_to_end(&mut decoded);
    read.map_err(|error| format!("deflate: {error}"))?;
    Ok(decoded)
}
