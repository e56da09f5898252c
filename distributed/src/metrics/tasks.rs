//! What the tasks of an executor have done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;

use super::MetricSource;
use super::families::Families;

static TOTALS: TaskTotals = TaskTotals {
    running: AtomicU64::new(0),
    done: AtomicU64::new(0),
    failed: AtomicU64::new(0),
    cancelled: AtomicU64::new(0),
    microseconds: AtomicU64::new(0),
    written_bytes: AtomicU64::new(0),
    written_rows: AtomicU64::new(0),
    fetched_bytes: AtomicU64::new(0),
};

/// The counters of the tasks of this process.
pub fn task_totals() -> &'static TaskTotals {
    &TOTALS
}

/// Counters of tasks.
#[derive(Debug)]
pub struct TaskTotals {
    running: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    microseconds: AtomicU64,
    written_bytes: AtomicU64,
    written_rows: AtomicU64,
    fetched_bytes: AtomicU64,
}

/// A task that runs. Dropped before its end, it was cancelled.
#[derive(Debug)]
pub struct RunningTask {
    began: Instant,
    outcome: &'static AtomicU64,
}

impl TaskTotals {
    /// A task begins.
    pub fn begin(&'static self) -> RunningTask {
        self.running.fetch_add(1, Ordering::Relaxed);
        RunningTask { began: Instant::now(), outcome: &self.cancelled }
    }

    /// Tasks have written shuffled data or results.
    pub fn add_written(&self, rows: u64, bytes: u64) {
        self.written_rows.fetch_add(rows, Ordering::Relaxed);
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Tasks have fetched shuffled data from other executors.
    pub fn add_fetched(&self, bytes: u64) {
        self.fetched_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl RunningTask {
    /// It has ended, well or not.
    pub fn ended(mut self, is_done: bool) {
        self.outcome = if is_done { &TOTALS.done } else { &TOTALS.failed };
    }
}

impl Drop for RunningTask {
    fn drop(&mut self) {
        TOTALS.running.fetch_sub(1, Ordering::Relaxed);
        self.outcome.fetch_add(1, Ordering::Relaxed);
        let took = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        TOTALS.microseconds.fetch_add(took, Ordering::Relaxed);
    }
}

/// The tasks of this process.
#[derive(Debug, Default)]
pub struct TasksSource;

#[async_trait]
impl MetricSource for TasksSource {
    async fn read(&self, into: &mut Families) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let outcomes = [("done", &TOTALS.done), ("failed", &TOTALS.failed), ("cancelled", &TOTALS.cancelled)];
        for (outcome, counter) in outcomes {
            let help = "Tasks that have ended on this executor, by their outcome.";
            into.counter("quarray_tasks_total", help, &[("outcome", outcome)], count(counter));
        }
        into.gauge("quarray_tasks_running", "Tasks that run on this executor.", &[], count(&TOTALS.running));
        let help = "Time that tasks which have ended took, all together.";
        into.counter("quarray_task_seconds_total", help, &[], count(&TOTALS.microseconds) / 1e6);
        let counters = [
            ("quarray_shuffle_written_bytes_total", "Bytes that tasks have written for others.", &TOTALS.written_bytes),
            ("quarray_shuffle_written_rows_total", "Rows that tasks have written for others.", &TOTALS.written_rows),
            (
                "quarray_shuffle_fetched_bytes_total",
                "Bytes in memory of what tasks have fetched from other executors.",
                &TOTALS.fetched_bytes,
            ),
        ];
        for (name, help, counter) in counters {
            into.counter(name, help, &[], count(counter));
        }
    }
}
