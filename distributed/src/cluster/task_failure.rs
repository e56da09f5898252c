//! What a task failed of, told on an executor so that whoever asked is told the same as by its own process.
//!
//! Ballista makes a text of a task's error, by `Debug`, and puts words before it. What is told here stands in that text
//! between marks, with its class.

use std::fmt;

use arrow::error::ArrowError;
use ballista_core::error::BallistaError;
use datafusion::error::DataFusionError;
use quarray_engine::source::SourceError;

use super::error::ClusterError;
use crate::codec::{CodecError, Unprepared};

/// Marks that no message has: before a failure, between its class and its message, behind it.
const START: &str = "\u{1}quarray:";
const MIDDLE: char = '\u{2}';
const END: char = '\u{3}';

/// An error on its way through Ballista's texts.
struct TaskFailure {
    class: &'static str,
    message: String,
}

impl fmt::Debug for TaskFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{START}{}{MIDDLE}{}{END}", self.class, self.message)
    }
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for TaskFailure {}

/// The error of a task as it is to be sent. What Ballista knows by its type (lost shuffles, cancelling, a failing disk)
/// stays as it is; a store that fails, or is not open yet, becomes an error of input and output, which is tried again.
pub fn told(error: DataFusionError) -> DataFusionError {
    let Some(failure) = failure_of(&error) else { return error };
    let is_of_a_store = match error.find_root() {
        DataFusionError::External(inner) => {
            let (is_late, source) = match inner.downcast_ref::<Unprepared>() {
                Some(Unprepared(CodecError::Source(source))) => (false, Some(source)),
                Some(Unprepared(CodecError::NotYet { .. })) => (true, None),
                _ => (false, inner.downcast_ref::<SourceError>()),
            };
            is_late || matches!(source, Some(SourceError::Store { .. }))
        }
        _ => false,
    };
    match is_of_a_store {
        true => DataFusionError::IoError(std::io::Error::other(failure)),
        false => DataFusionError::External(Box::new(failure)),
    }
}

/// The failure that an error is, unless its type tells Ballista what to do.
fn failure_of(error: &DataFusionError) -> Option<TaskFailure> {
    let failure = |class, message: String| Some(TaskFailure { class, message });
    match error.find_root() {
        DataFusionError::IoError(_) => None,
        DataFusionError::ResourcesExhausted(message) => failure("resources", message.clone()),
        DataFusionError::Plan(message) => failure("bind", message.clone()),
        DataFusionError::Internal(message) => failure("internal", message.clone()),
        // Rows of another executor that break off on their way are no lost shuffle to Ballista, only a fault of Arrow's.
        DataFusionError::ArrowError(error, _) if matches!(**error, ArrowError::IpcError(_)) => {
            failure("broken", error.to_string())
        }
        DataFusionError::External(inner) => match inner.downcast_ref::<BallistaError>() {
            None => failure("execution", inner.to_string()),
            Some(BallistaError::DataFusionError(error)) => failure_of(error),
            Some(BallistaError::ArrowError(error)) if matches!(**error, ArrowError::IpcError(_)) => {
                failure("broken", error.to_string())
            }
            Some(BallistaError::ArrowError(error)) => failure("execution", format!("Arrow error: {error}")),
            Some(_) => None,
        },
        other => failure("execution", other.strip_backtrace()),
    }
}

