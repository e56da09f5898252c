//! The leaf of every plan over arrays: rows that say which blocks a partition reads.
//!
//! A plain in-memory source of ranges of block numbers, because a scheduler that slices a plan by partitions knows how
//! to slice that and nothing of ours; and a plan stays small however many chunks there are.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_err;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

/// A run of block numbers, and the partition of the plan it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// The partition, counted from 0 over the whole plan.
    pub partition: u64,
    /// The first block.
    pub start: u64,
    /// One past the last block.
    pub end: u64,
}

/// A leaf with one partition a run.
pub fn leaf(runs: &[(u64, u64)]) -> Result<Arc<dyn ExecutionPlan>> {
    let fields = ["partition", "start", "end"].map(|name| Field::new(name, DataType::UInt64, false));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let partitions = runs
        .iter()
        .enumerate()
        .map(|(partition, &(start, end))| {
            let columns = [partition as u64, start, end].map(|value| Arc::new(UInt64Array::from(vec![value])) as _);
            Ok(vec![RecordBatch::try_new(Arc::clone(&schema), columns.to_vec())?])
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(MemorySourceConfig::try_new_exec(&partitions, schema, None)?)
}

/// The run of each partition of a leaf. A scheduler may have left only some of the plan's partitions in it, so that the
/// place of a run tells nothing: its number does.
pub fn runs(leaf: &Arc<dyn ExecutionPlan>) -> Result<Vec<Descriptor>> {
    let source = leaf.downcast_ref::<DataSourceExec>().map(|leaf| leaf.data_source().as_ref() as &dyn Any);
    let Some(source) = source.and_then(|source| source.downcast_ref::<MemorySourceConfig>()) else {
        return internal_err!("expected block numbers in memory, found {}", leaf.name());
    };
    let runs = source.partitions().iter().map(|batches| {
        let descriptors = batches.iter().map(descriptors).collect::<Result<Vec<_>>>()?.concat();
        match descriptors.as_slice() {
            [run] => Ok(*run),
            other => internal_err!("expected one run of blocks in a partition, found {}", other.len()),
        }
    });
    runs.collect()
}

/// The descriptors of a batch of the leaf.
pub fn descriptors(batch: &RecordBatch) -> Result<Vec<Descriptor>> {
    let column = |index: usize| match batch.column(index).as_any().downcast_ref::<UInt64Array>() {
        Some(values) if values.null_count() == 0 => Ok(values.values().to_vec()),
        _ => internal_err!("expected block numbers, found {}", batch.column(index).data_type()),
    };
    let (partitions, starts, ends) = (column(0)?, column(1)?, column(2)?);
    let rows = partitions.into_iter().zip(starts).zip(ends);
    Ok(rows.map(|((partition, start), end)| Descriptor { partition, start, end }).collect())
}
