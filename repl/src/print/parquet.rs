//! Parquet, a row group at a time.

use std::io::Write;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;

use super::flatten::{flatten_batch, flatten_schema};
use super::{ResultWriter, Shape, Sink, WriteError};

/// Writes a Parquet file.
pub(crate) struct ParquetResult {
    inner: ArrowWriter<Sink>,
    schema: SchemaRef,
}

/// Encoded bytes held before a row group is closed: the writer holds no more than that of a result of any size.
const ROW_GROUP_BYTES: usize = 64 << 20;

impl ParquetResult {
    pub(crate) fn new(sink: Sink, shape: &Shape) -> Result<Self, WriteError> {
        let schema = flatten_schema(&shape.schema);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let inner = ArrowWriter::try_new(sink, schema.clone(), Some(properties)).map_err(wrong)?;
        Ok(Self { inner, schema })
    }
}

impl ResultWriter for ParquetResult {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), WriteError> {
        let batch = flatten_batch(batch, &self.schema).map_err(|error| WriteError::of_arrow("parquet", error))?;
        self.inner.write(&batch).map_err(wrong)?;
        if self.inner.in_progress_size() >= ROW_GROUP_BYTES {
            self.inner.flush().map_err(wrong)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        self.inner.finish().map_err(wrong)?;
        Ok(self.inner.inner_mut().flush()?)
    }
}

fn wrong(error: ParquetError) -> WriteError {
    match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(error) => (*error).into(),
            Err(other) => WriteError::Format { format: "parquet", message: other.to_string() },
        },
        other => WriteError::Format { format: "parquet", message: other.to_string() },
    }
}
