//! Rows on their way to the chunks they belong to.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryReservation};

use super::boxes::boxes;
use super::contents::StoreDimension;
use crate::error::Error;
use crate::labelled::LabelIndex;
use crate::outcome::Rows;
use crate::sink::zarr::ZarrWriter;

/// Rows that go to their places as they come.
pub(super) struct RowStream {
    /// Each dimension, and the column that tells the place along it.
    dimensions: Vec<(Places, usize)>,
    /// The columns of the variables.
    variables: Vec<usize>,
    names: Vec<String>,
    shape: Vec<u64>,
    first: usize,
    memory: MemoryReservation,
    /// Bytes above which cells wait on the disk.
    memory_max: usize,
}

/// How the place along a dimension is told.
enum Places {
    /// By whole numbers that count from this one.
    Counted { from: i64, count: i64 },
    /// By anything else.
    Looked(LabelIndex),
}

impl RowStream {
    /// The rows of an array over `dimensions`; its first variable is number `first` of the store.
    pub(super) fn new(
        rows: &Rows,
        dimensions: &[&StoreDimension],
        columns: &[String],
        first: usize,
    ) -> Result<Self, Error> {
        let schema = rows.schema();
        let column = |name: &String| {
            schema.index_of(name).map_err(|_| Error::Internal(format!("`{name}` is none of the columns")))
        };
        let placed = dimensions
            .iter()
            .zip(columns)
            .map(|(dimension, name)| Ok((Places::new(dimension.field.name(), &dimension.places)?, column(name)?)));
        Ok(Self {
            dimensions: placed.collect::<Result<_, Error>>()?,
            variables: (0..schema.fields().len()).filter(|&k| !columns.contains(schema.field(k).name())).collect(),
            names: dimensions.iter().map(|dimension| dimension.field.name().clone()).collect(),
            shape: dimensions.iter().map(|dimension| dimension.labels.len() as u64).collect(),
            first,
            memory: rows.reservation("INTO"),
            memory_max: memory_max(rows),
        })
    }

    /// Writes all rows. No more is held than the chunks that have not all of their cells yet.
    pub(super) async fn write(mut self, mut rows: Rows, writer: &mut ZarrWriter) -> Result<(), Error> {
        while let Some(batch) = rows.next().await? {
            for piece in boxes(&self.cells_of(&batch)?, &self.shape) {
                for (number, &column) in self.variables.iter().enumerate() {
                    let values = batch.column(column).slice(piece.row, piece.rows);
                    writer.write(self.first + number, &piece.region, &values).await?;
                }
            }
            if writer.memory_size() > self.memory_max {
                writer.spill()?;
            }
            self.memory.try_resize(writer.memory_size()).map_err(|error| self.too_much_waits(&error))?;
        }
        Ok(())
    }

    /// The cells of rows, counted in C order.
    fn cells_of(&mut self, batch: &RecordBatch) -> Result<Vec<u64>, Error> {
        let mut cells = vec![0; batch.num_rows()];
        for (((places, column), length), name) in self.dimensions.iter_mut().zip(&self.shape).zip(&self.names) {
            places.add(batch.column(*column), *length, name, &mut cells)?;
        }
        Ok(cells)
    }

    fn too_much_waits(&self, error: &datafusion::error::DataFusionError) -> Error {
        let dimension = self.names.first().map_or("…", String::as_str);
        Error::Resources(format!(
            "{}: too many chunks wait for the rest of their cells; try fewer cells a chunk: CHUNKS ({dimension} 1)",
            error.strip_backtrace()
        ))
    }
}

/// Half of what there is: what is read and reduced meanwhile needs some too.
fn memory_max(rows: &Rows) -> usize {
    match rows.memory_pool.as_ref().map(|pool| pool.memory_limit()) {
        Some(MemoryLimit::Finite(bytes)) => bytes / 2,
        _ => usize::MAX,
    }
}

impl Places {
    fn new(name: &str, places: &ArrayRef) -> Result<Self, Error> {
        if let Some(numbers) = places.as_primitive_opt::<Int64Type>()
            && numbers.null_count() == 0
            && numbers.values().windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]))
        {
            let from = numbers.values().first().copied().unwrap_or(0);
            return Ok(Self::Counted { from, count: numbers.len() as i64 });
        }
        Ok(Self::Looked(LabelIndex::complete(name, places)?))
    }

    /// Goes one dimension further in: the number of each cell times the length, plus its place.
    fn add(&mut self, column: &ArrayRef, length: u64, name: &str, cells: &mut [u64]) -> Result<(), Error> {
        match self {
            Self::Looked(index) => {
                let places = index.numbers_of(column)?;
                cells.iter_mut().zip(places).for_each(|(cell, place)| *cell = *cell * length + u64::from(place));
            }
            Self::Counted { from, count } => {
                let foreign = || Error::Internal(format!("a row has a place that is none of dimension `{name}`"));
                let numbers = column.as_primitive_opt::<Int64Type>().filter(|numbers| numbers.null_count() == 0);
                for (cell, number) in cells.iter_mut().zip(numbers.ok_or_else(foreign)?.values()) {
                    let place = number.checked_sub(*from).filter(|place| (0..*count).contains(place));
                    *cell = *cell * length + place.ok_or_else(foreign)? as u64;
                }
            }
        }
        Ok(())
    }
}
