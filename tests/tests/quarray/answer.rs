//! A result as plain values, and how two results compare.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int64Type, Schema, TimeUnit, UInt64Type};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// A value of a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Missing,
    /// An integer of any width.
    Integer(i128),
    /// A float of either width; NaN is a value like others.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Text, or a timestamp as ISO 8601 text.
    Text(String),
}

/// A column of a result.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `float32`, `float64`, `int`, `bool`, `timestamp`, `calendar`, `text`, or Arrow's name of another type.
    pub class: String,
    /// Its values.
    pub cells: Vec<Cell>,
}

/// A whole result.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The dimensions of an array, outermost first.
    pub dimensions: Vec<String>,
    /// The columns.
    pub columns: Vec<Column>,
}

/// How near floats must be to count as equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// Equal.
    Exact,
    /// 1e-6 of the largest value of the column: elementwise arithmetic may have been in single precision.
    Single,
    /// 1e-12 of the largest value of the column: the order of additions may differ.
    Sum,
}

impl Answer {
    /// The values of batches.
    pub fn new(dimensions: Vec<String>, schema: &Schema, batches: &[RecordBatch]) -> Self {
        let columns = schema.fields().iter().enumerate().map(|(index, field)| {
            let parts = batches.iter().map(|batch| plain(batch.column(index)));
            let cells = parts.flat_map(|array| cells(&array)).collect();
            Column { name: field.name().clone(), class: class(field), cells }
        });
        Self { dimensions, columns: columns.collect() }
    }

    /// Rows of the result.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.cells.len())
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Puts the rows in an order of their own: by every exact column, then by the floats.
    pub fn sort_rows(&mut self) {
        let is_float = |column: &&Column| column.class.starts_with("float");
        let exact = self.columns.iter().filter(|column| !is_float(column));
        let floats = self.columns.iter().filter(is_float);
        let keys: Vec<&Column> = exact.chain(floats).collect();
        let mut order: Vec<usize> = (0..self.rows()).collect();
        order.sort_by(|&a, &b| {
            keys.iter().map(|key| compare(&key.cells[a], &key.cells[b])).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
        });
        for column in &mut self.columns {
            column.cells = order.iter().map(|&row| column.cells[row].clone()).collect();
        }
    }
}

impl Tolerance {
    /// The tolerance of that name in a case.
    pub fn named(name: &str) -> Self {
        match name {
            "exact" => Self::Exact,
            "f32" => Self::Single,
            "sum" => Self::Sum,
            other => panic!("no tolerance class {other:?}"),
        }
    }

    fn share(self) -> f64 {
        match self {
            Self::Exact => 0.0,
            Self::Single => 1e-6,
            Self::Sum => 1e-12,
        }
    }
}

/// The first difference between two columns of as many rows: the row, and both values.
pub fn first_difference(expected: &Column, found: &Column, tolerance: Tolerance) -> Option<String> {
    let single = found.class == "float32";
    let allowed = tolerance.share() * largest(&expected.cells);
    let pairs = expected.cells.iter().zip(&found.cells).enumerate();
    let (row, (expected, found)) =
        pairs.into_iter().find(|(_, (expected, found))| !same(expected, found, single, allowed))?;
    Some(format!("row {row}: expected {expected:?}, found {found:?}"))
}

fn same(expected: &Cell, found: &Cell, single: bool, allowed: f64) -> bool {
    match (expected, found) {
        (Cell::Float(expected), Cell::Float(found)) => {
            let expected = if single { f64::from(*expected as f32) } else { *expected };
            expected == *found || (expected.is_nan() && found.is_nan()) || (expected - found).abs() <= allowed
        }
        _ => expected == found,
    }
}

fn largest(cells: &[Cell]) -> f64 {
    let sizes = cells.iter().map(|cell| match cell {
        Cell::Float(value) if value.is_finite() => value.abs(),
        _ => 0.0,
    });
    sizes.fold(0.0, f64::max)
}

/// An order of any two cells; missing ones come last.
fn compare(a: &Cell, b: &Cell) -> Ordering {
    match (a, b) {
        (Cell::Integer(a), Cell::Integer(b)) => a.cmp(b),
        (Cell::Float(a), Cell::Float(b)) => a.total_cmp(b),
        (Cell::Bool(a), Cell::Bool(b)) => a.cmp(b),
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        (Cell::Missing, Cell::Missing) => Ordering::Equal,
        (Cell::Missing, _) => Ordering::Greater,
        (_, Cell::Missing) => Ordering::Less,
        _ => Ordering::Equal,
    }
}

/// The array without dictionary or run-end encoding.
fn plain(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Dictionary(_, value) => cast(array, value).expect("a dictionary can be unpacked"),
        DataType::RunEndEncoded(_, value) => cast(array, value.data_type()).expect("runs can be unpacked"),
        _ => array.clone(),
    }
}

fn class(field: &Field) -> String {
    let data_type = match field.data_type() {
        DataType::Dictionary(_, value) => value.as_ref(),
        DataType::RunEndEncoded(_, value) => value.data_type(),
        other => other,
    };
    let is_calendar = |(key, value): (&String, &String)| {
        key == "calendar" || (key == "ARROW:extension:name" && value.contains("calendar"))
    };
    match data_type {
        DataType::Float16 | DataType::Float32 => "float32".to_string(),
        DataType::Float64 => "float64".to_string(),
        DataType::Int64 if field.metadata().iter().any(is_calendar) => "calendar".to_string(),
        other if other.is_integer() => "int".to_string(),
        DataType::Boolean => "bool".to_string(),
        DataType::Timestamp(..) => "timestamp".to_string(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_string(),
        other => other.to_string(),
    }
}

fn cells(array: &ArrayRef) -> Vec<Cell> {
    let cell = |row: usize, value: &dyn Fn(usize) -> Cell| if array.is_null(row) { Cell::Missing } else { value(row) };
    let all = |value: &dyn Fn(usize) -> Cell| (0..array.len()).map(|row| cell(row, value)).collect();
    match array.data_type() {
        DataType::Float64 => all(&|row| Cell::Float(array.as_primitive::<Float64Type>().value(row))),
        DataType::Float32 => all(&|row| Cell::Float(f64::from(array.as_primitive::<Float32Type>().value(row)))),
        DataType::Boolean => all(&|row| Cell::Bool(array.as_boolean().value(row))),
        DataType::UInt64 => all(&|row| Cell::Integer(i128::from(array.as_primitive::<UInt64Type>().value(row)))),
        other if other.is_integer() => {
            let wide = cast(array, &DataType::Int64).expect("an integer fits in 64 bits");
            all(&|row| Cell::Integer(i128::from(wide.as_primitive::<Int64Type>().value(row))))
        }
        DataType::Timestamp(..) => {
            let plain =
                cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None)).expect("a timestamp has microseconds");
            texts(&plain)
        }
        _ => texts(array),
    }
}

fn texts(array: &ArrayRef) -> Vec<Cell> {
    let options = FormatOptions::default().with_display_error(true);
    let formatter = ArrayFormatter::try_new(array, &options).expect("every array can be shown");
    let text = |row| if array.is_null(row) { Cell::Missing } else { Cell::Text(formatter.value(row).to_string()) };
    (0..array.len()).map(text).collect()
}
