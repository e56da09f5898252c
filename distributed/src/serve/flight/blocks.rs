//! Results as arrays: a tensor a variable (`arrow.fixed_shape_tensor`), in rows along the outermost dimensions.
//!
//! An array that is small is one row. Of a larger one the outermost dimensions are rows, one after the other, so that no
//! message is large: all tensors of a column, put together and shaped by `quarray:shape`, are the array in C order. The
//! schema's metadata tells the dimensions, the shape and the labels (an Arrow stream of one row in base 64: a list a
//! dimension). A missing cell is a NaN; of times it is the least number, which is NumPy's NaT.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, Float64Array, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type, Int64Type, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::execution::memory_pool::MemoryReservation;
use quarray_engine::labelled::{CELLS_MAX, LabelledDimension, LabelledVariable};
use quarray_engine::{Error, Labelled, Rows};
use serde_json::{Value, json};

use super::wire;
use crate::serve::DIMENSIONS_KEY;

/// Bytes of a row above which an array is cut along its outermost dimensions.
const ROW_BYTES: usize = 1 << 20;

/// The most bytes of a row: clients take messages of 16 MiB.
const ROW_BYTES_MAX: usize = 8 << 20;

/// The most bytes of labels.
const LABEL_BYTES_MAX: usize = 4 << 20;

/// The bytes of a number that is made of another value.
const NUMBER_BYTES: usize = size_of::<f64>();

/// The key of a schema's metadata that has the cells along each dimension, as JSON.
const SHAPE_KEY: &str = "quarray:shape";

/// The key of a schema's metadata that has the labels of the dimensions.
const COORDINATES_KEY: &str = "quarray:coordinates";

/// The key of a column's metadata that tells which of NumPy's types its numbers stand for.
const TYPE_KEY: &str = "quarray:dtype";

/// A result as tensors, which counts as the query's for as long as it is there.
#[derive(Debug)]
pub(super) struct Blocks {
    pub(super) schema: SchemaRef,
    pub(super) batch: RecordBatch,
    pub(super) memory: MemoryReservation,
}

impl Blocks {
    /// The array that rows are.
    pub(super) async fn of(rows: Rows) -> Result<Self, Error> {
        let (array, memory) = rows.into_labelled_held(CELLS_MAX).await?;
        let made = tensors(&array, &memory);
        let (schema, batch) = made.map_err(|fault| match fault {
            Fault::Arrow(error) => Error::Internal(error.to_string()),
            Fault::Told(error) => error,
        })?;
        drop(array);
        memory.try_resize(get_record_batch_memory_size(&batch))?;
        Ok(Self { schema, batch, memory })
    }
}

enum Fault {
    Arrow(ArrowError),
    Told(Error),
}

