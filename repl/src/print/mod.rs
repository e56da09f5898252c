//! Results as bytes: one writer a format, each fed batch by batch and holding no more than it must.

mod cell;
mod columns;
mod csv;
mod flatten;
mod ipc;
mod json;
mod layout;
mod parquet;
mod sizes;
mod summary;
mod table;
mod time;

use std::io::{self, Write};

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

pub use columns::print_columns;
pub use summary::{bytes_text, print_summary};
pub use time::write_timestamp;

use crate::args::Format;
use crate::terminal::Style;

/// Where a writer's bytes go.
pub type Sink = Box<dyn Write + Send>;

/// What a result looks like before its first batch.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The columns.
    pub schema: SchemaRef,
    /// The columns that are dimensions, outermost first; empty for a plain relation.
    pub dimensions: Vec<String>,
    /// Whether the bytes go to a file of their own rather than to standard output.
    pub is_file: bool,
}

/// Writes one result.
pub trait ResultWriter: Send {
    /// Writes, or takes note of, the next batch.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), WriteError>;

    /// Writes what is left. Not called when the query failed.
    fn finish(self: Box<Self>) -> Result<(), WriteError>;

    /// Whether nothing is written before [`ResultWriter::finish`]: a progress line may stay until then.
    fn writes_at_end(&self) -> bool {
        false
    }
}

/// Why a result could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The reader of standard output has gone away.
    #[error("the output was closed")]
    Closed,
    /// The bytes could not be written.
    #[error("cannot write the result: {0}")]
    Io(io::Error),
    /// The values have no form in the format.
    #[error("cannot write the result as {format}: {message}")]
    Format {
        /// The format.
        format: &'static str,
        /// What it said.
        message: String,
    },
}

/// The writer of a format.
pub fn writer(format: Format, sink: Sink, shape: &Shape, style: &Style) -> Result<Box<dyn ResultWriter>, WriteError> {
    Ok(match format {
        Format::Table => Box::new(table::TableWriter::new(sink, shape, style)),
        Format::Csv => Box::new(csv::CsvWriter::new(sink, shape)?),
        Format::Json => Box::new(json::JsonWriter::array(sink)),
        Format::Jsonl => Box::new(json::JsonWriter::lines(sink)),
        Format::Arrow => ipc::writer(sink, shape)?,
        Format::Parquet => Box::new(parquet::ParquetResult::new(sink, shape)?),
    })
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

impl WriteError {
    fn of_arrow(format: &'static str, error: ArrowError) -> Self {
        match error {
            ArrowError::IoError(_, error) => error.into(),
            other => Self::Format { format, message: other.to_string() },
        }
    }
}

#[cfg(test)]
mod tests;
