//! What the registry of queries tells.

use std::sync::Arc;

use async_trait::async_trait;
use quarray_engine::queries::{QueryRegistry, SECONDS_BOUNDS};

use super::MetricSource;
use super::families::Families;

/// The statements of a process.
#[derive(Debug)]
pub struct QueriesSource {
    queries: Arc<QueryRegistry>,
}

impl QueriesSource {
    /// Of this registry.
    pub fn new(queries: Arc<QueryRegistry>) -> Self {
        Self { queries }
    }
}

#[async_trait]
impl MetricSource for QueriesSource {
    async fn read(&self, into: &mut Families) {
        let totals = self.queries.totals();
        let outcomes = [("done", totals.done), ("failed", totals.failed), ("cancelled", totals.cancelled)];
        for (outcome, count) in outcomes {
            let help = "Statements that have ended, by their outcome.";
            into.counter("quarray_queries_total", help, &[("outcome", outcome)], count as f64);
        }
        let help = "How long statements took, until their rows were read.";
        into.histogram("quarray_query_seconds", help, &SECONDS_BOUNDS, &totals.by_seconds, totals.seconds);
        let running = self.queries.running_count();
        into.gauge("quarray_queries_running", "Statements that run, or wait to be read.", &[], running as f64);
        let sessions = self.queries.sessions();
        into.gauge("quarray_sessions_open", "Sessions that are open.", &[], sessions as f64);
        let help = "Records that the query log has lost, since its disk was full or slow.";
        into.counter("quarray_query_log_lost_total", help, &[], self.queries.lost_records() as f64);
    }
}
