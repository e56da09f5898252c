//! The chunks of warped arrays.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array, new_null_array};
use arrow::compute::{cast, interleave};
use arrow::datatypes::{DataType, Float64Type};
use async_trait::async_trait;

use super::places::{Places, Window};
use super::resample::{Method, Plane, Resampler, cell_at};
use crate::array::Region;
use crate::source::{Chunk, SourceError};

/// A chunk of a source, and the cells of it.
pub(in crate::source) type Piece = (Region, Arc<dyn Chunk>);

/// A chunk whose cells are computed when they are read.
#[derive(Debug)]
pub(in crate::source) struct WarpedChunk {
    /// Where its cells lie in the source.
    pub(super) places: Arc<Places>,
    /// The rows and columns of the source that are wanted.
    pub(super) wanted: Option<Window>,
    pub(super) pieces: Vec<Piece>,
    pub(super) resampler: Resampler,
    pub(super) scale: (f64, f64),
    pub(super) is_aligned: bool,
    pub(super) region: Region,
    pub(super) name: String,
    pub(super) index: Vec<u64>,
}

#[async_trait]
impl Chunk for WarpedChunk {
    async fn wait(&self, _region: &Region) -> Result<(), SourceError> {
        for (cells, chunk) in &self.pieces {
            chunk.wait(&Region::whole(&cells.shape)).await?;
        }
        Ok(())
    }

    fn read(&self, region: &Region) -> Result<ArrayRef, SourceError> {
        let is_inside =
            |d: usize| region.start[d].checked_add(region.shape[d]).is_some_and(|end| end <= self.region.shape[d]);
        if region.rank() != self.region.rank() || !(0..region.rank()).all(is_inside) {
            return Err(self.failed(format!("{region:?} does not lie in a chunk of {:?}", self.region.shape)));
        }
        let outer = region.rank() - 2;
        let planes = Region::new(region.start[..outer].to_vec(), region.shape[..outer].to_vec());
        let mut results: Vec<ArrayRef> = Vec::new();
        for number in 0..planes.cells().unwrap_or(0) {
            results.push(self.plane(&planes.cell(number), region)?);
        }
        match results.as_slice() {
            [] => Ok(arrow::array::new_empty_array(self.resampler.data_type())),
            [only] => Ok(Arc::clone(only)),
            all => {
                let all: Vec<&dyn Array> = all.iter().map(AsRef::as_ref).collect();
                arrow::compute::concat(&all).map_err(|error| self.failed(error.to_string()))
            }
        }
    }

    fn encoded_size(&self) -> usize {
        self.pieces.iter().map(|(_, chunk)| chunk.encoded_size()).sum()
    }

    fn memory_size(&self) -> usize {
        let chunks: usize = self.pieces.iter().map(|(_, chunk)| chunk.memory_size()).sum();
        // The cells of one plane as they are read, and as numbers.
        let plane = self.wanted.map_or(0, |wanted| wanted.height().saturating_mul(wanted.width()).saturating_mul(16));
        chunks.saturating_add(plane).saturating_add(self.places.memory_size())
    }
}

impl WarpedChunk {
    fn failed(&self, message: String) -> SourceError {
        SourceError::Chunk { array: self.name.clone(), chunk: self.index.clone(), message }
    }

    /// The rows and columns of a region, at one place of the outer dimensions.
    fn plane(&self, place: &[u64], region: &Region) -> Result<ArrayRef, SourceError> {
        let outer = place.len();
        let cells = (region.shape[outer] * region.shape[outer + 1]) as usize;
        let Some(wanted) = self.wanted else {
            return Ok(filled_like(self.resampler.data_type(), self.resampler.nan_is_missing(), cells));
        };
        let mut parts = Vec::with_capacity(self.pieces.len());
        for (of_chunk, chunk) in &self.pieces {
            let mut start: Vec<u64> =
                place.iter().zip(&self.region.start).map(|(inner, start)| inner + start).collect();
            start.extend([wanted.rows.0, wanted.columns.0]);
            let mut shape = vec![1; outer];
            shape.extend([wanted.height() as u64, wanted.width() as u64]);
            let Some(part) = of_chunk.intersection(&Region::new(start, shape)) else { continue };
            let values = chunk.read(&part.relative_to(&of_chunk.start))?;
            parts.push((
                Window {
                    rows: (part.start[outer], part.end(outer)),
                    columns: (part.start[outer + 1], part.end(outer + 1)),
                },
                values,
            ));
        }
        match self.resampler.method() {
            Method::Nearest => self.nearest(&wanted, &parts, region, cells),
            _ => self.computed(&wanted, &parts, region),
        }
    }

