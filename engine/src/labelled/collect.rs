//! Rows → labelled arrays.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt64Array, new_empty_array};
use arrow::compute::{concat, take};
use arrow::datatypes::{Field, FieldRef};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use datafusion::execution::memory_pool::MemoryReservation;
use quarray_lang::diagnostic::Diagnostic;

use super::{LabelIndex, Labelled, LabelledDimension, LabelledVariable, arrow_error};
use crate::error::Error;
use crate::outcome::Rows;

/// Collects rows: see [`Rows::into_labelled_held`].
pub(super) async fn collect(mut rows: Rows, cells_max: u64) -> Result<(Labelled, MemoryReservation), Error> {
    let mut collector = Collector::new(&rows, cells_max)?;
    while let Some(batch) = rows.next().await? {
        collector.add(&batch)?;
    }
    collector.finish()
}

/// Rows that came so far.
struct Collector {
    dimensions: Vec<LabelIndex>,
    dimension_fields: Vec<FieldRef>,
    dimension_columns: Vec<usize>,
    variable_fields: Vec<FieldRef>,
    variable_columns: Vec<usize>,
    /// The numbers of the labels of every row, by dimension.
    numbers: Vec<Vec<u32>>,
    /// The cells of every batch, by variable.
    pieces: Vec<Vec<ArrayRef>>,
    rows: usize,
    cells_max: u64,
    memory: MemoryReservation,
}

impl Collector {
    fn new(rows: &Rows, cells_max: u64) -> Result<Self, Error> {
        let schema = rows.schema();
        let column = |name: &String| {
            schema.index_of(name).map_err(|_| Error::Internal(format!("dimension `{name}` is none of the columns")))
        };
        let dimension_columns = rows.dimensions.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let variable_columns: Vec<usize> =
            (0..schema.fields().len()).filter(|column| !dimension_columns.contains(column)).collect();
        let fields = |columns: &[usize]| columns.iter().map(|&column| Arc::clone(&schema.fields()[column])).collect();
        let dimension_fields: Vec<FieldRef> = fields(&dimension_columns);
        let index = |field: &FieldRef| match rows.labels_of(field.name()) {
            Some(labels) => LabelIndex::complete(field.name(), labels),
            None => LabelIndex::new(field.name(), field.data_type()),
        };
        Ok(Self {
            dimensions: dimension_fields.iter().map(index).collect::<Result<_, _>>()?,
            numbers: vec![Vec::new(); dimension_columns.len()],
            pieces: vec![Vec::new(); variable_columns.len()],
            variable_fields: fields(&variable_columns),
            dimension_fields,
            dimension_columns,
            variable_columns,
            rows: 0,
            cells_max,
            memory: rows.reservation("labelled arrays"),
        })
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.rows += batch.num_rows();
        if self.rows as u64 > self.cells_max {
            return Err(too_many(&format!("more than {} rows", self.cells_max), self.cells_max));
        }
        if self.dimensions.is_empty() && self.rows > 1 {
            let message = "expected an array, found rows without dimensions";
            let help = "name the columns of all dimensions: SELECT lat, lon, …";
            return Err(Error::Bind(Diagnostic::new(message).with_help(help)));
        }
        self.memory.try_grow(batch.num_rows() * size_of::<u32>() * self.dimensions.len())?;
        let before = self.numbers.first().map_or(0, Vec::len);
        for ((index, numbers), &column) in
            self.dimensions.iter_mut().zip(&mut self.numbers).zip(&self.dimension_columns)
        {
            numbers.extend(index.numbers_of(batch.column(column))?);
        }
        self.note_steps(before);
        for (pieces, &column) in self.pieces.iter_mut().zip(&self.variable_columns) {
            let values = batch.column(column);
            self.memory.try_grow(values.to_data().get_slice_memory_size().map_err(arrow_error)?)?;
            pieces.push(Arc::clone(values));
        }
        Ok(())
    }

    /// In every row from `start` on, the first dimension whose label is another one than in the row before took a step.
    fn note_steps(&mut self, start: usize) {
        let rows = self.numbers.first().map_or(0, Vec::len);
        for row in start.max(1)..rows {
            let changed = self.numbers.iter().position(|numbers| numbers[row] != numbers[row - 1]);
            if let Some(dimension) = changed {
                let numbers = &self.numbers[dimension];
                self.dimensions[dimension].step(numbers[row - 1], numbers[row]);
            }
        }
    }

