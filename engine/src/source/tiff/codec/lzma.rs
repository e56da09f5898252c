//! LZMA2, in the container of xz.

use std::io::Read;

use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

/// Memory of the decoder: the dictionary of the highest preset has 64 MiB.
const MEMORY_MAX: u64 = 80 << 20;

/// At most so many decoded bytes; what follows them is not looked at.
pub(in super::super) fn decode(encoded: &[u8], at_most: usize) -> Result<Vec<u8>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("lzma: {error}");
    let stream = Stream::new_stream_decoder(MEMORY_MAX, 0).map_err(|error| failed(&error))?;
    let mut decoded = Vec::new();
    let read = XzDecoder::new_stream(encoded, stream).take(at_most as u64).read_to_end(&mut decoded);
    read.map_err(|error| failed(&error))?;
    Ok(decoded)
}
