//! Where the cells of a variable are in its file.

use bytes::Bytes;

use super::hdf5::Chunked;

/// Bytes of a chunk of cells that the file does not cut into chunks: one request, soon there, soon decoded.
const CHUNK_BYTES: u64 = 4 << 20;

/// Records of a chunk, at most: each is a piece of the file of its own.
const CHUNK_RECORDS_MAX: u64 = 4096;

/// Where cells are.
#[derive(Debug)]
pub(super) enum Place {
    /// One after the other in C order, from that byte on.
    Contiguous(u64),
    /// Along the first dimension in records, which other variables share: where the first part is, and how many bytes
    /// there are from one to the next.
    Records {
        /// The first byte.
        start: u64,
        /// Bytes of a whole record, of all variables.
        stride: u64,
    },
    /// In the description.
    Inline(Bytes),
    /// Nowhere: all are fill values.
    Absent,
    /// In chunks of HDF5.
    Chunked(Box<Chunked>),
    /// Stored in a way that is not supported: what, and which.
    Refused(&'static str, String),
}

/// Chunks of cells that lie one after the other: whole rows of the inner dimensions, so that a chunk is one piece of the
/// file.
pub(super) fn contiguous_chunks(shape: &[u64], cell_size: usize) -> Vec<u64> {
    let mut chunk = vec![1; shape.len()];
    let mut bytes = cell_size.max(1) as u64;
    for dimension in (0..shape.len()).rev() {
        let length = shape[dimension].max(1);
        chunk[dimension] = length.min((CHUNK_BYTES / bytes).max(1));
        if chunk[dimension] < length {
            break;
        }
        bytes = bytes.saturating_mul(length);
    }
    chunk
}

/// Chunks of cells in records.
pub(super) fn record_chunks(shape: &[u64], cell_size: usize) -> Vec<u64> {
    let mut chunk = contiguous_chunks(shape, cell_size);
    if let Some(records) = chunk.first_mut() {
        *records = (*records).min(CHUNK_RECORDS_MAX);
    }
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_pieces_of_the_file() {
        assert_eq!(contiguous_chunks(&[], 8), Vec::<u64>::new());
        assert_eq!(contiguous_chunks(&[12, 90, 180], 4), [12, 90, 180]);
        assert_eq!(contiguous_chunks(&[1000, 1024, 1024], 4), [1, 1024, 1024]);
        assert_eq!(contiguous_chunks(&[1000, 512, 512], 4), [4, 512, 512]);
        assert_eq!(contiguous_chunks(&[10, 3000, 1024, 1024], 8), [1, 1, 512, 1024]);
        assert_eq!(contiguous_chunks(&[0, 10], 4), [1, 10]);
        assert_eq!(contiguous_chunks(&[u64::MAX, u64::MAX], 4), [1, 1 << 20]);
        assert_eq!(record_chunks(&[1_000_000], 8), [4096]);
    }
}
