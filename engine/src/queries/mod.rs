//! What became of statements: those that run, and those that have ended.
//!
//! Every statement of a session leaves a [`QueryRecord`] with its [`QueryRegistry`], which sessions of a process may share.
//! The record begins before the text is parsed, and ends when the rows have been read to their end, have failed, or were
//! dropped. What a running statement does is counted in a [`RunningQuery`] of its own, by atomic counters alone.

mod json;
mod log;
mod names;
mod plan_summary;
mod record;
mod recorded_stream;
mod redaction;
mod registry;
mod running;
mod table;
#[cfg(test)]
mod tests;
mod totals;

pub use log::{QueryLogError, QueryLogSettings};
pub use plan_summary::{MetricUnit, PlanMetric, PlanSummary};
pub use record::{QueryRecord, QueryState};
pub use redaction::{Redacted, redact};
pub use registry::{QueryEvent, QueryRegistry};
pub use running::{QueryCancelled, QueryStart, RunningQuery};
pub use totals::{QueryTotals, SECONDS_BOUNDS};

pub(crate) use recorded_stream::{Cancellation, RecordedStream};
pub(crate) use registry::OpenSession;
pub(crate) use running::Recording;
pub(crate) use table::{SYSTEM_SCHEMA, batch_of, queries_schema, system_schema};
