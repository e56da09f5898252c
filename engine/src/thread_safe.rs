//! A value that is known to be `Send` and `Sync` without a look into it.
//!
//! DataFusion's sessions and Ballista's scheduler reach every type of a plan. Whether a future that holds one may move
//! between threads is asked anew in every method of an `async_trait` (its lifetimes keep the compiler from remembering the
//! answer), and was nine tenths of the time that checking this workspace took.

use std::ops::Deref;

/// What was `Send` and `Sync` when it was put in, and says so for itself.
#[derive(Debug)]
pub struct ThreadSafe<T>(T);

// SAFETY: `new` is the only way in, and takes only what is `Send` and `Sync`.
unsafe impl<T> Send for ThreadSafe<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for ThreadSafe<T> {}

impl<T: Send + Sync> ThreadSafe<T> {
    /// Takes a value in.
    pub const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for ThreadSafe<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
