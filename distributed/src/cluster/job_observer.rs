//! Someone who looks at jobs as they finish: soon after that nothing is left of them.

use std::sync::Weak;

use ballista_core::JobId;
use ballista_scheduler::state::execution_graph::ExecutionGraph;
use parking_lot::Mutex;

/// Looks at jobs.
pub trait JobObserver: Send + Sync {
    /// A job has finished, with this graph.
    fn finished(&self, job: &JobId, graph: &dyn ExecutionGraph);
}

/// The observer of a scheduler, as long as it is there.
#[derive(Default)]
pub struct ObserverPlace(Mutex<Option<Weak<dyn JobObserver>>>);

impl ObserverPlace {
    /// From now on this one is told, and no other.
    pub fn set(&self, observer: Weak<dyn JobObserver>) {
        *self.0.lock() = Some(observer);
    }

    /// A job has finished.
    pub fn tell(&self, job: &JobId, graph: &dyn ExecutionGraph) {
        let observer = self.0.lock().as_ref().and_then(Weak::upgrade);
        if let Some(observer) = observer {
            observer.finished(job, graph);
        }
    }
}
