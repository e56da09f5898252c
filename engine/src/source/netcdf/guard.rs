//! The one place where panics of the HDF5 library become errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the work gives; an error too where it panics: the library that knows HDF5 may trip over what a stranger wrote.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|cause| Err(format!("the file is broken: {}", text(&*cause))))
}

fn text(cause: &(dyn Any + Send)) -> &str {
    match (cause.downcast_ref::<&str>(), cause.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "its reader failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let lengths: Vec<usize> = Vec::new();
        let found = guarded(|| Ok(lengths[lengths.len()]));
        assert!(found.is_err_and(|message| message.contains("index out of bounds")));
        assert_eq!(guarded(|| Ok(1)), Ok(1));
    }
}
