//! Items whose bytes were taken apart, put together again.

use std::mem::MaybeUninit;

use crate::kernel::with_wide_lanes;

/// Appends the items `first..last` of a block in which the first bytes of all items come first, then the second ones, …
/// A block has whole items of `item_size` bytes.
pub(super) fn append_items(block: &[u8], item_size: usize, first: usize, last: usize, out: &mut Vec<u8>) {
    let items = block.len() / item_size;
    let plane = |byte: usize| &block[byte * items + first..byte * items + last];
    if item_size == 4 {
        return append_fours([plane(0), plane(1), plane(2), plane(3)], out);
    }
    let count = last - first;
    let before = out.len();
    out.resize(before + count * item_size, 0);
    for byte in 0..item_size {
        let places = out[before..].iter_mut().skip(byte).step_by(item_size);
        places.zip(plane(byte)).for_each(|(place, &byte)| *place = byte);
    }
}

/// Appends items of four bytes, by far the most, from planes of the same length: a loop that the compiler vectorises.
fn append_fours([a, b, c, d]: [&[u8]; 4], out: &mut Vec<u8>) {
    let count = a.len().min(b.len()).min(c.len()).min(d.len());
    out.reserve(count * 4);
    let (places, _) = out.spare_capacity_mut()[..count * 4].as_chunks_mut::<4>();
    with_wide_lanes(
        #[inline(always)]
        || {
            for ((((place, &a), &b), &c), &d) in places.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                let item = u32::from(a) | u32::from(b) << 8 | u32::from(c) << 16 | u32::from(d) << 24;
                *place = item.to_le_bytes().map(MaybeUninit::new);
            }
        },
    );
    // SAFETY: every one of `places`, the next `count * 4` bytes, was written.
    unsafe { out.set_len(out.len() + count * 4) };
}

#[cfg(test)]
mod tests {
    use super::append_items;

    #[test]
    fn items_are_whole_again() {
        for item_size in 1..=9 {
            let items: Vec<u8> = (0..item_size * 100).map(|byte| (byte * 7 % 251) as u8).collect();
            let shuffled: Vec<u8> =
                (0..item_size).flat_map(|byte| items.iter().skip(byte).step_by(item_size).copied()).collect();
            for (first, last) in [(0, 100), (0, 0), (3, 77), (99, 100)] {
                let mut out = vec![1, 2, 3];
                append_items(&shuffled, item_size, first, last, &mut out);
                assert_eq!(out[..3], [1, 2, 3]);
                assert_eq!(out[3..], items[first * item_size..last * item_size]);
            }
        }
    }
}