    /// The number of a cell of the chunk in its window, and its column and row there.
    fn cells_of<'a>(&'a self, region: &'a Region) -> impl Iterator<Item = (usize, usize, usize)> + 'a {
        let outer = region.rank() - 2;
        let width = self.region.shape[outer + 1] as usize;
        let rows = region.start[outer]..region.end(outer);
        rows.flat_map(move |row| {
            let columns = region.start[outer + 1]..region.end(outer + 1);
            columns.map(move |column| (row as usize * width + column as usize, column as usize, row as usize))
        })
    }

    fn nearest(
        &self,
        wanted: &Window,
        parts: &[(Window, ArrayRef)],
        region: &Region,
        cells: usize,
    ) -> Result<ArrayRef, SourceError> {
        let nothing = filled_like(self.resampler.data_type(), self.resampler.nan_is_missing(), 1);
        let mut arrays: Vec<&dyn Array> = vec![nothing.as_ref()];
        arrays.extend(parts.iter().map(|(_, values)| values.as_ref()));
        let mut choices = Vec::with_capacity(cells);
        let mut last = 0;
        for (number, _, _) in self.cells_of(region) {
            let (x, y) = self.places.middle(number);
            // A place that lies outside of what was wanted lies outside of the source.
            let column = cell_at(x - wanted.columns.0 as f64, wanted.width());
            let row = cell_at(y - wanted.rows.0 as f64, wanted.height());
            let (Some(column), Some(row)) = (column, row) else {
                choices.push((0, 0));
                continue;
            };
            let (column, row) = (column as u64 + wanted.columns.0, row as u64 + wanted.rows.0);
            let holds = |part: &Window| {
                (part.rows.0..part.rows.1).contains(&row) && (part.columns.0..part.columns.1).contains(&column)
            };
            if !parts.get(last).is_some_and(|(part, _)| holds(part)) {
                last = parts.iter().position(|(part, _)| holds(part)).unwrap_or(parts.len());
            }
            choices.push(match parts.get(last) {
                Some((part, _)) => {
                    let offset = (row - part.rows.0) as usize * part.width() + (column - part.columns.0) as usize;
                    (last + 1, offset)
                }
                None => (0, 0),
            });
        }
        interleave(&arrays, &choices).map_err(|error| self.failed(error.to_string()))
    }

    fn computed(
        &self,
        wanted: &Window,
        parts: &[(Window, ArrayRef)],
        region: &Region,
    ) -> Result<ArrayRef, SourceError> {
        let (width, height) = (wanted.width(), wanted.height());
        let mut values = vec![f64::NAN; width * height];
        for (part, array) in parts {
            let numbers = cast(array, &DataType::Float64).map_err(|error| self.failed(error.to_string()))?;
            let numbers = numbers.as_primitive::<Float64Type>();
            for row in 0..part.height() {
                let to = ((part.rows.0 - wanted.rows.0) as usize + row) * width
                    + (part.columns.0 - wanted.columns.0) as usize;
                for column in 0..part.width() {
                    let from = row * part.width() + column;
                    if numbers.is_valid(from) {
                        values[to + column] = numbers.value(from);
                    }
                }
            }
        }
        let plane = Plane { values: &values, width, height };
        let (left, top) = (wanted.columns.0 as f64, wanted.rows.0 as f64);
        let method = if self.is_aligned { Method::Nearest } else { self.resampler.method() };
        let computed = self.cells_of(region).map(|(number, column, row)| match self.places.are_corners() {
            true => {
                let [from_x, from_y, to_x, to_y] = self.places.covered(column, row);
                plane.average([from_x - left, from_y - top, to_x - left, to_y - top])
            }
            false => {
                let (x, y) = self.places.middle(number);
                plane.sample(method, (x - left, y - top), self.scale)
            }
        });
        Ok(match self.resampler.data_type() {
            DataType::Float32 => Arc::new(Float32Array::from_iter_values(computed.map(|value| value as f32))),
            _ => Arc::new(Float64Array::from_iter_values(computed)),
        })
    }
}

/// So many missing cells.
pub(in crate::source) fn filled_like(data_type: &DataType, nan_is_missing: bool, cells: usize) -> ArrayRef {
    match (nan_is_missing, data_type) {
        (true, DataType::Float32) => Arc::new(Float32Array::from(vec![f32::NAN; cells])),
        (true, DataType::Float64) => Arc::new(Float64Array::from(vec![f64::NAN; cells])),
        _ => new_null_array(data_type, cells),
    }
}
