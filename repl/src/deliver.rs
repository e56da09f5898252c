//! Brings what a statement gave back to where it belongs: rows to a writer, drawings to a file or the screen, words to
//! standard error.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;

use quarray_engine::outcome::{Outcome, PlotSpec, Rows};

use crate::args::Format;
use crate::failure::Failure;
use crate::output::OutputSlot;
use crate::plot;
use crate::print::{Shape, Sink, WriteError, bytes_text, print_summary, writer};
use crate::progress::ProgressLine;
use crate::terminal::{Style, tell};

/// Cells of a result that a table is made of: of more than these it shows next to nothing, after a long time.
const PRINTED_CELLS_MAX: u64 = 100_000_000;

/// Where and how a result is to be written.
pub struct Delivery {
    /// The format.
    pub format: Format,
    /// The file, `None` for standard output.
    pub file: Option<OutputSlot>,
}

/// Writes what a statement gave back.
pub(crate) async fn deliver(outcome: Outcome, delivery: Delivery, progress: &ProgressLine) -> Result<(), Failure> {
    match outcome {
        Outcome::Rows(rows) => deliver_rows(rows, delivery, progress).await,
        Outcome::Explain(text) => {
            progress.finish();
            write_text(&format!("{}\n", text.trim_end()), delivery)
        }
        Outcome::Plot(spec) => {
            progress.finish();
            deliver_plot(&spec, delivery)
        }
        Outcome::Done(message) => {
            progress.finish();
            if !message.is_empty() {
                tell(&message);
            }
            Ok(())
        }
    }
}

async fn deliver_rows(mut rows: Rows, delivery: Delivery, progress: &ProgressLine) -> Result<(), Failure> {
    let style = delivery.style();
    if let (Some(summary), Format::Table, true) = (&rows.summary, delivery.format, style.is_terminal()) {
        let text = print_summary(summary, &style);
        progress.finish();
        return write_text(&text, delivery);
    }
    if let (Some(cells), Format::Table) = (rows.cells.filter(|&cells| cells > PRINTED_CELLS_MAX), delivery.format) {
        let bytes = cells.saturating_mul(row_bytes(&rows));
        return Err(Failure::TooLarge { cells, bytes: bytes_text(bytes) });
    }
    let shape = Shape { schema: rows.schema(), dimensions: rows.dimensions.clone(), is_file: delivery.file.is_some() };
    let format = delivery.format;
    let mut writer = writer(format, delivery.sink()?, &shape, &style)?;
    let shares_terminal = style.is_terminal();
    while let Some(batch) = rows.next().await? {
        if shares_terminal && !writer.writes_at_end() {
            progress.finish();
        }
        writer.write(&batch)?;
    }
    progress.finish();
    Ok(writer.finish()?)
}

/// Bytes of a row, where it is a dozen of a text.
fn row_bytes(rows: &Rows) -> u64 {
    let schema = rows.schema();
    let values = schema.fields().iter().filter(|field| !rows.dimensions.contains(field.name()));
    values.map(|field| field.data_type().primitive_width().unwrap_or(12) as u64).sum()
}

fn deliver_plot(spec: &PlotSpec, delivery: Delivery) -> Result<(), Failure> {
    match &spec.target {
        Some(target) => {
            plot::draw_file(spec, Path::new(target))?;
            tell(&format!("wrote {target}"));
            Ok(())
        }
        None => {
            let text = plot::draw_text(spec, &delivery.style());
            write_text(&text, delivery)
        }
    }
}

impl Delivery {
    fn style(&self) -> Style {
        match self.file {
            Some(_) => Style::default(),
            None => Style::of_stdout(),
        }
    }

    fn sink(self) -> Result<Sink, Failure> {
        match self.file {
            Some(slot) => Ok(Box::new(slot.take(self.format)?)),
            // Past the standard library's line buffer, which would look for line ends in every block.
            None => Ok(Box::new(File::from(std::io::stdout().as_fd().try_clone_to_owned().map_err(WriteError::from)?))),
        }
    }
}

fn write_text(text: &str, delivery: Delivery) -> Result<(), Failure> {
    delivery.sink()?.write_all(text.as_bytes()).map_err(WriteError::from)?;
    Ok(())
}
