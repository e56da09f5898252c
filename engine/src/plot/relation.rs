//! Rows without dimensions: lines over the first column.

use arrow::array::Array;
use arrow::compute::{SortOptions, concat_batches, sort_to_indices, take};
use arrow::record_batch::RecordBatch;
use quarray_lang::diagnostic::Diagnostic;

use super::axis::{axis_of, is_time};
use super::{Kind, common_label, is_drawable, nothing_to_draw, shape_error};
use crate::error::Error;
use crate::labelled::{CELLS_MAX, arrow_error, numbers};
use crate::outcome::{Chart, Rows};

/// Lines of the other columns over the first one, from its least value to its greatest.
pub(super) async fn lines(rows: Rows, kind: Option<Kind>) -> Result<Chart, Error> {
    let schema = rows.schema();
    let (Some(x), true) = (schema.fields().first(), schema.fields().len() > 1) else {
        return Err(shape_error(if kind.is_some() { "a line" } else { "a drawing" }, "one", &[]));
    };
    let is_calendar = x.metadata().contains_key("calendar");
    if !(x.data_type().is_numeric() || is_time(x.data_type()) || is_calendar) {
        let message = format!("expected numbers or times to draw over, found `{}` ({})", x.name(), x.data_type());
        return Err(Error::Bind(Diagnostic::new(message).with_help("select such a column first, or use |> GRID")));
    }
    let columns: Vec<usize> = (1..schema.fields().len())
        .filter(|&column| is_drawable(schema.field(column).data_type(), schema.field(column).metadata()))
        .collect();
    if columns.is_empty() {
        let found = schema.fields().iter().skip(1).map(|field| (field.name().as_str(), field.data_type()));
        return Err(nothing_to_draw(&found.collect::<Vec<_>>()));
    }
    let batch = collect(rows).await?;
    let labels = batch.column(0);
    let options = SortOptions { descending: false, nulls_first: false };
    let order = sort_to_indices(labels, Some(options), None).map_err(arrow_error)?;
    let order = order.slice(0, labels.len() - labels.null_count());
    let sorted = |column: usize| take(batch.column(column), &order, None).map_err(arrow_error);
    let series = columns.iter().map(|&column| {
        let field = schema.field(column);
        let values = numbers(&sorted(column)?).ok_or_else(|| nothing_to_draw(&[(field.name(), field.data_type())]))?;
        Ok((field.name().clone(), values))
    });
    let series = series.collect::<Result<_, Error>>()?;
    let names: Vec<_> =
        columns.iter().map(|&column| (schema.field(column).name().as_str(), schema.field(column).metadata())).collect();
    Ok(Chart::Line { x: axis_of(x.name(), &sorted(0)?, x.metadata())?, y_label: common_label(&names), series })
}

async fn collect(mut rows: Rows) -> Result<RecordBatch, Error> {
    let memory = rows.reservation("plot");
    let schema = rows.schema();
    let mut batches = Vec::new();
    let mut count = 0;
    while let Some(batch) = rows.next().await? {
        count += batch.num_rows() as u64;
        if count > CELLS_MAX {
            let message = format!("the result has more than the {CELLS_MAX} rows that can be drawn: add LIMIT");
            return Err(Error::Resources(message));
        }
        memory.try_grow(batch.num_rows() * schema.fields().len() * size_of::<f64>())?;
        batches.push(batch);
    }
    concat_batches(&schema, &batches).map_err(arrow_error)
}
