//! Room on the stack for what recurses.

/// Depths up to this fit the stack of any thread.
const SHALLOW: usize = 48;

/// Enough for the deepest statement that the guard lets through. Memory is only touched as far as it is used.
const STACK_BYTES: usize = 256 << 20;

/// Runs `work`, on a thread with a large stack if what it recurses over is deep.
pub(crate) fn with_room<T: Send>(depth: usize, work: impl Fn() -> T + Sync) -> T {
    if depth <= SHALLOW {
        return work();
    }
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("quarray-lang".to_string()).stack_size(STACK_BYTES);
        match builder.spawn_scoped(scope, &work).map(|handle| handle.join()) {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // The system has no thread to give: this one's stack has to do.
            Err(_) => work(),
        }
    })
}
