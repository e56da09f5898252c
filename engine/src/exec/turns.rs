//! Which partitions of a reduction may work.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns of partitions. As many work at once as there are threads, since each holds accumulators of its own; as many
/// again have begun to fetch what they read first.
///
/// Where the states are merged beside the partitions, a turn ends only when its state is taken: whoever writes the result
/// to a slow place then holds up the work, and states do not pile up.
#[derive(Debug)]
pub struct Turns {
    working: Arc<Semaphore>,
    started: Arc<Semaphore>,
    are_states_taken: AtomicBool,
    /// The turns of partitions whose states wait to be taken.
    finished: Mutex<HashMap<u64, Turn>>,
}

/// A partition's turn, until it is dropped.
pub type Turn = Option<OwnedSemaphorePermit>;

impl Turns {
    /// Turns of so many threads.
    pub fn new(threads: usize) -> Self {
        let threads = threads.max(1);
        Self {
            working: Arc::new(Semaphore::new(threads)),
            started: Arc::new(Semaphore::new(2 * threads)),
            are_states_taken: AtomicBool::new(false),
            finished: Mutex::default(),
        }
    }

    /// From now on every state is told to have been taken.
    pub fn take_states(&self) {
        self.are_states_taken.store(true, Ordering::Relaxed);
    }

    /// Waits until a partition may begin to fetch. What an execution before this one, which was given up, left of it is
    /// cleared away.
    pub async fn start(&self, partition: u64) -> Turn {
        self.take(partition);
        Arc::clone(&self.started).acquire_owned().await.ok()
    }

    /// Waits until a partition may work.
    pub async fn work(&self) -> Turn {
        Arc::clone(&self.working).acquire_owned().await.ok()
    }

    /// Tells that the state of a partition is complete.
    pub fn finish(&self, partition: u64, turn: Turn) {
        if self.are_states_taken.load(Ordering::Relaxed) {
            self.finished.lock().insert(partition, turn);
        }
    }

    /// Tells that the state of a partition was taken.
    pub fn take(&self, partition: u64) {
        self.finished.lock().remove(&partition);
    }
}
