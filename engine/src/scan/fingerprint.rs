//! A number that tells whether two processes see the same dataset.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef};
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::LabelledDataset;

impl LabelledDataset {
    /// A checksum of what plans are made from: the arrays there are, how they are cut, the labels, and of variables that
    /// group keys are made of, read before, the values. Plans of the same expressions over datasets with the same
    /// fingerprint are the same.
    pub fn fingerprint(&self, loaded: &[&str]) -> Result<u64> {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(text, "{:?}", self.dataset.dimensions);
        for variable in &self.dataset.variables {
            let grid = variable.array.grid();
            let _ = write!(
                text,
                "{} {:?} {:?} {} {} {:?} {:?} {:?} {:?} {:?};",
                variable.name,
                variable.dimensions,
                variable.role,
                variable.data_type,
                variable.nan_is_missing,
                variable.calendar,
                variable.attributes,
                variable.encoding,
                grid.shape(),
                grid.chunk_shape()
            );
        }
        let mut values = 0;
        for dimension in &self.dataset.dimensions {
            if let Some(axis) = self.axis(&dimension.name) {
                values = checksum(&axis.labels, values)?;
            }
        }
        for name in loaded {
            if let Some(variable) = self.loaded(name) {
                values = checksum(&variable, values)?;
            }
        }
        Ok(u64::from(crc32c::crc32c(text.as_bytes())) << 32 | u64::from(values))
    }
}

/// The checksum of values, with that of others before them.
fn checksum(values: &ArrayRef, before: u32) -> Result<u32> {
    let batch = RecordBatch::try_from_iter_with_nullable([("values", values.clone(), values.is_nullable())])?;
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(&batch)?;
    Ok(crc32c::crc32c_append(before, &writer.into_inner()?))
}
