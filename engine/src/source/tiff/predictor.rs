//! Predictors: what is stored is how far a cell is from the one before it.

use super::bytes::ByteOrder;
use super::sample::native;

/// Rows of whole samples from the differences between them (predictor 2), in this machine's byte order.
pub(super) fn undo_differences(
    stored: Vec<u8>,
    row_bytes: usize,
    size: usize,
    bands: usize,
    order: ByteOrder,
) -> Vec<u8> {
    let mut bytes = native(stored, size, order);
    for row in bytes.chunks_exact_mut(row_bytes.max(1)) {
        match size {
            1 => add_before::<1>(row, bands, |a, b| [a[0].wrapping_add(b[0])]),
            2 => add_before::<2>(row, bands, |a, b| {
                u16::from_ne_bytes(a).wrapping_add(u16::from_ne_bytes(b)).to_ne_bytes()
            }),
            4 => add_before::<4>(row, bands, |a, b| {
                u32::from_ne_bytes(a).wrapping_add(u32::from_ne_bytes(b)).to_ne_bytes()
            }),
            _ => add_before::<8>(row, bands, |a, b| {
                u64::from_ne_bytes(a).wrapping_add(u64::from_ne_bytes(b)).to_ne_bytes()
            }),
        }
    }
    bytes
}

/// Adds to every sample the one of the same band before it.
fn add_before<const SIZE: usize>(row: &mut [u8], bands: usize, add: impl Fn([u8; SIZE], [u8; SIZE]) -> [u8; SIZE]) {
    let samples = row.as_chunks_mut::<SIZE>().0;
    for place in bands..samples.len() {
        samples[place] = add(samples[place], samples[place - bands]);
    }
}

/// Rows of floats of `size` bytes, of which first the highest bytes were stored, then the next ones, each as the
/// difference from the byte before (predictor 3); in this machine's byte order.
pub(super) fn undo_planes_of_bytes(mut stored: Vec<u8>, row_bytes: usize, size: usize, bands: usize) -> Vec<u8> {
    let mut floats = vec![0; row_bytes];
    for row in stored.chunks_exact_mut(row_bytes.max(1)) {
        for place in bands..row.len() {
            row[place] = row[place].wrapping_add(row[place - bands]);
        }
        let count = row.len() / size;
        for (float, bytes) in floats.chunks_exact_mut(size).enumerate() {
            for (place, byte) in bytes.iter_mut().enumerate() {
                let plane = if cfg!(target_endian = "little") { size - 1 - place } else { place };
                *byte = row[plane * count + float];
            }
        }
        row.copy_from_slice(&floats);
    }
    stored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences() {
        let bytes = undo_differences(vec![1, 10, 1, 1, 255, 255, 5, 5, 0, 0, 0, 0], 6, 1, 2, ByteOrder::Little);
        assert_eq!(bytes, [1, 10, 2, 11, 1, 10, 5, 5, 5, 5, 5, 5]);
        let bytes = undo_differences(vec![0, 255, 0, 2], 4, 2, 1, ByteOrder::Big);
        assert_eq!(bytes, [255u16.to_ne_bytes(), 257u16.to_ne_bytes()].concat());
    }

    #[test]
    fn planes_of_bytes() {
        // 1.0 and 2.0 are 3f800000 and 40000000.
        let stored = vec![0x3f, 0x01, 0x40, 0x80, 0, 0, 0, 0];
        assert_eq!(undo_planes_of_bytes(stored, 8, 4, 1), [1f32.to_ne_bytes(), 2f32.to_ne_bytes()].concat());
    }
}
