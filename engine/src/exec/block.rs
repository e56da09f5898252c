//! Block form: one Arrow row is one block of the cells of a table.
//!
//! `origin` and `shape` tell the box in selected positions along the axes of the table; every other column is a list
//! whose values are the cells of one variable over its own axes of that box, in C order. The list's buffer is the
//! decoded buffer itself.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, LargeListArray, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_err;
use datafusion::error::Result;

use crate::array::Region;

/// A block and the values of its columns.
#[derive(Debug, Clone)]
pub struct Block {
    /// The box, in selected positions.
    pub region: Region,
    /// Values of each column.
    pub values: Vec<ArrayRef>,
}

/// The schema of blocks with these columns.
pub fn block_schema(columns: impl IntoIterator<Item = (String, DataType)>) -> SchemaRef {
    let mut fields = vec![numbers_field("origin"), numbers_field("shape")];
    fields.extend(columns.into_iter().map(|(name, item)| Field::new(name, list_of(item), false)));
    Arc::new(Schema::new(fields))
}

impl Block {
    /// The block as a batch of one row.
    pub fn into_batch(self, schema: &SchemaRef) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = vec![numbers(&self.region.start), numbers(&self.region.shape)];
        columns.extend(self.values.into_iter().map(one_list));
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }

    /// The blocks of a batch, without a copy.
    pub fn of_batch(batch: &RecordBatch) -> Result<Vec<Self>> {
        (0..batch.num_rows()).map(|row| Self::of_row(batch, row)).collect()
    }

    fn of_row(batch: &RecordBatch, row: usize) -> Result<Self> {
        let region = Region::new(numbers_of(batch.column(0), row)?, numbers_of(batch.column(1), row)?);
        let values = batch.columns()[2..].iter().map(|column| list_values(column, row)).collect::<Result<Vec<_>>>()?;
        Ok(Self { region, values })
    }

    /// Cells along each axis.
    pub fn shape(&self) -> Vec<usize> {
        self.region.shape.iter().map(|&length| length as usize).collect()
    }
}

/// A list column of one row that holds `values` without a copy.
pub fn one_list(values: ArrayRef) -> ArrayRef {
    let item = Arc::new(Field::new("item", values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    Arc::new(LargeListArray::new(item, offsets, values, None))
}

/// The type of a list of `item`.
pub fn list_of(item: DataType) -> DataType {
    DataType::LargeList(Arc::new(Field::new("item", item, true)))
}

/// The values of a list column in a row, without a copy.
pub fn list_values(column: &ArrayRef, row: usize) -> Result<ArrayRef> {
    match column.as_any().downcast_ref::<LargeListArray>() {
        Some(list) => Ok(list.value(row)),
        None => internal_err!("expected a block's list, found {}", column.data_type()),
    }
}

fn numbers_field(name: &str) -> Field {
    Field::new(name, DataType::List(Arc::new(Field::new("item", DataType::Int64, false))), false)
}

fn numbers(values: &[u64]) -> ArrayRef {
    let values = Int64Array::from_iter_values(values.iter().map(|&value| value as i64));
    let item = Arc::new(Field::new("item", DataType::Int64, false));
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    Arc::new(ListArray::new(item, offsets, Arc::new(values), None))
}

fn numbers_of(column: &ArrayRef, row: usize) -> Result<Vec<u64>> {
    let Some(list) = column.as_any().downcast_ref::<ListArray>() else {
        return internal_err!("expected a block's box, found {}", column.data_type());
    };
    let values = list.value(row);
    match values.as_any().downcast_ref::<Int64Array>() {
        Some(numbers) => Ok(numbers.values().iter().map(|&number| number as u64).collect()),
        None => internal_err!("expected whole numbers in a block's box, found {}", values.data_type()),
    }
}
