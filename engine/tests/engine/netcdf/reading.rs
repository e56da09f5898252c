//! Reads whole variables of NetCDF files, for comparisons.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::*;
use quarray_engine::AccessPolicy;
use quarray_engine::dataset::{Dataset, Variable};
use quarray_engine::source::SourceError;
use quarray_engine::source::store::StoreOptions;
use serde_json::{Value, json};

use crate::zarr::reading::cells;

/// The dataset at an address, with options.
pub async fn open(address: &str, options: &[(&str, &str)]) -> Result<Dataset, SourceError> {
    let options: StoreOptions =
        options.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
    quarray_engine::source::open::open(address, &options, &AccessPolicy::everything()).await
}

/// The cells of a variable in C order: numbers, texts, null where they are missing.
pub async fn values(variable: &Variable) -> Result<Vec<Value>, SourceError> {
    cells(variable, |values| (0..values.len()).map(|at| value(values, at)).collect()).await
}

fn value(values: &ArrayRef, at: usize) -> Value {
    if values.is_null(at) {
        return Value::Null;
    }
    match values.data_type() {
        DataType::Utf8 => json!(values.as_string::<i32>().value(at)),
        DataType::Boolean => json!(values.as_boolean().value(at)),
        // JSON has no NaN: a null.
        DataType::Float32 => json!(values.as_primitive::<Float32Type>().value(at)),
        DataType::Float64 => json!(values.as_primitive::<Float64Type>().value(at)),
        DataType::Int8 => json!(values.as_primitive::<Int8Type>().value(at)),
        DataType::Int16 => json!(values.as_primitive::<Int16Type>().value(at)),
        DataType::Int32 => json!(values.as_primitive::<Int32Type>().value(at)),
        DataType::Int64 => json!(values.as_primitive::<Int64Type>().value(at)),
        DataType::UInt8 => json!(values.as_primitive::<UInt8Type>().value(at)),
        DataType::UInt16 => json!(values.as_primitive::<UInt16Type>().value(at)),
        DataType::UInt32 => json!(values.as_primitive::<UInt32Type>().value(at)),
        DataType::UInt64 => json!(values.as_primitive::<UInt64Type>().value(at)),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            json!(values.as_primitive::<TimestampMicrosecondType>().value(at))
        }
        other => panic!("a variable of type {other}"),
    }
}

/// Whether a value is what was expected, to the last digits of a 32-bit float.
pub fn is_same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= 1e-6 * b.abs().max(1e-30)
        }
        _ => found == expected,
    }
}
