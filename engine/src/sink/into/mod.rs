//! `INTO`: the rows of arrays → a new Zarr store.
//!
//! The labels of all dimensions are known before the rows come, so that rows go straight into their chunks, in whatever
//! order they come, and no more is held than the chunks that are not whole yet.

mod boxes;
mod contents;
mod layout;
mod options;
mod stored;
mod stream;

use arrow::array::ArrayRef;
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::syntax::IntoMode;

use super::zarr::{StoreSchema, WriteSummary, ZarrWriter, expect_free};
use crate::access::AccessPolicy;
use crate::array::Region;
use crate::error::Error;
use crate::outcome::Rows;
use crate::source::store::Store;
use contents::ArrayCells;
pub use contents::{StoreArray, StoreContents, StoreDimension};
use layout::Layout;
use options::IntoOptions;

/// A store that may be written.
#[derive(Debug, Clone)]
pub struct StoreOrder {
    target: String,
    store: Store,
    chunks: Vec<(String, u64)>,
    options: IntoOptions,
}

/// Writes the rows of an array into a store, and says in a line what was written: see [`StoreOrder::new`].
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
    let order = StoreOrder::new(target, chunks, options, mode, &AccessPolicy::everything()).await?;
    order.write(StoreContents::of_rows(arrays).await?).await
}

impl StoreOrder {
    /// Checks what is asked for before anything is computed.
    ///
    /// `chunks` are cells of a chunk along dimensions; options are `codec`, `overwrite`, `zarr_version` and those of the
    /// store, which is opened for whoever may touch what `access` says. Nothing of an existing store is touched unless
    /// `overwrite`, and then only when the new one is complete.
    pub async fn new(
        target: &str,
        chunks: &[(String, u64)],
        options: &[(String, String)],
        mode: &IntoMode,
        access: &AccessPolicy,
    ) -> Result<Self, Error> {
        expect_new(mode)?;
        let options = IntoOptions::parse(options)?;
        let store = Store::open_for(target, &options.store, access)?;
        expect_free(&store, options.overwrite).await?;
        Ok(Self { target: target.to_string(), store, chunks: chunks.to_vec(), options })
    }

    /// Writes the store, and says in a line what was written. When it fails, or is dropped midway, nothing is left.
    pub async fn write(self, contents: StoreContents) -> Result<String, Error> {
        let layout = Layout::new(&contents, &self.chunks, &self.options)?;
        let Self { target, store, options, .. } = self;
        let mut writer = ZarrWriter::create_in(store, layout.schema.clone(), options.overwrite).await?;
        match write_contents(&mut writer, contents, &layout).await {
            Ok(()) => {}
            Err(error) => {
                // What is said is why it failed, not how tidying went.
                let _ = writer.abort().await;
                return Err(error);
            }
        }
        let written = writer.finish().await?;
        Ok(report(&target, &layout, written))
    }
}

async fn write_contents(writer: &mut ZarrWriter, contents: StoreContents, layout: &Layout) -> Result<(), Error> {
    let dimensions = contents.dimensions;
    for (number, &dimension) in layout.labelled.iter().enumerate() {
        let labels = &dimensions[dimension].labels;
        writer.write(number, &Region::whole(&[labels.len() as u64]), labels).await?;
    }
    let mut first = layout.labelled.len();
    for (_, value) in &contents.scalars {
        writer.write(first, &Region::whole(&[]), value).await?;
        first += 1;
    }
    for array in contents.arrays {
        let along: Vec<&StoreDimension> = array.dimensions.iter().map(|&number| &dimensions[number]).collect();
        match array.cells {
            ArrayCells::Held(values) => {
                for (number, values) in values.iter().enumerate() {
                    write_whole(writer, first + number, &layout.schema, values).await?;
                }
            }
            ArrayCells::Coming(rows, columns) => {
                stream::RowStream::new(&rows, &along, &columns, first)?.write(rows, writer).await?;
            }
        }
        first += array.variables.len();
    }
    Ok(writer.fill_rest().await?)
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
    let dimensions: Vec<String> =
        layout.schema.dimensions.iter().map(|dimension| format!("{} {}", dimension.name, dimension.length)).collect();
    let over = if dimensions.is_empty() { String::new() } else { format!(" ({})", dimensions.join(", ")) };
    let (chunks, bytes) = (written.chunks, bytes_as_text(written.bytes));
    format!("wrote {}{over} to {shown}: {chunks} chunks, {bytes}", layout.names.join(", "))
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
    schema: &StoreSchema,
    values: &ArrayRef,
) -> Result<(), Error> {
    let length = schema.variables[variable].chunk_shape.first().copied().unwrap_or(1);
    for (region, start, cells) in slabs(&schema.shape(variable), length) {
        writer.write(variable, &region, &values.slice(start, cells)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
