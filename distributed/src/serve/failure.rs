//! Errors of the engine as statuses of a call, and back.
//!
//! The status has the class of the error as its code and the words as its message, for any client; the details (a
//! `google.rpc.Status`, which other clients read too) have all of it, for ours.

use arrow_flight::sql::Any;
use datafusion::error::DataFusionError;
use prost::Message;
use quarray_engine::Error;
use quarray_engine::source::SourceError;
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::span::Span;
use tonic::{Code, Status};

use super::message::{DiagnosticMessage, FailureKind, FailureMessage, StatusMessage};

/// The type of a [`FailureMessage`] among the details of a status.
const FAILURE_TYPE: &str = "type.googleapis.com/quarray.Failure";

/// A status travels as a header: of a text that is longer the beginning must do.
const TEXT_BYTES_MAX: usize = 1000;

/// Of more diagnostics the first are told.
const DIAGNOSTICS_MAX: usize = 3;

/// The status that tells of an error.
pub(super) fn status(error: &Error) -> Status {
    let (code, words) = (code(error), cut(&error.to_string()));
    let detail = Any { type_url: FAILURE_TYPE.to_string(), value: message(error).encode_to_vec().into() };
    let details = StatusMessage { code: code.into(), message: words.clone(), details: vec![detail] };
    Status::with_details(code, words, details.encode_to_vec().into())
}

/// The error that a status tells of, if the server meant one of the engine's.
pub(super) fn error(status: &Status) -> Option<Error> {
    let details = StatusMessage::decode(status.details()).ok()?.details;
    let detail = details.into_iter().find(|detail| detail.type_url == FAILURE_TYPE)?;
    let FailureMessage { kind, message, mut diagnostics, place, chunk } = FailureMessage::decode(detail.value).ok()?;
    Some(match FailureKind::try_from(kind).ok()? {
        FailureKind::Unknown => return None,
        FailureKind::Syntax => Error::Syntax(diagnostics.into_iter().map(diagnostic).collect()),
        FailureKind::Bind => Error::Bind(diagnostic(diagnostics.pop()?)),
        FailureKind::Execution => Error::Execution(message),
        FailureKind::Resources => Error::Resources(message),
        FailureKind::Cancelled => Error::Cancelled,
        FailureKind::Internal => Error::Internal(message),
        FailureKind::NotFound => SourceError::NotFound { uri: place, message }.into(),
        FailureKind::AlreadyExists => SourceError::AlreadyExists { uri: place, message }.into(),
        FailureKind::PermissionDenied => SourceError::PermissionDenied { uri: place, message }.into(),
        FailureKind::Address => SourceError::Address { uri: place, message }.into(),
        FailureKind::Metadata => SourceError::Metadata { array: place, message }.into(),
        FailureKind::Chunk => SourceError::Chunk { array: place, chunk, message }.into(),
        FailureKind::NoRoom => SourceError::NoRoom { uri: place, message }.into(),
        FailureKind::Store => SourceError::Store { uri: place, message }.into(),
    })
}

/// An error as it stands in a stream of rows, which the engine reads as the same error again.
pub(super) fn of_stream(error: Error) -> DataFusionError {
    match error {
        Error::Source(source) => DataFusionError::External(Box::new(source)),
        Error::Resources(message) => DataFusionError::ResourcesExhausted(message),
        Error::Bind(diagnostic) => DataFusionError::Plan(diagnostic.message),
        Error::Internal(message) => DataFusionError::Internal(message),
        other => DataFusionError::External(Box::new(other)),
    }
}

fn code(error: &Error) -> Code {
    match error {
        Error::Syntax(_) | Error::Bind(_) => Code::InvalidArgument,
        Error::Source(SourceError::NotFound { .. }) => Code::NotFound,
        Error::Source(SourceError::AlreadyExists { .. }) => Code::AlreadyExists,
        Error::Source(SourceError::PermissionDenied { .. }) => Code::PermissionDenied,
        Error::Source(SourceError::Unsupported { .. }) => Code::Unimplemented,
        Error::Source(_) | Error::Execution(_) => Code::FailedPrecondition,
        Error::Resources(_) => Code::ResourceExhausted,
        Error::Cancelled => Code::Cancelled,
        Error::Internal(_) => Code::Internal,
    }
}

fn message(error: &Error) -> FailureMessage {
    let of = |kind: FailureKind| FailureMessage { kind: kind.into(), ..FailureMessage::default() };
    let with = |kind, message: &str| FailureMessage { message: cut(message), ..of(kind) };
    let diagnostics = error.diagnostics().iter().take(DIAGNOSTICS_MAX).map(diagnostic_message).collect();
    match error {
        Error::Syntax(_) => FailureMessage { diagnostics, ..of(FailureKind::Syntax) },
        Error::Bind(_) => FailureMessage { diagnostics, ..of(FailureKind::Bind) },
        Error::Source(source) => source_message(source),
        Error::Execution(message) => with(FailureKind::Execution, message),
        Error::Resources(message) => with(FailureKind::Resources, message),
        Error::Cancelled => of(FailureKind::Cancelled),
        Error::Internal(message) => with(FailureKind::Internal, message),
    }
}

fn source_message(error: &SourceError) -> FailureMessage {
    let at = |kind: FailureKind, place: &str, message: &str| FailureMessage {
        kind: kind.into(),
        place: cut(place),
        message: cut(message),
        ..FailureMessage::default()
    };
    match error {
        SourceError::NotFound { uri, message } => at(FailureKind::NotFound, uri, message),
        SourceError::AlreadyExists { uri, message } => at(FailureKind::AlreadyExists, uri, message),
        SourceError::PermissionDenied { uri, message } => at(FailureKind::PermissionDenied, uri, message),
        SourceError::Address { uri, message } => at(FailureKind::Address, uri, message),
        SourceError::Metadata { array, message } => at(FailureKind::Metadata, array, message),
        // The same words: what is not supported is a part of the metadata.
        SourceError::Unsupported { array, what, found } => {
            at(FailureKind::Metadata, array, &format!("unsupported {what} {found}"))
        }
        SourceError::Chunk { array, chunk, message } => {
            FailureMessage { chunk: chunk.clone(), ..at(FailureKind::Chunk, array, message) }
        }
        SourceError::NoRoom { uri, message } => at(FailureKind::NoRoom, uri, message),
        SourceError::Store { uri, message } => at(FailureKind::Store, uri, message),
    }
}

fn diagnostic_message(diagnostic: &Diagnostic) -> DiagnosticMessage {
    DiagnosticMessage {
        message: cut(&diagnostic.message),
        start: diagnostic.span.map(|span| span.start as u64),
        end: diagnostic.span.map(|span| span.end as u64),
        help: diagnostic.help.as_deref().map(cut),
    }
}

fn diagnostic(message: DiagnosticMessage) -> Diagnostic {
    let place = |place: Option<u64>| place.and_then(|place| usize::try_from(place).ok());
    let span = place(message.start).zip(place(message.end)).map(|(start, end)| Span::new(start, end));
    Diagnostic { message: message.message, span, help: message.help }
}

/// A text, or the beginning of a long one.
fn cut(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_string();
    }
    let end = (0..=TEXT_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}
