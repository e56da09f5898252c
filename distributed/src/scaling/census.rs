//! How many executors there are of each kind.

use super::inputs::{Executor, ExecutorState};

/// Executors by what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Idle or busy.
    pub accepting: u32,
    /// Started, and not yet registered.
    pub starting: u32,
    /// Cordoned or draining.
    pub leaving: u32,
    /// Told to end.
    pub stopping: u32,
    /// Holding data that somebody will fetch.
    pub holding: u32,
    /// Tasks that run on all of them.
    pub tasks: u32,
    /// Cores of all of them.
    pub cores: u32,
}

impl Census {
    /// Counts executors.
    pub fn of(executors: &[Executor]) -> Self {
        let mut census = Self::default();
        for executor in executors {
            let count = match executor.state {
                ExecutorState::Idle { .. } | ExecutorState::Busy { .. } => &mut census.accepting,
                ExecutorState::Starting { .. } => &mut census.starting,
                ExecutorState::Cordoned { .. } | ExecutorState::Draining { .. } => &mut census.leaving,
                ExecutorState::Stopping => &mut census.stopping,
            };
            *count += 1;
            census.holding += u32::from(executor.holds_data);
            census.tasks = census.tasks.saturating_add(executor.tasks());
            census.cores = census.cores.saturating_add(executor.cores);
        }
        census
    }

    /// Those that take tasks or will: what is coming counts as there.
    pub fn present(&self) -> u32 {
        self.accepting + self.starting
    }

    /// All whose process is there.
    pub fn total(&self) -> u32 {
        self.present() + self.leaving + self.stopping
    }
}
