//! How often each value comes.

use arrow::array::Array;

use super::{axis::with_units, is_coordinate, is_drawable, nothing_to_draw};
use crate::error::Error;
use crate::labelled::{CELLS_MAX, numbers};
use crate::outcome::{Chart, Rows};

/// Counts the values of the first variable of numbers in that many bins of one width; missing ones are left out.
pub(super) async fn histogram(mut rows: Rows, bins: usize) -> Result<Chart, Error> {
    let schema = rows.schema();
    let is_candidate = |column: &usize| {
        let field = schema.field(*column);
        !rows.dimensions.contains(field.name()) && is_drawable(field.data_type(), field.metadata())
    };
    let candidates: Vec<usize> = (0..schema.fields().len()).filter(is_candidate).collect();
    let own = candidates.iter().find(|&&column| !is_coordinate(schema.field(column).metadata()));
    let Some(&column) = own.or(candidates.first()) else {
        let found = schema.fields().iter().map(|field| (field.name().as_str(), field.data_type()));
        return Err(nothing_to_draw(&found.collect::<Vec<_>>()));
    };
    let memory = rows.reservation("histogram");
    let mut values: Vec<f64> = Vec::new();
    while let Some(batch) = rows.next().await? {
        if (values.len() + batch.num_rows()) as u64 > CELLS_MAX {
            let message = format!("the result has more than the {CELLS_MAX} values that a histogram can have");
            return Err(Error::Resources(message));
        }
        memory.try_grow(batch.num_rows() * size_of::<f64>())?;
        let column = batch.column(column);
        let found = numbers(column).ok_or_else(|| nothing_to_draw(&[("values", column.data_type())]))?;
        values.extend(found.into_iter().filter(|value| value.is_finite()));
    }
    let field = schema.field(column);
    let (edges, counts) = count(&values, bins);
    Ok(Chart::Histogram { value_label: with_units(field.name(), field.metadata()), edges, counts })
}

/// The edges of the bins, from the least value to the greatest, and how many values are in each.
fn count(values: &[f64], bins: usize) -> (Vec<f64>, Vec<u64>) {
    let (mut low, mut high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    if values.is_empty() {
        (low, high) = (0.0, 1.0);
    } else if low == high {
        (low, high) = (low - 0.5, high + 0.5);
    }
    let width = (high - low) / bins as f64;
    let edges = (0..=bins).map(|edge| if edge == bins { high } else { low + width * edge as f64 }).collect();
    let mut counts = vec![0; bins];
    for value in values {
        let bin = ((value - low) / width) as usize;
        counts[bin.min(bins - 1)] += 1;
    }
    (edges, counts)
}
