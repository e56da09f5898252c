//! Zstandard.

/// At most so many decoded bytes; more of them are an error.
///
/// Decoded in one go into memory of that size, so that the window that a frame asks for is never allocated.
pub(in super::super) fn decode(encoded: &[u8], at_most: usize) -> Result<Vec<u8>, String> {
    zstd::bulk::decompress(encoded, at_most).map_err(|error| format!("zstd: {error}"))
}
