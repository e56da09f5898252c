//! Memory for what is kept: results that have been sent, and may be asked for again; values of parameters.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of results that a server keeps once they have been sent, of all its sessions together. A query whose result
/// finds no room runs again.
const BYTES_MAX: usize = 64 << 20;

/// Bytes that are kept, of so many at most.
#[derive(Debug)]
pub(in crate::serve) struct KeptBytes {
    bytes: AtomicUsize,
    most: usize,
}

impl Default for KeptBytes {
    /// Those of the results that a server keeps once they have been sent.
    fn default() -> Self {
        Self::new(BYTES_MAX)
    }
}

/// Room for what is kept, until it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    kept: Arc<KeptBytes>,
    bytes: usize,
}

impl KeptBytes {
    /// None yet, and never more than so many.
    pub(super) fn new(most: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), most }
    }

    /// Room for so many bytes, if there is.
    pub(super) fn room(self: &Arc<Self>, bytes: usize) -> Option<Room> {
        let with = |kept: usize| kept.checked_add(bytes).filter(|kept| *kept <= self.most);
        let has_room = self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, with).is_ok();
        has_room.then(|| Room { kept: Arc::clone(self), bytes })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.kept.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_more_room_than_that_until_some_is_given_back() -> Result<(), Box<dyn std::error::Error>> {
        let kept = Arc::new(KeptBytes::default());
        let first = kept.room(BYTES_MAX - 10).ok_or("no room")?;
        let second = kept.room(10).ok_or("no room")?;
        assert!(kept.room(1).is_none() && kept.room(usize::MAX).is_none());
        drop(second);
        assert!(kept.room(11).is_none() && kept.room(10).is_some());
        drop(first);
        assert!(kept.room(BYTES_MAX).is_some());
        Ok(())
    }
}
