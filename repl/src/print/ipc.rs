//! Arrow IPC: a stream on standard output, a file where there is one.

use std::io::{BufWriter, Write};

use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::{FileWriter, StreamWriter};
use arrow::record_batch::RecordBatch;

use super::flatten::{flatten_batch, flatten_schema};
use super::{ResultWriter, Shape, Sink, WriteError};

/// The writer of the form that suits where the bytes go.
pub(crate) fn writer(sink: Sink, shape: &Shape) -> Result<Box<dyn ResultWriter>, WriteError> {
    let schema = flatten_schema(&shape.schema);
    let buffered = BufWriter::with_capacity(256 * 1024, sink);
    Ok(match shape.is_file {
        true => Box::new(IpcFile { inner: FileWriter::try_new(buffered, &schema).map_err(wrong)?, schema }),
        false => Box::new(IpcStream { inner: StreamWriter::try_new(buffered, &schema).map_err(wrong)?, schema }),
    })
}

struct IpcFile {
    inner: FileWriter<BufWriter<Sink>>,
    schema: SchemaRef,
}

struct IpcStream {
    inner: StreamWriter<BufWriter<Sink>>,
    schema: SchemaRef,
}

impl ResultWriter for IpcFile {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), WriteError> {
        let batch = flatten_batch(batch, &self.schema).map_err(wrong)?;
        self.inner.write(&batch).map_err(wrong)
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        self.inner.finish().map_err(wrong)?;
        Ok(self.inner.get_mut().flush()?)
    }
}

impl ResultWriter for IpcStream {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), WriteError> {
        let batch = flatten_batch(batch, &self.schema).map_err(wrong)?;
        self.inner.write(&batch).map_err(wrong)
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        self.inner.finish().map_err(wrong)?;
        Ok(self.inner.get_mut().flush()?)
    }
}

fn wrong(error: arrow::error::ArrowError) -> WriteError {
    WriteError::of_arrow("arrow", error)
}
