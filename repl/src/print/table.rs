//! A table for people: the first rows and the last ones, in bounded memory however many there are between them.

use std::collections::VecDeque;

use arrow::datatypes::{Field, SchemaRef};
use arrow::record_batch::RecordBatch;

use super::cell::{Cells, is_numeric};
use super::layout::{Column, Grid, Text};
use super::sizes::DimensionSizes;
use super::{ResultWriter, Shape, Sink, WriteError};
use crate::terminal::Style;

/// Gathers what is to be shown, and prints it at the end.
pub(crate) struct TableWriter {
    sink: Sink,
    style: Style,
    schema: SchemaRef,
    dimensions: Vec<String>,
    sizes: DimensionSizes,
    head: Vec<Vec<Text>>,
    tail: VecDeque<RecordBatch>,
    tail_rows: usize,
    row_count: u64,
}

const HEAD_ROWS: usize = 20;
const TAIL_ROWS: usize = 20;
/// Rows from either end on the smallest of terminals.
const FEW_ROWS: usize = 5;
/// Title, rules, names, units, the mark of what is left out, the count, the time and the next prompt.
const LINES_AROUND: usize = 10;

impl TableWriter {
    pub(crate) fn new(sink: Sink, shape: &Shape, style: &Style) -> Self {
        let schema = shape.schema.clone();
        let columns: Vec<usize> = shape.dimensions.iter().filter_map(|name| schema.index_of(name).ok()).collect();
        Self {
            sink,
            style: style.clone(),
            dimensions: columns.iter().map(|&column| schema.field(column).name().clone()).collect(),
            sizes: DimensionSizes::new(columns),
            schema,
            head: Vec::new(),
            tail: VecDeque::new(),
            tail_rows: 0,
            row_count: 0,
        }
    }

    fn keep_tail(&mut self, batch: RecordBatch) {
        let surplus = batch.num_rows().saturating_sub(TAIL_ROWS);
        let batch = batch.slice(surplus, batch.num_rows() - surplus);
        self.tail_rows += batch.num_rows();
        self.tail.push_back(batch);
        while let Some(first) = self.tail.front()
            && self.tail_rows - first.num_rows() >= TAIL_ROWS
        {
            self.tail_rows -= first.num_rows();
            self.tail.pop_front();
        }
    }

    fn tail_texts(&self) -> Result<Vec<Vec<Text>>, WriteError> {
        let mut rows = Vec::new();
        for batch in &self.tail {
            rows.extend(texts(batch, batch.num_rows())?);
        }
        rows.drain(..rows.len().saturating_sub(TAIL_ROWS));
        Ok(rows)
    }

    /// `tmin[time: 1825, y: 20] degrees C`
    fn title(&self) -> Option<String> {
        if self.dimensions.is_empty() {
            return None;
        }
        let lengths = self.sizes.lengths();
        let dimensions = self.dimensions.iter().zip(lengths).map(|(name, length)| match length {
            Some(length) => format!("{name}: {length}"),
            None => name.clone(),
        });
        let dimensions = dimensions.collect::<Vec<_>>().join(", ");
        let variables: Vec<&Field> = self
            .schema
            .fields()
            .iter()
            .map(AsRef::as_ref)
            .filter(|field: &&Field| !self.dimensions.contains(field.name()))
            .collect();
        let names = variables.iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ");
        let units = match variables.as_slice() {
            [only] => units(only).map(|units| format!(" {units}")),
            _ => None,
        };
        Some(format!("{names}[{dimensions}]{}", units.unwrap_or_default()))
    }

    fn grid(&self, mut tail: Vec<Vec<Text>>) -> Grid {
        let mut head = self.head.clone();
        if let (true, Some(lines)) = (self.row_count > (HEAD_ROWS + TAIL_ROWS) as u64, self.style.height) {
            // What is cut anyway is cut so that the names of the columns stay in sight.
            let rows = (lines.saturating_sub(LINES_AROUND) / 2).clamp(FEW_ROWS, HEAD_ROWS);
            head.truncate(rows);
            tail.drain(..tail.len().saturating_sub(rows));
        }
        let columns = self.schema.fields().iter().map(|field| Column {
            name: field.name().clone(),
            units: units(field).map(str::to_string),
            is_right: is_numeric(field.data_type()),
        });
        let shown = (head.len() + tail.len()) as u64;
        let plural = if self.row_count == 1 { "" } else { "s" };
        let count = format!("{} row{plural}", group_digits(self.row_count));
        let footer = match shown < self.row_count {
            true => format!("{count} ({shown} shown)"),
            false => count,
        };
        Grid { title: self.title(), columns: columns.collect(), is_cut: shown < self.row_count, head, tail, footer }
    }
}

impl ResultWriter for TableWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), WriteError> {
        self.row_count += batch.num_rows() as u64;
        self.sizes.add(batch).map_err(|error| WriteError::of_arrow("table", error))?;
        let taken = batch.num_rows().min(HEAD_ROWS - self.head.len());
        self.head.extend(texts(batch, taken)?);
        if taken < batch.num_rows() {
            self.keep_tail(batch.slice(taken, batch.num_rows() - taken));
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        let grid = self.grid(self.tail_texts()?);
        let text = grid.render(&self.style);
        self.sink.write_all(text.as_bytes())?;
        Ok(self.sink.flush()?)
    }

    fn writes_at_end(&self) -> bool {
        true
    }
}

fn units(field: &Field) -> Option<&str> {
    field.metadata().get("units").map(String::as_str).filter(|units| !units.is_empty())
}

/// The first rows of a batch, cell by cell.
fn texts(batch: &RecordBatch, rows: usize) -> Result<Vec<Vec<Text>>, WriteError> {
    let batch = batch.slice(0, rows);
    let columns = batch.columns().iter().map(|array| Cells::new(array.as_ref())).collect::<Result<Vec<_>, _>>()?;
    let row = |row: usize| columns.iter().map(|cells| text(cells, row)).collect();
    Ok((0..rows).map(row).collect())
}

fn text(cells: &Cells<'_>, row: usize) -> Text {
    let mut bytes = Vec::new();
    match cells.write(row, &mut bytes) {
        true => Text::Value(String::from_utf8_lossy(&bytes).into_owned()),
        false => Text::Missing,
    }
}

/// `1825` as `1,825`.
pub(crate) fn group_digits(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
