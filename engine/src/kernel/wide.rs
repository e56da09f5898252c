//! Runs a loop with the widest vectors that the machine at hand has.

/// Calls `work` compiled for AVX2 where there is AVX2. What `work` calls must be `#[inline(always)]` to profit.
#[inline(always)]
pub(crate) fn with_wide_lanes<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        // SAFETY: the machine has both features.
        return unsafe { with_avx2(work) };
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}