/// What a failed job's text tells.
pub fn heard(text: &str) -> ClusterError {
    let marked = text.split_once(START).and_then(|(_, rest)| rest.split_once(MIDDLE));
    let told = marked.and_then(|(class, rest)| Some((class, rest.split_once(END)?.0.to_string())));
    match told {
        Some(("resources", message)) => ClusterError::Resources(message),
        Some(("broken", message)) => ClusterError::Broken(message),
        Some(("bind", message)) => ClusterError::DataFusion(DataFusionError::Plan(message)),
        Some(("internal", message)) => ClusterError::DataFusion(DataFusionError::Internal(message)),
        Some((_, message)) => ClusterError::Failed(message),
        None => {
            // What stands before it tells of stages and tasks, which mean nothing to who asked.
            let message = text.split_once("runtime execution error: ").map_or(text, |(_, rest)| rest);
            ClusterError::Failed(message.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use ballista_core::serde::protobuf::FailedTask;

    use super::*;

    /// The text that a failed job has.
    fn sent(error: DataFusionError) -> (String, bool) {
        let failed = FailedTask::from(BallistaError::DataFusionError(Box::new(told(error))));
        (format!("Job failed due to stage 1 failed: {}", failed.error), failed.retryable)
    }

    #[test]
    fn a_failure_is_heard_as_it_was_told() {
        let chunk = SourceError::Chunk {
            array: "a.zarr/t".to_string(),
            chunk: vec![0, 1],
            message: "blosc: \"corrupt\"\nat once".to_string(),
        };
        let (text, is_retried) = sent(DataFusionError::External(Box::new(chunk.clone())));
        assert!(!is_retried);
        assert_eq!(heard(&text).to_string(), chunk.to_string());
        let (text, _) = sent(DataFusionError::ResourcesExhausted("no memory".to_string()).context("sorting"));
        assert!(matches!(heard(&text), ClusterError::Resources(message) if message == "no memory"), "{text}");
    }

    #[test]
    fn a_store_that_fails_is_tried_again() {
        let store = SourceError::Store { uri: "s3://b".to_string(), message: "no answer within 30 s".to_string() };
        let (text, is_retried) = sent(DataFusionError::External(Box::new(store.clone())));
        assert!(is_retried);
        assert_eq!(heard(&text).to_string(), store.to_string());
    }

    #[test]
    fn what_cannot_be_prepared_is_told_and_tried_again_where_that_may_help() {
        let sent_of = |cause: CodecError| sent(Unprepared(cause).into());
        let store = SourceError::Store { uri: "s3://b".to_string(), message: "no answer within 30 s".to_string() };
        let (text, is_retried) = sent_of(CodecError::Source(store));
        assert!(is_retried);
        assert_eq!(heard(&text).to_string(), "an executor cannot prepare its task: s3://b: no answer within 30 s");
        let (text, is_retried) = sent_of(CodecError::NotYet { uri: "s3://b".to_string() });
        assert!(is_retried);
        assert_eq!(heard(&text).to_string(), "an executor cannot prepare its task: s3://b is still being opened");
        let missing = SourceError::NotFound { uri: "s3://b".to_string(), message: "no array or group".to_string() };
        let (text, is_retried) = sent_of(CodecError::Source(missing));
        assert!(!is_retried);
        assert_eq!(heard(&text).to_string(), "an executor cannot prepare its task: s3://b: no array or group");
    }

    #[test]
    fn rows_that_break_off_are_no_fault_of_the_query() {
        let broken = || ArrowError::IpcError("stream closed because of a broken pipe".to_string());
        for error in [
            DataFusionError::ArrowError(Box::new(broken()), None).context("a join"),
            BallistaError::from(broken()).into_datafusion(),
        ] {
            let (text, is_retried) = sent(error);
            assert!(!is_retried);
            assert!(
                matches!(heard(&text), ClusterError::Broken(message) if message.ends_with("a broken pipe")),
                "{text}"
            );
        }
        let (text, _) = sent(DataFusionError::ArrowError(Box::new(ArrowError::DivideByZero), None));
        assert!(matches!(heard(&text), ClusterError::Failed(_)), "{text}");
    }

    #[test]
    fn what_ballista_knows_stays_as_it_is() {
        let lost = BallistaError::FetchFailed("e".to_string(), 1, 2, "gone".to_string());
        let failed = FailedTask::from(BallistaError::DataFusionError(Box::new(told(lost.into_datafusion()))));
        assert!(format!("{:?}", failed.failed_reason).contains("FetchPartitionError"), "{failed:?}");
        assert!(
            matches!(heard("Job failed: something"), ClusterError::Failed(text) if text == "Job failed: something")
        );
    }
}
