//! Items whose bytes were taken apart, put together again.

use std::mem::MaybeUninit;

use crate::kernel::with_wide_lanes;

/// Appends the items `first..last` of a block in which the first bytes of all items come first, then the second ones, …
/// A block has whole items of `item_size` bytes.
pub(super) fn append_items(block: &[u8], item_size: usize, first: usize, last: usize, out: &mut Vec<u8>) {
    match item_size {
        2 => append::<2>(block, first, last, out, |bytes| u16::from_le_bytes(bytes).to_le_bytes()),
        4 => append::<4>(block, first, last, out, |[a, b, c, d]| {
            (u32::from(a) | u32::from(b) << 8 | u32::from(c) << 16 | u32::from(d) << 24).to_le_bytes()
        }),
        8 => append::<8>(block, first, last, out, |bytes| u64::from_le_bytes(bytes).to_le_bytes()),
        _ => {
            let items = block.len() / item_size;
            let bytes = (first..last).flat_map(|item| (0..item_size).map(move |byte| block[byte * items + item]));
            out.extend(bytes);
        }
    }
}

/// `whole` makes one number of the bytes of an item, which is what the compiler vectorises.
#[inline(always)]
fn append<const SIZE: usize>(
    block: &[u8],
    first: usize,
    last: usize,
    out: &mut Vec<u8>,
    whole: impl Fn([u8; SIZE]) -> [u8; SIZE],
) {
    let items = block.len() / SIZE;
    let count = last - first;
    let planes: [&[u8]; SIZE] = std::array::from_fn(|byte| &block[byte * items + first..byte * items + last]);
    out.reserve(count * SIZE);
    let (places, _) = out.spare_capacity_mut()[..count * SIZE].as_chunks_mut::<SIZE>();
    with_wide_lanes(
        #[inline(always)]
        || {
            for (item, place) in places.iter_mut().enumerate() {
                *place = whole(std::array::from_fn(|byte| planes[byte][item])).map(MaybeUninit::new);
            }
        },
    );
    // SAFETY: the loop went over all of `places`, which are the next `count * SIZE` bytes.
    unsafe { out.set_len(out.len() + count * SIZE) };
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
