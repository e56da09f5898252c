//! What the reading of a partition has done.

use datafusion::physical_plan::metrics::{BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder};

/// The names of the counters of what was read: chunks, their encoded bytes, the decoded bytes, blocks.
pub const READ_COUNTERS: [&str; 4] = ["chunks_read", "bytes_read", "bytes_decoded", "blocks"];

/// What a partition's reading has done.
#[derive(Clone)]
pub struct ReadMetrics {
    pub(super) baseline: BaselineMetrics,
    pub(super) chunks: Count,
    pub(super) encoded: Count,
    pub(super) decoded: Count,
    pub(super) blocks: Count,
}

impl ReadMetrics {
    /// The counters of a partition, at nothing.
    pub fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(metrics).counter(name, partition);
        let [chunks, encoded, decoded, blocks] = READ_COUNTERS.map(counter);
        Self { baseline: BaselineMetrics::new(metrics, partition), chunks, encoded, decoded, blocks }
    }
}
