//! The columns of a view or an ordinary table.

use std::fmt::Write;

use arrow::datatypes::{DataType, Schema};
use quarray_engine::session::TableListing;
use unicode_width::UnicodeWidthStr;

/// A line a column: its name, its type, its units; above them the dimensions that are a key.
pub fn print_columns(table: &TableListing, schema: &Schema, dimensions: &[String]) -> String {
    let mut text = format!("{} ({})\n", table.name, table.kind);
    if !dimensions.is_empty() {
        text.push_str(&format!("Dimensions: ({})\n", dimensions.join(", ")));
    }
    text.push_str("Columns:\n");
    let width = schema.fields().iter().map(|field| field.name().width()).max().unwrap_or(0);
    for field in schema.fields() {
        let mark = if dimensions.contains(field.name()) { '*' } else { ' ' };
        let padding = " ".repeat(width - field.name().width());
        let units = field.metadata().get("units").map(|units| format!("  [{units}]")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {mark} {}{padding}  {}{units}", field.name(), type_name(field.data_type()));
    }
    text
}

fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Dictionary(_, values) => type_name(values),
        DataType::Timestamp(..) => "timestamp".to_string(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".to_string(),
        other => other.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    #[test]
    fn columns_with_their_types() {
        let label = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Float32));
        let units = [("units".to_string(), "mm".to_string())].into_iter().collect();
        let schema = Schema::new(vec![
            Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, None), false),
            Field::new("latitude", label, false),
            Field::new("pr", DataType::Float64, true).with_metadata(units),
            Field::new("name", DataType::Utf8View, true),
        ]);
        let table = TableListing { name: "rain".to_string(), kind: "view", columns: Vec::new() };
        let expected = "\
rain (view)
Dimensions: (time, latitude)
Columns:
  * time      timestamp
  * latitude  float32
    pr        float64  [mm]
    name      string
";
        assert_eq!(print_columns(&table, &schema, &["time".to_string(), "latitude".to_string()]), expected);
    }
}
