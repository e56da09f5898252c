//! The labels of a dataset's dimensions, read once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, MutableArrayData, PrimitiveArray, make_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::concat;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field, Float32Type, Float64Type};
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use serde_json::Value;

use super::axis::order_of;
use super::{Axis, Order};
use crate::array::{Positions, Region, unravel};
use crate::catalog::Address;
use crate::dataset::{Dataset, Variable};
use crate::error::Error;
use crate::source::SourceError;
use crate::source::partition::Partition;
use crate::source::warp::{MapAxes, map_axes};

/// Requests for the chunks of a coordinate that are under way at once.
const CONCURRENT_FETCHES: usize = 16;

/// The most cells of a coordinate that are read whole.
const LABELS_MAX: u64 = 1 << 28;

/// The key in the metadata of the labels of rows and columns that names their reference system.
pub const CRS_KEY: &str = "quarray.crs";

/// The key beside it that says which of the two they are: `y` or `x`.
pub const MAP_AXIS_KEY: &str = "quarray.axis";

/// A dataset and the labels of its dimensions.
#[derive(Debug)]
pub struct LabelledDataset {
    /// What it is called in messages.
    pub name: String,
    /// The dataset.
    pub dataset: Arc<Dataset>,
    /// Where it is, if others can open it too.
    pub address: Option<Address>,
    /// A number of this opening alone: what was read of a store may be kept with it, and the store may have been filled since
    /// when it is opened again.
    pub opening: u64,
    /// How many chunks make a unit of work, where that was told.
    pub partition: Option<Partition>,
    /// Its rows and columns, where their reference system is known.
    map_axes: Option<MapAxes>,
    labels: HashMap<String, (ArrayRef, Order)>,
    /// Variables of one dimension that group keys are made of, once they were needed.
    loaded: Mutex<HashMap<String, ArrayRef>>,
}

impl LabelledDataset {
    /// Reads the labels of every dimension of a dataset.
    pub async fn read(name: &str, dataset: Arc<Dataset>) -> Result<Self, Error> {
        // All at once: each is a request that takes its time.
        let read = dataset.dimensions.iter().map(|dimension| async {
            let values = match dataset.index(&dimension.name) {
                Some(index) => read_whole(index).await?,
                None if dimension.length <= LABELS_MAX => {
                    Arc::new(Int64Array::from_iter_values(0..dimension.length as i64)) as ArrayRef
                }
                None => return Err(too_long(name, &dimension.name, dimension.length)),
            };
            let order = order_of(&values)?;
            Ok((dimension.name.clone(), (values, order)))
        });
        let labels = try_join_all(read).await?.into_iter().collect();
        let map_axes = map_axes(&dataset).ok();
        let name = name.to_string();
        // Keys of hashes are random, and those of no two hashers are the same.
        let opening = RandomState::new().hash_one(());
        let (address, partition, loaded) = (None, None, Mutex::default());
        Ok(Self { name, dataset, address, opening, partition, map_axes, labels, loaded })
    }

    /// The dataset, opened at an address.
    #[must_use]
    pub fn at(self, address: Address) -> Self {
        Self { address: Some(address), ..self }
    }

    /// The dataset, read in partitions of so many chunks.
    #[must_use]
    pub fn in_partitions(self, partition: Option<Partition>) -> Self {
        Self { partition, ..self }
    }

    /// Holds the labels of another opening in place of those that are the same, so that they are in memory once.
    pub fn share_labels(&mut self, other: &Self) {
        for (dimension, (labels, _)) in &mut self.labels {
            if let Some((known, _)) = other.labels.get(dimension)
                && known == labels
            {
                *labels = Arc::clone(known);
            }
        }
    }

    /// Reads a variable whole, once.
    pub async fn load(&self, variable: &Variable) -> Result<(), Error> {
        if self.loaded(&variable.name).is_none() {
            let values = read_whole(variable).await?;
            let values = if variable.nan_is_missing { nan_to_null(&values) } else { values };
            self.loaded.lock().insert(variable.name.clone(), values);
        }
        Ok(())
    }

    /// The values of a variable that was read whole.
    pub fn loaded(&self, name: &str) -> Option<ArrayRef> {
        self.loaded.lock().get(name).cloned()
    }

    /// The whole of a dimension as an axis.
    pub fn axis(&self, dimension: &str) -> Option<Axis> {
        let (labels, order) = self.labels.get(dimension)?;
        let field = match self.dataset.index(dimension) {
            Some(index) => self.with_system(field_of(index, "dimension")),
            None => {
                let mut metadata = role("dimension");
                metadata.insert("quarray.unlabelled".to_string(), "true".to_string());
                Field::new(dimension, DataType::Int64, false).with_metadata(metadata)
            }
        };
        Some(Axis {
            name: dimension.to_string(),
            field: Arc::new(field.with_nullable(labels.null_count() > 0)),
            labels: Arc::clone(labels),
            order: *order,
            positions: Positions::all(labels.len() as u64),
            numbering: Positions::all(labels.len() as u64),
            fraction: None,
            scalar: false,
        })
    }

