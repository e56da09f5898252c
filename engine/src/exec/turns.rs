//! Which partitions of a reduction may work.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Turns of partitions. As many work at once as there are threads, since each holds accumulators of its own; as many
/// again have begun to fetch what they read first.
///
/// Where the states are merged beside the partitions, they start in their order, whatever the order in which a runtime
/// wakes them, and a turn ends only when its state is taken: states are merged in order, so that one that is late, or a
/// result that is written to a slow place, would let the others pile up.
#[derive(Debug)]
pub struct Turns {
    working: Arc<Semaphore>,
    started: Arc<Semaphore>,
    /// The first partition that has not started.
    next: watch::Sender<u64>,
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
            next: watch::Sender::new(0),
            are_states_taken: AtomicBool::new(false),
            finished: Mutex::default(),
        }
    }

    /// Lets no more partitions work than so many threads, for an execution that has yet to begin.
    pub fn narrow(&self, threads: usize) {
        let spare = self.working.available_permits().saturating_sub(threads.max(1));
        self.working.forget_permits(spare);
        self.started.forget_permits(2 * spare);
    }

    /// From now on every state is told to have been taken.
    pub fn take_states(&self) {
        self.are_states_taken.store(true, Ordering::Relaxed);
    }

    /// Waits until a partition may begin to fetch. What an execution before this one, which was given up, left of it is
    /// cleared away.
    pub async fn start(&self, partition: u64) -> Turn {
        self.take(partition);
        if self.are_states_taken.load(Ordering::Relaxed) {
            // Not `==`: what was started by an execution that was given up is no turn that could still come.
            self.next.subscribe().wait_for(|&next| next >= partition).await.ok();
        }
        let turn = Arc::clone(&self.started).acquire_owned().await.ok();
        self.next.send_if_modified(|next| {
            *next <= partition && {
                *next = partition + 1;
                true
            }
        });
        turn
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

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::join_all;

    use super::*;

    /// The order in which partitions start, whoever asks first.
    async fn order(turns: &Turns, asking: impl Iterator<Item = u64>) -> Vec<u64> {
        let started = Mutex::new(Vec::new());
        let start = |partition| {
            let started = &started;
            async move {
                let _turn = turns.start(partition).await;
                started.lock().push(partition);
            }
        };
        join_all(asking.map(start)).await;
        started.into_inner()
    }

    #[tokio::test]
    async fn partitions_start_in_their_order_where_states_are_merged_beside() {
        let turns = Turns::new(1);
        assert_eq!(order(&turns, (0..9).rev()).await, [8, 7, 6, 5, 4, 3, 2, 1, 0]);
        let turns = Turns::new(1);
        turns.take_states();
        assert_eq!(order(&turns, (0..9).rev()).await, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[tokio::test]
    async fn no_more_work_than_the_turns_were_narrowed_to() {
        let turns = Turns::new(4);
        turns.narrow(6);
        assert_eq!((turns.working.available_permits(), turns.started.available_permits()), (4, 8));
        turns.narrow(1);
        let _started = [turns.start(0).await, turns.start(1).await];
        assert!(turns.start(2).now_or_never().is_none(), "a third one has started");
        let working = turns.work().await;
        assert!(turns.work().now_or_never().is_none(), "a second one works");
        drop(working);
        assert!(turns.work().now_or_never().flatten().is_some(), "nobody works");
    }

    #[tokio::test]
    async fn an_execution_that_was_given_up_blocks_none_after_it() {
        let turns = Turns::new(1);
        turns.take_states();
        assert_eq!(order(&turns, 0..3).await, [0, 1, 2]);
        assert_eq!(order(&turns, (0..5).rev()).await.len(), 5);
    }
}
