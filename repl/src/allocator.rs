//! The C library's allocator, told what blocks of cells are.

/// Allocations of more bytes are memory of the system of their own, and go back to it when they are freed: accumulators
/// of large results, chunks that can only be decoded whole.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_BYTES_MIN: libc::c_int = 8 << 20;

/// Free bytes at the end of a heap that are kept for the next allocation.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES_MAX: libc::c_int = 32 << 20;

/// Makes the memory of a block serve the next block.
///
/// Left to itself glibc gives megabytes back to the system as soon as they are freed, and the system clears them page by
/// page when they are asked for again: for a mean over a large array that is a third of the time.
pub fn keep_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the parameters are those of mallopt(3); it fails without an effect.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES_MAX);
    }
}
