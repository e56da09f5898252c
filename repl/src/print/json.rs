//! JSON: an array of objects, or one object a line. Missing cells, NaN and infinities are null.

use std::io::{BufWriter, Write};

use arrow::json::writer::{JsonArray, JsonFormat, LineDelimited, Writer, WriterBuilder};
use arrow::record_batch::RecordBatch;

use super::{ResultWriter, Sink, WriteError};

/// Writes JSON through Arrow's own writer.
pub(crate) struct JsonWriter<F: JsonFormat> {
    inner: Writer<BufWriter<Sink>, F>,
    is_array: bool,
}

impl JsonWriter<JsonArray> {
    /// An array of objects.
    pub(crate) fn array(sink: Sink) -> Self {
        Self::new(sink, true)
    }
}

impl JsonWriter<LineDelimited> {
    /// One object a line.
    pub(crate) fn lines(sink: Sink) -> Self {
        Self::new(sink, false)
    }
}

impl<F: JsonFormat> JsonWriter<F> {
    fn new(sink: Sink, is_array: bool) -> Self {
        let buffered = BufWriter::with_capacity(256 * 1024, sink);
        let inner = WriterBuilder::new().with_explicit_nulls(true).build::<_, F>(buffered);
        Self { inner, is_array }
    }
}

impl<F: JsonFormat + Send> ResultWriter for JsonWriter<F> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), WriteError> {
        self.inner.write(batch).map_err(|error| WriteError::of_arrow("json", error))
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        self.inner.finish().map_err(|error| WriteError::of_arrow("json", error))?;
        let mut sink = self.inner.into_inner();
        if self.is_array {
            sink.write_all(b"\n")?;
        }
        Ok(sink.flush()?)
    }
}
