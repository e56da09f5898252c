//! Lengths of the dimensions of an array in row form, counted while its rows go by.

use arrow::array::{Array, ArrayRef};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::partition;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

/// Counts, for each dimension, the runs of equal labels of it and all dimensions outside it. Rows come in dimension
/// order and are a dense box, so the length of a dimension is its runs divided by the runs one level out.
#[derive(Debug)]
pub(crate) struct DimensionSizes {
    columns: Vec<usize>,
    runs: Vec<u64>,
    last_labels: Vec<ArrayRef>,
}

impl DimensionSizes {
    /// Of the dimensions in these columns, outermost first.
    pub(crate) fn new(columns: Vec<usize>) -> Self {
        Self { runs: vec![0; columns.len()], columns, last_labels: Vec::new() }
    }

    /// Takes note of a batch.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let labels: Vec<ArrayRef> = self.columns.iter().map(|&column| batch.column(column).clone()).collect();
        let mut is_continued = !self.last_labels.is_empty();
        for depth in 0..labels.len() {
            // The innermost dimension changes with every row: nothing to compare.
            let is_innermost = depth + 1 == labels.len();
            if is_innermost {
                self.runs[depth] += batch.num_rows() as u64;
                continue;
            }
            self.runs[depth] += partition(&labels[..=depth])?.len() as u64;
            if is_continued {
                let first = labels[depth].slice(0, 1);
                is_continued = not_distinct(&first, &self.last_labels[depth])?.value(0);
            }
            self.runs[depth] -= u64::from(is_continued);
        }
        self.last_labels = labels.iter().map(|column| column.slice(column.len() - 1, 1)).collect();
        Ok(())
    }

    /// The lengths, where the rows were a dense box.
    pub(crate) fn lengths(&self) -> Vec<Option<u64>> {
        let outer = std::iter::once(1).chain(self.runs.iter().copied());
        outer.zip(&self.runs).map(|(outer, &inner)| (outer > 0 && inner % outer == 0).then(|| inner / outer)).collect()
    }
}
