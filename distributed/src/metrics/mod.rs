//! What processes tell of themselves, in the text format of Prometheus.
//!
//! Nothing is counted here: the engine and the tasks of executors have counters of their own ([`quarray_engine::totals`],
//! [`task_totals`]), the registry of queries and the schedulers know what they do. A [`MetricSource`] reads them when
//! somebody asks. `distributed/METRICS.md` lists all metrics with their units.

mod clusters;
mod endpoint;
mod families;
mod process;
mod queries;
mod shuffle;
mod tasks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use prometheus::TextEncoder;

pub use clusters::{ClustersSource, SchedulerSource};
pub use endpoint::{MetricsEndpoint, Readiness, router};
pub use families::Families;
pub use process::ProcessSource;
pub use queries::QueriesSource;
pub use tasks::{RunningTask, TaskTotals, TasksSource, task_totals};

/// The type of what [`Metrics::render`] gives.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Knows numbers that are worth to be told.
#[async_trait]
pub trait MetricSource: Send + Sync {
    /// Tells them.
    async fn read(&self, into: &mut Families);
}

/// The metrics of a process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    sources: Arc<[Arc<dyn MetricSource>]>,
}

impl Metrics {
    /// Those of any process; [`Self::with`] adds what it does.
    pub fn new() -> Self {
        let process: Arc<dyn MetricSource> = Arc::new(ProcessSource::default());
        Self { sources: Arc::from([process]) }
    }

    /// And those of a source.
    #[must_use]
    pub fn with(self, source: impl MetricSource + 'static) -> Self {
        let more: Arc<dyn MetricSource> = Arc::new(source);
        Self { sources: self.sources.iter().cloned().chain([more]).collect() }
    }

    /// All of them now, in the text format of Prometheus.
    pub async fn render(&self) -> String {
        let mut families = Families::default();
        for source in self.sources.iter() {
            source.read(&mut families).await;
        }
        // It fails on a family without metrics alone, and there are none.
        TextEncoder::new().encode_to_string(&families.all()).unwrap_or_default()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