    fn finish(mut self) -> Result<(Labelled, MemoryReservation), Error> {
        if self.dimensions.is_empty() && self.rows == 0 {
            return Err(Error::Bind(Diagnostic::new("expected an array, found no rows and no dimensions")));
        }
        let shape: Vec<usize> = self.dimensions.iter().map(LabelIndex::len).collect();
        let cells = cells_of(&shape, self.cells_max)?;
        let mut dimensions = Vec::with_capacity(shape.len());
        let mut places = Vec::with_capacity(shape.len());
        for (index, field) in std::mem::take(&mut self.dimensions).into_iter().zip(&self.dimension_fields) {
            let (labels, placed) = index.into_labels()?;
            let name = field.name().clone();
            dimensions.push(LabelledDimension { name, labels, metadata: field.metadata().clone() });
            places.push(placed);
        }
        let cell_of = |row: usize| {
            let along = |cell, d: usize| cell * shape[d] + places[d][self.numbers[d][row] as usize] as usize;
            (0..shape.len()).fold(0, along)
        };
        let is_dense = self.rows == cells && (0..cells).all(|row| cell_of(row) == row);
        let rows_by_cell = match is_dense {
            true => None,
            false => {
                self.memory.try_grow(cells * size_of::<u64>())?;
                Some(rows_by_cell(self.rows, cells, cell_of).map_err(|row| {
                    let labels = places.iter().zip(&self.numbers).map(|(place, numbers)| place[numbers[row] as usize]);
                    twice(&dimensions, labels)
                })?)
            }
        };
        self.numbers.clear();
        let mut variables = Vec::with_capacity(self.pieces.len());
        for (pieces, field) in std::mem::take(&mut self.pieces).into_iter().zip(&self.variable_fields) {
            let values = joined(pieces, field)?;
            let values = match &rows_by_cell {
                None => values,
                Some(rows) => take(values.as_ref(), rows, None).map_err(arrow_error)?,
            };
            let name = field.name().clone();
            variables.push(LabelledVariable { name, values, metadata: field.metadata().clone() });
        }
        Ok((Labelled { dimensions, variables }, self.memory))
    }
}

/// The row of every cell, where it has one; the number of the row that is a cell's second one otherwise.
fn rows_by_cell(rows: usize, cells: usize, cell_of: impl Fn(usize) -> usize) -> Result<UInt64Array, usize> {
    const NONE: u64 = u64::MAX;
    let mut rows_by_cell = vec![NONE; cells];
    for row in 0..rows {
        let place = &mut rows_by_cell[cell_of(row)];
        if *place != NONE {
            return Err(row);
        }
        *place = row as u64;
    }
    Ok(rows_by_cell.into_iter().map(|row| (row != NONE).then_some(row)).collect())
}

fn joined(pieces: Vec<ArrayRef>, field: &Field) -> Result<ArrayRef, Error> {
    let arrays: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
    match pieces.as_slice() {
        [] => Ok(new_empty_array(field.data_type())),
        [only] => Ok(Arc::clone(only)),
        _ => concat(&arrays).map_err(arrow_error),
    }
}

fn cells_of(shape: &[usize], cells_max: u64) -> Result<usize, Error> {
    let cells = shape.iter().try_fold(1usize, |cells, &length| cells.checked_mul(length));
    cells.filter(|&cells| cells as u64 <= cells_max).ok_or_else(|| {
        let shape = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
        too_many(&format!("{shape} cells"), cells_max)
    })
}

fn too_many(found: &str, cells_max: u64) -> Error {
    let advice = "reduce it, select a part of it, or write it with INTO";
    Error::Resources(format!("the result has {found}, more than the {cells_max} that are held in memory: {advice}"))
}

fn twice(dimensions: &[LabelledDimension], places: impl Iterator<Item = u32>) -> Error {
    let label = |(dimension, place): (&LabelledDimension, u32)| {
        let label = array_value_to_string(&dimension.labels, place as usize).unwrap_or_default();
        format!("{} = {label}", dimension.name)
    };
    let key: Vec<String> = dimensions.iter().zip(places).map(label).collect();
    Error::Execution(format!("expected one row a cell, found two at {}", key.join(", ")))
}