    /// The labels of a dimension with what is known of their place on Earth.
    fn with_system(&self, mut field: Field) -> Field {
        let Some(found) = &self.map_axes else { return field };
        let axis = match field.name() {
            name if *name == found.y => "y",
            name if *name == found.x => "x",
            _ => return field,
        };
        field.metadata_mut().insert(CRS_KEY.to_string(), found.crs.name().to_string());
        field.metadata_mut().insert(MAP_AXIS_KEY.to_string(), axis.to_string());
        field
    }
}

/// The column of a variable's values: type, and in the metadata its units, long name, calendar and what it is for.
pub fn field_of(variable: &Variable, what: &str) -> Field {
    let mut metadata = role(what);
    for key in ["units", "long_name", "standard_name"] {
        if let Some(Value::String(text)) = variable.attributes.get(key) {
            metadata.insert(key.to_string(), text.clone());
        }
    }
    if matches!(variable.data_type, DataType::Timestamp(..)) {
        metadata.remove("units");
    }
    if let Some(calendar) = &variable.calendar {
        metadata.insert("calendar".to_string(), calendar.clone());
    }
    Field::new(&variable.name, variable.data_type.clone(), true).with_metadata(metadata)
}

/// Every value of a variable, in C order.
pub async fn read_whole(variable: &Variable) -> Result<ArrayRef, Error> {
    let grid = variable.array.grid();
    let whole = Region::whole(grid.shape());
    let cells = whole.cells().filter(|&cells| cells <= LABELS_MAX);
    let Some(cells) = cells else {
        return Err(too_long(&variable.name, "the variable", u64::MAX));
    };
    if cells == 0 {
        return Ok(arrow::array::new_empty_array(&variable.data_type));
    }
    let counts = grid.chunk_counts();
    let chunks: u64 = counts.iter().product();
    let indexes = (0..chunks).map(|linear| unravel(linear, &counts));
    let pieces: Vec<(Region, ArrayRef)> = stream::iter(indexes)
        .map(|index| async move {
            let region = grid.chunk_region(&index);
            let chunk = variable.array.fetch(&index).await?;
            let cells = Region::whole(&region.shape);
            chunk.wait(&cells).await?;
            let values = chunk.read(&cells)?;
            Ok::<_, SourceError>((region, values))
        })
        .buffered(CONCURRENT_FETCHES)
        .try_collect()
        .await?;
    assemble(&pieces, grid.shape())
}

/// The values with a null in place of every NaN.
pub fn nan_to_null(values: &ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Float32 => with_validity(values.as_primitive::<Float32Type>(), |value| !value.is_nan()),
        DataType::Float64 => with_validity(values.as_primitive::<Float64Type>(), |value| !value.is_nan()),
        _ => Arc::clone(values),
    }
}

fn with_validity<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, valid: impl Fn(T::Native) -> bool) -> ArrayRef {
    let values = array.values();
    let bits = BooleanBuffer::collect_bool(values.len(), |index| valid(values[index]));
    let nulls = NullBuffer::union(array.nulls(), Some(&NullBuffer::new(bits)));
    Arc::new(PrimitiveArray::<T>::new(values.clone(), nulls).with_data_type(array.data_type().clone()))
}

fn assemble(pieces: &[(Region, ArrayRef)], shape: &[u64]) -> Result<ArrayRef, Error> {
    let in_order = pieces.iter().all(|(region, _)| region.is_run_of(shape));
    let arrays: Vec<&dyn Array> = pieces.iter().map(|(_, values)| values.as_ref()).collect();
    if in_order {
        return Ok(concat(&arrays).map_err(datafusion::error::DataFusionError::from)?);
    }
    let data: Vec<_> = pieces.iter().map(|(_, values)| values.to_data()).collect();
    let cells = shape.iter().product::<u64>() as usize;
    let mut places = vec![(0usize, 0usize); cells];
    for (piece, (region, _)) in pieces.iter().enumerate() {
        for offset in 0..region.cells().unwrap_or(0) {
            let within = unravel(offset, &region.shape);
            let target = within.iter().zip(&region.start).zip(shape).fold(0, |flat, ((w, s), n)| flat * n + w + s);
            places[target as usize] = (piece, offset as usize);
        }
    }
    let mut output = MutableArrayData::new(data.iter().collect(), false, cells);
    for (piece, offset) in places {
        output.try_extend(piece, offset, offset + 1).map_err(datafusion::error::DataFusionError::from)?;
    }
    Ok(make_array(output.freeze()))
}

fn role(what: &str) -> HashMap<String, String> {
    HashMap::from([("quarray.role".to_string(), what.to_string())])
}

fn too_long(name: &str, what: &str, length: u64) -> Error {
    Error::Resources(format!("{name}: {what} has {length} cells, more than the {LABELS_MAX} that are read as labels"))
}
