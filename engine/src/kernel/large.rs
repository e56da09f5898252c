//! Large vectors in large pages.

/// Bytes from which large pages are worth it, and their own size on most machines.
const LARGE_BYTES_MIN: usize = 4 << 20;

/// As many zeros. The memory of millions of groups is asked for in pages of megabytes: the system clears hundreds of times
/// fewer of them, as they are first touched.
pub(crate) fn zeros<T: Copy + Default>(count: usize) -> Vec<T> {
    // The allocator gives cleared memory, which nothing has touched.
    let mut values = vec![T::default(); count];
    ask_for_large_pages(&mut values);
    values
}

/// As many copies of a value, in large pages too.
pub(crate) fn filled<T: Copy>(value: T, count: usize) -> Vec<T> {
    let mut values = Vec::with_capacity(count);
    ask_for_large_pages(&mut values);
    values.resize(count, value);
    values
}

/// Tells the system that the memory of a large vector, which was not touched yet, may have large pages.
#[cfg(target_os = "linux")]
fn ask_for_large_pages<T>(values: &mut Vec<T>) {
    // Whole pages only: the first bytes belong to the allocator.
    const PAGE: usize = 4096;
    if values.capacity() * size_of::<T>() < LARGE_BYTES_MIN {
        return;
    }
    let start = values.as_mut_ptr() as usize;
    let first = start.next_multiple_of(PAGE);
    let length = (start + values.capacity() * size_of::<T>()).saturating_sub(first) / PAGE * PAGE;
    // SAFETY: the range lies inside the vector's memory; the advice changes no byte of it, and may be ignored.
    unsafe { libc::madvise(first as *mut libc::c_void, length, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages<T>(_: &mut Vec<T>) {}

#[cfg(test)]
mod tests {
    use super::{filled, zeros};

    #[test]
    fn every_place_has_the_value() {
        for count in [0, 7, (6 << 20) / 8 + 3] {
            let values = filled(1.5f64, count);
            assert!(values.len() == count && values.iter().all(|&value| value == 1.5));
            assert!(zeros::<u64>(count).len() == count && zeros::<u64>(count).iter().all(|&value| value == 0));
        }
    }
}
