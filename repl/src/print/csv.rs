//! Comma-separated values: a header, missing cells empty, quotes where RFC 4180 wants them.

use std::io::Write;

use arrow::record_batch::RecordBatch;

use super::cell::{Cells, is_free_text};
use super::{ResultWriter, Shape, Sink, WriteError};

/// Writes CSV. Rows gather in a buffer of bounded size that goes out whole.
pub(crate) struct CsvWriter {
    sink: Sink,
    buffer: Vec<u8>,
    scratch: Vec<u8>,
}

const BUFFER_BYTES: usize = 256 * 1024;

impl CsvWriter {
    pub(crate) fn new(sink: Sink, shape: &Shape) -> Result<Self, WriteError> {
        let mut writer = Self { sink, buffer: Vec::with_capacity(BUFFER_BYTES + 4096), scratch: Vec::new() };
        for (index, field) in shape.schema.fields().iter().enumerate() {
            if index > 0 {
                writer.buffer.push(b',');
            }
            push_quoted(field.name().as_bytes(), &mut writer.buffer);
        }
        writer.buffer.push(b'\n');
        Ok(writer)
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.sink.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl ResultWriter for CsvWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), WriteError> {
        let columns = batch
            .columns()
            .iter()
            .map(|array| Ok((Cells::new(array.as_ref())?, is_free_text(array.data_type()))))
            .collect::<Result<Vec<_>, WriteError>>()?;
        for row in 0..batch.num_rows() {
            for (index, (cells, is_free)) in columns.iter().enumerate() {
                if index > 0 {
                    self.buffer.push(b',');
                }
                if *is_free {
                    self.scratch.clear();
                    if cells.write(row, &mut self.scratch) {
                        push_text(&self.scratch, &mut self.buffer);
                    }
                } else {
                    cells.write(row, &mut self.buffer);
                }
            }
            self.buffer.push(b'\n');
            if self.buffer.len() >= BUFFER_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        self.flush()?;
        Ok(self.sink.flush()?)
    }
}

/// A text that is there but empty is quoted, so that it differs from a missing one.
fn push_text(text: &[u8], out: &mut Vec<u8>) {
    match text.is_empty() {
        true => out.extend_from_slice(b"\"\""),
        false => push_quoted(text, out),
    }
}

fn push_quoted(text: &[u8], out: &mut Vec<u8>) {
    if !text.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for &byte in text {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}
