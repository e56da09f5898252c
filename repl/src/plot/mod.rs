//! Drawings: PNG and SVG files, and text for the terminal.

mod axis;
mod bar;
mod canvas;
mod colour;
mod font;
mod frame;
mod heat;
mod histogram;
mod limits;
mod line;
mod map;
mod map_ticks;
mod raster;
mod text;
mod ticks;
mod time_ticks;
mod vector;

use std::io;
use std::path::Path;

use quarray_engine::outcome::{Chart, PlotSpec};

pub use text::draw_text;

use crate::output::PendingFile;
use canvas::Canvas;

/// Why something could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The file's name says neither PNG nor SVG.
    #[error("cannot draw to `{0}`: expected a name that ends in .png or .svg")]
    Extension(String),
    /// A size that no drawing can have.
    #[error("cannot draw {width} by {height} inches: expected 1 to {MOST_INCHES} inches either way")]
    Size {
        /// Asked for.
        width: f64,
        /// Asked for.
        height: f64,
    },
    /// The file cannot be written.
    #[error("cannot write the drawing: {0}")]
    Io(#[from] io::Error),
    /// The built-in font cannot be read.
    #[error("internal error: the built-in font cannot be read")]
    Font,
    /// The drawing library failed.
    #[error("cannot draw: {0}")]
    Library(String),
}

/// Dots of an inch.
const DOTS_PER_INCH: f64 = 100.0;
const MOST_INCHES: f64 = 100.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Png,
    Svg,
}

/// Draws to a PNG or SVG file, by its name. The file appears when it is complete.
pub fn draw_file(spec: &PlotSpec, target: &Path) -> Result<(), PlotError> {
    let kind = match target.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase).as_deref()
    {
        Some("png") => FileKind::Png,
        Some("svg") => FileKind::Svg,
        _ => return Err(PlotError::Extension(target.display().to_string())),
    };
    let size = dots(spec)?;
    if !font::register() {
        return Err(PlotError::Font);
    }
    let pending = PendingFile::create(target)?;
    let draw = |canvas: &mut dyn Canvas| draw_chart(canvas, (f64::from(size.0), f64::from(size.1)), spec);
    match kind {
        FileKind::Png => raster::draw_png(pending.path(), size, draw)?,
        FileKind::Svg => vector::draw_svg(pending.path(), size, draw)?,
    }
    Ok(pending.commit()?)
}

fn dots(spec: &PlotSpec) -> Result<(u32, u32), PlotError> {
    let is_possible = |inches: f64| (1.0..=MOST_INCHES).contains(&inches);
    if !is_possible(spec.width) || !is_possible(spec.height) {
        return Err(PlotError::Size { width: spec.width, height: spec.height });
    }
    let dots = |inches: f64| (inches * DOTS_PER_INCH).round() as u32;
    Ok((dots(spec.width), dots(spec.height)))
}

fn draw_chart(canvas: &mut dyn Canvas, size: (f64, f64), spec: &PlotSpec) -> Result<(), PlotError> {
    let title = spec.title.as_str();
    match &spec.chart {
        Chart::Line { x, y_label, series } => line::draw(canvas, size, &line::Lines { title, x, y_label, series }),
        Chart::HeatMap { .. } => match heat::Cells::of(title, &spec.chart) {
            Some(cells) => heat::draw(canvas, size, &cells),
            None => Ok(()),
        },
        Chart::Histogram { value_label, edges, counts } => {
            histogram::draw(canvas, size, &histogram::Bins { title, value_label, edges, counts })
        }
    }
}

impl PlotError {
    fn of_library(error: impl std::fmt::Display) -> Self {
        Self::Library(error.to_string())
    }
}

#[cfg(test)]
mod tests;
