//! A partition of a result, whole: in memory as far as that is granted, else in a file without a name.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, SeekFrom};

use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryReservation;

/// A partition takes at most so much memory.
const MEMORY_BYTES_MAX: usize = 64 << 20;

/// Batches on their way in.
pub struct Spool {
    schema: SchemaRef,
    memory: MemoryReservation,
    bytes: usize,
    batches: Vec<RecordBatch>,
    file: Option<StreamWriter<BufWriter<File>>>,
}

impl Spool {
    /// For batches of this schema, with memory from this reservation.
    pub fn new(schema: SchemaRef, memory: MemoryReservation) -> Self {
        Self { schema, memory, bytes: 0, batches: Vec::new(), file: None }
    }

    /// One more batch.
    pub fn push(&mut self, batch: RecordBatch) -> Result<()> {
        if let Some(file) = &mut self.file {
            return Ok(file.write(&batch)?);
        }
        let bytes = batch.get_array_memory_size();
        if self.bytes + bytes <= MEMORY_BYTES_MAX && self.memory.try_grow(bytes).is_ok() {
            self.bytes += bytes;
            self.batches.push(batch);
            return Ok(());
        }
        let file = tempfile::tempfile().map_err(DataFusionError::IoError)?;
        let mut file = StreamWriter::try_new(BufWriter::new(file), &self.schema)?;
        for batch in self.batches.drain(..) {
            file.write(&batch)?;
        }
        file.write(&batch)?;
        self.memory.free();
        self.file = Some(file);
        Ok(())
    }

    /// The batches, in the order in which they came.
    pub fn finish(self) -> Result<Spooled> {
        let Some(writer) = self.file else {
            return Ok(Spooled { memory: self.memory, batches: self.batches.into_iter(), file: None });
        };
        let mut file =
            writer.into_inner()?.into_inner().map_err(|error| DataFusionError::IoError(error.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(DataFusionError::IoError)?;
        let file = Some(StreamReader::try_new(BufReader::new(file), None)?);
        Ok(Spooled { memory: self.memory, batches: Vec::new().into_iter(), file })
    }
}

/// Batches on their way out.
pub struct Spooled {
    memory: MemoryReservation,
    batches: std::vec::IntoIter<RecordBatch>,
    file: Option<StreamReader<BufReader<File>>>,
}

impl Iterator for Spooled {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.file {
            Some(file) => file.next().map(|batch| Ok(batch?)),
            None => {
                let batch = self.batches.next()?;
                let bytes = batch.get_array_memory_size().min(self.memory.size());
                self.memory.shrink(bytes);
                Some(Ok(batch))
            }
        }
    }
}
