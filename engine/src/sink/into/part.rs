//! One array on its way into a store.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{Field, FieldRef};
use arrow::record_batch::RecordBatch;
use datafusion::execution::memory_pool::MemoryReservation;

use super::boxes::boxes;
use super::write_whole;
use crate::error::Error;
use crate::labelled::LabelIndex;
use crate::outcome::Rows;
use crate::sink::zarr::{StoreSchema, ZarrWriter};

/// The variables of one set of dimensions.
pub(super) struct Part {
    dimensions: Vec<(FieldRef, ArrayRef)>,
    variables: Vec<FieldRef>,
    cells: Cells,
}

enum Cells {
    /// The values of each variable, whole.
    Held(Vec<ArrayRef>),
    /// Rows to come, as the labels are known.
    Coming(Rows),
}

impl Part {
    /// The array of rows; these are collected, up to so many cells, when not all of the labels are known.
    pub(super) async fn open(rows: Rows, cells_max: u64) -> Result<Self, Error> {
        let schema = rows.schema();
        let variables: Vec<FieldRef> =
            schema.fields().iter().filter(|field| !rows.dimensions.contains(field.name())).cloned().collect();
        let known = known_dimensions(&rows)?;
        if let Some(dimensions) = known.filter(|dimensions| !dimensions.is_empty()) {
            return Ok(Self { dimensions, variables, cells: Cells::Coming(rows) });
        }
        let labelled = rows.into_labelled(cells_max).await?;
        let dimensions = labelled.dimensions.into_iter().map(|dimension| {
            let field = Field::new(&dimension.name, dimension.labels.data_type().clone(), true);
            (Arc::new(field.with_metadata(dimension.metadata)), dimension.labels)
        });
        let values = labelled.variables.into_iter().map(|variable| variable.values);
        Ok(Self { dimensions: dimensions.collect(), variables, cells: Cells::Held(values.collect()) })
    }

    /// The columns of the dimensions and all of their labels, outermost first.
    pub(super) fn dimensions(&self) -> impl Iterator<Item = (&FieldRef, &ArrayRef)> {
        self.dimensions.iter().map(|(field, labels)| (field, labels))
    }

    /// The columns of the variables.
    pub(super) fn variables(&self) -> &[FieldRef] {
        &self.variables
    }

    /// How many variables there are.
    pub(super) fn variable_count(&self) -> usize {
        self.variables.len()
    }

    /// Cells that are in memory.
    pub(super) fn cells_held(&self) -> u64 {
        match &self.cells {
            Cells::Held(_) => self.shape().iter().product(),
            Cells::Coming(_) => 0,
        }
    }

    /// Writes every variable; the first is number `first` of the store.
    pub(super) async fn write(self, writer: &mut ZarrWriter, first: usize, schema: &StoreSchema) -> Result<(), Error> {
        let shape = self.shape();
        match self.cells {
            Cells::Held(variables) => {
                for (number, values) in variables.iter().enumerate() {
                    let chunk_shape = &schema.variables[first + number].chunk_shape;
                    write_whole(writer, first + number, (&shape, chunk_shape), values).await?;
                }
                Ok(())
            }
            Cells::Coming(rows) => Coming::new(&rows, &self.dimensions, first)?.write(rows, writer).await,
        }
    }

    fn shape(&self) -> Vec<u64> {
        self.dimensions.iter().map(|(_, labels)| labels.len() as u64).collect()
    }
}

/// The columns of all dimensions and their labels, where all are known.
fn known_dimensions(rows: &Rows) -> Result<Option<Vec<(FieldRef, ArrayRef)>>, Error> {
    let schema = rows.schema();
    let mut known = Vec::with_capacity(rows.dimensions.len());
    for name in &rows.dimensions {
        let Some(labels) = rows.labels_of(name) else { return Ok(None) };
        let field = schema.field_with_name(name);
        let field = field.map_err(|_| Error::Internal(format!("dimension `{name}` is none of the columns")))?;
        known.push((Arc::new(field.clone()), Arc::clone(labels)));
    }
    Ok(Some(known))
}

/// Rows that go to their places as they come.
struct Coming {
    /// The labels of each dimension, and the column of it.
    dimensions: Vec<(LabelIndex, usize)>,
    /// The columns of the variables.
    variables: Vec<usize>,
    shape: Vec<u64>,
    first: usize,
    memory: MemoryReservation,
}

impl Coming {
    fn new(rows: &Rows, dimensions: &[(FieldRef, ArrayRef)], first: usize) -> Result<Self, Error> {
        let schema = rows.schema();
        let column = |name: &String| {
            schema.index_of(name).map_err(|_| Error::Internal(format!("dimension `{name}` is none of the columns")))
        };
        let indexed = dimensions
            .iter()
            .map(|(field, labels)| Ok((LabelIndex::complete(field.name(), labels)?, column(field.name())?)));
        let is_variable = |column: &usize| !rows.dimensions.contains(schema.field(*column).name());
        Ok(Self {
            dimensions: indexed.collect::<Result<_, Error>>()?,
            variables: (0..schema.fields().len()).filter(is_variable).collect(),
            shape: dimensions.iter().map(|(_, labels)| labels.len() as u64).collect(),
            first,
            memory: rows.reservation("INTO"),
        })
    }

    async fn write(mut self, mut rows: Rows, writer: &mut ZarrWriter) -> Result<(), Error> {
        while let Some(batch) = rows.next().await? {
            for piece in boxes(&self.cells_of(&batch)?, &self.shape) {
                for (number, &column) in self.variables.iter().enumerate() {
                    let values = batch.column(column).slice(piece.row, piece.rows);
                    writer.write(self.first + number, &piece.region, &values).await?;
                }
            }
            self.memory.try_resize(writer.buffered_bytes()).map_err(|error| too_much_waits(error, &rows))?;
        }
        Ok(())
    }

    /// The cells of rows, counted in C order.
    fn cells_of(&mut self, batch: &RecordBatch) -> Result<Vec<u64>, Error> {
        let mut cells = vec![0; batch.num_rows()];
        for ((index, column), length) in self.dimensions.iter_mut().zip(&self.shape) {
            let places = index.numbers_of(batch.column(*column))?;
            cells.iter_mut().zip(places).for_each(|(cell, place)| *cell = *cell * length + u64::from(place));
        }
        Ok(cells)
    }
}

fn too_much_waits(error: datafusion::error::DataFusionError, rows: &Rows) -> Error {
    let dimension = rows.dimensions.first().map_or("…", String::as_str);
    Error::Resources(format!(
        "{}: too many chunks wait for the rest of their cells; try fewer cells a chunk: CHUNKS ({dimension} 1)",
        error.strip_backtrace()
    ))
}
