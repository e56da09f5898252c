//! `INTO`: the rows of arrays → a new Zarr store.
//!
//! Where the labels of all dimensions are known before the rows come, rows go straight into their chunks, in whatever
//! order they come, and no more is held than the chunks that are not whole yet. Else they are collected first.

mod boxes;
mod layout;
mod options;
mod part;

use arrow::array::ArrayRef;
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::syntax::IntoMode;

use super::zarr::{WriteSummary, ZarrWriter, expect_free};
use crate::array::Region;
use crate::error::Error;
use crate::labelled::CELLS_MAX;
use crate::outcome::Rows;
use layout::Layout;
use options::IntoOptions;
use part::Part;

/// Writes the rows of an array into a store, and says in a line what was written.
///
/// `chunks` are cells of a chunk along dimensions; options are `codec`, `overwrite`, `zarr_version` and those of the
/// store. Nothing of an existing store is touched unless `overwrite`, and then only when the new one is complete.
pub async fn write_rows(
    rows: Rows,
    target: &str,
    chunks: &[(String, u64)],
    options: &[(String, String)],
    mode: &IntoMode,
) -> Result<String, Error> {
    write_dataset(vec![rows], target, chunks, options, mode).await
}

/// Writes several arrays into one store: each the variables of one set of dimensions, dimensions of one name having the
/// same labels.
pub async fn write_dataset(
    arrays: Vec<Rows>,
    target: &str,
    chunks: &[(String, u64)],
    options: &[(String, String)],
    mode: &IntoMode,
) -> Result<String, Error> {
    expect_new(mode)?;
    let options = IntoOptions::parse(options)?;
    expect_free(target, &options.store, options.overwrite).await?;
    let mut parts = Vec::with_capacity(arrays.len());
    let mut cells_left = CELLS_MAX;
    for rows in arrays {
        let part = Part::open(rows, cells_left).await?;
        cells_left = cells_left.saturating_sub(part.cells_held());
        parts.push(part);
    }
    let layout = Layout::new(&parts, chunks, &options)?;
    let mut writer = ZarrWriter::create(target, &options.store, layout.schema.clone(), options.overwrite).await?;
    for (number, labels) in layout.labels.iter().enumerate() {
        writer.write(number, &Region::whole(&[labels.len() as u64]), labels).await?;
    }
    let mut first = layout.labels.len();
    for part in parts {
        let variables = part.variable_count();
        part.write(&mut writer, first, &layout.schema).await?;
        first += variables;
    }
    writer.fill_rest().await?;
    let written = writer.finish().await?;
    Ok(report(target, &layout, written))
}

fn expect_new(mode: &IntoMode) -> Result<(), Error> {
    let what = match mode {
        IntoMode::New => return Ok(()),
        IntoMode::Append(_) => "INTO … APPEND",
        IntoMode::Region => "INTO … REGION",
    };
    let diagnostic = Diagnostic::new(format!("{what} is not there yet"));
    Err(Error::Bind(diagnostic.with_help("write a new store: INTO 'path.zarr'")))
}

fn report(target: &str, layout: &Layout, written: WriteSummary) -> String {
    let shown = target.split(['?', '#']).next().unwrap_or_default();
    let names: Vec<&str> =
        layout.schema.variables[layout.labels.len()..].iter().map(|variable| variable.name.as_str()).collect();
    let dimensions: Vec<String> =
        layout.schema.dimensions.iter().map(|dimension| format!("{} {}", dimension.name, dimension.length)).collect();
    let over = if dimensions.is_empty() { String::new() } else { format!(" ({})", dimensions.join(", ")) };
    let (chunks, bytes) = (written.chunks, bytes_as_text(written.bytes));
    format!("wrote {}{over} to {shown}: {chunks} chunks, {bytes}", names.join(", "))
}

fn bytes_as_text(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64 / 1e3;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    if bytes < 1000 { format!("{bytes} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Values along the first dimension that make up one box after the other.
fn slabs(shape: &[u64], length: u64) -> impl Iterator<Item = (Region, usize, usize)> {
    let inner: u64 = shape.iter().skip(1).product();
    let rows = shape.first().copied().unwrap_or(1);
    let shape = shape.to_vec();
    (0..rows).step_by(length.max(1) as usize).map(move |start| {
        let count = length.max(1).min(rows - start);
        let mut region = Region::whole(&shape);
        if let (Some(first), Some(along)) = (region.start.first_mut(), region.shape.first_mut()) {
            (*first, *along) = (start, count);
        }
        (region, (start * inner) as usize, (count * inner) as usize)
    })
}

/// Writes the whole of a variable, a row of chunks at a time.
async fn write_whole(
    writer: &mut ZarrWriter,
    variable: usize,
    (shape, chunk_shape): (&[u64], &[u64]),
    values: &ArrayRef,
) -> Result<(), Error> {
    for (region, start, cells) in slabs(shape, chunk_shape.first().copied().unwrap_or(1)) {
        writer.write(variable, &region, &values.slice(start, cells)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
