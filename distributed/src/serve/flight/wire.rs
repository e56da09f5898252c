//! The types of results on the wire: those that every client reads, unless it asks for the engine's own.
//!
//! The schema that is told first is the schema that rows have: it is made once, and both are cast by it.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::serve::DIMENSIONS_KEY;

/// The most digits of the decimals that every client reads.
const DECIMAL_DIGITS_MAX: u8 = 38;

/// Which types rows have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::serve) enum WireTypes {
    /// Those that every client reads: no views, no dictionaries, no run ends, no decimals of other widths.
    #[default]
    Plain,
    /// The engine's own.
    Exact,
}

impl WireTypes {
    /// The type of that name in the options of a session.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "plain" => Some(Self::Plain),
            "exact" => Some(Self::Exact),
            _ => None,
        }
    }

    /// The name in the options of a session.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Exact => "exact",
        }
    }

    /// The schema of rows with these columns, which tells their dimensions too.
    pub(in crate::serve) fn schema(self, schema: &Schema, dimensions: &[String]) -> SchemaRef {
        let mut metadata = schema.metadata().clone();
        if !dimensions.is_empty() {
            metadata.insert(DIMENSIONS_KEY.to_string(), serde_json::Value::from(dimensions.to_vec()).to_string());
        }
        let fields = match self {
            Self::Exact => schema.fields().clone(),
            Self::Plain => schema.fields().iter().map(plain_field).collect::<Fields>(),
        };
        SchemaRef::new(Schema::new_with_metadata(fields, metadata))
    }
}

/// The same columns under another schema: cast where their types are others. A value that does not fit is an error.
pub(in crate::serve) fn with_schema(batch: &RecordBatch, schema: SchemaRef) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let cast_options = CastOptions { safe: false, ..CastOptions::default() };
    let column = |(column, field): (&ArrayRef, &FieldRef)| match column.data_type() == field.data_type() {
        true => Ok(Arc::clone(column)),
        false => cast_with_options(column, field.data_type(), &cast_options),
    };
    let columns = batch.columns().iter().zip(schema.fields()).map(column).collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new_with_options(schema, columns, &options)
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let plain = plain_type(field.data_type());
    match plain == *field.data_type() {
        true => Arc::clone(field),
        false => Arc::new(field.as_ref().clone().with_data_type(plain)),
    }
}

fn plain_type(data_type: &DataType) -> DataType {
    let inner = |field: &FieldRef| plain_field(field);
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Float16 => DataType::Float32,
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        DataType::Decimal32(digits, scale) | DataType::Decimal64(digits, scale) => {
            DataType::Decimal128(*digits, *scale)
        }
        DataType::Decimal256(digits, scale) => DataType::Decimal128((*digits).min(DECIMAL_DIGITS_MAX), *scale),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field) => DataType::List(inner(field)),
        DataType::FixedSizeList(field, length) => DataType::FixedSizeList(inner(field), *length),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::Map(entries, is_sorted) => DataType::Map(inner(entries), *is_sorted),
        other => other.clone(),
    }
}

/// A column of a type that every client reads, for tables that are described and not read.
pub(super) fn plain(field: Field) -> Field {
    let data_type = plain_type(field.data_type());
    field.with_data_type(data_type)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, Decimal256Array, DictionaryArray, Int64Array, StringViewArray};
    use arrow::datatypes::Int8Type;

    use super::*;

    type Ended = Result<(), Box<dyn std::error::Error>>;

    fn sent(column: ArrayRef) -> Result<ArrayRef, Box<dyn std::error::Error>> {
        let field = Field::new("a", column.data_type().clone(), true);
        let batch = RecordBatch::try_new(SchemaRef::new(Schema::new(vec![field])), vec![column])?;
        let schema = WireTypes::Plain.schema(&batch.schema(), &["a".to_string()]);
        assert_eq!(schema.metadata().get(DIMENSIONS_KEY).map(String::as_str), Some(r#"["a"]"#));
        Ok(Arc::clone(with_schema(&batch, schema)?.column(0)))
    }

    #[test]
    fn every_client_reads_what_is_sent() -> Ended {
        let words = sent(Arc::new(StringViewArray::from(vec![Some("a"), None])))?;
        assert_eq!(words.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("a"), None]);
        let dictionary: DictionaryArray<Int8Type> = ["x", "y", "x"].into_iter().collect();
        assert_eq!(sent(Arc::new(dictionary))?.data_type(), &DataType::Utf8);
        let wide =
            Decimal256Array::from_iter_values([arrow::datatypes::i256::from(7)]).with_precision_and_scale(76, 2)?;
        assert_eq!(sent(Arc::new(wide))?.data_type(), &DataType::Decimal128(38, 2));
        let same: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        assert!(Arc::ptr_eq(&sent(Arc::clone(&same))?, &same));
        Ok(())
    }

    #[test]
    fn a_value_that_does_not_fit_is_an_error() -> Ended {
        let wide = Decimal256Array::from_iter_values([arrow::datatypes::i256::MAX]).with_precision_and_scale(76, 0)?;
        assert!(sent(Arc::new(wide)).is_err());
        Ok(())
    }
}
