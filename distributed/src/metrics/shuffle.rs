//! Bytes that a task has written and fetched, as Ballista tells it.

use ballista_core::serde::protobuf::ShuffleWritePartition;
use datafusion::physical_plan::metrics::MetricsSet;

use super::tasks::TaskTotals;

/// The metric of Ballista's readers for bytes that came from other executors.
const FETCHED: &str = "decoded_bytes";

impl TaskTotals {
    /// A task has ended that has written this, and whose operators have counted that.
    pub fn add_task(&self, written: &[ShuffleWritePartition], operators: &[MetricsSet]) {
        let rows = written.iter().map(|partition| partition.num_rows).fold(0, u64::saturating_add);
        let bytes = written.iter().map(|partition| partition.num_bytes).fold(0, u64::saturating_add);
        self.add_written(rows, bytes);
        let fetched = operators.iter().filter_map(|metrics| metrics.sum_by_name(FETCHED));
        self.add_fetched(fetched.map(|value| value.as_usize() as u64).fold(0, u64::saturating_add));
    }
}
