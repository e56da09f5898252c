//! What a user of the engine can be told went wrong.

use datafusion::error::DataFusionError;
use quarray_lang::diagnostic::Diagnostic;

use crate::queries::QueryCancelled;
use crate::source::SourceError;

/// An error of a query. Every message is lower case, without a final period, and names what was found and expected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not a statement of the language.
    #[error("{}", join(.0))]
    Syntax(Vec<Diagnostic>),
    /// The statement names something that is not there, or asks for something that has no meaning.
    #[error("{0}")]
    Bind(Diagnostic),
    /// A store, or what is in it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The query failed while it ran.
    #[error("{0}")]
    Execution(String),
    /// A limit was reached: memory, size of a result.
    #[error("{0}")]
    Resources(String),
    /// The query was cancelled.
    #[error("the query was cancelled")]
    Cancelled,
    /// A fault of Quarray's own.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// The diagnostics with places in the query's text, if the error has any: to draw carets.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Syntax(diagnostics) => diagnostics,
            Self::Bind(diagnostic) => std::slice::from_ref(diagnostic),
            _ => &[],
        }
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        Self::of(&error)
    }
}

impl Error {
    /// What an error of DataFusion is to a user.
    pub fn of(error: &DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::External(inner) => match inner.downcast_ref::<SourceError>() {
                Some(source) => Self::Source(source.clone()),
                None if inner.is::<QueryCancelled>() => Self::Cancelled,
                None => Self::Execution(inner.to_string()),
            },
            DataFusionError::ResourcesExhausted(message) => Self::Resources(message.clone()),
            DataFusionError::Plan(message) => Self::Bind(Diagnostic::new(message.clone())),
            DataFusionError::SchemaError(schema, _) => Self::Bind(Diagnostic::new(schema.to_string())),
            DataFusionError::Internal(message) => Self::Internal(message.clone()),
            other => Self::Execution(other.strip_backtrace()),
        }
    }
}

/// An error of DataFusion's planner, with its place in the text.
pub fn planning_error(error: DataFusionError, text: &str) -> Error {
    use quarray_lang::span::Span;
    let place = error.diagnostic().and_then(|diagnostic| diagnostic.span).and_then(|span| {
        let start = location(span.start.line, span.start.column);
        let end = location(span.end.line, span.end.column);
        Span::of_tokens(text, datafusion::sql::sqlparser::tokenizer::Span::new(start, end))
    });
    match Error::from(error) {
        Error::Bind(diagnostic) => Error::Bind(diagnostic.at(place)),
        other => other,
    }
}

fn location(line: u64, column: u64) -> datafusion::sql::sqlparser::tokenizer::Location {
    datafusion::sql::sqlparser::tokenizer::Location::new(line, column)
}

fn join(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