impl From<ArrowError> for Fault {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

fn tensors(array: &Labelled, memory: &MemoryReservation) -> Result<(SchemaRef, RecordBatch), Fault> {
    let shape = array.shape();
    let columns = array.variables.iter().map(|variable| numbers(variable, memory));
    let columns = columns.collect::<Result<Vec<_>, Fault>>()?;
    let width: usize = columns.iter().map(|(values, _)| values.data_type().primitive_width().unwrap_or(8)).sum();
    let lead = leading(&shape, width)?;
    let (outer, inner) = shape.split_at(lead);
    let (rows, cells) = (outer.iter().product::<usize>(), inner.iter().product::<usize>());
    let names: Vec<&str> = array.dimensions.iter().skip(lead).map(|dimension| dimension.name.as_str()).collect();
    let extension = json!({ "shape": inner, "dim_names": names }).to_string();
    let length = i32::try_from(cells).map_err(|_| too_wide(cells))?;
    let mut fields = Vec::with_capacity(columns.len());
    let mut lists: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    for (variable, (values, dtype)) in array.variables.iter().zip(columns) {
        let item = Arc::new(Field::new("item", values.data_type().clone(), true));
        let mut metadata = variable.metadata.clone();
        metadata.insert("ARROW:extension:name".to_string(), "arrow.fixed_shape_tensor".to_string());
        metadata.insert("ARROW:extension:metadata".to_string(), extension.clone());
        metadata.extend(dtype.map(|dtype| (TYPE_KEY.to_string(), dtype)));
        let data_type = DataType::FixedSizeList(Arc::clone(&item), length);
        fields.push(Field::new(&variable.name, data_type, false).with_metadata(metadata));
        if rows * cells > 0 {
            lists.push(Arc::new(FixedSizeListArray::try_new(item, length, values, None)?));
        }
    }
    let schema = SchemaRef::new(Schema::new_with_metadata(fields, metadata(array, &shape)?));
    if rows * cells == 0 || lists.is_empty() {
        return Ok((Arc::clone(&schema), RecordBatch::new_empty(schema)));
    }
    let batch = RecordBatch::try_new(Arc::clone(&schema), lists)?;
    Ok((schema, batch))
}

/// The dimensions that are rows: as few as leave rows that are small enough.
fn leading(shape: &[usize], width: usize) -> Result<usize, Fault> {
    let bytes = |lead: usize| shape.iter().skip(lead).product::<usize>().saturating_mul(width);
    let last = shape.len().saturating_sub(1);
    let lead = (0..last).find(|&lead| bytes(lead) <= ROW_BYTES).unwrap_or(last);
    match bytes(lead) <= ROW_BYTES_MAX {
        true => Ok(lead),
        false => Err(too_wide(bytes(lead))),
    }
}

fn too_wide(found: usize) -> Fault {
    let advice = "ask for rows, or select a part";
    Fault::Told(Error::Resources(format!(
        "a row of blocks would have {found} bytes, more than the {ROW_BYTES_MAX} that clients take: {advice}"
    )))
}

/// The cells of a variable as numbers without nulls, and the type that they stand for where it is another one.
fn numbers(variable: &LabelledVariable, memory: &MemoryReservation) -> Result<(ArrayRef, Option<String>), Fault> {
    let values = &variable.values;
    let has_missing = values.logical_null_count() > 0;
    let stays = values.data_type().is_integer() || *values.data_type() == DataType::Float32;
    if has_missing || !stays {
        memory.try_grow(values.len() * NUMBER_BYTES).map_err(|error| Fault::Told(error.into()))?;
    }
    let as_float = || -> Result<ArrayRef, Fault> {
        let values = cast(values, &DataType::Float64)?;
        let values = values.as_primitive::<arrow::datatypes::Float64Type>();
        Ok(Arc::new(Float64Array::from_iter_values(values.iter().map(|value| value.unwrap_or(f64::NAN)))))
    };
    Ok(match values.data_type() {
        DataType::Float32 if has_missing => {
            let values = values.as_primitive::<Float32Type>().iter().map(|value| value.unwrap_or(f32::NAN));
            (Arc::new(Float32Array::from_iter_values(values)), None)
        }
        DataType::Float32 => (Arc::clone(values), None),
        DataType::Float16 | DataType::Float64 => (as_float()?, None),
        data_type if data_type.is_integer() && !has_missing => (Arc::clone(values), None),
        data_type if data_type.is_numeric() => (as_float()?, None),
        DataType::Boolean if has_missing => (as_float()?, None),
        DataType::Boolean => (cast(values, &DataType::UInt8)?, Some("bool".to_string())),
        data_type => match numpy_time(data_type) {
            Some((storage, dtype)) => (times(values, &storage)?, Some(dtype)),
            None => {
                let name = &variable.name;
                let message = format!("`{name}`: blocks are of numbers and times, found {data_type}: ask for rows");
                return Err(Fault::Told(Error::Execution(message)));
            }
        },
    })
}

/// Times as numbers, the least one where there is none.
fn times(values: &ArrayRef, storage: &DataType) -> Result<ArrayRef, Fault> {
    let values = cast(&cast(values, storage)?, &DataType::Int64)?;
    let values = values.as_primitive::<Int64Type>().iter().map(|value| value.unwrap_or(i64::MIN));
    Ok(Arc::new(Int64Array::from_iter_values(values)))
}

fn numpy_time(data_type: &DataType) -> Option<(DataType, String)> {
    let unit = |unit: &TimeUnit| match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    };
    match data_type {
        DataType::Timestamp(of, _) => Some((DataType::Timestamp(*of, None), format!("datetime64[{}]", unit(of)))),
        DataType::Duration(of) => Some((data_type.clone(), format!("timedelta64[{}]", unit(of)))),
        DataType::Date32 | DataType::Date64 => {
            Some((DataType::Timestamp(TimeUnit::Second, None), "datetime64[s]".to_string()))
        }
        _ => None,
    }
}

fn metadata(array: &Labelled, shape: &[usize]) -> Result<HashMap<String, String>, Fault> {
    let names: Vec<&str> = array.dimensions.iter().map(|dimension| dimension.name.as_str()).collect();
    Ok(HashMap::from([
        (DIMENSIONS_KEY.to_string(), Value::from(names).to_string()),
        (SHAPE_KEY.to_string(), json!(shape).to_string()),
        (COORDINATES_KEY.to_string(), coordinates(&array.dimensions)?),
    ]))
}

/// The labels as an Arrow stream of one row: a list a dimension.
fn coordinates(dimensions: &[LabelledDimension]) -> Result<String, Fault> {
    let mut fields = Vec::with_capacity(dimensions.len());
    let mut lists: Vec<ArrayRef> = Vec::with_capacity(dimensions.len());
    for dimension in dimensions {
        let item = wire::plain(Field::new("item", dimension.labels.data_type().clone(), true));
        let labels = cast(&dimension.labels, item.data_type())?;
        let list = ListArray::try_new(Arc::new(item), OffsetBuffer::from_lengths([labels.len()]), labels, None)?;
        let field = Field::new(&dimension.name, list.data_type().clone(), false);
        fields.push(field.with_metadata(dimension.metadata.clone()));
        lists.push(Arc::new(list));
    }
    let batch = RecordBatch::try_new(SchemaRef::new(Schema::new(fields)), lists)?;
    if batch.get_array_memory_size() > LABEL_BYTES_MAX {
        let message = format!("the labels have more than {LABEL_BYTES_MAX} bytes: ask for rows");
        return Err(Fault::Told(Error::Resources(message)));
    }
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(&batch)?;
    Ok(BASE64_STANDARD.encode(writer.into_inner()?))
}
